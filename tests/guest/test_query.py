# SPDX-License-Identifier: LGPL-2.1-or-later
"""MSiSCSI_QueryLBPolicy and Session against the kernel's tables."""

import unittest

import dm
import iscsi
import lio
import network
import stack
import wmi
from basic import MIB, look_in, read, run, wait_for


class Query(unittest.TestCase):
    def setUp(self):
        self.portals = lio.portals()
        self.addCleanup(wmi.set_policy, wmi.VENDOR)

    def roles(self):
        """{portal: (weight, primary)} and the policy."""
        policy, paths = wmi.query()
        return policy, {portal: (paths[wmi.connection_id(portal)][2],
                                 paths[wmi.connection_id(portal)][3])
                        for portal in self.portals}

    def load_table(self, groups, selector="round-robin"):
        """Swap every map's table by hand. No policy is chosen, so the service leaves it alone."""
        for name in dm.maps():
            dm.load_groups(name, groups, selector)

    def test_what_was_set_is_reported_as_set(self):
        a, b, c, d = self.portals
        weights = {a: 7, b: 1000000, c: 7, d: 0}
        for policy, primaries, expected in (
                (wmi.FAILOVER, [c], {a: (0, 0), b: (0, 0), c: (0, 1), d: (0, 0)}),
                (wmi.ROUND_ROBIN, [a, b], {a: (0, 1), b: (0, 1), c: (0, 0), d: (0, 0)}),
                (wmi.SUBSET, [a, b, c, d], {p: (0, 1) for p in self.portals}),
                (wmi.QUEUE_DEPTH, [], {p: (0, 1) for p in self.portals}),
                (wmi.WEIGHTED, [], {p: (weights[p], 1) for p in self.portals})):
            with self.subTest(policy=policy):
                self.assertEqual(wmi.set_policy(policy, primaries, weights), wmi.SUCCESS)
                # Or in a moment: multipathd may be reading what was set before.
                wanted = policy, expected
                self.assertEqual(look_in(10, self.roles, wanted.__eq__), wanted)

    def test_tables_swapped_by_hand_are_classified(self):
        a, b, c, d = self.portals
        for groups, selector, policy, best in (
                ([[a], [c], [b], [d]], "round-robin", wmi.FAILOVER, [a]),
                ([[a, b, c, d]], "round-robin", wmi.ROUND_ROBIN, [a, b, c, d]),
                ([[a, b], [c, d]], "round-robin", wmi.SUBSET, [a, b]),
                ([[a, b, c, d]], "queue-length", wmi.QUEUE_DEPTH, [a, b, c, d]),
                ([[a, b, c, d]], "service-time", wmi.VENDOR, [])):
            with self.subTest(groups=groups, selector=selector):
                self.load_table(groups, selector)
                found, roles = self.roles()
                self.assertEqual(found, policy)
                self.assertEqual({p for p in self.portals if roles[p][1]}, set(best))
                self.assertEqual(wmi.session("LoadBalancePolicy"), 0)

    def test_tiers_swapped_by_hand_are_weights(self):
        a, b, c, d = self.portals
        self.load_table([[a, b], [d], [c]])
        policy, roles = self.roles()
        self.assertEqual(policy, wmi.WEIGHTED)
        self.assertEqual([roles[p][0] for p in (a, b, d, c)], [0, 0, 1, 2])

    def test_ids_and_counts(self):
        adapter = wmi.adapter_path()
        self.assertEqual(wmi.get(adapter, "MSiSCSI_QueryLBPolicy", "SessionCount"), 1)
        self.assertEqual(wmi.get(adapter, "MSiSCSI_QueryLBPolicy", "UniqueAdapterId"),
                         wmi.adapter_id())
        _, paths = wmi.query()
        self.assertEqual(set(paths), {wmi.connection_id(p) for p in self.portals})

    def test_maps_of_the_session(self):
        wmi.set_policy(wmi.SUBSET, self.portals[:2])
        found = wmi.get(wmi.session_path(), "Session", "Maps")
        kernel = dm.maps()
        self.assertEqual({name for name, *_ in found}, set(kernel))
        for name, wwid, size, groups in found:
            self.assertEqual(f"mpath-{wwid}", kernel[name].uuid)
            self.assertEqual(size, 64 * MIB)
            self.assertEqual([[wmi.connection_id(iscsi.portal_of(path)) for path in group.paths]
                              for group in kernel[name].groups],
                             [connections for _, _, connections in groups])

    def test_connections_that_share_a_portal_are_ranked(self):
        address = self.portals[0]
        run("iscsiadm", "-m", "node", "-T", lio.TARGET, "-p", f"{address}:3260", "-o", "update",
            "-n", "node.session.nr_sessions", "-v", "2")
        sid = next(each.sid for each in iscsi.sessions() if each.address == address)
        luns = lio.luns()
        run("iscsiadm", "-m", "session", "-r", sid, "--op", "new")
        try:
            stack.wait_for_paths(lio.expected_paths() + luns)
            _, paths = wmi.query()
            ranked = {wmi.number("connection", iscsi.INITIATOR, lio.TARGET, "default", address,
                                 "3260", str(rank)) for rank in (1, 2)}
            self.assertEqual(set(paths),
                             ranked | {wmi.connection_id(p) for p in self.portals[1:]})
        finally:
            newest = max(each.sid for each in iscsi.sessions())
            run("iscsiadm", "-m", "session", "-r", newest, "--logout")
            run("iscsiadm", "-m", "node", "-T", lio.TARGET, "-p", f"{address}:3260", "-o",
                "update", "-n", "node.session.nr_sessions", "-v", "1")
            stack.wait_for_paths()
        wait_for(lambda: set(wmi.query()[1]) == {wmi.connection_id(p) for p in self.portals},
                 5, "the plain IDs back")


class Link(unittest.TestCase):
    def test_link_speed_and_offload(self):
        lio.portal_add(network.LINK_ADDRESS)
        iscsi.discover(network.LINK_ADDRESS)
        luns = lio.luns()
        iscsi.login(address=network.LINK_ADDRESS)
        try:
            stack.wait_for_paths(lio.expected_paths() + luns)
            speed = int(read(f"/sys/class/net/{network.LINK}/speed"))
            self.assertGreater(speed, 0)
            _, paths = wmi.query()
            self.assertEqual(paths[wmi.connection_id(network.LINK_ADDRESS)][1], speed)
            self.assertEqual(paths[wmi.connection_id(lio.portals()[0])][1], 0)
            self.assertEqual({each[5] for each in paths.values()}, {0})
        finally:
            iscsi.logout(address=network.LINK_ADDRESS)
            run("iscsiadm", "-m", "node", "-T", lio.TARGET, "-p", network.LINK_ADDRESS, "-o",
                "delete")
            lio.portal_remove(network.LINK_ADDRESS)
            stack.wait_for_paths()
