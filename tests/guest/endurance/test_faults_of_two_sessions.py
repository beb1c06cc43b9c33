# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault sweep of two sessions over one map: both are asked at once. One goes from one policy to
another, and the other one to its first and back."""

import dm
import lio
import stack
import sweeps
import wmi
from disks import RR

SECONDS = 160


class TwoSessions(sweeps.SweepTest):
    OTHER = "iqn.2024-01.org.example:other"
    ADDRESSES = ["127.0.0.21", "127.0.0.22"]

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(stack.another_target(cls.OTHER, lio.luns(), cls.ADDRESSES))
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR, addresses=cls.ADDRESSES, target=cls.OTHER)
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR)
        super().setUpClass()

    def test_fault_sweep_of_two_sessions(self):
        """Their tiers of equal rank join."""
        a, b, c, d = lio.portals()
        x, y = self.ADDRESSES

        def all_maps(*groups):
            return dict.fromkeys(dm.maps(), [(RR, frozenset(group)) for group in groups])

        one = sweeps.SessionHolder({wmi.SUBSET: {"primaries": [a]},
                                    wmi.ROUND_ROBIN: {"primaries": [a, b]}})
        other = sweeps.SessionHolder({wmi.VENDOR: {"addresses": self.ADDRESSES},
                                      wmi.ROUND_ROBIN: {"primaries": [x],
                                                        "addresses": self.ADDRESSES}}, self.OTHER)
        self.sweep("fault sweep of two sessions", [one, other],
                   {(wmi.SUBSET, wmi.VENDOR): all_maps([a], [b, c, d], [x, y]),
                    (wmi.ROUND_ROBIN, wmi.ROUND_ROBIN): all_maps([a, b, x], [c, d, y]),
                    (wmi.ROUND_ROBIN, wmi.VENDOR): all_maps([a, b], [c, d], [x, y]),
                    (wmi.SUBSET, wmi.ROUND_ROBIN): all_maps([a, x], [b, c, d, y])}, SECONDS)
