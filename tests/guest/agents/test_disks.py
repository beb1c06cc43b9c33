# SPDX-License-Identifier: LGPL-2.1-or-later
"""MPIO's policies, of one disk each: tables, I/O, what they rank above, and what they survive. The
kernel is the witness."""

import contextlib
import time

import bus
import diskio
import disks
import dm
import drop_in
import iscsi
import lio
import multipathd
import service
import signals
import stack
import store
import wmi
from basic import frozen, processes_of, read, run, wait_for

READS, NEARLY_ALL, RR, QL, ST = disks.READS, disks.NEARLY_ALL, disks.RR, disks.QL, disks.ST


class Policies(disks.DiskTest):
    def test_failover(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [c])
        self.assert_alone(c, a, b, d)
        self.assert_reads([c])
        policy, paths = wmi.query_disk(self.WWID)
        self.assertEqual(policy, wmi.FAILOVER)
        self.assertEqual({each.id: (each.primary, each.optimized) for each in paths},
                         {wmi.connection_id(portal): (int(portal == c), 1)
                          for portal in self.portals})

    def test_failover_with_a_preferred_path(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [c], preferred=d)
        self.assert_alone(d, c, a, b)
        self.assert_reads([d])
        self.assertEqual([each.id for each in wmi.query_disk(self.WWID)[1] if each.preferred],
                         [wmi.connection_id(d)])

    def test_round_robin(self):
        self.set(wmi.ROUND_ROBIN)
        self.assert_groups((RR, self.portals))
        self.assert_reads(self.portals)

    def test_round_robin_with_subset(self):
        a, b, c, d = self.portals
        self.set(wmi.SUBSET, [b, d])
        self.assert_groups((RR, [b, d]), (RR, [a, c]))
        self.assert_reads([b, d])

    def test_least_queue_depth(self):
        self.set(wmi.QUEUE_DEPTH)
        self.assert_groups((QL, self.portals))
        self.assertTrue(all(self.reads().values()))

    def test_least_blocks(self):
        self.set(wmi.LEAST_BLOCKS)
        self.assert_groups((ST, self.portals))
        self.assertTrue(all(self.reads().values()))
        # A session's classes have no number for it.
        self.assertEqual(wmi.query()[0], wmi.VENDOR)

    def test_the_lowest_weight_wins_always(self):
        a, b, c, d = self.portals
        order = ("busctl", "set-property", bus.NAME, bus.PATH, f"{bus.NAME}.Manager",
                 "PathWeightOrder", "s")
        run(*order, "highest-first")
        self.addCleanup(run, *order, "lowest-first")
        self.set(wmi.WEIGHTED, weights={a: 20, b: 5, c: 0xFFFFFFFF, d: 5})
        self.assert_groups((RR, [b, d]), (RR, [a]), (RR, [c]))
        self.assert_reads([b, d])
        self.assertEqual({each.id: each.weight for each in wmi.query_disk(self.WWID)[1]},
                         {wmi.connection_id(portal): weight for portal, weight in
                          {a: 20, b: 5, c: 0xFFFFFFFF, d: 5}.items()})

    def test_version_1(self):
        a, b, c, d = self.portals
        self.assertEqual(wmi.set_disk_v1(self.WWID, wmi.FAILOVER, [b]), wmi.SUCCESS)
        self.assert_alone(b, a, c, d)
        # Its paths have no OptimizedPath: one that is no primary is a standby path.
        self.assertEqual(wmi.set_disk_v1(self.WWID, wmi.QUEUE_DEPTH, [b]),
                         wmi.DSM_INVALID_PARAMETER)
        self.assertEqual(wmi.set_disk_v1(self.WWID, wmi.SUBSET, [a, b]), wmi.SUCCESS)
        self.assert_groups((RR, [a, b]), (RR, [c, d]))

    def test_what_is_queried_can_be_set(self):
        a, b, c, d = self.portals
        for args in ((wmi.SUBSET, [b, d]), (wmi.FAILOVER, [c])):
            self.set(*args)
            wmi.wait_for_disk(self.WWID)  # multipathd may be reading what was set before
            before = self.shape()
            policy, paths = wmi.query_disk(self.WWID)
            self.assertEqual(wmi.set_disk_raw(self.WWID, policy, paths), wmi.SUCCESS)
            self.assertEqual((policy, self.shape()), (args[0], before))

    def test_facts_of_paths(self):
        """LIO's LUNs have ALUA, with one group."""
        _, paths = wmi.query_disk(self.WWID)
        self.assertEqual({each.id for each in paths},
                         {wmi.connection_id(portal) for portal in self.portals})
        for each in paths:
            self.assertEqual((each.failed, each.group_state, each.symmetric), (0, 0, 1))
            self.assertIn(each.alua_support, (1, 2, 3))
            self.assertGreater(each.port, 0)
        self.assertEqual(wmi.get(wmi.disk_path(self.WWID), "DSM_QuerySupportedLBPolicies_V2",
                                 "Supported_LB_Policies"),
                         [[2, policy, 0, 0, []] for policy in range(1, 7)])
        self.assertEqual(wmi.disk("SizeBytes", self.WWID),
                         512 * int(run("blockdev", "--getsz", f"/dev/mapper/{self.WWID}")))

    def test_statuses(self):
        a, b, c, d = self.portals
        self.set(wmi.QUEUE_DEPTH)
        _, paths = wmi.query_disk(self.WWID)
        first, *rest = paths
        invalid = wmi.DSM_INVALID_PARAMETER
        standby = first._replace(primary=0)
        for status, policy, asked, more in (
                (wmi.DSM_BUFFER_TOO_SMALL, 9, paths, {"count": 5, "version": 3}),
                (wmi.DSM_NOT_SUPPORTED, 9, paths[:1], {"version": 3}),
                (invalid, wmi.DSM_VENDOR, paths, {}),
                (invalid, 9, paths, {}),
                (invalid, wmi.ROUND_ROBIN, rest, {}),
                (invalid, wmi.ROUND_ROBIN, paths, {"count": 3}),
                (invalid, wmi.ROUND_ROBIN, [first, *paths[:3]], {}),
                (invalid, wmi.ROUND_ROBIN, [first._replace(id=1), *rest], {}),
                (invalid, wmi.ROUND_ROBIN, [standby, *rest], {}),
                (invalid, wmi.FAILOVER, paths, {}),
                (invalid, wmi.FAILOVER, [each._replace(primary=0) for each in paths], {}),
                (invalid, wmi.FAILOVER, [first._replace(preferred=1)]
                 + [each._replace(primary=0, preferred=1) for each in rest], {}),
        ):
            self.assertEqual(wmi.set_disk_raw(self.WWID, policy, asked, **more), status,
                             (policy, asked, more))
        self.assert_groups((QL, self.portals))
        self.assertEqual(wmi.query_disk(self.WWID)[0], wmi.QUEUE_DEPTH)
        # Entries past the count are ignored.
        self.assertEqual(wmi.set_disk_raw(self.WWID, wmi.ROUND_ROBIN, paths + [first], count=4),
                         wmi.SUCCESS)
        self.assert_groups((RR, self.portals))

    def test_only_root_sets(self):
        before = self.shape()
        with self.assertRaises(RuntimeError):
            wmi.set_disk_raw(self.WWID, wmi.NONE, user="guest")
        self.assertEqual(self.shape(), before)

    def test_signals(self):
        self.set(wmi.QUEUE_DEPTH)
        path = wmi.disk_path(self.WWID)
        with signals.Monitor() as monitor:
            self.set(wmi.LEAST_BLOCKS)
            wait_for(lambda: monitor.values("LoadBalancePolicy", "Disk", path), 10, "a signal")
            wmi.wait_for_disk(self.WWID)
            self.assertEqual(monitor.values("LoadBalancePolicy", "Disk", path),
                             [wmi.LEAST_BLOCKS])
            self.assertEqual(monitor.values("Provenance", "Disk", path), [])
            self.assertIn(None, monitor.values("LoadBalancePolicy", "DSM_QueryLBPolicy_V2", path))
            self.assertEqual(monitor.objects("InterfacesAdded", "disk"), [])


class Ranks(disks.DiskTest):
    """The disk's policy, the session's, and the host's own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR)

    def assert_others(self, *groups):
        wanted = [(selector, frozenset(portals)) for selector, portals in groups]
        found = dm.shapes()
        found.pop(self.WWID)
        self.assertEqual(found, {name: wanted for name in found})

    def test_a_disk_ranks_above_its_session(self):
        a, b, c, d = self.portals
        before = self.shape()
        self.assert_provenance(wmi.NONE, "host")
        self.assertEqual(wmi.set_policy(wmi.SUBSET, [a]), wmi.SUCCESS)
        self.assert_provenance(wmi.SUBSET, "session")
        self.set(wmi.LEAST_BLOCKS)
        self.assert_provenance(wmi.LEAST_BLOCKS, "disk")
        self.assert_shape((ST, self.portals))
        self.assert_others((RR, [a]), (RR, [b, c, d]))

        # Another one of the session passes it over; the session has it all the same.
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)
        self.assert_shape((ST, self.portals))
        self.assert_others((QL, self.portals))
        wmi.wait_for_agreement()
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(wmi.noise(), {})

        # Cleared, it is the session's; and without that, the host's own.
        self.assertEqual(wmi.set_disk_raw(self.WWID, wmi.NONE), wmi.SUCCESS)
        self.assert_shape((QL, self.portals))
        self.assert_provenance(wmi.QUEUE_DEPTH, "session")
        self.assertEqual(store.disk_policy(self.WWID), 0)
        self.set(wmi.FAILOVER, [b])
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        self.assert_alone(b, a, c, d)
        self.assertEqual(set(drop_in.entries()), {self.WWID})
        self.assertEqual(wmi.set_disk_raw(self.WWID, wmi.NONE), wmi.SUCCESS)
        self.assertEqual(self.shape(), before)
        self.assertEqual(drop_in.entries(), {})
        self.assert_provenance(wmi.NONE, "host")


class Failover(disks.DiskTest):
    """A path is lost and returns."""

    def kernel_path(self, portal):
        """The path's number, as the kernel's messages want it."""
        for path in dm.maps()[self.WWID].paths:
            if iscsi.portal_of(path) == portal:
                return path, read(f"/sys/block/{path}/dev")
        raise KeyError(portal)

    def test_without_a_preferred_path_it_stays(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [a])
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(drop_in.entries()[self.WWID]["failback"], "manual")
        path, number = self.kernel_path(a)
        with frozen(*processes_of("multipathd")):  # whose checker would put the path back
            run("dmsetup", "message", self.WWID, "0", f"fail_path {number}")
            self.assertGreaterEqual(self.reads()[b], READS / 2)
            policy, paths = wmi.query_disk(self.WWID)
            self.assertEqual({each.id for each in paths if each.primary}, {wmi.connection_id(b)})
        run("dmsetup", "message", self.WWID, "0", f"reinstate_path {number}")
        self.assert_alone(b, a, c, d, seconds=20)
        self.assert_reads([b])

        # What was queried while it had failed can be set, each path with its name.
        self.assertEqual(len({each.id for each in paths}), len(self.portals))
        self.assertEqual(wmi.set_disk_raw(self.WWID, policy, paths), wmi.SUCCESS)
        self.assertEqual(self.shape()[0], (RR, frozenset([b])))

        # multipathd thinks so too, and a service that starts anew finds it so.
        wmi.wait_for_disk(self.WWID)
        multipathd.reconfigure()
        service.restart()
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(self.shape()[0], (RR, frozenset([b])))
        self.assertEqual(wmi.noise(), {})
        self.assert_reads([b])

    def test_what_multipathd_switches_to_before_it_is_told_does_not_lead(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [a])
        wmi.wait_for_disk(self.WWID)
        with frozen(*processes_of("multipathd")):
            self.set(wmi.FAILOVER, [b])
            self.assert_alone(b, a, c, d)
            # As multipathd does it, to the best group by the priorities that it knows.
            run("dmsetup", "message", self.WWID, "0", "switch_group 2")
            diskio.read_map(self.WWID, count=8)
            self.assertEqual(dm.current_groups()[self.WWID], 2)
            device = dm.maps()[self.WWID].device
            run("udevadm", "trigger", "--settle", f"/sys/block/{device}")
            time.sleep(1)
            self.assertEqual(self.shape()[0], (RR, frozenset([b])))
        wmi.wait_for_disk(self.WWID, seconds=40)
        self.assert_alone(b, a, c, d)
        self.assertEqual(dm.current_groups()[self.WWID], 1)
        self.assert_reads([b])

    def test_with_a_preferred_path_it_goes_back(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [c], preferred=a)
        self.assert_alone(a, c, b, d)
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(drop_in.entries()[self.WWID]["failback"], "immediate")
        try:
            iscsi.logout(address=a)
            wait_for(lambda: self.shape() == [(RR, frozenset([portal]))
                                              for portal in (c, b, d)], 20, "c leads")
            self.assertGreaterEqual(self.reads()[c], NEARLY_ALL)
        finally:
            iscsi.login_missing()
            stack.wait_until_whole()
        self.assert_alone(a, c, b, d, seconds=10)
        self.assert_reads([a])

    def test_a_path_that_logs_in_again_does_not_lead(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [a])
        wmi.wait_for_disk(self.WWID)
        try:
            iscsi.logout(address=a)
            wait_for(lambda: self.shape() == [(RR, frozenset([portal]))
                                              for portal in (b, c, d)], 20, "b leads")
            self.assertGreaterEqual(self.reads()[b], NEARLY_ALL)
        finally:
            iscsi.login_missing()
            stack.wait_until_whole()
        self.assert_alone(b, a, c, d, seconds=10)
        self.assert_reads([b])


class Holding(disks.DiskTest):
    def test_a_policy_survives(self):
        a, b, c, d = self.portals
        weights = {a: 30, b: 10, c: 20, d: 40}
        tiers = (RR, [b]), (RR, [c]), (RR, [a]), (RR, [d])
        self.set(wmi.WEIGHTED, weights=weights)
        self.assert_groups(*tiers)
        self.assertEqual(store.disk_policy(self.WWID), wmi.WEIGHTED)
        wmi.wait_for_disk(self.WWID)

        before = dm.tables()
        service.restart()
        multipathd.reconfigure()
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(dm.tables(), before)
        self.assert_provenance(wmi.WEIGHTED, "disk")
        self.assertEqual(wmi.disk("Reapplications", self.WWID), 0)

        # By hand, and by a path that leaves and comes.
        dm.load_groups(self.WWID, [[a, b, c, d]], RR)
        self.assert_groups(*tiers, seconds=10)
        try:
            iscsi.logout(address=c)
        finally:
            iscsi.login_missing()
            stack.wait_until_whole()
        self.assert_groups(*tiers, seconds=10)
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(wmi.noise(), {})


class Default(disks.DiskTest):
    """The policy of maps that appear: those of a second target, with a LUN of its own."""

    OTHER = "iqn.2024-01.org.example:appears"
    LUN = 30
    NEW = lio.wwid(LUN)
    ADDRESSES = ["127.0.0.51", "127.0.0.52"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lio.create(cls.OTHER, [cls.LUN], cls.ADDRESSES)
        cls.addClassCleanup(cls.remove_other)
        iscsi.discover(cls.ADDRESSES[0], new_only=True)

    @classmethod
    def remove_other(cls):
        wmi.set_default(wmi.NONE)
        if any(each.target == cls.OTHER for each in iscsi.sessions()):
            iscsi.logout(cls.OTHER)
        stack.wait_for_paths()
        wmi.set_policy(wmi.VENDOR, target=cls.OTHER)
        with contextlib.suppress(RuntimeError):  # no such object: it has none any more
            wmi.set_disk_raw(cls.NEW, wmi.NONE)
        iscsi.forget(cls.OTHER)
        lio.remove(cls.OTHER)

    def assert_new(self, selector, policy, provenance):
        wanted = [(selector, frozenset(self.ADDRESSES))]
        wait_for(lambda: dm.shapes().get(self.NEW) == wanted
                 and wmi.disk("Provenance", self.NEW) == provenance, 10,
                 f"{wanted} by {provenance}")
        self.assertEqual(wmi.disk("LoadBalancePolicy", self.NEW), policy)

    def test_maps_that_appear(self):
        before = dm.shapes()
        wmi.set_default(wmi.QUEUE_DEPTH)
        with signals.Monitor() as monitor:
            iscsi.login(self.OTHER)
            stack.wait_for_paths(lio.expected_paths() + len(self.ADDRESSES))
            self.assert_new(QL, wmi.QUEUE_DEPTH, "default")
            self.assertEqual([path for path, _ in monitor.objects("InterfacesAdded", "disk")],
                             [wmi.disk_path(self.NEW)])
        # Those that are there stay, now and when it changes; and it is saved.
        wmi.set_default(wmi.LEAST_BLOCKS)
        service.restart()
        self.assertEqual(wmi.get(bus.PATH, "Manager", "DefaultLoadBalancePolicy"),
                         wmi.LEAST_BLOCKS)
        self.assert_new(QL, wmi.QUEUE_DEPTH, "default")
        self.assertEqual({name: shape for name, shape in dm.shapes().items()
                          if name != self.NEW}, before)

        # A session's policy ranks above it, and the default of now comes when a disk is cleared.
        self.assertEqual(wmi.set_policy(wmi.ROUND_ROBIN, self.ADDRESSES, None, self.ADDRESSES,
                                        self.OTHER), wmi.SUCCESS)
        self.assert_new(RR, wmi.ROUND_ROBIN, "session")
        self.assertEqual(wmi.set_policy(wmi.VENDOR, target=self.OTHER), wmi.SUCCESS)
        self.assert_new(QL, wmi.QUEUE_DEPTH, "default")
        self.assertEqual(wmi.set_disk_raw(self.NEW, wmi.NONE), wmi.SUCCESS)
        self.assert_new(ST, wmi.LEAST_BLOCKS, "default")
        wmi.set_default(wmi.NONE)
        self.assertEqual(wmi.set_disk_raw(self.NEW, wmi.NONE), wmi.SUCCESS)
        self.assertEqual(wmi.disk("Provenance", self.NEW), "host")
