# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk with a policy of its own, and its kernel's tables and I/O."""

import collections
import unittest

import diskio
import dm
import iscsi
import lio
import wmi
from basic import look_in

READS = 400
NEARLY_ALL = 0.95 * READS  # two that follow each other may be one I/O
RR, QL, ST = "round-robin", "queue-length", "service-time"


class DiskTest(unittest.TestCase):
    """One map of the default session's; the others are to stay as they are. A test leaves its policy
    to the next one."""

    WWID = lio.wwid(0)

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(cls.give_back)
        cls.own = dm.shapes()

    @classmethod
    def give_back(cls):
        assert wmi.set_disk_raw(cls.WWID, wmi.NONE) == wmi.SUCCESS

    def setUp(self):
        self.portals = lio.portals()

    def shape(self):
        return dm.shapes().get(self.WWID)

    def others(self, shapes):
        return {name: collections.Counter(shape) for name, shape in shapes.items()
                if name != self.WWID}

    def set(self, *args, **kwargs):
        self.assertEqual(wmi.set_disk(self.WWID, *args, **kwargs), wmi.SUCCESS)
        self.assertEqual(dm.suspended(), [])

    def assert_groups(self, *groups, seconds=10):
        """The map has these groups of portals, in this order. The others have their own: which of
        them is first may change when a path comes anew."""
        self.assert_shape(*groups, seconds=seconds)
        self.assertEqual(self.others(dm.shapes()), self.others(self.own))

    def assert_shape(self, *groups, seconds=10):
        """The map has these groups, at once or in a moment: multipathd may be reading what an
        earlier test has asked for."""
        wanted = [(selector, frozenset(portals)) for selector, portals in groups]
        self.assertEqual(look_in(seconds, self.shape, wanted.__eq__), wanted)

    def assert_alone(self, *portals, seconds=10):
        """Failover's groups."""
        self.assert_groups(*((RR, [portal]) for portal in portals), seconds=seconds)

    def reads(self):
        """Reads on the map: {portal: I/Os that its path completed}."""
        with diskio.counting(dm.maps()[self.WWID].paths) as counted:
            diskio.read_map(self.WWID, count=READS)
        return {iscsi.portal_of(path): ios for path, ios in counted.items()}

    def assert_reads(self, portals):
        """All reads go to these paths, each of which has some. (A checker's read is no news.)"""
        counts = self.reads()
        idle = {portal: count for portal, count in counts.items() if portal not in portals}
        self.assertLess(sum(idle.values()), READS / 20, counts)
        for portal in portals:
            self.assertGreaterEqual(counts[portal], READS / len(portals) / 4, counts)

    def assert_provenance(self, policy, provenance):
        self.assertEqual((wmi.disk("LoadBalancePolicy", self.WWID),
                          wmi.disk("Provenance", self.WWID)), (policy, provenance))
