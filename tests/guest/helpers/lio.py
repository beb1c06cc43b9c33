# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's target, LIO: made, changed and removed through configfs.

A portal is an address and a port. Nothing here knows of initiators.
"""

import pathlib

import network
from basic import MIB, STATE, run, setting, write

TARGET = "iqn.2024-01.org.example:disks"
PORT = 3260

CONFIGFS = pathlib.Path("/sys/kernel/config")
CORE = CONFIGFS / "target/core/fileio_0"
ISCSI = CONFIGFS / "target/iscsi"


def luns():
    """How many LUNs the default target has: 0 and up."""
    return int(setting("LAB_LUNS", 4))


def portals(count=None, first=2):
    """The default portals' addresses: 127.0.0.2 and up."""
    count = int(setting("LAB_PORTALS", 4)) if count is None else count
    return [f"127.0.0.{first + i}" for i in range(count)]


def expected_paths():
    """How many paths the default target gives."""
    return luns() * len(portals())


def serial(lun):
    """The unit serial number of a LUN: hex digits only, the first 25 of which make the WWID."""
    return f"1ab{lun:05x}" + "0" * 24


def wwid(lun):
    """The WWID that udev and multipathd make of it: the map's name."""
    return "36001405" + serial(lun)[:25]


def _kernel_target():
    """Load the target and its configuration file system. It looks for /etc/target as it loads."""
    pathlib.Path("/etc/target").mkdir(exist_ok=True)
    for module in ("configfs", "target_core_mod", "target_core_file", "iscsi_target_mod"):
        run("modprobe", module)
    if not CONFIGFS.is_mount():
        run("mount", "-t", "configfs", "configfs", CONFIGFS)
    ISCSI.mkdir(exist_ok=True)


def backstore(lun, size=64 * MIB):
    """The backstore of a LUN, made on the first call: its directory in configfs. All targets
    share the backstores, so two targets export one LUN as the same disk."""
    store = CORE / f"lun{lun}"
    if store.exists():
        return store
    disk = STATE / f"lun{lun}.img"
    disk.parent.mkdir(parents=True, exist_ok=True)
    if not disk.exists():
        with open(disk, "wb") as file:
            file.truncate(size)
    store.mkdir(parents=True)
    write(store / "control", f"fd_dev_name={disk},fd_dev_size={size},fd_buffered_io=1")
    write(store / "wwn/vpd_unit_serial", serial(lun))
    write(store / "enable", 1)
    return store


def tpg(tpgt=1, name=TARGET):
    """The directory of a target portal group."""
    return ISCSI / name / f"tpgt_{tpgt}"


def create(name=TARGET, luns=4, addresses=None, tpgt=1):
    """Make a target portal group with LUNs 0.. (or those of a list) and portals, open to any
    initiator. A second call with another tpgt adds a group to the target, on the same LUNs."""
    _kernel_target()
    group = tpg(tpgt, name)
    group.mkdir(parents=True)
    for key, value in (("authentication", 0), ("generate_node_acls", 1),
                       ("demo_mode_write_protect", 0), ("cache_dynamic_acls", 1)):
        write(group / "attrib" / key, value)
    for lun in range(luns) if isinstance(luns, int) else luns:
        lun_add(lun, tpgt, name)
    for address in portals() if addresses is None else addresses:
        portal_add(address, tpgt=tpgt, name=name)
    write(group / "enable", 1)
    return group


def enable(enabled, tpgt=1, name=TARGET):
    """Switch a target portal group off, which ends its sessions, or on again."""
    write(tpg(tpgt, name) / "enable", int(enabled))


def remove(name=TARGET):
    """Remove a target with all its portal groups. Log out first. Backstores stay."""
    for group in sorted((ISCSI / name).glob("tpgt_*")):
        group_remove(int(group.name[len("tpgt_"):]), name)
    (ISCSI / name).rmdir()


def group_remove(tpgt, name=TARGET):
    """Remove one target portal group. Log out from its portals first."""
    group = tpg(tpgt, name)
    write(group / "enable", 0)
    for directory in (group / "lun").glob("lun_*"):
        lun_remove(int(directory.name[len("lun_"):]), tpgt, name)
    for directory in (group / "np").iterdir():
        directory.rmdir()
    group.rmdir()


def ask_for_chap(username, password, username_in="NULL", password_in="NULL", tpgt=1, name=TARGET):
    """Have a target portal group ask for a CHAP name and password, and answer with its own where
    it is given one. Sessions that are there stay. ("NULL" is how the kernel is told of none.)"""
    for key, value in (("userid", username), ("password", password),
                       ("userid_mutual", username_in), ("password_mutual", password_in)):
        # The kernel would take a newline for a part of it.
        (tpg(tpgt, name) / "auth" / key).write_text(value)
    write(tpg(tpgt, name) / "attrib/authentication", 1)


def lun_add(lun, tpgt=1, name=TARGET):
    """Export a LUN. Sessions that are there see it after `iscsiadm -m session -R`."""
    directory = tpg(tpgt, name) / f"lun/lun_{lun}"
    directory.mkdir()
    (directory / "store").symlink_to(backstore(lun))


def lun_remove(lun, tpgt=1, name=TARGET):
    """Take a LUN away from a target portal group; the backstore stays."""
    directory = tpg(tpgt, name) / f"lun/lun_{lun}"
    for link in directory.iterdir():
        if link.is_symlink():
            link.unlink()
    directory.rmdir()


def portal_directory(address, port, tpgt, name):
    """The directory of a portal, whether it is there or not."""
    host = f"[{address}]" if ":" in address else address
    return tpg(tpgt, name) / f"np/{host}:{port}"


def portal_add(address, port=PORT, tpgt=1, name=TARGET):
    """Add a portal; the address is put on lo unless some interface has it."""
    network.add(address)
    portal_directory(address, port, tpgt, name).mkdir()


def portal_remove(address, port=PORT, tpgt=1, name=TARGET):
    """Remove a portal. Sessions over it stay up until they end."""
    portal_directory(address, port, tpgt, name).rmdir()
