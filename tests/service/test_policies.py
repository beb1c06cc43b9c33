# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each policy: what it makes of every map, and what multipathd is told of it."""

import case
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUBSET, SUCCESS, VENDOR, WEIGHTED


class Policies(case.HostTest):
    sessions = 2

    def setUp(self):
        super().setUp()
        self.others = [self.host.shape(minor) for minor in (2, 3)]

    def set(self, policy, **paths):
        self.assertEqual(self.agent.set_policy(policy, **paths), SUCCESS)
        self.assertEqual(self.agent.query()[0], policy)

    def assert_shape(self, *groups):
        """All maps of the first session have these, and those of the second have what they had."""
        wanted = [(selector, set(sids)) for selector, sids in groups]
        self.assertEqual([self.host.shape(0), self.host.shape(1)], [wanted, wanted])
        self.assertEqual([self.host.shape(2), self.host.shape(3)], self.others)

    def assert_agreement(self):
        """multipathd reads what it is told, and would build the same."""
        loads = self.host.multipathd.loads
        self.wait_for_agreement()
        self.assertEqual(self.host.multipathd.loads, loads)

    def test_1_failover(self):
        self.set(FAILOVER, primaries=[3], sids=[1, 4, 3, 2])
        self.assert_shape(*(("round-robin 0", [sid]) for sid in (3, 1, 4, 2)))
        self.assert_agreement()

    def test_2_round_robin(self):
        self.set(ROUND_ROBIN, primaries=[1, 2, 3, 4])
        self.assert_shape(("round-robin 0", [1, 2, 3, 4]))
        self.assert_agreement()

    def test_3_round_robin_with_subset(self):
        self.set(SUBSET, primaries=[2, 4])
        self.assert_shape(("round-robin 0", [2, 4]), ("round-robin 0", [1, 3]))
        self.assert_agreement()

    def test_4_least_queue_depth(self):
        self.set(QUEUE_DEPTH)
        self.assert_shape(("queue-length 0", [1, 2, 3, 4]))
        self.assert_agreement()

    def test_5_weighted_paths(self):
        self.set(WEIGHTED, weights={1: 30, 2: 10, 3: 20, 4: 10})
        self.assert_shape(("round-robin 0", [2, 4]), ("round-robin 0", [3]), ("round-robin 0", [1]))
        self.assert_agreement()

    def test_5_the_other_order_of_weights(self):
        self.agent.set_manager("PathWeightOrder", "s", "highest-first")
        self.set(WEIGHTED, weights={1: 30, 2: 10, 3: 20, 4: 10})
        self.assert_shape(("round-robin 0", [1]), ("round-robin 0", [3]), ("round-robin 0", [2, 4]))

    def test_6_vendor_specific(self):
        """multipathd builds its own groups, and there is no file for it any more."""
        self.set(FAILOVER, primaries=[1])
        self.assert_agreement()
        self.assertTrue(self.host.drop_in.exists())
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_shape(("service-time 0", [1, 2, 3, 4]))
        self.assertFalse(self.host.drop_in.exists())
        self.assertEqual(self.agent.session("Provenance"), "host")

    def test_one_after_the_other(self):
        """The last one holds, whatever multipathd reads in between."""
        self.set(FAILOVER, primaries=[2])
        self.set(QUEUE_DEPTH)
        self.set(SUBSET, primaries=[1])
        self.wait_for_agreement()
        self.assert_shape(("round-robin 0", [1]), ("round-robin 0", [2, 3, 4]))

    def test_paths_that_have_failed(self):
        """A new table has every path usable: the kernel is told again."""
        self.host.fail_path(2, 0)
        self.set(ROUND_ROBIN, primaries=[1, 2, 3, 4])
        self.assertEqual(self.host.failed_paths(0), {2})
        self.assertEqual(self.host.failed_paths(1), set())


class Release09(case.HostTest):
    """Debian 12's multipathd, which finds no map by its WWID where it has a name of its own."""

    def prepare(self):
        self.host.multipathd.release = "0.9.4"

    def test_6_vendor_specific(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_everywhere(("service-time 0", [1, 2, 3, 4]))

    def test_a_disk_is_cleared(self):
        before = self.host.shapes()
        self.assertEqual(self.agent.set_disk_policy(0, QUEUE_DEPTH), SUCCESS)
        self.assertNotEqual(self.host.shapes(), before)
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)
        self.assertEqual(self.host.shapes(), before)


class Access(case.HostTest):
    def test_access_states_rank_first(self):
        for sid in 1, 2:
            for lun in 0, 1:
                self.host.set_access(sid, lun, "active/non-optimized")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assert_everywhere(("queue-length 0", [3, 4]), ("queue-length 0", [1, 2]))
        self.wait_for_agreement()

    def test_the_array_moves_them(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        for lun in 0, 1:
            self.host.set_access(1, lun, "standby")
        wanted = [("round-robin 0", {sid}) for sid in (2, 3, 4, 1)]
        self.wait_for(lambda: self.host.shapes() == {0: wanted, 1: wanted}, "the other paths first")


if __name__ == "__main__":
    case.main()
