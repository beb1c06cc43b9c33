# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes over the same maps have an order: each is answered when it is true, the ones before included."""

import errno

import case
from device_mapper import FOREVER
from names import FAILOVER, NONE, QUEUE_DEPTH, ROUND_ROBIN, SUCCESS, VENDOR


class TurnsTest(case.HostTest):
    sessions, portals, luns = 3, 2, 1
    access = False

    def assert_shape(self, *groups, selector="round-robin 0"):
        self.assertEqual(self.host.shape(0), [(selector, set(sids)) for sids in groups])

    def begin_slowly(self, policy, **paths):
        """A change of the first session, which has begun, and goes on when the fault is cleared."""
        self.agent.query()  # what is begun now is sent at once
        slow = self.host.dm.fault("table", 0, milliseconds=20000, in_child=True)
        change = self.agent.begin_policy(policy, **paths)
        self.wait_for(lambda: slow.seen, "the swap")
        return change, slow


class Turns(TurnsTest):
    """Two targets export the disk of map 0: sids 1 and 2, and 3 and 4. A third has one of its own."""
    def prepare(self):
        self.host.join(0, 1)

    def test_two_sessions(self):
        first, slow = self.begin_slowly(ROUND_ROBIN, primaries=[1])
        second = self.agent.begin_policy(ROUND_ROBIN, primaries=[3], target=1)
        # One that shares no map waits for nobody; one of the same session is refused.
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[5], target=2), SUCCESS)
        for target, primary in (0, 2), (1, 4):
            self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[primary], target=target),
                             "ISDSC_SESSION_BUSY")
        self.assertFalse(first.done() or second.done())
        slow.clear()
        self.assertEqual(second.status(), SUCCESS)
        self.assert_shape([1, 3], [2, 4])
        self.assertEqual(first.status(), SUCCESS)

    def test_pairs_again_and_again(self):
        """No table lacks one of two policies that were answered, and none is repaired."""
        for primaries in [(1, 3), (2, 3), (2, 4), (1, 4)] * 5:
            changes = [self.agent.begin_policy(ROUND_ROBIN, primaries=[sid], target=target)
                       for target, sid in enumerate(primaries)]
            self.assertEqual([change.status() for change in changes], [SUCCESS, SUCCESS])
            self.assert_shape(primaries, {1, 2, 3, 4} - set(primaries))
        self.wait_for_agreement()
        self.assertEqual([self.agent.session("Reapplications", target) for target in (0, 1)], [0, 0])

    def test_a_disk_in_between(self):
        first, slow = self.begin_slowly(ROUND_ROBIN, primaries=[1])
        disk = self.agent.begin_disk_policy(0, QUEUE_DEPTH, sids=[1, 2, 3, 4])
        last = self.agent.begin_policy(ROUND_ROBIN, primaries=[3], target=1)
        self.assertEqual(self.agent.set_disk_policy(0, ROUND_ROBIN, sids=[1, 2, 3, 4]),
                         "STATUS_DEVICE_BUSY")
        self.assertFalse(first.done() or disk.done() or last.done())
        slow.clear()
        self.assertEqual([each.status() for each in (first, disk, last)], [SUCCESS] * 3)
        self.assert_shape([1, 2, 3, 4], selector="queue-length 0")
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)
        self.assert_shape([1, 3], [2, 4])

    def test_what_is_cleared_goes_by_what_came_before(self):
        """No default policy comes in the place of the disk's where a session has got one meanwhile."""
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[4], sids=[1, 2, 3, 4]), SUCCESS)
        first, slow = self.begin_slowly(ROUND_ROBIN, primaries=[1])
        cleared = self.agent.begin_disk_policy_raw(0, NONE)
        self.agent.query()
        self.assertFalse(first.done() or cleared.done())
        slow.clear()
        self.assertEqual([first.status(), cleared.status()], [SUCCESS, SUCCESS])
        self.assert_shape([1], [2], [3, 4])
        self.assertEqual(self.agent.disk(0, "Provenance"), "session")

    def test_one_goes_back_to_multipathd(self):
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[3], target=1), SUCCESS)
        first, slow = self.begin_slowly(ROUND_ROBIN, primaries=[1])
        back = self.agent.begin_policy(VENDOR, target=1)
        self.agent.query()
        self.assertFalse(first.done() or back.done())
        slow.clear()
        self.assertEqual([first.status(), back.status()], [SUCCESS, SUCCESS])
        self.assert_shape([1], [2], [3, 4])

    def test_the_one_before_fails(self):
        """Its maps are as before when the next one begins."""
        fault = self.host.dm.fault("resume", 0, error=5, milliseconds=300, in_child=True)
        first = self.agent.begin_policy(ROUND_ROBIN, primaries=[1])
        second = self.agent.begin_policy(ROUND_ROBIN, primaries=[3], target=1)
        self.assertEqual(first.status(), "ISDSC_INITIATOR_ERROR")
        self.assertEqual(second.status(), SUCCESS)
        self.assertGreater(fault.seen, 0)
        self.assert_shape([3], [4], [1, 2])


    def test_behind_one_that_was_not_saved(self):
        """The one chosen last leads, whichever of them the store has."""
        fault = self.host.dm.fault("sync", count=FOREVER, error=errno.EIO)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), "ISDSC_FAILURE_TO_PERSIST_LB_POLICY")
        fault.clear()
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[3], target=1), SUCCESS)
        self.wait_for_agreement(1)
        self.assert_shape([3], [4], [1], [2])
        self.assertEqual(self.agent.session("Reapplications", 1), 0)


class Unseen(TurnsTest):
    """The second target comes to export the disk of map 0 in the midst of a change of the first one's, or of a
    repair. The kernel has it so, and udev, by which the model goes, has not told of it."""

    def prepare(self):
        self.host.multipathd.release = "0.8.5"  # not asked, and so not waited for

    def join(self):
        self.host.join(0, 1)
        for minor, action in (0, "change"), (1, "remove"):
            self.host.udev.kernel_event(f"/devices/virtual/block/dm-{minor}", action)

    def assert_waits(self, change):
        """For longer than one takes that shares no map."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[5], target=2), SUCCESS)
        self.assertFalse(change.done())

    def test_a_session(self):
        first, slow = self.begin_slowly(ROUND_ROBIN, primaries=[1])
        self.join()
        second = self.agent.begin_policy(ROUND_ROBIN, primaries=[3], target=1)
        self.assert_waits(second)
        slow.clear()
        self.assertEqual([second.status(), first.status()], [SUCCESS, SUCCESS])
        self.assert_shape([1, 3], [2, 4])

    def test_one_that_gives_back(self):
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[3], target=1), SUCCESS)
        first, slow = self.begin_slowly(ROUND_ROBIN, primaries=[1])
        self.join()
        back = self.agent.begin_policy(VENDOR, target=1)
        self.assert_waits(back)
        slow.clear()
        self.assertEqual([back.status(), first.status()], [SUCCESS, SUCCESS])
        self.assert_shape([1], [2], [3, 4])

    def test_behind_a_disk(self):
        self.agent.query()
        slow = self.host.dm.fault("table", 0, milliseconds=20000, in_child=True)
        disk = self.agent.begin_disk_policy(0, QUEUE_DEPTH, sids=[1, 2])
        self.wait_for(lambda: slow.seen, "the swap")
        self.join()
        second = self.agent.begin_policy(ROUND_ROBIN, primaries=[3], target=1)
        self.assert_waits(second)
        slow.clear()
        self.assertEqual([second.status(), disk.status()], [SUCCESS, SUCCESS])
        self.assert_shape([1, 2, 3, 4], selector="queue-length 0")

    def test_behind_a_repair(self):
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[1]), SUCCESS)
        slow = self.host.dm.fault("table", 0, milliseconds=20000, in_child=True)
        self.host.load_map(0, self.host.own_groups(0))
        self.wait_for(lambda: slow.seen, "the repair")
        self.join()
        change = self.agent.begin_policy(ROUND_ROBIN, primaries=[3], target=1)
        self.assert_waits(change)
        slow.clear()
        self.assertEqual(change.status(), SUCCESS)
        self.assert_shape([1, 3], [2, 4])


if __name__ == "__main__":
    case.main()
