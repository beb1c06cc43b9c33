# SPDX-License-Identifier: LGPL-2.1-or-later
"""A map that somebody has suspended, for a snapshot or a resize, stays so."""

import errno

import case
from names import FAILOVER, QUEUE_DEPTH, SUCCESS, VENDOR


class Suspended(case.HostTest):
    access = False

    def setUp(self):
        super().setUp()
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()
        self.before = self.host.shapes(), self.host.drop_in.read_text()

    def resume(self, minor):
        self.host.dm.run(minor)
        self.host.map_event(minor, "change")

    def assert_left_alone(self, minor=1):
        self.assertEqual(self.host.dm.read(minor).suspended, 1)
        self.assertEqual((self.host.shapes(), self.host.drop_in.read_text()), self.before)
        self.assertEqual(self.host.dm.read(minor).inactive, "")

    def test_a_change_is_refused(self):
        self.host.dm.suspend(1)
        for policy in QUEUE_DEPTH, VENDOR:
            self.assertEqual(self.agent.set_policy(policy), "ISDSC_SESSION_BUSY")
        self.assertEqual(self.agent.set_disk_policy(1, QUEUE_DEPTH), "STATUS_DEVICE_BUSY")
        self.wait_for_agreement()
        self.assert_left_alone()
        self.assertEqual(self.agent.set_disk_policy(0, QUEUE_DEPTH), SUCCESS)
        self.resume(1)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)

    def test_for_a_moment(self):
        """Whoever gives a map another table has it suspended while the kernel does so."""
        self.host.dm.suspend(1)
        change = self.agent.begin_policy(QUEUE_DEPTH)
        self.agent.query()
        self.host.dm.run(1)
        self.assertEqual(change.status(), SUCCESS)

    def test_between_the_look_and_the_swap(self):
        """By the service: a multipathd that reloads the map at that moment would resume it, as always."""
        self.host.multipathd.silent = True
        slow = self.host.dm.fault("load", 1, milliseconds=20000, in_child=True)
        change = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: slow.seen, "the swap")
        self.host.dm.suspend(1)
        slow.clear()
        self.assertEqual(change.status(), "ISDSC_SESSION_BUSY")
        self.wait_for(lambda: self.host.drop_in.read_text() == self.before[1], "the entries of before")
        self.assert_left_alone()
        self.host.multipathd.silent = False

    def test_in_the_moment_of_the_swap(self):
        """The kernel refuses the RESUME of whoever comes second, and keeps the table for the next one."""
        self.host.multipathd.silent = True
        lost = self.host.dm.fault("resume", 1, error=errno.EINVAL, milliseconds=20000, in_child=True)
        change = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: lost.seen, "the swap")
        self.host.dm.suspend(1)
        lost.go_on()
        self.assertEqual(change.status(), "ISDSC_SESSION_BUSY")
        self.wait_for(lambda: self.host.drop_in.read_text() == self.before[1], "the entries of before")
        self.assert_left_alone()
        self.host.multipathd.silent = False

    def test_a_repair_waits(self):
        self.host.write_map(1, self.host.own_groups(1))
        self.host.dm.suspend(1)
        self.host.map_event(1, "change")
        self.host.load_map(0, self.host.own_groups(0))
        self.wait_for(lambda: self.host.shape(0) == self.before[0][0], "the other map's repair")
        self.assertEqual(self.host.dm.read(1).suspended, 1)
        self.assertEqual(self.agent.session("Agreement"), "Pending")
        self.resume(1)
        self.wait_for(lambda: self.host.shapes() == self.before[0], "its own")


if __name__ == "__main__":
    case.main()
