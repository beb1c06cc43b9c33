# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault sweep of a disk: it gets a policy, and is cleared, which gives its map back to the host
or to the policy of its session."""

import dm
import lio
import sweeps
import wmi
from disks import RR

SECONDS, SECONDS_OF_BELOW = 120, 50


class Disks(sweeps.SweepTest):
    WWID = lio.wwid(0)

    def setUp(self):
        super().setUp()
        self.addCleanup(wmi.set_policy, wmi.VENDOR)
        self.addCleanup(wmi.set_disk_raw, self.WWID, wmi.NONE)

    def sweep_disk(self, name, seconds):
        """Between what the map is now and the disk's own failover."""
        a, b, c, d = lio.portals()
        below = dm.shapes()
        alone = [(RR, frozenset([each])) for each in (b, a, c, d)]
        disk = sweeps.DiskHolder({wmi.FAILOVER: {"primaries": [b], "preferred": b}, wmi.NONE: {}},
                                 self.WWID)
        self.sweep(name, [disk], {(wmi.FAILOVER,): {**below, self.WWID: alone},
                                  (wmi.NONE,): below}, seconds)

    def test_fault_sweep_of_a_disk(self):
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        self.sweep_disk("fault sweep of a disk", SECONDS)

    def test_fault_sweep_of_a_disk_over_a_session(self):
        a, *_ = lio.portals()
        self.assertEqual(wmi.set_policy(wmi.SUBSET, [a]), wmi.SUCCESS)
        wmi.wait_for_agreement()
        self.sweep_disk("fault sweep of a disk over its session's policy", SECONDS_OF_BELOW)
