# SPDX-License-Identifier: LGPL-2.1-or-later
"""Policies outlive sessions, paths and the service, until they are given back."""

import dm
import drop_in
import iscsi
import lio
import service
import stack
import store
import test_policies
import wmi
from basic import run, wait_for

RR = "round-robin"
LATE = "127.0.0.6"


class Persistence(test_policies.PolicyTest):
    def assert_tables_soon(self, *groups):
        """The stack is whole; a moment later every map has these groups."""
        wanted = [(RR, frozenset(group)) for group in groups]
        wait_for(lambda: all(shape == wanted for shape in dm.shapes().values()), 5,
                 "the policy on every map")
        self.assertEqual(dm.suspended(), [])

    def assert_chosen(self, policy):
        """The session has its object, which tells of the policy; the store has it."""
        self.assertEqual(wmi.session("LoadBalancePolicy"), policy)
        self.assertEqual(wmi.session("Provenance"), "session")
        self.assertEqual(store.policy(), policy)

    def test_a_policy_waits_for_its_session(self):
        a, b, c, d = self.portals
        before = dm.shapes()
        self.set(wmi.WEIGHTED, weights={a: 4, b: 2, c: 3, d: 1})
        iscsi.logout()
        try:
            self.assert_chosen(wmi.WEIGHTED)
            service.restart()
            self.assert_chosen(wmi.WEIGHTED)
            # One path at first: each of the others finds its own place when it comes.
            iscsi.login(address=a)
            stack.wait_until_whole(lio.luns())
            self.assert_tables_soon([a])
        finally:
            iscsi.login_missing()
            stack.wait_until_whole()
        self.assert_tables_soon([d], [b], [c], [a])
        self.assert_chosen(wmi.WEIGHTED)

        # Policy 6 takes it from kernel, store and file.
        iscsi.logout(address=b)
        stack.wait_until_whole(3 * lio.luns())
        self.assert_tables_soon([d], [c], [a])
        self.set(wmi.VENDOR)
        self.assertEqual(store.policy(), 0)
        iscsi.login(address=b)
        stack.wait_until_whole()
        wait_for(lambda: not drop_in.FILE.exists(), 10, "no file for multipathd")
        self.assertEqual(dm.shapes_in(10, lambda shapes: shapes == before), before)
        self.assertEqual(wmi.session("Provenance"), "host")

    def test_paths_that_come_while_the_service_is_away(self):
        a, b, c, d = self.portals
        self.set(wmi.SUBSET, [b, c])
        run("systemctl", "stop", service.UNIT)
        self.addCleanup(self.remove_late)
        lio.portal_add(LATE)
        iscsi.discover(LATE, new_only=True)
        iscsi.login(address=LATE)
        iscsi.logout(address=b)
        iscsi.login(address=b)
        stack.wait_until_whole(5 * lio.luns())
        service.restart()
        self.assert_tables_soon([b, c], [a, d, LATE])

    def remove_late(self):
        run("systemctl", "start", service.UNIT)
        iscsi.logout(address=LATE)
        iscsi.forget(lio.TARGET, LATE)
        lio.portal_remove(LATE)
        stack.wait_for_paths()
