# SPDX-License-Identifier: LGPL-2.1-or-later
"""Asymmetric access (ALUA): target port groups, and what the kernel knows of their states."""

import iscsi
import lio
from basic import read, write

# The optimized, non-optimized and standby states of ALUA, as the target numbers them.
OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE = 0, 1, 2, 3


def make_group(lun, name, number, state=OPTIMIZED):
    """A target port group on a LUN's backstore, made on the first call; number is its ID, 1 and
    up. Groups stay until remove_group() or the guest's end: without a member they change nothing."""
    group = lio.CORE / f"lun{lun}/alua/{name}"
    if not group.exists():
        group.mkdir()
        write(group / "tg_pt_gp_id", number)
    write(group / "alua_access_state", state)
    return group


def remove_group(lun, name):
    """Remove a target port group that has no member any more, if it is there."""
    group = lio.CORE / f"lun{lun}/alua/{name}"
    if group.exists():
        group.rmdir()


def join(lun, group, tpgt, name=lio.TARGET):
    """Put a LUN, as a target portal group exports it, into a target port group."""
    write(lio.tpg(tpgt, name) / f"lun/lun_{lun}/alua_tg_pt_gp", group)


def set_state(lun, group, state):
    """Change a target port group's access state. The kernel learns it from the path's next command
    (a unit attention: multipathd's checker sends one within 20 s), or by read_states()."""
    write(lio.CORE / f"lun{lun}/alua/{group}/alua_access_state", state)


def second_group(addresses, state=NON_OPTIMIZED, luns=None, name=lio.TARGET, tpgt=2,
                 group="second"):
    """Give the target a second portal group with portals of its own whose paths have another
    access state. Log in afterwards, then stack.wait_for_paths(); lio.group_remove() undoes it."""
    luns = lio.luns() if luns is None else luns
    lio.create(name, luns, addresses, tpgt)
    for lun in range(luns):
        make_group(lun, group, tpgt, state)
        join(lun, group, tpgt, name)


def read_states(paths=None):
    """Have the kernel ask for the access states anew. It takes a path that joins for an
    optimized one until a command fails on it, or a map activates it."""
    if paths is None:
        paths = [path for each in iscsi.sessions() for path in each.paths]
    for path in paths:
        write(f"/sys/block/{path}/device/rescan", 1)


def is_used():
    """Whether some LUN has a target port group besides the default one."""
    return len(list(lio.CORE.glob("lun*/alua/*"))) > len(list(lio.CORE.glob("lun*")))


def state_of(path):
    """What the kernel knows of a path: 'active/optimized' and so on."""
    return read(f"/sys/block/{path}/device/access_state")
