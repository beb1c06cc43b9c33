# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of a made-up host: sysfs, and what open-iscsi, udev and the kernel have elsewhere.

Nothing here tells anybody that something has changed.
"""

import os
import pathlib
import shutil

INITIATOR = "iqn.2025-01.com.example:host"
PORT = 3260
DM_MAJOR = 253

SESSION = {
    "abort_tmo": "15", "data_pdu_in_order": "1", "data_seq_in_order": "1", "erl": "0",
    "fast_abort": "1", "first_burst_len": "65536", "ifacename": "default",
    "immediate_data": "1", "initial_r2t": "0", "initiatorname": INITIATOR, "lu_reset_tmo": "30",
    "max_burst_len": "262144", "max_outstanding_r2t": "1", "password": "(null)",
    "password_in": "(null)", "recovery_tmo": "5", "state": "LOGGED_IN", "tgt_reset_tmo": "30",
    "tpgt": "1", "tsid": "1", "username": "(null)", "username_in": "(null)", "uevent": "",
}
CONNECTION = {
    "data_digest": "0", "header_digest": "0", "local_port": "50000", "max_recv_dlength": "262144",
    "max_xmit_dlength": "262144", "persistent_port": str(PORT), "port": str(PORT), "ping_tmo": "5",
    "recv_tmo": "5", "state": "up",
}
HOST = {"hwaddress": "(null)", "initiatorname": INITIATOR, "ipaddress": "127.0.0.1",
        "netdev": "(null)", "port_speed": "Unknown", "port_state": "Unknown"}
TPGS = 3  # of INQUIRY data: the array tells of asymmetric access, and can be asked to change it
DISK = {"access_state": "active/optimized", "dh_state": "alua", "model": "bench", "vendor": "LIO-ORG"}


def target_name(target):
    return f"iqn.2025-01.com.example:t{target}"


def address(rank):
    """Of a target's portal, from 0: 127.0.0.1 and on."""
    return f"127.0.{(rank + 1) >> 8}.{(rank + 1) & 255}"


def wwid(minor):
    return f"3600140500000000{minor:016x}"


def put(directory, values):
    directory.mkdir(parents=True)
    for name, value in values.items():
        (directory / name).write_text(value + "\n")


def link(path, to):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(to, path.parent))


class Tree:
    """Where it is, and how the things in it are numbered."""

    def __init__(self, root, connections, luns, access):
        self.root, self.sys = root, root / "sys"
        self.per_session, self.luns = connections, luns
        self.tpgs = TPGS if access else 0
        self.disk_values = dict(DISK)
        if not access:
            del self.disk_values["access_state"]
            self.disk_values["dh_state"] = "detached"
        self._lay_out()

    def _lay_out(self):
        root = self.root
        for name in ("sys/class/iscsi_session", "sys/class/iscsi_connection",
                     "sys/class/iscsi_iface", "sys/module/dm_multipath", "sys/dev/block",
                     "sys/class/iscsi_transport/tcp", "run/udev/data", "run/lock/iscsi",
                     "etc/iscsi/ifaces", "etc/iscsi/nodes", "proc", "dev/mapper", "etc/multipath",
                     "var/lib"):
            (root / name).mkdir(parents=True)
        (root / "run/udev/control").touch()
        (root / "proc/devices").write_text(f"Block devices:\n{DM_MAJOR} device-mapper\n")
        (root / "proc/misc").write_text("236 device-mapper\n")
        (root / "etc/iscsi/initiatorname.iscsi").write_text(f"InitiatorName={INITIATOR}\n")
        (root / "etc/iscsi/iscsid.conf").touch()
        put(self.sys / "class/net/lo", {"speed": "10000", "mtu": "65536"})

    # --- Numbers

    def target(self, sid):
        return (sid - 1) // self.per_session

    def rank(self, sid):
        return (sid - 1) % self.per_session

    def minor(self, target, lun):
        return target * self.luns + lun

    def disk(self, sid, lun):
        """Its "major:minor": sixteen minors each, as sd has them."""
        major, sixteenth = divmod(sid * self.luns + lun, 16)
        return f"{8 + major}:{sixteenth * 16}"

    def sid_of_disk(self, disk):
        major, minor = map(int, disk.split(":"))
        return ((major - 8) * 16 + minor // 16) // self.luns

    def disk_name(self, sid, lun):
        return "sd" + self.disk(sid, lun).replace(":", "x")

    # --- Connections, each a session of the kernel's

    def device(self, sid):
        """Below /sys, as in an event."""
        return f"/devices/platform/host{sid}/session{sid}"

    def scsi_device(self, sid, lun):
        return f"{self.device(sid)}/target{sid}:0:0/{sid}:0:0:{lun}"

    def add_connection(self, sid):
        host = self.sys / f"devices/platform/host{sid}"
        device = host / f"session{sid}"
        session = device / f"iscsi_session/session{sid}"
        connection = device / f"connection{sid}:0/iscsi_connection/connection{sid}:0"
        portal = address(self.rank(sid))
        put(session, SESSION | {"targetname": target_name(self.target(sid))})
        put(connection, CONNECTION | {"persistent_address": portal, "address": portal})
        put(host / f"iscsi_host/host{sid}", HOST)
        put(host / f"scsi_host/host{sid}", {"proc_name": "iscsi_tcp"})
        link(session / "device", device)
        link(self.sys / f"class/iscsi_connection/connection{sid}:0", connection)
        link(self.sys / f"class/iscsi_host/host{sid}", host / f"iscsi_host/host{sid}")
        link(self.sys / f"class/scsi_host/host{sid}", host / f"scsi_host/host{sid}")
        for lun in range(self.luns):
            self.add_disk(sid, lun)
        link(self.sys / f"class/iscsi_session/session{sid}", session)

    def remove_connection(self, sid):
        for path in (f"class/iscsi_session/session{sid}", f"class/iscsi_host/host{sid}",
                     f"class/iscsi_connection/connection{sid}:0", f"class/scsi_host/host{sid}"):
            (self.sys / path).unlink()
        for lun in range(self.luns):
            self._unlink_disk(sid, lun)
        shutil.rmtree(self.sys / f"devices/platform/host{sid}")

    # --- Disks

    def set_tpgs(self, sid, lun, tpgs):
        """In the disk's INQUIRY data."""
        inquiry = pathlib.Path(f"{self.sys}{self.scsi_device(sid, lun)}/inquiry")
        inquiry.write_bytes(bytes([0, 0, 5, 2, 31, tpgs << 4]) + bytes(30))

    def set_disk_value(self, sid, lun, name, value):
        """Of one that is there, and of it alone."""
        pathlib.Path(f"{self.sys}{self.scsi_device(sid, lun)}/{name}").write_text(value + "\n")

    def add_disk(self, sid, lun):
        scsi = pathlib.Path(f"{self.sys}{self.scsi_device(sid, lun)}")
        name, number = self.disk_name(sid, lun), self.disk(sid, lun)
        disk = scsi / "block" / name
        put(scsi, self.disk_values)
        self.set_tpgs(sid, lun, self.tpgs)
        put(disk, {"dev": number})
        link(disk / "device", scsi)
        link(self.sys / f"dev/block/{number}", disk)
        link(self.sys / f"class/block/{name}", disk)
        self.hold(sid, lun, self.minor(self.target(sid), lun))

    def remove_disk(self, sid, lun):
        self._unlink_disk(sid, lun)
        shutil.rmtree(f"{self.sys}{self.scsi_device(sid, lun)}")

    def _unlink_disk(self, sid, lun):
        (self.sys / f"dev/block/{self.disk(sid, lun)}").unlink()
        (self.sys / f"class/block/{self.disk_name(sid, lun)}").unlink()

    def hold(self, sid, lun, minor):
        """The disk is a path of this map, and of no other."""
        holders = (self.sys / f"class/block/{self.disk_name(sid, lun)}").resolve() / "holders"
        shutil.rmtree(holders, ignore_errors=True)
        link(holders / f"dm-{minor}", self.sys / f"devices/virtual/block/dm-{minor}")

    # --- Maps

    def has_map(self, minor):
        return (self.sys / f"class/block/dm-{minor}").exists()

    def add_map(self, minor):
        device = self.sys / f"devices/virtual/block/dm-{minor}"
        put(device, {"dev": f"{DM_MAJOR}:{minor}"})
        link(self.sys / f"class/block/dm-{minor}", device)

    def remove_map(self, minor):
        (self.sys / f"class/block/dm-{minor}").unlink()
        shutil.rmtree(self.sys / f"devices/virtual/block/dm-{minor}")
