# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same reboot with disks: a session whose disks have each of MPIO's policies, and one disk of the
default target's that has one."""

import dm
import holds
import lio
import wmi
from basic import wait_for

DISK, PRIMARY = lio.wwid(1), lio.portals()[2]


def before_reboot():
    holds.before_reboot("DISKS")
    assert wmi.set_disk(DISK, wmi.FAILOVER, [PRIMARY]) == wmi.SUCCESS


class Reboot(holds.HoldsTest):
    HELD = holds.DISKS.values()

    @classmethod
    def setUpClass(cls):
        """All is there already."""

    def test_01_every_policy_holds(self):
        self.assert_holds()
        self.assert_told()

    def test_02_a_disk_without_a_preferred_path(self):
        rest = [portal for portal in lio.portals() if portal != PRIMARY]
        wanted = [("round-robin", frozenset([portal])) for portal in (PRIMARY, *rest)]
        wait_for(lambda: dm.shapes()[DISK] == wanted, 10, "the primary leads again")
        self.assertEqual((wmi.disk("LoadBalancePolicy", DISK), wmi.disk("Provenance", DISK)),
                         (wmi.FAILOVER, "disk"))
        self.assertEqual(wmi.disk("Provenance", lio.wwid(0)), "host")
