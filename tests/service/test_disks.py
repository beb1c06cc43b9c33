# SPDX-License-Identifier: LGPL-2.1-or-later
"""MPIO's policies, of one disk each: they rank above the session's, and go back to it."""

import errno

import case
import names
from device_mapper import FOREVER
from multipathd import OWN_SELECTOR
from names import (DSM_VENDOR, FAILOVER, LEAST_BLOCKS, NONE, QUEUE_DEPTH, ROUND_ROBIN, SUBSET,
                   SUCCESS, WEIGHTED)

ALL = {1, 2, 3, 4}
HOSTS_OWN = [(OWN_SELECTOR, ALL)]
SESSIONS = [("queue-length 0", ALL)]
DISKS = [("round-robin 0", {2}), ("round-robin 0", {1, 3, 4})]


class DiskTest(case.HostTest):
    def set(self, policy, **paths):
        """Of the first disk."""
        self.assertEqual(self.agent.set_disk_policy(0, policy, **paths), SUCCESS)
        self.assertEqual(self.agent.query_disk(0)[0], policy)

    def assert_shapes(self, first, second=HOSTS_OWN):
        self.assertEqual(self.host.shapes(), {0: first, 1: second})

    def provenance(self, minor=0):
        return self.agent.disk(minor, "Provenance")


class Policies(DiskTest):
    def check(self, wanted):
        self.assert_shapes(wanted)
        self.assertEqual(self.provenance(), "disk")
        self.wait_for_disk_agreement()
        loads = self.host.multipathd.loads
        self.host.multipathd.reconfigure()
        self.assert_shapes(wanted)
        self.assertEqual(self.host.multipathd.loads, loads)

    def test_failover(self):
        self.set(FAILOVER, primaries=[3])
        self.check([("round-robin 0", {sid}) for sid in (3, 1, 2, 4)])
        self.assertIn("failback manual", self.host.drop_in.read_text())

    def test_failover_with_a_preferred_path(self):
        self.set(FAILOVER, primaries=[3], preferred=4)
        self.check([("round-robin 0", {sid}) for sid in (4, 3, 1, 2)])
        self.assertIn("failback immediate", self.host.drop_in.read_text())

    def test_round_robin(self):
        self.set(ROUND_ROBIN)
        self.check([("round-robin 0", ALL)])

    def test_round_robin_with_subset(self):
        self.set(SUBSET, primaries=[2])
        self.check(DISKS)

    def test_least_queue_depth(self):
        self.set(QUEUE_DEPTH)
        self.check([("queue-length 0", ALL)])

    def test_weighted_paths(self):
        """The lowest is the best, always."""
        self.agent.set_manager("PathWeightOrder", "s", "highest-first")
        self.set(WEIGHTED, weights={1: 20, 2: 5, 3: 0xFFFFFFFF, 4: 5})
        self.check([("round-robin 0", {2, 4}), ("round-robin 0", {1}), ("round-robin 0", {3})])

    def test_least_blocks(self):
        self.set(LEAST_BLOCKS)
        self.check([("service-time 0", ALL)])


class Rank(DiskTest):
    """Both disks have a session with a policy."""

    def setUp(self):
        super().setUp()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)

    def test_above_the_session(self):
        self.set(SUBSET, primaries=[2])
        self.assert_shapes(DISKS, SESSIONS)
        self.assertEqual((self.provenance(0), self.provenance(1)), ("disk", "session"))
        # A change of the session's leaves it as it is.
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=ALL), SUCCESS)
        self.assert_shapes(DISKS, [("round-robin 0", ALL)])

    def test_cleared(self):
        """The session's comes in its place."""
        self.set(SUBSET, primaries=[2])
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)
        self.assert_shapes(SESSIONS, SESSIONS)
        self.assertEqual(self.provenance(), "session")
        self.wait_for_agreement()
        self.assert_shapes(SESSIONS, SESSIONS)

    def test_it_is_repaired(self):
        self.set(SUBSET, primaries=[2])
        self.wait_for_disk_agreement()
        for minor in 0, 1:
            self.host.load_map(minor, self.host.own_groups(minor))
        self.wait_for(lambda: self.host.shapes() == {0: DISKS, 1: SESSIONS}, "both repairs")

    def test_it_waits_for_a_change_of_the_session(self):
        slow = self.host.dm.fault("load", 1, milliseconds=20000)
        session = self.agent.begin_policy(FAILOVER, primaries=[1])
        self.wait_for(lambda: slow.seen, "the swap")
        disk = self.agent.begin_disk_policy(0, SUBSET, primaries=[2])
        self.assertEqual(self.agent.set_disk_policy(0, ROUND_ROBIN), "STATUS_DEVICE_BUSY")
        self.assertFalse(session.done() or disk.done())
        slow.clear()
        self.assertEqual((session.status(), disk.status()), (SUCCESS, SUCCESS))
        self.assert_shapes(DISKS, [("round-robin 0", {sid}) for sid in (1, 2, 3, 4)])

    def test_a_change_of_the_session_waits_for_it(self):
        slow = self.host.dm.fault("load", 0, milliseconds=20000)
        disk = self.agent.begin_disk_policy(0, SUBSET, primaries=[2])
        self.wait_for(lambda: slow.seen, "the swap")
        session = self.agent.begin_policy(FAILOVER, primaries=[1])
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[1]), "ISDSC_SESSION_BUSY")
        self.assertEqual(self.agent.set_disk_policy(0, ROUND_ROBIN), "STATUS_DEVICE_BUSY")
        self.assertFalse(disk.done() or session.done())
        slow.clear()
        self.assertEqual((disk.status(), session.status()), (SUCCESS, SUCCESS))
        self.assert_shapes(DISKS, [("round-robin 0", {sid}) for sid in (1, 2, 3, 4)])


class Alone(DiskTest):
    """The session has none."""

    def test_cleared(self):
        """multipathd builds its own groups."""
        self.set(SUBSET, primaries=[2])
        self.wait_for_disk_agreement()
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)
        self.assert_shapes(HOSTS_OWN)
        self.assertEqual(self.provenance(), "host")
        self.assertFalse(self.host.drop_in.exists())

    def test_after_a_restart(self):
        self.set(SUBSET, primaries=[2])
        self.assertEqual(self.host.stop(), 0)
        self.host.load_map(0, self.host.own_groups(0))
        self.host.start()
        self.wait_for(lambda: self.host.shapes() == {0: DISKS, 1: HOSTS_OWN}, "its groups")
        self.assertEqual(self.agent.query_disk(0)[0], SUBSET)

    def test_killed_in_the_midst_of_a_first_policy(self):
        """The next service has multipathd build the map by what counts: nothing of it is left."""
        self.host.multipathd.seconds = 3  # else it builds the map when the swap has ended
        slow = self.host.dm.fault("resume", 0, milliseconds=20000, in_child=True)
        self.agent.begin_disk_policy(0, SUBSET, primaries=[2])
        self.wait_for(lambda: slow.seen, "the swap")
        self.host.kill()
        slow.clear()
        self.assert_shapes(HOSTS_OWN)
        self.host.start()
        self.wait_for(lambda: not self.host.drop_in.exists(), "the end of its entry")
        self.wait_for(lambda: self.host.shapes() == {0: HOSTS_OWN, 1: HOSTS_OWN}, "the host's own")
        self.assertEqual(self.provenance(), "host")
        self.set(SUBSET, primaries=[2])
        self.assert_shapes(DISKS)

    def test_killed_in_the_midst_of_another(self):
        self.set(QUEUE_DEPTH)
        slow = self.host.dm.fault("resume", 0, milliseconds=20000, in_child=True)
        self.agent.begin_disk_policy(0, SUBSET, primaries=[2])
        self.wait_for(lambda: slow.seen, "the swap")
        self.host.kill()
        slow.clear()
        self.host.start()
        self.wait_for_disk_agreement()
        self.assert_shapes([("queue-length 0", ALL)])
        self.assertEqual(self.agent.query_disk(0)[0], QUEUE_DEPTH)

    def test_a_failover_stays(self):
        """Without a preferred path, the one that has taken over leads when the first is back."""
        self.set(FAILOVER, primaries=[1])
        self.wait_for_disk_agreement()
        self.agent.listen(f"path='{names.disk_path(0)}'")
        self.host.logout(1)
        self.host.multipathd.load(0)
        self.wait_for(lambda: "LoadBalancePolicy" in str(self.agent.news()), "its end")
        self.assertEqual(self.host.shape(0)[0], ("round-robin 0", {2}))
        self.host.login(1)
        # As multipathd's earlier entry has it: the first one leads.
        self.host.load_map(0, [("round-robin 0", [self.host.tree.disk(sid, 0)])
                               for sid in sorted(ALL)])
        self.wait_for(lambda: self.host.shape(0)[0] == ("round-robin 0", {2}), "a repair")
        self.assertEqual({sid for _, sids in self.host.shape(0) for sid in sids}, ALL)


class Default(DiskTest):
    def set_default(self, policy):
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", policy)

    def rebuild(self, minor):
        """The map goes, and another comes in its place."""
        self.host.remove_map(minor)
        self.wait_for(lambda: names.disk_path(minor) not in self.agent.objects(), "its end")
        self.host.load_map(minor, self.host.own_groups(minor))

    def test_a_map_that_appears(self):
        """It gets the default; one that was there does not."""
        self.set_default(QUEUE_DEPTH)
        self.rebuild(1)
        self.wait_for(lambda: self.host.shape(1) == SESSIONS, "the default")
        self.assert_shapes(HOSTS_OWN, SESSIONS)
        self.assertEqual((self.provenance(0), self.provenance(1)), ("host", "default"))

    def test_it_ranks_below_the_session(self):
        self.set_default(LEAST_BLOCKS)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.host.remove_map(1)
        self.host.load_map(1, self.host.own_groups(1))
        self.wait_for(lambda: self.host.shape(1) == SESSIONS, "the session's")
        self.assertEqual(self.provenance(1), "session")

    def test_handlers_that_move_the_lun(self):
        """Such a map stays the host's own, also when its disk's own policy is cleared."""
        for handler in "rdac", "emc":
            self.host.handler = handler
            for default in FAILOVER, QUEUE_DEPTH:
                self.set_default(default)
                self.rebuild(1)
                self.wait_for(lambda: names.disk_path(1) in self.agent.objects(), "its return")
                self.assertEqual(self.agent.set_disk_policy(1, FAILOVER, primaries=[2]), SUCCESS)
                self.assertEqual(self.agent.clear_disk_policy(1), SUCCESS)
                self.assert_shapes(HOSTS_OWN, HOSTS_OWN)
                self.assertEqual(self.provenance(1), "host")

    def test_one_that_was_not_saved(self):
        """It is so when there is no default any more."""
        self.set_default(QUEUE_DEPTH)
        fault = self.host.dm.fault("sync", count=FOREVER, error=errno.EIO)
        self.rebuild(1)
        self.wait_for(lambda: self.host.shape(1) == SESSIONS, "the default")
        self.wait_for(lambda: fault.seen, "the store's failure")
        fault.clear()
        self.set_default(NONE)
        self.restart()
        self.assertEqual(self.provenance(1), "default")
        self.assert_shapes(HOSTS_OWN, SESSIONS)

    def test_none(self):
        self.set_default(QUEUE_DEPTH)
        self.set_default(NONE)
        self.rebuild(1)
        self.wait_for(lambda: names.disk_path(1) in self.agent.objects(), "its return")
        self.assert_shapes(HOSTS_OWN, HOSTS_OWN)


class Statuses(DiskTest):
    def setUp(self):
        super().setUp()
        self.set(QUEUE_DEPTH)
        self.wait_for_disk_agreement()
        self.before = self.state()

    def state(self):
        return self.host.shapes(), self.agent.query_disk(0), self.provenance()

    def assert_refused(self, status, expected):
        self.assertEqual(status, expected)
        self.assertEqual(self.state(), self.before)

    def test_no_map(self):
        self.host.remove_map(0)
        self.wait_for(lambda: self.agent.disk(0, "Agreement") == "Pending", "its end")
        self.assertEqual(self.agent.set_disk_policy(0, ROUND_ROBIN), "STATUS_NO_SUCH_DEVICE")

    def test_what_is_wrong_with_a_request(self):
        _, paths = self.agent.query_disk(0)
        first, *rest = paths
        for expected, policy, asked, more in (
                ("STATUS_BUFFER_TOO_SMALL", 9, paths, {"count": 5, "version": 3}),
                ("STATUS_NOT_SUPPORTED", 9, paths, {"version": 3}),
                ("STATUS_INVALID_PARAMETER", DSM_VENDOR, paths, {}),
                ("STATUS_INVALID_PARAMETER", ROUND_ROBIN, rest, {}),
                ("STATUS_INVALID_PARAMETER", ROUND_ROBIN, [first, first, *paths[:2]], {}),
                ("STATUS_INVALID_PARAMETER", ROUND_ROBIN, [first._replace(id=1), *rest], {}),
                ("STATUS_INVALID_PARAMETER", FAILOVER, paths, {})):
            with self.subTest(expected=expected, policy=policy):
                self.assert_refused(self.agent.begin_disk_policy_raw(0, policy, asked, **more)
                                    .status(), expected)

    def test_the_kernel_refuses_a_table(self):
        for call in "load", "resume":
            fault = self.host.dm.fault(call, 0, error=errno.EIO)
            self.assert_refused(self.agent.set_disk_policy(0, FAILOVER, primaries=[1]),
                                "STATUS_IO_DEVICE_ERROR")
            self.assertEqual(fault.seen, 1)
            fault.clear()

    def test_no_process_to_be_had(self):
        self.host.dm.fault("fork", count=FOREVER, error=errno.EAGAIN)
        self.assert_refused(self.agent.set_disk_policy(0, FAILOVER, primaries=[1]),
                            "STATUS_INSUFFICIENT_RESOURCES")

    def test_it_cannot_be_saved(self):
        """There is no status for that: it is live, and the next service knows the one before."""
        fault = self.host.dm.fault("sync", count=FOREVER, error=errno.EIO)
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[1]), SUCCESS)
        self.assertIn("is live but cannot be saved", self.host.said())
        fault.clear()
        self.restart()
        self.wait_for(lambda: self.state() == self.before, "the policy before")


if __name__ == "__main__":
    case.main()
