# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host of many maps, whose disk is slow, at the start of the service: nobody waits for all of them."""

import contextlib
import os
import pathlib
import select
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
CHILDREN = 16  # at any time
ANSWER = 1  # second, to any call; or, under sanitizers, ...
SLOWER = 3  # ... so many times what it takes when all is done
WATCHDOG = 6  # seconds: within the 30 of the unit many repairs would have no sign of life


def starved(*tasks):
    """Seconds that they have waited for a processor: other tests' doing."""
    return sum(int(pathlib.Path(f"/proc/{task}/schedstat").read_text().split()[1]) / 1e9
               for task in tasks)


class StartTest(case.HostTest):
    sessions, portals, luns = 10, 2, 20
    access = False

    def clock(self):
        """Seconds, of a service and a bus with a processor to themselves."""
        return time.monotonic() - starved(self.host.pid, self.host.children[0].pid)

    def put_default(self):
        """Of maps that appear, not of those that are there."""
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)

    def execute(self, sql):
        with contextlib.closing(sqlite3.connect(self.host.directory / "state/state.db")) as file:
            file.execute(sql)
            file.commit()

    def count(self, table):
        with contextlib.closing(sqlite3.connect(self.host.directory / "state/state.db", timeout=60)) as file:
            return file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

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
            before = self.clock()
            self.agent.manager("DefaultLoadBalancePolicy")
            worst = max(worst, self.clock() - before)
            time.sleep(0.01)
        self.assertLess(slow.seen, SYNCS)
        self.assertLess(worst, 5)  # twenty, a map after another
        slow.clear()
        self.restart()
        self.assertEqual({self.agent.disk(minor, "Provenance") for minor in self.host.minors()},
                         {"default"})


    def test_the_intents_of_all(self):
        """That maps are past their first policy is one change of the store, not one for each map."""
        for target in range(self.sessions):
            self.assertEqual(self.agent.set_policy(QUEUE_DEPTH, target=target), SUCCESS)
        self.assertEqual(self.host.stop(), 0)
        for minor in self.host.minors():
            self.execute(f"INSERT INTO unfinished VALUES ('{self.host.wwid(minor)}')")
        slow = self.host.dm.fault("sync", count=FOREVER, milliseconds=SYNC)
        self.host.start()
        self.wait_for(lambda: self.count("unfinished") == 0, "their end")
        self.assertLess(slow.seen, SYNCS)


class Watcher(threading.Thread):
    """What the service has of children, the most, and when it gives signs of life."""

    def __init__(self, host):
        super().__init__()
        self._host, self._ending = host, threading.Event()
        self.children, self.signs = 0, []

    def clock(self):
        """As long as neither the service nor who watches it has waited for a processor."""
        return time.monotonic() - starved(self._host.pid, f"self/task/{threading.get_native_id()}")

    def run(self):
        self.signs = [self.clock()]  # of this thread
        children = pathlib.Path(f"/proc/{self._host.pid}/task/{self._host.pid}/children")
        while not self._ending.is_set():
            self.children = max(self.children, len(children.read_text().split()))
            if select.select([self._host.notify], [], [], 0.005)[0]:
                if self._host.notify.recv(4096).startswith(b"WATCHDOG=1"):
                    self.signs.append(self.clock())
        self.signs.append(self.clock())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self.join()

    def longest_silence(self):
        """Once it has ended."""
        return max(later - sign for sign, later in zip(self.signs, self.signs[1:]))


class Thousand(StartTest):
    """Maps that are all to be repaired at the start: everybody is answered meanwhile."""
    sessions, luns = 50, 20

    def timed(self, call):
        """The seconds until its answer has come."""
        before = self.clock()
        self.wait_for(call.done, "an answer")
        return self.clock() - before

    def objects(self):
        return self.timed(self.agent.begin(names.NAME, names.ROOT, "org.freedesktop.DBus.ObjectManager",
                                           "GetManagedObjects"))

    def policies(self):
        return self.timed(self.agent.begin(
            names.NAME, names.adapter_path(), "org.freedesktop.DBus.Properties", "Get", "ss",
            f"{names.NAME}.MSiSCSI_QueryLBPolicy", "LoadBalancePolicies"))

    def change(self, target):
        """To the groups of the default, when multipathd reads of them: what it takes is its own time."""
        self.wait_for(lambda: "reconfigure" in self.host.multipathd.asked, "what it is told of")
        change = self.agent.begin_policy(QUEUE_DEPTH, target=target)
        seconds = self.timed(change)
        self.assertEqual(change.status(), SUCCESS)
        return seconds

    def call_all(self, target):
        """How long each kind of call takes; one is a change of a target's maps."""
        return self.objects(), self.policies(), self.change(target)

    def repaired(self):
        return not any(self.host.shape(minor)[0][0] == OWN_SELECTOR for minor in self.host.minors())

    def test_each_call(self):
        self.put_default()
        self.assertEqual(self.host.stop(), 0)
        self.another_boot()
        slow = self.host.dm.fault("sync", count=FOREVER, milliseconds=SYNC)
        self.host.start("env", f"WATCHDOG_USEC={WATCHDOG}000000")
        calls = []
        with Watcher(self.host) as watcher:
            while not self.repaired() or len(watcher.signs) < 2:
                calls.append(self.call_all(len(calls) % self.sessions))
        self.assertGreater(slow.seen, 0)
        slow.clear()
        for target in range(min(len(calls), self.sessions)):
            self.wait_for_agreement(target)
        at_peace = self.call_all(self.sessions - 1)
        for worst, peace in zip(map(max, zip(*calls)), at_peace):
            self.assertLess(worst, max(ANSWER, SLOWER * peace))
        self.assertLess(watcher.longest_silence(), WATCHDOG)
        self.assertLessEqual(watcher.children, CHILDREN)


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
