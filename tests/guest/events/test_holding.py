# SPDX-License-Identifier: LGPL-2.1-or-later
"""A session's policy that holds: what happens to a host in its life, and each policy after it."""

import holds


class Holding(holds.Events):
    HELD = holds.HOLDS.values()
