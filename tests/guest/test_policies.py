# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a policy does to tables and I/O. The kernel is the witness."""

import os
import unittest

import bus
import diskio
import dm
import iscsi
import lio
import multipathd
import stack
import udev
import wmi
from basic import read, run, wait_for

READS = 400
RR, QL = "round-robin", "queue-length"


class PolicyTest(unittest.TestCase):
    """The class ends with the host's own tables. Giving them back takes multipathd's time, so a test
    leaves its policy to the next one."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR)

    def setUp(self):
        self.portals = lio.portals()

    def set(self, *args, **kwargs):
        self.assertEqual(wmi.set_policy(*args, **kwargs), wmi.SUCCESS)
        self.assertEqual(dm.suspended(), [])

    def assert_tables(self, *groups):
        """Every map has these groups of portals, in this order. multipathd may be reading what an
        earlier test has asked for: what it makes of a map then is put right in a moment."""
        shape = [(selector, frozenset(portals)) for selector, portals in groups]
        found = dm.shapes_in(10, lambda shapes: all(each == shape for each in shapes.values()))
        self.assertEqual(len(found), lio.luns())
        self.assertEqual(found, dict.fromkeys(found, shape))
        self.tables = found

    def reads_by_portal(self):
        """Reads on one map: {portal: I/Os that its path completed}, with the tables that were last
        asserted throughout: multipathd may still be reading what an earlier test has asked for."""
        name, each = next(iter(dm.maps().items()))
        for _ in range(6):
            dm.shapes_in(10, self.tables.__eq__)
            wait_for(lambda: dm.current_groups()[name] == 1, 10, "the first group's turn")
            before = self.reloads()
            with diskio.counting(each.paths) as counted:
                diskio.read_map(name, count=READS)
            if (dm.shapes() == self.tables and self.reloads() == before
                    and dm.current_groups()[name] == 1):
                break
        return {iscsi.portal_of(path): ios for path, ios in counted.items()}

    def reloads(self):
        """By multipathd and by the service, which counts a table a moment after it is live."""
        return multipathd.map_loads(), wmi.session("Reapplications")

    def assert_shared(self, counts, portals):
        mean = sum(counts[portal] for portal in portals) / len(portals)
        for portal in portals:
            self.assertGreaterEqual(counts[portal], mean / 2, counts)

    def assert_idle(self, counts, portals):
        for portal in portals:
            self.assertEqual(counts[portal], 0, counts)


class Policies(PolicyTest):
    def test_failover(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [c])
        self.assert_tables((RR, [c]), (RR, [a]), (RR, [b]), (RR, [d]))
        counts = self.reads_by_portal()
        self.assertGreaterEqual(counts[c], READS)
        self.assert_idle(counts, [a, b, d])

    def test_failover_keeps_the_order_given(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [b], addresses=[d, b, c, a])
        self.assert_tables((RR, [b]), (RR, [d]), (RR, [c]), (RR, [a]))

    def test_round_robin(self):
        self.set(wmi.ROUND_ROBIN, self.portals)
        self.assert_tables((RR, self.portals))
        self.assert_shared(self.reads_by_portal(), self.portals)

    def test_round_robin_with_a_standby_path(self):
        a, b, c, d = self.portals
        self.set(wmi.ROUND_ROBIN, [a, b, c])
        self.assert_tables((RR, [a, b, c]), (RR, [d]))
        self.assert_idle(self.reads_by_portal(), [d])

    def test_round_robin_with_subset(self):
        a, b, c, d = self.portals
        self.set(wmi.SUBSET, [b, d])
        self.assert_tables((RR, [b, d]), (RR, [a, c]))
        counts = self.reads_by_portal()
        self.assert_shared(counts, [b, d])
        self.assert_idle(counts, [a, c])

    def test_least_queue_depth(self):
        self.set(wmi.QUEUE_DEPTH)
        self.assert_tables((QL, self.portals))
        counts = self.reads_by_portal()
        self.assertTrue(all(counts.values()), counts)

    def test_weighted_paths(self):
        a, b, c, d = self.portals
        self.set(wmi.WEIGHTED, weights={a: 20, b: 5, c: 0xFFFFFFFF, d: 5})
        self.assert_tables((RR, [b, d]), (RR, [a]), (RR, [c]))
        counts = self.reads_by_portal()
        self.assert_shared(counts, [b, d])
        self.assert_idle(counts, [a, c])

    def test_weighted_paths_highest_first(self):
        a, b, c, d = self.portals
        run("busctl", "set-property", bus.NAME, bus.PATH, f"{bus.NAME}.Manager",
            "PathWeightOrder", "s", "highest-first")
        self.addCleanup(run, "busctl", "set-property", bus.NAME, bus.PATH,
                        f"{bus.NAME}.Manager", "PathWeightOrder", "s", "lowest-first")
        self.set(wmi.WEIGHTED, weights={a: 20, b: 5, c: 30, d: 5})
        self.assert_tables((RR, [c]), (RR, [a]), (RR, [b, d]))

    def test_vendor_specific_gives_the_maps_back(self):
        self.set(wmi.VENDOR)
        before = dm.shapes()
        self.set(wmi.FAILOVER, [self.portals[0]])
        self.assertNotEqual(dm.shapes(), before)
        self.set(wmi.VENDOR)
        self.assertEqual(dm.shapes(), before)
        self.assertEqual(wmi.get(wmi.session_path(), "Session", "LoadBalancePolicy"), 0)

    def test_features_and_handler_stay(self):
        before = {each.name: (each.features, each.handler) for each in dm.maps().values()}
        self.set(wmi.ROUND_ROBIN, self.portals)
        after = {each.name: (each.features, each.handler) for each in dm.maps().values()}
        self.assertEqual(after, before)

    def test_udev_sees_no_change(self):
        names = ("DM_NAME", "DM_UUID", "DEVLINKS", "MPATH_DEVICE_READY", "ID_FS_TYPE")

        def properties(name):
            lines = run("udevadm", "info", "--query=property",
                        f"--name=/dev/mapper/{name}").splitlines()
            pairs = [line.split("=", 1) for line in lines]
            return {key: sorted(value.split()) for key, value in pairs if key in names}

        def links():
            return {name: (os.path.realpath(f"/dev/mapper/{name}"), properties(name))
                    for name in dm.maps()}

        before = links()
        self.set(wmi.SUBSET, self.portals[:1])
        udev.settle()
        self.assertEqual(links(), before)

    def test_a_failed_path_is_failed_after_the_swap(self):
        name, each = next(iter(dm.maps().items()))
        path = each.paths[0]
        major_minor = read(f"/sys/block/{path}/dev")
        multipathd.stop()
        self.addCleanup(self.start_multipathd)
        run("dmsetup", "message", name, "0", f"fail_path {major_minor}")
        self.assertEqual(dm.path_states()[path], "F")
        self.set(wmi.QUEUE_DEPTH)
        states = dm.path_states()
        self.assertEqual(states.pop(path), "F")
        self.assertEqual(set(states.values()), {"A"})

    def start_multipathd(self):
        multipathd.start()
        stack.wait_for_paths()
        wait_for(lambda: set(dm.path_states().values()) == {"A"}, 60, "all paths usable")


class UnderLoad(PolicyTest):
    def test_changing_policies_under_load(self):
        a, b, c, d = self.portals
        with diskio.Load() as load:
            self.set(wmi.FAILOVER, [c])
            self.set(wmi.ROUND_ROBIN, self.portals)
            self.set(wmi.QUEUE_DEPTH)
            self.set(wmi.WEIGHTED, weights={a: 1, b: 2, c: 1, d: 3})
            self.set(wmi.SUBSET, [b, c])
        self.assertEqual(load.error, "")
        self.assert_tables((RR, [b, c]), (RR, [a, d]))
        self.assertEqual(set(dm.path_states().values()), {"A"})

    def test_no_path_is_ever_lost_to_a_swap(self):
        """multipathd adds and removes paths while tables are swapped."""
        address = self.portals[3]
        iscsi.logout(address=address)
        wmi.set_policy(wmi.QUEUE_DEPTH, addresses=self.portals[:3])
        iscsi.login(address=address)
        wmi.set_policy(wmi.ROUND_ROBIN, self.portals)
        stack.wait_for_paths()


class TwoSessions(PolicyTest):
    """Two targets export the same LUNs: the maps have paths of both sessions."""

    OTHER = "iqn.2024-01.org.example:other"
    ADDRESSES = ["127.0.0.21", "127.0.0.22"]

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(stack.another_target(cls.OTHER, lio.luns(), cls.ADDRESSES))
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR, addresses=cls.ADDRESSES, target=cls.OTHER)
        super().setUpClass()

    def set_other(self, *args, **kwargs):
        self.assertEqual(wmi.set_policy(*args, addresses=self.ADDRESSES, target=self.OTHER,
                                        **kwargs), wmi.SUCCESS)

    def test_paths_of_another_session_form_the_last_tier(self):
        a, b, c, d = self.portals
        self.set_other(wmi.VENDOR)
        self.set(wmi.SUBSET, [a])
        self.assert_tables((RR, [a]), (RR, [b, c, d]), (RR, self.ADDRESSES))

    def test_equal_selectors_join(self):
        a, b, c, d = self.portals
        x, y = self.ADDRESSES
        self.set(wmi.SUBSET, [a, b])
        self.set_other(wmi.ROUND_ROBIN, [x])
        self.assert_tables((RR, [a, b, x]), (RR, [c, d, y]))

    def test_the_policy_set_last_comes_first(self):
        x, y = self.ADDRESSES
        self.set(wmi.QUEUE_DEPTH)
        self.set_other(wmi.FAILOVER, [y])
        self.assert_tables((RR, [y]), (RR, [x]), (QL, self.portals))
        self.set(wmi.QUEUE_DEPTH)
        self.assert_tables((QL, self.portals), (RR, [y]), (RR, [x]))

    def test_giving_one_back_leaves_the_other(self):
        x, y = self.ADDRESSES
        self.set(wmi.QUEUE_DEPTH)
        self.set_other(wmi.FAILOVER, [x])
        self.set(wmi.VENDOR)
        self.assert_tables((RR, [x]), (RR, [y]), (RR, self.portals))
