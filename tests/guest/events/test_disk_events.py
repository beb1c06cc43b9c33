# SPDX-License-Identifier: LGPL-2.1-or-later
"""What MPIO's policies of a disk survive, and where a failover goes."""

import lab
import test_disks
import wmi

RR = test_disks.RR
NEARLY_ALL = 0.95 * test_disks.READS  # of the reads: two that follow each other may be one I/O


class Failover(test_disks.DiskTest):
    """A path is lost and returns."""

    def kernel_path(self, portal):
        """The path's number, as the kernel's messages want it."""
        for path in lab.maps()[self.WWID].paths:
            if lab.portal_of(path) == portal:
                return path, lab.read(f"/sys/block/{path}/dev")
        raise KeyError(portal)

    def test_without_a_preferred_path_it_stays(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [a])
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(wmi.entries()[self.WWID]["failback"], "manual")
        path, number = self.kernel_path(a)
        lab.run("dmsetup", "message", self.WWID, "0", f"fail_path {number}")
        self.assertGreaterEqual(self.reads()[b], test_disks.READS / 2)
        policy, paths = wmi.query_disk(self.WWID)
        self.assertEqual({each.id for each in paths if each.primary}, {wmi.connection_id(b)})
        lab.run("dmsetup", "message", self.WWID, "0", f"reinstate_path {number}")
        self.assert_alone(b, a, c, d, seconds=20)
        self.assert_reads([b])

        # What was queried while it had failed can be set, each path with its name.
        self.assertEqual(len({each.id for each in paths}), len(self.portals))
        self.assertEqual(wmi.set_disk_raw(self.WWID, policy, paths), wmi.SUCCESS)
        self.assertEqual(self.shape()[0], (RR, frozenset([b])))

        # multipathd thinks so too, and a service that starts anew finds it so.
        wmi.wait_for_disk(self.WWID)
        lab.reconfigure()
        wmi.restart()
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(self.shape()[0], (RR, frozenset([b])))
        self.assertEqual(wmi.noise(), {})
        self.assert_reads([b])

    def test_with_a_preferred_path_it_goes_back(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [c], preferred=a)
        self.assert_alone(a, c, b, d)
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(wmi.entries()[self.WWID]["failback"], "immediate")
        try:
            lab.logout(address=a)
            lab.wait_for(lambda: self.shape() == [(RR, frozenset([portal]))
                                                  for portal in (c, b, d)], 20, "c leads")
            self.assertGreaterEqual(self.reads()[c], NEARLY_ALL)
        finally:
            lab.login_missing()
            lab.wait_until_whole()
        self.assert_alone(a, c, b, d, seconds=10)
        self.assert_reads([a])

    def test_a_path_that_logs_in_again_does_not_lead(self):
        a, b, c, d = self.portals
        self.set(wmi.FAILOVER, [a])
        wmi.wait_for_disk(self.WWID)
        try:
            lab.logout(address=a)
            lab.wait_for(lambda: self.shape() == [(RR, frozenset([portal]))
                                                  for portal in (b, c, d)], 20, "b leads")
            self.assertGreaterEqual(self.reads()[b], NEARLY_ALL)
        finally:
            lab.login_missing()
            lab.wait_until_whole()
        self.assert_alone(b, a, c, d, seconds=10)
        self.assert_reads([b])


class Holding(test_disks.DiskTest):
    def test_a_policy_survives(self):
        a, b, c, d = self.portals
        weights = {a: 30, b: 10, c: 20, d: 40}
        tiers = (RR, [b]), (RR, [c]), (RR, [a]), (RR, [d])
        self.set(wmi.WEIGHTED, weights=weights)
        self.assert_groups(*tiers)
        self.assertEqual(wmi.stored_disk_policy(self.WWID), wmi.WEIGHTED)
        wmi.wait_for_disk(self.WWID)

        before = wmi.tables()
        wmi.restart()
        lab.reconfigure()
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(wmi.tables(), before)
        self.assert_provenance(wmi.WEIGHTED, "disk")
        self.assertEqual(wmi.disk("Reapplications", self.WWID), 0)

        # By hand, and by a path that leaves and comes.
        lab.load_groups(self.WWID, [[a, b, c, d]], RR)
        self.assert_groups(*tiers, seconds=10)
        try:
            lab.logout(address=c)
        finally:
            lab.login_missing()
            lab.wait_until_whole()
        self.assert_groups(*tiers, seconds=10)
        wmi.wait_for_disk(self.WWID)
        self.assertEqual(wmi.noise(), {})
