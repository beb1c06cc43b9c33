# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reboot of the guest, with sessions that open-iscsi logs in by itself: five with a policy each,
one whose disks have each of MPIO's, and the default target's, one disk of which has one.

run-tests calls before_reboot() when all other tests are done, then reboots, and runs the tests.
"""

import holds
import lab
import wmi

GUID = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
HELD = [*holds.HOLDS.values(), *holds.DISKS.values()]
DISK, PRIMARY = lab.wwid(1), lab.portals()[2]


def before_reboot():
    """Policies, a GUID, and all that a host and its array need to come up by themselves."""
    holds.up(HELD)
    assert wmi.set_guid(GUID) == wmi.SUCCESS
    assert wmi.set_disk(DISK, wmi.FAILOVER, [PRIMARY]) == wmi.SUCCESS
    for target in (lab.TARGET, *holds.targets(HELD)):
        lab.log_in_at_boot(target)
    lab.target_at_boot("import holds, lab; lab.target_up(); "
                       "holds.targets_up([*holds.HOLDS.values(), *holds.DISKS.values()])")
    lab.run("systemctl", "enable", wmi.SERVICE)


def started(unit):
    """When a unit had started, in microseconds since the boot."""
    return int(lab.run("systemctl", "show", "--value", "--property=ActiveEnterTimestampMonotonic",
                       unit))


class Reboot(holds.HoldsTest):
    HELD = HELD

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
        self.assertTrue(0 < started(wmi.SERVICE) < started("lab-job.service"))

    def test_03_the_tag_is_there(self):
        self.assertEqual(bytes(wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation",
                                       "GenerationalGuid")), GUID)
        self.assertEqual({wmi.tag(each.sid) for each in lab.sessions()}, {wmi.guid_text(GUID)})

    def test_04_a_disk_has_its_own_policy(self):
        rest = [portal for portal in lab.portals() if portal != PRIMARY]
        wanted = [("round-robin", frozenset([portal])) for portal in (PRIMARY, *rest)]
        lab.wait_for(lambda: wmi.shapes()[DISK] == wanted, 10, "the primary leads again")
        self.assertEqual((wmi.disk("LoadBalancePolicy", DISK), wmi.disk("Provenance", DISK)),
                         (wmi.FAILOVER, "disk"))
        self.assertEqual(wmi.disk("Provenance", lab.wwid(0)), "host")
