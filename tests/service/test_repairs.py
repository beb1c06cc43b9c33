# SPDX-License-Identifier: LGPL-2.1-or-later
"""A policy holds: a map that somebody gives other groups gets its own again, until it is contested."""

import collections
import errno
import shutil
import pathlib
import time

import case
import names
from device_mapper import FOREVER
from multipathd import OWN_SELECTOR
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUCCESS

ALL = {1, 2, 3, 4}
REPAIRS = 8  # at a time
HOSTS_OWN = [(OWN_SELECTOR, ALL)]
WANTED = [("queue-length 0", ALL)]


class RepairTest(case.HostTest):
    """Begins with a policy that multipathd has read."""

    def setUp(self):
        super().setUp()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()

    def reload(self, minor, *groups):
        """Somebody gives a map these groups, or the host's own."""
        self.host.load_map(minor, [(selector, [self.host.tree.disk(sid, minor) for sid in sorted(sids)])
                                   for selector, sids in groups or HOSTS_OWN])

    def wait_for_shapes(self, *wanted):
        self.wait_for(lambda: list(self.host.shapes().values()) == list(wanted), "the groups")

    def wait_for_signals(self, *wanted):
        self.wait_for(lambda: all(each in str(self.agent.news()) for each in wanted), f"{wanted} in signals",
                      seconds=20)

    def reapplications(self):
        return self.agent.session("Reapplications")


class Many(case.HostTest):
    """A start on a host whose maps have lost their groups meanwhile."""
    sessions, luns = 5, 8

    def test_a_start(self):
        changes = [self.agent.begin_policy(QUEUE_DEPTH, target=target) for target in range(self.sessions)]
        for change in changes:
            self.assertEqual(change.status(), SUCCESS)
        for target in range(self.sessions):
            self.wait_for_agreement(target)  # else multipathd repairs maps as well
        loads = self.host.multipathd.loads
        self.assertEqual(self.host.stop(), 0)
        for minor in self.host.minors():
            self.host.write_map(minor, self.host.own_groups(minor))
        slow = self.host.dm.fault("load", count=FOREVER, milliseconds=20000, in_child=True)
        self.host.start()
        self.wait_for(lambda: slow.seen >= REPAIRS, "as many repairs as there may be")
        time.sleep(0.3)  # in which there could be more
        children = pathlib.Path(f"/proc/{self.host.pid}/task/{self.host.pid}/children")
        self.assertEqual(slow.seen, REPAIRS)
        self.assertLessEqual(len(children.read_text().split()), REPAIRS + 1)  # one tells multipathd
        slow.clear()
        # Each begins at the end of another one: the looks for access states come 2, 6 and 14 s later.
        self.wait_for(lambda: all(shape[0][0] == "queue-length 0"
                                  for shape in self.host.shapes().values()), "all repairs", seconds=10)
        self.assertEqual(self.host.multipathd.loads, loads)


class Repairs(RepairTest):
    def test_one_map(self):
        """It alone is given its table."""
        before = self.host.dm.read(0).event_nr
        self.reload(1)
        self.wait_for_shapes(WANTED, WANTED)
        self.wait_for(lambda: self.reapplications() == 1, "one repair")
        self.wait_for(lambda: self.agent.session("Agreement") == "Applied", "its agreement")
        self.assertEqual(self.host.dm.read(0).event_nr, before)

    def test_clients_are_told(self):
        self.agent.listen("member='PropertiesChanged'")
        self.reload(1)
        self.wait_for(lambda: "Reapplications" in str(self.agent.news()), "a signal")

    def test_clients_are_told_of_one_that_fails(self):
        """As long as it does, the map carries somebody else's groups."""
        fault = self.host.dm.fault("load", 0, count=FOREVER, error=errno.EIO, in_child=True)
        self.agent.listen("member='PropertiesChanged'")
        self.reload(0)
        self.wait_for_signals("Pending", "Maps", "DSM_QueryLBPolicy_V2")
        self.assertEqual(self.agent.session("Agreement"), "Pending")
        fault.clear()
        self.agent.news().clear()
        self.wait_for_signals("Applied", "Maps", "DSM_QueryLBPolicy_V2")

    def test_clients_are_told_of_what_is_seen_in_its_midst(self):
        """The new table is live, and was looked at, before the repair ends."""
        slow = self.host.dm.fault("table", 0, skip=1, milliseconds=20000, in_child=True)
        self.agent.listen("member='PropertiesChanged'")
        self.reload(0)
        self.wait_for(lambda: slow.seen, "the repair")
        self.host.map_event(0, "change")
        time.sleep(0.5)  # the event is looked at
        self.agent.news().clear()
        slow.clear()
        self.wait_for_signals("Reapplications", "Maps", "DSM_QueryLBPolicy_V2")

    def read_meanwhile(self):
        """What clients read who keep the service busy, so that nobody is told while a map is repaired."""
        self.reload(0)
        pending, values = collections.deque(), set()
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pending.append(self.agent.begin(names.NAME, names.session_path(), "org.freedesktop.DBus.Properties",
                                            "Get", "ss", f"{names.NAME}.Session", "Agreement"))
            if len(pending) > 60:
                values.add(pending.popleft().result()[0])
        return values | {call.result()[0] for call in pending}

    def test_who_has_read_what_nobody_was_told_of_is_told_of_its_end(self):
        self.agent.listen("member='PropertiesChanged'")
        self.assertTrue(any("Pending" in self.read_meanwhile() for _ in range(3)))
        self.wait_for_signals("'Agreement': 'Applied'")

    def test_what_means_the_same_is_left_alone(self):
        """Another order in a group, groups without a usable path at another place."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()  # else multipathd builds the map by what it reads
        for sid in 2, 3:
            self.host.fail_path(sid, 0)
        before = self.reapplications()
        disks = {sid: self.host.tree.disk(sid, 0) for sid in ALL}
        self.host.write_map(0, [("round-robin 0", [disks[sid]]) for sid in (2, 3, 1, 4)])
        for sid in 2, 3:
            self.host.fail_path(sid, 0)
        self.host.map_event(0, "change")
        self.host.load_map(1, self.host.groups(1))
        self.reload(1, *(("round-robin 0", {sid}) for sid in (1, 2, 4, 3)))
        self.wait_for(lambda: self.reapplications() > before, "the repair of the other map")
        self.assertEqual(self.reapplications(), before + 1)
        self.assertEqual(self.host.shape(0), [("round-robin 0", {sid}) for sid in (2, 3, 1, 4)])

    def test_a_repair_that_fails_is_tried_again(self):
        fault = self.host.dm.fault("load", 0, error=errno.EIO)
        self.reload(0)
        self.wait_for(lambda: fault.seen, "the first attempt")
        self.wait_for_shapes(WANTED, WANTED)

    def test_one_that_is_not_taken_rests(self):
        """The kernel tells of each that the map runs again, which is no reason to try at once."""
        fault = self.host.dm.fault("resume", 0, count=FOREVER, error=errno.EIO, in_child=True)
        self.reload(0)
        self.wait_for(lambda: fault.seen, "the first attempt")
        for _ in range(10):
            self.host.map_event(0, "change")
            time.sleep(0.1)
        self.assertLessEqual(fault.seen, 2)  # the second is two seconds behind the first
        fault.clear()
        self.wait_for_shapes(WANTED, WANTED)

    def test_a_change_waits_for_it(self):
        slow = self.host.dm.fault("resume", 0, milliseconds=20000)
        self.reload(0)
        self.wait_for(lambda: slow.seen, "the repair")
        change = self.agent.begin_policy(ROUND_ROBIN, primaries=[1])
        self.agent.query()
        self.assertFalse(change.done())
        slow.clear()
        self.assertEqual(change.status(), SUCCESS)
        self.assert_everywhere(("round-robin 0", [1]), ("round-robin 0", [2, 3, 4]))

    def test_a_map_goes_and_comes_back(self):
        """multipathd builds it by the entry that waits for it."""
        def maps():
            return len(self.agent.session("Maps"))

        self.host.remove_map(0)
        self.wait_for(lambda: maps() == 1, "its absence")
        self.host.multipathd.load(0)
        self.wait_for(lambda: maps() == 2, "its return")
        self.assert_everywhere(*WANTED)
        self.assertEqual(self.reapplications(), 0)

    def test_a_map_comes_back_another_way(self):
        self.host.remove_map(0)
        self.reload(0)
        self.wait_for_shapes(WANTED, WANTED)


class Contests(RepairTest):
    def contest(self, minor=0, limit=12):
        """Again and again until the service leaves it; how often."""
        for round in range(limit):
            self.reload(minor)
            self.wait_for(lambda: self.host.shape(minor) == WANTED
                          or self.agent.session("Agreement") == "Contested", "an answer to that")
            if self.host.shape(minor) != WANTED:
                return round
        self.fail("the service never gives up")

    def test_again_and_again(self):
        self.assertGreaterEqual(self.contest(), 3)
        self.assertIn("again and again", self.agent.session("Reason"))
        self.assertEqual(self.agent.session("LoadBalancePolicy"), QUEUE_DEPTH)
        # The other map still holds.
        self.reload(1)
        self.wait_for(lambda: self.host.shape(1) == WANTED, "the other map's repair")
        self.assertEqual(self.host.shape(0), HOSTS_OWN)

    def test_failures_are_no_rounds(self):
        """Nobody gives the map other groups; the kernel refuses ours for a while."""
        self.host.dm.fault("load", 0, count=3, error=errno.EIO, in_child=True)
        self.reload(0)
        self.wait_for_shapes(WANTED, WANTED)

    def test_until_the_policy_changes(self):
        self.contest()
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for(lambda: self.agent.session("Agreement") == "Applied", "the new policy")
        self.reload(0)
        self.wait_for(lambda: self.host.shape(0) == self.host.shape(1), "a repair")

    def test_not_until_a_policy_is_refused(self):
        """That is no other policy than before."""
        self.contest()
        self.host.dm.suspend(0)  # which is left so
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), "ISDSC_SESSION_BUSY")
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[1]), "STATUS_DEVICE_BUSY")
        self.host.dm.run(0)
        self.host.map_event(0, "change")
        self.reload(1)
        self.wait_for(lambda: self.host.shape(1) == WANTED, "the other map's repair")
        self.assertEqual(self.host.shape(0), HOSTS_OWN)
        self.assertEqual(self.agent.session("Agreement"), "Contested")

    def test_until_the_configuration_changes(self):
        self.contest()
        (self.host.drop_in.parent / "99-other.conf").write_text("defaults {\n}\n")
        self.wait_for(lambda: self.host.shape(0) == WANTED, "another attempt")
        self.wait_for(lambda: self.agent.session("Agreement") == "Applied", "its agreement")

    def assert_another_attempt_after(self, write):
        self.contest(limit=100)  # it is asked again first what wins, and may be busy
        write("defaults {\n}\n")
        self.wait_for(lambda: self.host.shape(0) == WANTED, "another attempt")

    def test_until_a_file_comes_to_a_new_directory(self):
        """It is deleted with all that is in it, or moved away, and the service has made it anew."""
        directory = self.host.drop_in.parent
        for remove in shutil.rmtree, lambda old: old.rename(old.with_name("old")):
            remove(directory)
            self.wait_for(self.host.drop_in.exists, "its own file")
            self.assert_another_attempt_after((directory / "99-other.conf").write_text)

    def test_until_what_a_link_leads_to_changes(self):
        target, link = self.host.directory / "target", self.host.drop_in.parent / "99-other.conf"
        target.touch()
        for link in link, self.host.multipathd.directory.with_suffix(".conf"):
            self.assert_another_attempt_after(lambda text: link.symlink_to(target))
            self.assert_another_attempt_after(target.write_text)

    def test_what_wins_is_named(self):
        """An administrator's file is read after ours."""
        rival = self.host.drop_in.parent / "99-admin.conf"
        rival.write_text("multipaths {\n    multipath {\n        wwid \"%s\"\n"
                         "        path_selector \"service-time 0\"\n    }\n}\n" % self.host.wwid(0))
        self.host.multipathd.reconfigure()
        self.wait_for(lambda: self.agent.session("MultipathdAgreement") == "Alone", "its name")
        self.contest()
        self.assertIn("99-admin.conf line 4: path_selector", self.agent.session("Reason"))
        rival.unlink()
        self.host.multipathd.reconfigure()
        self.wait_for_agreement()
        self.assertEqual(self.host.shape(0), WANTED)


if __name__ == "__main__":
    case.main()
