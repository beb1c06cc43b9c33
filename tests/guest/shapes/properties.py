# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the shapes of the suite differ in, and what cannot be together. Pure.

Not among them: the handlers rdac and emc, which the kernel's target cannot be given: the made-up
host has those (tests/service/test_overrides.py). Of a value that stands first nothing has to be done, and
a property that no pair needs has it.
"""

PROPERTIES = {
    "names": ("wwid", "friendly", "alias"),
    "portals": (2, 1, 3, 7, 24),
    "luns": (1, 4, 33),
    # Of two target port groups, but for the first two; of the last two, they change places.
    "access": ("one", "none", "implicit", "explicit", "transitioning", "changing"),
    "shared": ("no", "targets", "initiators"),
    "nr_sessions": (1, 2),
    "login": ("plain", "chap", "digests"),
    "bus": ("daemon", "broker"),
    "conf": ("empty", "tools", "pure", "ceph", "equallogic"),
    "marginal": ("off", "on"),
    "find": ("no", "shipped"),
    "disks": ("bare", "partitions", "lvm", "filesystem"),
    "holds": (1, 2, 3, 4, 5),
}

# As many paths as an emulated guest can make, change and take down within some two minutes.
PATHS_MAX = 240


def paths(shape):
    """How many paths a shape has; what is not known yet counts as little as can be."""
    return (shape.get("portals", 1) * shape.get("luns", 1) * shape.get("nr_sessions", 1)
            * (1 if shape.get("shared", "no") == "no" else 2))


def seconds(shape):
    """About how long it takes in an emulated guest."""
    return 25 + paths(shape) / 3


def impossible(shape):
    """Why there is no such shape, of which some properties may not be known yet; None: there is."""
    if paths(shape) > PATHS_MAX:
        return f"more than {PATHS_MAX} paths, which emulation cannot carry in time"
    if shape.get("portals") == 1 and shape.get("access") in ("implicit", "explicit"):
        return "one portal is in one target port group"
    return None
