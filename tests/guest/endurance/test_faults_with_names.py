# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault sweep of a session whose maps have names of their own: a friendly one, and an alias."""

import lio
import stack
import test_faults

SECONDS = 80

ALIAS = "data"
NAMES = f"""defaults {{
    user_friendly_names yes
}}
multipaths {{
    multipath {{
        wwid "{lio.wwid(0)}"
        alias "{ALIAS}"
    }}
}}
"""


class Names(test_faults.FaultsOfSession):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(stack.configured(NAMES))
        super().setUpClass()

    def test_fault_sweep_with_names(self):
        self.assertIn(ALIAS, self.hosts_own)
        self.assertFalse(set(self.hosts_own) & {lio.wwid(lun) for lun in range(lio.luns())})
        self.sweep_first_policies("fault sweep of first policies with friendly names", SECONDS)
