# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each row of the table of statuses, and nothing changed where it says so."""

import contextlib
import errno
import sqlite3

import case
import names
import tree
from device_mapper import FOREVER
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUCCESS, VENDOR, WEIGHTED

ALL = [1, 2, 3, 4]
SESSIONS_MAX = 1024
OTHER_POLICIES = FAILOVER, ROUND_ROBIN, names.SUBSET, QUEUE_DEPTH, WEIGHTED


class StatusTest(case.HostTest):
    """Begins with round robin over all paths, which multipathd has read."""
    sessions = 2

    def setUp(self):
        super().setUp()
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=ALL), SUCCESS)
        self.wait_for_agreement()
        self.before = self.state()

    def state(self):
        """All that a refused request must leave as it is."""
        return (self.host.shapes(), self.agent.query(), self.agent.session("LoadBalancePolicy"),
                self.agent.session("Agreement"),
                [self.host.dm.read(minor).suspended for minor in self.host.minors()],
                [self.host.dm.read(minor).inactive for minor in self.host.minors()])

    def assert_refused(self, status, expected):
        self.assertEqual(status, expected)
        self.assertEqual(self.state(), self.before)
        self.assertNotIn("Sanitizer", self.host.said())


class Request(StatusTest):
    """Rows 1 to 8: what is wrong with a request by itself, or for its session."""

    def paths(self, *sids, primaries=()):
        return [self.agent.path(sid, int(sid in primaries)) for sid in sids]

    def refuse(self, expected, policy, paths, **more):
        with self.subTest(expected=expected, policy=policy):
            self.assert_refused(self.agent.set_policy_raw(policy, paths, **more), expected)

    def test_01_more_paths_said_than_sent(self):
        for policy in OTHER_POLICIES:
            self.refuse("ISDSC_BUFFER_TOO_SMALL", policy, self.paths(*ALL), count=5)

    def test_02_no_policy(self):
        for policy in 0, 7, 1 << 31:
            self.refuse("ISDSC_INVALID_LOAD_BALANCE_POLICY", policy, self.paths(*ALL))

    def test_03_a_path_twice(self):
        for policy in OTHER_POLICIES:
            self.refuse("ISDSC_DUPLICATE_PATH_SPECIFIED", policy, self.paths(1, 2, 3, 1))

    def test_04_no_such_session(self):
        for session in 0, 1, names.session_id(2), (1 << 64) - 1:
            self.refuse("ISDSC_INVALID_SESSION_ID", QUEUE_DEPTH, self.paths(*ALL), session=session)

    def test_05_another_number_of_paths(self):
        for policy in OTHER_POLICIES:
            self.refuse("ISDSC_PATH_COUNT_MISMATCH", policy, self.paths(1, 2, 3))
        self.refuse("ISDSC_PATH_COUNT_MISMATCH", QUEUE_DEPTH, [])

    def test_06_a_path_of_another_session(self):
        for policy in OTHER_POLICIES:
            self.refuse("ISDSC_INVALID_PATH_ID", policy, self.paths(1, 2, 3, 5))

    def test_07_two_primaries(self):
        self.refuse("ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED", FAILOVER,
                    self.paths(*ALL, primaries=[1, 2]))

    def test_08_no_primary(self):
        for policy in FAILOVER, ROUND_ROBIN, names.SUBSET:
            self.refuse("ISDSC_NO_PRIMARY_PATH_SPECIFIED", policy, self.paths(*ALL))

    def test_the_first_row_that_fails_counts(self):
        """A request with everything wrong, set right row by row."""
        strange = self.agent.path(5)
        self.host.dm.absent_modules("dm-queue-length")
        self.refuse("ISDSC_BUFFER_TOO_SMALL", 9, [strange, strange], session=1, count=3)
        self.refuse("ISDSC_INVALID_LOAD_BALANCE_POLICY", 9, [strange, strange], session=1)
        self.refuse("ISDSC_DUPLICATE_PATH_SPECIFIED", FAILOVER, [strange, strange], session=1)
        self.refuse("ISDSC_INVALID_SESSION_ID", FAILOVER, [strange], session=1)
        self.refuse("ISDSC_PATH_COUNT_MISMATCH", FAILOVER, [strange])
        self.refuse("ISDSC_INVALID_PATH_ID", FAILOVER, [strange, *self.paths(1, 2, 3)])
        for sid in ALL:
            self.host.set_state(sid, "FAILED")
        self.before = self.state()
        self.refuse("ISDSC_NO_PRIMARY_PATH_SPECIFIED", FAILOVER, self.paths(*ALL))
        self.refuse("ISDSC_NO_CONNECTION_AVAILABLE", QUEUE_DEPTH, self.paths(*ALL))
        for sid in ALL:
            self.host.set_state(sid, "LOGGED_IN")
        self.before = self.state()
        self.refuse("ISDSC_LB_POLICY_NOT_SUPPORTED", QUEUE_DEPTH, self.paths(*ALL))

    def test_policy_6_does_not_look_at_paths(self):
        strange = self.agent.path(5)
        self.assertEqual(self.agent.set_policy_raw(VENDOR, [strange, strange]), SUCCESS)
        for minor in 0, 1:
            self.assertEqual(self.host.shape(minor), [("service-time 0", set(ALL))])

    def test_what_is_past_the_count_is_ignored(self):
        paths = [*self.paths(*ALL, primaries=ALL), self.agent.path(1), self.agent.path(5)]
        self.assertEqual(self.agent.set_policy_raw(ROUND_ROBIN, paths, count=4), SUCCESS)


class Host(StatusTest):
    """Rows 9 to 13: what this host cannot do now."""

    def test_09_another_change_still_runs(self):
        slow = [self.host.dm.fault("load", minor, milliseconds=20000) for minor in (0, 1)]
        first = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: all(each.seen for each in slow), "the swaps")
        for policy in OTHER_POLICIES:
            self.assertEqual(self.agent.set_policy(policy, primaries=[2]), "ISDSC_SESSION_BUSY")
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_SESSION_BUSY")
        self.assertEqual(self.agent.query()[0], ROUND_ROBIN)  # the service answers meanwhile
        self.assertFalse(first.done())
        for each in slow:
            each.clear()
        self.assertEqual(first.status(), SUCCESS)
        self.assertEqual(self.host.shape(0), [("queue-length 0", set(ALL))])

    def test_10_no_connection_is_up(self):
        for sid in ALL:
            self.host.set_state(sid, "FAILED")
        self.before = self.state()
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_NO_CONNECTION_AVAILABLE")
        self.host.set_state(3, "LOGGED_IN")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        for minor in 0, 1:
            self.assertEqual(self.host.shape(minor), [("queue-length 0", set(ALL))])

    def test_11_no_map(self):
        for minor in 0, 1:
            self.host.remove_map(minor)
        # Maps is looked up when it is asked for, Agreement follows from the event.
        self.wait_for(lambda: self.agent.session("Agreement") == "Pending", "their end")
        self.before = self.state()
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_DEVICE_NOT_FOUND")

    def test_12_the_selector_is_absent(self):
        self.host.dm.absent_modules("dm-queue-length")
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_LB_POLICY_NOT_SUPPORTED")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)

    def test_12_the_array_forbids_it(self):
        for lun in 0, 1:
            self.host.set_access(1, lun, "active/non-optimized")
        # The tiers follow the states.
        moved = [("round-robin 0", {2, 3, 4}), ("round-robin 0", {1})]
        self.wait_for(lambda: self.host.shape(0) == self.host.shape(1) == moved
                      and self.agent.session("Agreement") == "Applied", "the states")
        self.before = self.state()
        for policy in FAILOVER, ROUND_ROBIN, names.SUBSET:
            self.assert_refused(self.agent.set_policy(policy, primaries=[1]),
                                "ISDSC_LB_POLICY_NOT_SUPPORTED")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        for minor in 0, 1:
            self.assertEqual(self.host.shape(minor), [("round-robin 0", {sid}) for sid in (2, 3, 4, 1)])

    def test_13_no_process_to_be_had(self):
        self.host.dm.fault("fork", count=FOREVER, error=errno.EAGAIN)
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_OUT_OF_RESOURCES")

    def test_13_a_process_for_one_of_two_maps(self):
        """The map that got its table has the old one again, which takes a process, too."""
        self.host.dm.fault("fork", skip=1, error=errno.EAGAIN)
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_OUT_OF_RESOURCES")


class Bound(case.HostTest):
    """Row 13, where as many sessions have a policy as may."""

    def prepare(self):
        self.host.start()
        self.assertEqual(self.host.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.host.directory / "state/state.db")) as db, db:
            for number in range(1, SESSIONS_MAX + 1):
                target = f"{tree.target_name(0)}:other{number}"
                db.execute("INSERT INTO policy VALUES (?, ?, ?, ?, 0)",
                           (number, tree.INITIATOR, target, QUEUE_DEPTH))
                db.execute("INSERT INTO policy_path VALUES (?, 0, '1', 'default', '127.0.0.1', 3260,"
                           " 0, 1)", (number,))

    def test_13_before_the_host_is_looked_at(self):
        for sid in ALL:
            self.host.set_state(sid, "FAILED")
        self.host.dm.absent_modules("dm-queue-length")
        self.agent.session("Maps")  # so that all maps have been looked at once
        looks = self.host.dm.fault("table")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_OUT_OF_RESOURCES")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1, 2]),
                         "ISDSC_MULTIPLE_PRIMARY_PATHS_SPECIFIED")
        self.assertEqual(looks.seen, 0)
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_NO_CONNECTION_AVAILABLE")


class Kernel(StatusTest):
    """Rows 14 to 16: what goes wrong on the way."""
    luns = 4

    def refuse(self, call):
        """In whichever map."""
        for minor in range(4):
            with self.subTest(map=minor):
                fault = self.host.dm.fault(call, minor, error=errno.EIO, in_child=True)
                self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_INITIATOR_ERROR")
                self.assertGreater(fault.seen, 0)
                fault.clear()

    def test_14_the_table_cannot_be_read(self):
        self.refuse("table")

    def test_14_the_kernel_refuses_a_table(self):
        self.refuse("load")

    def test_14_the_kernel_refuses_to_resume(self):
        self.refuse("resume")

    def test_14_the_new_table_cannot_be_read_back(self):
        """A map that has it by then gets the old one."""
        self.host.multipathd.seconds = 1  # it is not to be there before the swap
        fault = self.host.dm.fault("table", 3, skip=1, error=errno.EIO, in_child=True)
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_INITIATOR_ERROR")
        self.assertGreater(fault.seen, 1)

    def test_14_a_swap_that_was_lost_and_then_fails(self):
        """The kernel may keep the table that the loser had loaded: it is not to stay there."""
        self.host.dm.fault("resume", 3, error=errno.EINVAL)
        self.host.dm.fault("load", 3, skip=1, error=errno.EIO)
        self.assert_refused(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_INITIATOR_ERROR")

    def test_a_swap_that_was_lost_is_tried_again(self):
        for error in errno.EINVAL, errno.ENXIO:
            self.host.dm.fault("resume", 2, error=error)
            self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
            self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)

    def test_15_a_map_cannot_be_put_back(self):
        """The last map refuses when the first has changed, and that then refuses to go back."""
        last = self.host.dm.fault("load", 3, error=errno.EIO, milliseconds=20000)
        self.host.dm.fault("load", 0, skip=1, error=errno.EIO)
        before = self.host.shape(0)
        change = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: last.seen and self.host.shape(0) != before, "the first map's table")
        last.go_on()
        self.assertEqual(change.status(), "ISDSC_OPERATION_NOT_ALL_SUCCESS")
        # The service goes on by itself: the map gets what its session still has.
        self.assertEqual(self.agent.session("LoadBalancePolicy"), ROUND_ROBIN)
        self.wait_for(lambda: self.state() == self.before, "the old policy on every map")

    def test_16_live_but_not_saved(self):
        fault = self.host.dm.fault("sync", count=FOREVER, error=errno.EIO)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]),
                         "ISDSC_FAILURE_TO_PERSIST_LB_POLICY")
        wanted = [("round-robin 0", {sid}) for sid in (2, 1, 3, 4)]
        self.assertEqual([self.host.shape(minor) for minor in range(4)], [wanted] * 4)
        self.assertEqual(self.agent.query()[0], FAILOVER)
        self.assertGreater(fault.seen, 0)
        fault.clear()
        # The next service knows the one that was saved.
        self.restart()
        self.wait_for(lambda: self.host.shapes() == self.before[0], "round robin on every map")
        self.assertEqual(self.agent.query()[0], ROUND_ROBIN)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)


if __name__ == "__main__":
    case.main()
