# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the answer on no map carries the groups of an earlier policy, whatever multipathd is in the midst of."""

import errno
import time

import case
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUCCESS, VENDOR

CONFIGURE = 1  # seconds: what a reconfiguration takes
PATIENCE = 15  # likewise: how long one is waited for


def failover(first):
    """Its groups over the sids 1 to 4."""
    return [("round-robin 0", {sid}) for sid in (first, *(sid for sid in range(1, 5) if sid != first))]


class AnsweredTest(case.HostTest):
    access = False

    def prepare(self):
        self.host.multipathd.seconds = CONFIGURE

    def assert_stays(self, shape, seconds):
        """All maps have it, whenever one looks, while multipathd checks its paths."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.host.multipathd.check_paths()
            self.assertEqual(self.host.shapes(), {minor: shape for minor in self.host.minors()})
            time.sleep(0.01)

    def reapplied(self):
        return self.agent.session("Reapplications")


class Answered(AnsweredTest):
    def test_a_lone_change(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[3]), SUCCESS)
        self.assert_stays(failover(3), 2 * CONFIGURE)
        self.assertEqual((self.reapplied(), self.host.multipathd.loads), (0, 0))

    def test_changes_close_together(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.wait_for_agreement()
        for first in (1, 3, 2, 4):
            self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[first]), SUCCESS)
            self.assert_stays(failover(first), 0.2)
        self.assert_stays(failover(4), 2 * CONFIGURE)
        self.assertEqual((self.reapplied(), self.host.multipathd.loads), (0, 0))

    def test_a_disk_goes_back_to_its_session(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[4]), SUCCESS)
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)
        self.assert_stays(failover(1), 2 * CONFIGURE)
        self.assertEqual((self.reapplied(), self.host.multipathd.loads), (0, 0))

    def test_behind_somebody_elses_reconfiguration(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.host.multipathd.answer("reconfigure"), "ok\n")
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[1, 2]), SUCCESS)
        self.assert_stays([("round-robin 0", {1, 2}), ("round-robin 0", {3, 4})], 2 * CONFIGURE)
        self.assertEqual((self.reapplied(), self.host.multipathd.loads), (0, 0))


class Untold(AnsweredTest):
    """multipathd has yet to hear of what an event has led to."""
    access = True

    def test_the_same_policy_once_more(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        for lun in 0, 1:
            self.host.set_access(2, lun, "active/non-optimized")
        wanted = [("round-robin 0", {sid}) for sid in (1, 3, 4, 2)]
        self.wait_for(lambda: self.host.shapes() == {0: wanted, 1: wanted}, "groups by the new states")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.assert_stays(wanted, 0.2)


class Unheard(AnsweredTest):
    """A map has come of which udev has yet to tell; the kernel has."""

    def prepare(self):
        super().prepare()
        self.host.remove_map(1)

    def test_a_change(self):
        self.host.write_map(1, self.host.own_groups(1))
        self.host.udev.kernel_event("/devices/virtual/block/dm-1", "add")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[3]), SUCCESS)
        self.assert_stays(failover(3), 2 * CONFIGURE)
        self.assertEqual((self.reapplied(), self.host.multipathd.loads), (0, 0))


class NoProcess(case.HostTest):
    """There is none to tell multipathd, which is well, and would build the maps by what it knows."""
    access = False

    def assert_refused(self, change, status):
        before = self.host.shapes(), self.host.drop_in.read_text()
        self.host.dm.fault("fork", error=errno.EAGAIN)
        self.assertEqual(change(), status)
        self.host.multipathd.check_paths()
        self.assertEqual((self.host.shapes(), self.host.drop_in.read_text()), before)

    def test_a_session(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.assert_refused(lambda: self.agent.set_policy(FAILOVER, primaries=[2]), "ISDSC_OUT_OF_RESOURCES")
        self.assert_refused(lambda: self.agent.set_policy(VENDOR), "ISDSC_OUT_OF_RESOURCES")
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)

    def test_a_disk(self):
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[1], preferred=1), SUCCESS)
        self.wait_for_disk_agreement()
        self.assert_refused(lambda: self.agent.set_disk_policy(0, FAILOVER, primaries=[2], preferred=2),
                            "STATUS_INSUFFICIENT_RESOURCES")
        self.assert_refused(lambda: self.agent.clear_disk_policy(0), "STATUS_INSUFFICIENT_RESOURCES")
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)


class Busy(case.HostTest):
    """multipathd takes long to read its configuration: many maps, or a slow machine."""
    access = False

    def test_a_change_behind_another(self):
        """It is waited for, and then gets less rest than else."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.host.multipathd.seconds = PATIENCE - 4
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.host.multipathd.seconds = CONFIGURE
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[3]), SUCCESS)
        self.host.multipathd.check_paths()
        self.wait_for_agreement()
        self.assert_everywhere(*failover(3))
        self.assertEqual((self.agent.session("Reapplications"), self.host.multipathd.loads), (0, 0))


class Ended(case.HostTest):
    """The service is told to end, and its children as well, while a change waits for multipathd."""
    access = False

    def test_the_answer_is_true(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.host.multipathd.seconds = CONFIGURE
        asked = self.host.multipathd.asked.count("reconfigure")
        self.host.multipathd.answer("reconfigure")  # somebody else's, which is waited for
        change = self.agent.begin_policy(FAILOVER, primaries=[3])
        self.wait_for(lambda: "show daemon" in self.host.multipathd.asked[-1:], "the wait")
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(change.status(), SUCCESS)
        self.assertEqual(self.host.multipathd.asked.count("reconfigure"), asked + 1)
        self.host.multipathd.check_paths()
        self.assert_everywhere(*failover(3))


class Refused(case.HostTest):
    """A map that cannot be swapped."""

    def test_the_entries_go_back(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        before = self.host.drop_in.read_text()
        self.host.multipathd.seconds = CONFIGURE
        fault = self.host.dm.fault("load", 1, count=1000, error=22, in_child=True)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), "ISDSC_INITIATOR_ERROR")
        self.assert_everywhere(*failover(1))
        self.assertEqual(self.host.drop_in.read_text(), before)
        fault.clear()
        self.host.multipathd.check_paths()
        self.wait_for_agreement()
        self.assert_everywhere(*failover(1))

    def test_multipathd_takes_its_time(self):
        """It is busy for longer than it is waited for, and would read the refused entries after the answer."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.host.multipathd.seconds = PATIENCE + 1
        self.assertEqual(self.host.multipathd.answer("reconfigure"), "ok\n")  # somebody else's
        self.wait_for(lambda: self.host.multipathd.is_busy, "its beginning")
        self.host.multipathd.seconds = 0.1
        fault = self.host.dm.fault("load", 1, count=1000, error=22, in_child=True)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), "ISDSC_INITIATOR_ERROR")
        fault.clear()
        loads = self.host.multipathd.loads
        self.wait_for_agreement()
        self.assert_everywhere(*failover(1))
        self.assertEqual(self.host.multipathd.loads, loads)

    def test_a_map_goes_meanwhile(self):
        """What waits for its return is the entry of before, not the refused one."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        before = self.host.drop_in.read_text()
        fault = self.host.dm.fault("load", 1, error=22, milliseconds=20000, in_child=True)
        change = self.agent.begin_policy(FAILOVER, primaries=[2])
        self.wait_for(lambda: fault.seen, "the swap")
        self.host.remove_map(0)
        self.wait_for(lambda: len(self.agent.session("Maps")) == 1, "its absence")
        fault.go_on()
        self.assertEqual(change.status(), "ISDSC_INITIATOR_ERROR")
        self.assertEqual(self.host.drop_in.read_text(), before)

    def assert_as_before(self, entries):
        """multipathd has the entries, and builds nothing else."""
        self.assert_everywhere(*failover(1))
        self.assertEqual(self.host.drop_in.read_text(), entries)
        for minor in 0, 1:
            self.assertIn(self.host.wwid(minor), self.host.multipathd.config())
        self.host.multipathd.check_paths()
        self.assert_everywhere(*failover(1))

    def test_a_policy_that_cannot_be_given_back(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        before = self.host.drop_in.read_text()
        self.host.multipathd.answers["reload map dm-1"] = "fail\n"
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_INITIATOR_ERROR")
        self.assert_as_before(before)
        self.assertEqual(self.agent.query()[0], FAILOVER)
        del self.host.multipathd.answers["reload map dm-1"]
        self.wait_for_agreement()
        self.assertEqual(self.agent.session("Reapplications"), 0)
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)

    def test_a_disks_policy_that_cannot_be_cleared(self):
        """Where nothing comes in its place, and where the session's would."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        for minor in 0, 1:
            self.assertEqual(self.agent.set_disk_policy(minor, FAILOVER, primaries=[1], preferred=1),
                             SUCCESS)
        self.wait_for_agreement()
        before = self.host.drop_in.read_text()
        self.host.multipathd.answers["reload map dm-1"] = "fail\n"
        self.assertEqual(self.agent.clear_disk_policy(1), "STATUS_IO_DEVICE_ERROR")
        self.assert_as_before(before)

        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        fault = self.host.dm.fault("load", 1, count=1000, error=22, in_child=True)
        self.assertEqual(self.agent.clear_disk_policy(1), "STATUS_IO_DEVICE_ERROR")
        self.assert_as_before(before)
        fault.clear()


class Transit(case.HostTest):
    """A path of the maps is there whose session has not named itself: no look says what they have to be."""
    access = False

    def begin(self):
        self.host.logout(4)
        self.wait_for(lambda: len(self.agent.session("Connections")) == 3, "the logout")
        self.load()
        self.wait_for(lambda: self.agent.session("Agreement") == "Applied", "the maps without it")
        self.host.login_unnamed(4)
        self.load()
        self.before = self.host.shapes(), self.host.drop_in.read_text()

    def load(self):
        for minor in 0, 1:
            self.host.multipathd.load(minor)

    def assert_as_before(self):
        self.assertEqual((self.host.shapes(), self.host.drop_in.read_text()), self.before)

    def test_a_change_that_is_refused(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.begin()
        self.host.dm.fault("load", 1, error=22, in_child=True)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2], sids=[1, 2, 3]), "ISDSC_INITIATOR_ERROR")
        self.assert_as_before()

    def test_a_policy_that_cannot_be_given_back(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.begin()
        self.host.multipathd.answers["reload map dm-1"] = "fail\n"
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_INITIATOR_ERROR")
        self.assert_as_before()

    def test_a_disks_policy_that_cannot_be_cleared(self):
        self.assertEqual(self.agent.set_disk_policy(1, FAILOVER, primaries=[1], preferred=1), SUCCESS)
        self.wait_for_disk_agreement(1)
        self.begin()
        self.host.multipathd.answers["reload map dm-1"] = "fail\n"
        self.assertEqual(self.agent.clear_disk_policy(1), "STATUS_IO_DEVICE_ERROR")
        self.assert_as_before()


class Shared(case.HostTest):
    """Map 0 has the paths of two targets: with selectors of their own, no entry can have multipathd build it."""
    sessions = 2
    access = False

    def prepare(self):
        self.host.join(0, 1)

    def test_a_change_that_no_entry_can_express(self):
        """Refused, it leaves the entry of before, which can."""
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.host.dm.fault("load", 0, error=22, in_child=True)
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[5], target=1), "ISDSC_INITIATOR_ERROR")
        self.wait_for_agreement()

    def test_a_change_to_what_an_entry_can_express(self):
        """Refused, it leaves the map alone as it was."""
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[5], target=1), SUCCESS)
        self.assertEqual(self.agent.session("MultipathdAgreement"), "Alone")
        self.host.dm.fault("load", 0, error=22, in_child=True)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH, target=1), "ISDSC_INITIATOR_ERROR")
        self.assertEqual(self.agent.session("MultipathdAgreement"), "Alone")


class Silent(case.HostTest):
    def test_nobody_is_held_up(self):
        self.host.multipathd.silent = True
        before = time.monotonic()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.assertLess(time.monotonic() - before, PATIENCE)
        self.host.multipathd.silent = False
        self.wait_for_agreement()
        self.assert_everywhere(*failover(2))


if __name__ == "__main__":
    case.main()
