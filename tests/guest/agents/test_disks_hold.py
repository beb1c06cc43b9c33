# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk's policy that holds: the same events as for a session's, and each policy after them."""

import holds


class Holding(holds.Events):
    HELD = holds.DISKS.values()
