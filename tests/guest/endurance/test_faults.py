# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault sweep of a session: from one policy to another, and from none to one and back."""

import dm
import lio
import sweeps
import wmi
from disks import RR

# The rounds of a sweep end after this time.
SECONDS, SECONDS_FIRST = 200, 240


class FaultsOfSession(sweeps.SweepTest):
    def setUp(self):
        super().setUp()
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        self.addCleanup(wmi.set_policy, wmi.VENDOR)
        self.a, self.b, self.c, self.d = lio.portals()
        self.hosts_own = dm.shapes()

    def all_maps(self, *groups):
        """{map: groups}, of round robin."""
        return dict.fromkeys(self.hosts_own, [(RR, frozenset(group)) for group in groups])

    def failover(self):
        return self.all_maps([self.c], [self.a], [self.b], [self.d])

    def sweep_first_policies(self, name, seconds):
        """From none to failover, and back by policy 6."""
        session = sweeps.SessionHolder({wmi.FAILOVER: {"primaries": [self.c]}, wmi.VENDOR: {}})
        self.sweep(name, [session],
                   {(wmi.FAILOVER,): self.failover(), (wmi.VENDOR,): self.hosts_own}, seconds)


class Faults(FaultsOfSession):
    def test_fault_sweep(self):
        a, b, c, d = self.a, self.b, self.c, self.d
        session = sweeps.SessionHolder({
            wmi.FAILOVER: {"primaries": [c]},
            wmi.WEIGHTED: {"weights": {a: 1, b: 2, c: 2, d: 3}}})
        self.sweep("fault sweep", [session],
                   {(wmi.FAILOVER,): self.failover(),
                    (wmi.WEIGHTED,): self.all_maps([a], [b, c], [d])}, SECONDS)

    def test_fault_sweep_of_first_policies(self):
        self.sweep_first_policies("fault sweep of first policies and policy 6", SECONDS_FIRST)
