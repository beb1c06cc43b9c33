# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host of many maps, whose disk is slow, at the start of the service: nobody waits for all of them."""

import contextlib
import os
import signal
import sqlite3
import threading
import time

import case
import names
from device_mapper import FOREVER
from multipathd import OWN_SELECTOR
from names import FAILOVER, NONE, QUEUE_DEPTH, SUCCESS, VENDOR

SYNC = 25  # milliseconds, of a failing disk
SYNCS = 60  # for all maps together: one of each alone takes four


class StartTest(case.HostTest):
    sessions, portals, luns = 10, 2, 20
    access = False

    def put_default(self):
        """Of maps that appear, not of those that are there."""
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)

    def execute(self, sql):
        with contextlib.closing(sqlite3.connect(self.host.directory / "state/state.db")) as file:
            file.execute(sql)
            file.commit()

    def another_boot(self):
        """The service, which is not there, has not run in this one."""
        self.execute("UPDATE setting SET value = 'another' WHERE length(value) = 32")

    def by_default(self):
        """How many maps have the default's groups."""
        return sum(self.host.shape(minor)[0][0] == "queue-length 0" for minor in self.host.minors())

    def all_by_default(self):
        return self.by_default() == len(self.host.minors())


class Starts(StartTest):
    def test_the_default_for_all(self):
        """One file is written to, not one file for each map."""
        self.put_default()
        self.assertEqual(self.host.stop(), 0)
        self.another_boot()
        slow = self.host.dm.fault("sync", count=FOREVER, milliseconds=SYNC)
        self.host.start()
        worst = 0
        while not self.all_by_default():
            before = time.monotonic()
            self.agent.manager("DefaultLoadBalancePolicy")
            worst = max(worst, time.monotonic() - before)
            time.sleep(0.01)
        self.assertLess(slow.seen, SYNCS)
        self.assertLess(worst, 5)  # twenty, a map after another; most of five is other tests
        slow.clear()
        self.restart()
        self.assertEqual({self.agent.disk(minor, "Provenance") for minor in self.host.minors()},
                         {"default"})


class Chances(StartTest):
    """The default policy is for each map that appears, once in a boot."""
    sessions, luns = 1, 8

    def own(self):
        """The maps that have the host's own groups."""
        return {minor for minor in self.host.minors()
                if self.host.shape(minor)[0][0] == OWN_SELECTOR}

    def remove(self, minor):
        self.host.remove_map(minor)
        self.wait_for(lambda: names.disk_path(minor) not in self.agent.objects(), "its end")

    def begin_boot(self):
        self.execute("DELETE FROM disk_policy")
        self.another_boot()
        for minor in self.host.minors():
            self.host.write_map(minor, self.host.own_groups(minor))

    def start_and_kill(self, syncs):
        """When it has synced so often; some do not so often."""
        held = self.host.dm.fault("sync", skip=syncs, count=FOREVER, milliseconds=60000)

        def kill():
            until = time.monotonic() + 1
            while not self.host.service or held.seen <= syncs and time.monotonic() < until:
                time.sleep(0.01)
            os.killpg(self.host.service.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with contextlib.suppress(RuntimeError):  # killed before it was ready
            self.host.start()
        killer.join()
        self.host.kill()
        held.clear()

    def have_the_default(self):
        return all(self.agent.disk(minor, "Provenance") == "default" for minor in self.host.minors())

    def test_killed_half_way(self):
        """Wherever that is: the next service gives the others theirs."""
        self.put_default()
        self.assertEqual(self.host.stop(), 0)
        for syncs in range(0, 16, 2):
            self.begin_boot()
            self.start_and_kill(syncs)
            self.host.start()
            self.wait_for(self.have_the_default, f"the default, after {syncs} syncs")
            self.assertEqual(self.host.stop(), 0)

    def test_those_that_appear_meanwhile(self):
        """While the service is not there; those that were there before do not appear."""
        self.put_default()
        self.remove(3)
        self.assertEqual(self.host.stop(), 0)
        self.host.load_map(3, self.host.own_groups(3))
        self.host.start()
        self.wait_for(lambda: self.by_default() == 1, "the default")
        self.assertEqual(self.own(), {0, 1, 2, 4, 5, 6, 7})

    def test_one_under_another_policy(self):
        """It has had its chance when it appeared, and does not get the default when that has gone."""
        self.put_default()
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.host.remove_map(3)
        self.host.load_map(3, self.host.own_groups(3))
        self.wait_for(lambda: self.host.shape(3)[0][0] == "round-robin 0", "the session's policy")
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.restart()
        self.assertEqual(self.own(), set(range(8)))

    def test_a_default_that_comes_back(self):
        """What appears while there is none has appeared."""
        self.put_default()
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", NONE)
        self.remove(3)
        self.host.load_map(3, self.host.own_groups(3))
        self.wait_for(lambda: names.disk_path(3) in self.agent.objects(), "its return")
        self.put_default()
        self.restart()
        self.assertEqual(self.own(), set(range(8)))


if __name__ == "__main__":
    case.main()
