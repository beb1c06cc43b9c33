# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reboot of the guest, with sessions that open-iscsi logs in by itself: five with a policy each,
and the default target's.

run-tests calls before_reboot() when all other tests are done, then reboots, and runs the tests.
"""

import holds
import iscsi
import service
import wmi
from basic import run

GUID = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")


def before_reboot():
    holds.before_reboot("HOLDS")
    assert wmi.set_guid(GUID) == wmi.SUCCESS


def started(unit):
    """When a unit had started, in microseconds since the boot."""
    return int(run("systemctl", "show", "--value", "--property=ActiveEnterTimestampMonotonic",
                   unit))


class Reboot(holds.HoldsTest):
    @classmethod
    def setUpClass(cls):
        """All is there already."""

    def test_01_every_policy_holds(self):
        self.assert_holds()
        self.assert_told()
        self.assertEqual(wmi.session("LoadBalancePolicy"), 0)

    def test_02_the_boot_did_it(self):
        """The sessions and the service were there before the lab looked for them."""
        self.assertTrue(0 < started("open-iscsi.service") < started("lab-job.service"))
        self.assertTrue(0 < started(service.UNIT) < started("lab-job.service"))

    def test_03_the_tag_is_there(self):
        self.assertEqual(bytes(wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation",
                                       "GenerationalGuid")), GUID)
        self.assertEqual({wmi.tag(each.sid) for each in iscsi.sessions()}, {wmi.guid_text(GUID)})
