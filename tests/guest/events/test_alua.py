# SPDX-License-Identifier: LGPL-2.1-or-later
"""An array whose paths differ in access state: a target with two target port groups."""

import alua
import diskio
import dm
import iscsi
import lio
import stack
import test_policies
import wmi
from basic import run, wait_for

RR, QL = "round-robin", "queue-length"


class Asymmetric(test_policies.PolicyTest):
    """Four portals with optimized paths, two with non-optimized ones."""

    SLOW = ["127.0.0.31", "127.0.0.32"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        alua.second_group(cls.SLOW)
        cls.addClassCleanup(cls.remove_slow)
        iscsi.discover(cls.SLOW[0])
        for address in cls.SLOW:
            iscsi.login(address=address)
        stack.wait_for_paths(lio.expected_paths() +
                             lio.luns() * len(cls.SLOW))
        wait_for(cls.states_are_known, 20, "the paths' access states", interval=1)

    @classmethod
    def states_are_known(cls):
        """Asks again: a path that joins while the kernel asks for its group's state has none of it."""
        wrong = [path for each in dm.maps().values() for path in each.paths
                 if (iscsi.portal_of(path) in cls.SLOW) !=
                 (alua.state_of(path) == "active/non-optimized")]
        alua.read_states(wrong)
        return not wrong

    @classmethod
    def remove_slow(cls):
        for address in cls.SLOW:
            iscsi.logout(address=address)
            run("iscsiadm", "-m", "node", "-T", lio.TARGET, "-p", address, "-o", "delete")
        lio.group_remove(2)
        stack.wait_for_paths()

    def setUp(self):
        super().setUp()
        self.fast = self.portals
        self.all = self.fast + self.SLOW

    def set_all(self, *args, **kwargs):
        return wmi.set_policy(*args, addresses=self.all, **kwargs)

    def test_tiers_do_not_mix_access_states(self):
        states = {iscsi.portal_of(path): alua.state_of(path)
                  for path in next(iter(dm.maps().values())).paths}
        self.assertEqual({states[portal] for portal in self.fast}, {"active/optimized"})
        self.assertEqual({states[portal] for portal in self.SLOW}, {"active/non-optimized"})

        self.assertEqual(self.set_all(wmi.QUEUE_DEPTH), wmi.SUCCESS)
        self.assert_tables((QL, self.fast), (QL, self.SLOW))
        self.assertEqual(wmi.query()[0], wmi.QUEUE_DEPTH)
        self.assert_idle(self.reads_by_portal(), self.SLOW)

        self.assertEqual(self.set_all(wmi.ROUND_ROBIN, self.all), wmi.SUCCESS)
        self.assert_tables((RR, self.fast), (RR, self.SLOW))

    def test_access_state_ranks_before_the_policy(self):
        a, b, c, d = self.fast
        x, y = self.SLOW
        self.assertEqual(self.set_all(wmi.SUBSET, [b, x]), wmi.SUCCESS)
        self.assert_tables((RR, [b]), (RR, [a, c, d]), (RR, [x]), (RR, [y]))

        weights = {a: 3, b: 3, c: 2, d: 9, x: 1, y: 1}
        self.assertEqual(self.set_all(wmi.WEIGHTED, weights=weights), wmi.SUCCESS)
        self.assert_tables((RR, [c]), (RR, [a, b]), (RR, [d]), (RR, [x, y]))

    def test_a_primary_that_the_array_does_not_prefer_is_refused(self):
        self.assertEqual(self.set_all(wmi.QUEUE_DEPTH), wmi.SUCCESS)
        for policy in (wmi.FAILOVER, wmi.ROUND_ROBIN, wmi.SUBSET):
            self.assertEqual(self.set_all(policy, self.SLOW[:1]), wmi.NOT_SUPPORTED)
        self.assert_tables((QL, self.fast), (QL, self.SLOW))

    def test_a_disk_knows_its_target_port_groups(self):
        wwid = lio.wwid(0)
        self.addCleanup(wmi.set_disk_raw, wwid, wmi.NONE)
        _, paths = wmi.query_disk(wwid)
        slow = {wmi.connection_id(portal) for portal in self.SLOW}
        self.assertEqual({each.id for each in paths if each.group_state == 1}, slow)
        self.assertEqual({each.id for each in paths if each.group == 2}, slow)
        self.assertEqual({each.symmetric for each in paths}, {0})

        # Round robin is not for such a disk, and is not offered.
        supported = wmi.get(wmi.disk_path(wwid), "DSM_QuerySupportedLBPolicies_V2",
                            "Supported_LB_Policies")
        self.assertNotIn(wmi.ROUND_ROBIN, [policy for _, policy, *_ in supported])
        self.assertEqual(wmi.set_disk_raw(wwid, wmi.ROUND_ROBIN, paths),
                         wmi.DSM_INVALID_PARAMETER)

        # Each path as its group has it.
        states = [each._replace(primary=1, optimized=int(each.group_state == 0))
                  for each in paths]
        self.assertEqual(wmi.set_disk_raw(wwid, wmi.LEAST_BLOCKS, states), wmi.SUCCESS)
        self.assertEqual(dm.shapes()[wwid], [("service-time", frozenset(self.fast)),
                                             ("service-time", frozenset(self.SLOW))])
        optimized = [each._replace(optimized=1) for each in states]
        standby = [each._replace(primary=0) for each in optimized]
        at = next(i for i, each in enumerate(paths) if each.group_state == 1)
        standby[at] = optimized[at]
        # LIO lets itself be asked for other states; the service does not ask.
        self.assertEqual(wmi.set_disk_raw(wwid, wmi.FAILOVER, standby), wmi.DSM_NOT_SUPPORTED)
        self.assertEqual(wmi.query_disk(wwid)[0], wmi.LEAST_BLOCKS)

    def change_state(self, state):
        """A transition on the array, and I/O on the paths, whose unit attention tells the kernel.
        (Without I/O, multipathd's checker gets that within 20 s.)"""
        for lun in range(lio.luns()):
            alua.set_state(lun, "second", state)
        for address in self.SLOW:
            for disk in iscsi.disks_of(address):
                diskio.read_disk(f"/dev/{disk}", count=1)

    def wait_for_tables(self, *groups):
        wanted = [(selector, frozenset(portals)) for selector, portals in groups]
        wait_for(lambda: all(shape == wanted for shape in dm.shapes().values()), 40,
                 f"groups that follow the access states: {wanted}")
        self.assertEqual(dm.suspended(), [])

    def test_tiers_follow_the_access_state(self):
        self.addCleanup(alua.read_states)
        self.addCleanup(self.change_state, alua.NON_OPTIMIZED)
        b = self.fast[1]
        rest = [each for each in self.fast if each != b]
        self.assertEqual(self.set_all(wmi.SUBSET, [b]), wmi.SUCCESS)
        self.assert_tables((RR, [b]), (RR, rest), (RR, self.SLOW))
        self.change_state(alua.OPTIMIZED)
        self.wait_for_tables((RR, [b]), (RR, rest + self.SLOW))
        self.change_state(alua.NON_OPTIMIZED)
        self.wait_for_tables((RR, [b]), (RR, rest), (RR, self.SLOW))
        wmi.wait_for_agreement()
        wmi.wait_until_quiet()
