# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host that is made up: a tree for fake-host.c, and a bus and the real service on it.

    with Host(sessions=16, connections=4, luns=2) as host:
        host.start()

has 16 targets with 4 portals and 2 LUNs each, so 64 connections and 32 multipath maps. Logins,
logouts and tables of multipathd's own come by its methods, and udev's events with them.
"""

import contextlib
import mmap
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

INITIATOR = "iqn.2025-01.com.example:host"
POLICY_MULTIPATHD = "service-time 0"
MAJOR_DM = 253
SLOT = struct.Struct("=IIQII128s136s256s7920s7920s")  # struct fake_map of fake-host.c
SLOTS = 1024
PATIENCE = 300  # seconds, for valgrind on a slow machine
# What runs does not outlive the thread that started it, and Ctrl-C is not for it.
BOUND = ("setpriv", "--pdeathsig", "KILL")

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={}</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
"""

SESSION = {
    "abort_tmo": "15", "data_pdu_in_order": "1", "data_seq_in_order": "1", "erl": "0",
    "fast_abort": "1", "first_burst_len": "65536", "ifacename": "default",
    "immediate_data": "1", "initial_r2t": "0", "initiatorname": INITIATOR, "lu_reset_tmo": "30",
    "max_burst_len": "262144", "max_outstanding_r2t": "1", "password": "(null)",
    "password_in": "(null)", "recovery_tmo": "5", "state": "LOGGED_IN", "tgt_reset_tmo": "30",
    "tpgt": "1", "tsid": "1", "username": "(null)", "username_in": "(null)", "uevent": "",
}
CONNECTION = {
    "address": "127.0.0.1", "data_digest": "0", "header_digest": "0", "local_port": "50000",
    "max_recv_dlength": "262144", "max_xmit_dlength": "262144", "persistent_address": "",
    "persistent_port": "3260", "port": "3260", "ping_tmo": "5", "recv_tmo": "5", "state": "up",
}
HOST = {"hwaddress": "(null)", "initiatorname": INITIATOR, "ipaddress": "127.0.0.1",
        "netdev": "(null)", "port_speed": "Unknown", "port_state": "Unknown"}
DISK = {"access_state": "active/optimized", "model": "bench", "vendor": "LIO-ORG"}


def put(directory, values):
    directory.mkdir(parents=True)
    for name, value in values.items():
        (directory / name).write_text(value + "\n")


def link(path, to):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(to, path.parent))


def path(text):
    """Of a program that is run, or loaded, from anywhere."""
    return pathlib.Path(text).resolve()


def nulstr(properties):
    return b"".join(f"{key}={value}".encode() + b"\0" for key, value in properties.items())


def words(text):
    return text.decode().rstrip("\0")


class Multipathd(threading.Thread):
    """What the service asks it: its release, and the configuration that the drop-in makes."""

    def __init__(self, path, drop_in):
        super().__init__(daemon=True)
        self.drop_in = drop_in
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen(8)

    def answer(self, command):
        if command == "help":
            return "multipath-tools v0.11.1 (03/01, 2025)\n"
        if command == "show daemon":
            return "pid 1 idle\n"
        if command == "show config" and self.drop_in.exists():
            return self.drop_in.read_text()
        return "\n" if command == "show config" else "ok\n"

    def run(self):
        while True:
            peer, _ = self.socket.accept()
            with peer:
                size = peer.recv(8, socket.MSG_WAITALL)
                if not size:
                    continue  # somebody wanted to know whether it listens
                command = peer.recv(*struct.unpack("=Q", size), socket.MSG_WAITALL)
                reply = self.answer(command.rstrip(b"\0").decode()).encode() + b"\0"
                peer.sendall(struct.pack("=Q", len(reply)) + reply)


class Host:
    """Connections are numbered by kernel session id, from 1. Without `access`, the disks have no
    access states, which the service would look at a few times more after each event."""

    def __init__(self, program, fake, sessions=1, connections=4, luns=2, access=True):
        self.program, self.fake = program, fake
        self.per_session, self.luns = connections, luns
        self.disk_values = {name: value for name, value in DISK.items()
                            if access or name != "access_state"}
        # sysfs is no file system of a disk's either, where there is such a place.
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="wmi-", dir=shared))
        self.root = self.directory / "r"
        self.children = []
        self.service = None
        self.address = f"unix:path={self.directory}/bus"
        self.seqnum = 0
        self.up = set()
        self._lay_out()
        for target in range(sessions):
            for rank in range(connections):
                self._add_connection(target * connections + rank + 1)
            for lun in range(luns):
                self.write_table(target, lun, self.members(target))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        for child in self.children:
            child.kill()
            child.wait()
        self.maps.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- The tree

    def _lay_out(self):
        root = self.root
        for name in ("sys/class/iscsi_session", "sys/class/iscsi_connection",
                     "sys/class/iscsi_iface", "sys/module/dm_multipath", "run/udev",
                     "run/lock/iscsi", "etc/iscsi/ifaces", "etc/iscsi/nodes", "proc",
                     "dev/mapper", "etc/multipath", "var/lib"):
            (root / name).mkdir(parents=True)
        (root / "run/udev/control").touch()
        (root / "proc/devices").write_text(f"Block devices:\n{MAJOR_DM} device-mapper\n")
        (root / "proc/misc").write_text("236 device-mapper\n")
        (root / "etc/iscsi/initiatorname.iscsi").write_text(f"InitiatorName={INITIATOR}\n")
        (root / "etc/iscsi/iscsid.conf").touch()
        (root / "sys/class/iscsi_transport/tcp").mkdir(parents=True)
        put(root / "sys/class/net/lo", {"speed": "10000", "mtu": "65536"})
        with open(root / "dev/mapper/control", "w+b") as control:
            control.truncate(SLOTS * SLOT.size)
            self.maps = mmap.mmap(control.fileno(), 0)

    def target(self, sid):
        return (sid - 1) // self.per_session

    def members(self, target):
        first = target * self.per_session + 1
        return [sid for sid in range(first, first + self.per_session) if sid in self.up]

    def _disk(self, sid, lun):
        """Its number: sixteen minors each, as sd has them."""
        return 8 + (sid * self.luns + lun) // 16, (sid * self.luns + lun) % 16 * 16

    def _slot(self, target, lun):
        return target * self.luns + lun

    def _add_connection(self, sid):
        sys = self.root / "sys"
        host = sys / f"devices/platform/host{sid}"
        device = host / f"session{sid}"
        rank = (sid - 1) % self.per_session
        session = device / f"iscsi_session/session{sid}"
        put(session, SESSION | {"targetname": f"iqn.2025-01.com.example:t{self.target(sid)}"})
        connection = device / f"connection{sid}:0/iscsi_connection/connection{sid}:0"
        portal = {"persistent_address": f"127.0.0.{rank + 1}", "address": f"127.0.0.{rank + 1}"}
        put(connection, CONNECTION | portal)
        put(host / f"iscsi_host/host{sid}", HOST)
        put(host / f"scsi_host/host{sid}", {"proc_name": "iscsi_tcp"})
        link(session / "device", device)
        link(sys / f"class/iscsi_connection/connection{sid}:0", connection)
        link(sys / f"class/iscsi_host/host{sid}", host / f"iscsi_host/host{sid}")
        link(sys / f"class/scsi_host/host{sid}", host / f"scsi_host/host{sid}")
        for lun in range(self.luns):
            self._add_disk(device, sid, lun)
        link(sys / f"class/iscsi_session/session{sid}", session)
        self.up.add(sid)

    def _add_disk(self, device, sid, lun):
        major, minor = self._disk(sid, lun)
        scsi = device / f"target{sid}:0:0/{sid}:0:0:{lun}"
        put(scsi, self.disk_values)
        disk = scsi / f"block/sd{major}x{minor}"
        put(disk, {"dev": f"{major}:{minor}"})
        link(disk / "device", scsi)
        dm = self._slot(self.target(sid), lun)
        link(disk / f"holders/dm-{dm}", self.root / f"sys/devices/virtual/block/dm-{dm}")
        (self.root / "sys/dev/block").mkdir(parents=True, exist_ok=True)
        link(self.root / f"sys/dev/block/{major}:{minor}", disk)
        link(self.root / f"sys/class/block/sd{major}x{minor}", disk)

    def _unlink_disk(self, sid, lun):
        major, minor = self._disk(sid, lun)
        (self.root / f"sys/dev/block/{major}:{minor}").unlink()
        (self.root / f"sys/class/block/sd{major}x{minor}").unlink()

    def _remove_connection(self, sid):
        sys = self.root / "sys"
        self.up.discard(sid)
        for path in (f"class/iscsi_session/session{sid}", f"class/iscsi_host/host{sid}",
                     f"class/iscsi_connection/connection{sid}:0", f"class/scsi_host/host{sid}"):
            (sys / path).unlink()
        for lun in range(self.luns):
            self._unlink_disk(sid, lun)
        shutil.rmtree(sys / f"devices/platform/host{sid}")

    # --- Maps

    def write_table(self, target, lun, members, selector=POLICY_MULTIPATHD):
        """As multipathd makes it: all in one group."""
        slot = self._slot(target, lun)
        paths = " ".join("{}:{} 1".format(*self._disk(sid, lun)) for sid in members)
        table = (f"1 queue_if_no_path 1 alua 1 1 {selector} {len(members)} 1 {paths}")
        wwid = f"3600140500000000{slot:016x}"
        device = self.root / f"sys/devices/virtual/block/dm-{slot}"
        if not device.exists():
            put(device, {"dev": f"{MAJOR_DM}:{slot}"})
            link(self.root / f"sys/class/block/dm-{slot}", device)
        SLOT.pack_into(self.maps, slot * SLOT.size, MAJOR_DM, slot, 2 << 20, 0, 0,
                       f"mpath{slot}".encode(), b"mpath-" + wwid.encode(), b"", table.encode(), b"")

    def table(self, target, lun):
        return words(SLOT.unpack_from(self.maps, self._slot(target, lun) * SLOT.size)[8])

    def _write_tables(self, target, own_way=False):
        selector = POLICY_MULTIPATHD if own_way else "round-robin 0"
        for lun in range(self.luns):
            self.write_table(target, lun, self.members(target), selector)

    def reload(self, target, own_way=False):
        """multipathd gives a target's maps the paths that are there: as the drop-in has it for
        round robin, or its own way."""
        self._write_tables(target, own_way)
        for lun in range(self.luns):
            slot = self._slot(target, lun)
            self.event("block", f"/devices/virtual/block/dm-{slot}", "change", DEVTYPE="disk",
                       DEVNAME=f"/dev/dm-{slot}", MAJOR=MAJOR_DM, MINOR=slot,
                       DM_UUID=f"mpath-3600140500000000{slot:016x}")

    # --- Events

    def event(self, subsystem, path, action, **more):
        self.seqnum += 1
        properties = nulstr({"ACTION": action, "DEVPATH": path, "SUBSYSTEM": subsystem,
                             "SEQNUM": self.seqnum} | more)
        magic = int.from_bytes(bytes.fromhex("feedcafe"), "little")
        head = struct.pack("=8s8I", b"libudev", magic, 40, 40, len(properties), 0, 0, 0, 0)
        self.kernel_event(path, action)
        self._send("uevents", head + properties)

    def kernel_event(self, path, action):
        """The kernel's own word, which udev has not passed on yet."""
        self._send("kernel-events", f"{action}@{path}\0".encode())

    def _send(self, name, data):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # Nobody listens, or there is no room: netlink would lose it just so.
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                sender.sendto(data, socket.MSG_DONTWAIT if name == "kernel-events" else 0,
                              str(self.root / name))

    def set_state(self, sid, state):
        """Of which nothing tells."""
        self.set_value(f"iscsi_session/session{sid}", "state", state)

    def set_value(self, device, name, value):
        """Of a device of a class; nothing tells of it, either."""
        (self.root / "sys/class" / device / name).write_text(value + "\n")

    def add_disk(self, sid, lun):
        """Of the session with the highest number: disks are numbered by sessions. Only the kernel
        tells of it; its name."""
        device = self.root / f"sys/devices/platform/host{sid}/session{sid}"
        name = "sd{}x{}".format(*self._disk(sid, lun))
        scsi = f"/devices/platform/host{sid}/session{sid}/target{sid}:0:0/{sid}:0:0:{lun}"
        self.kernel_event(scsi, "add")
        self._add_disk(device, sid, lun)
        self.kernel_event(f"{scsi}/block/{name}", "add")
        return name

    def remove_disk(self, sid, lun, meanwhile):
        """Likewise. `meanwhile` is called when the kernel has told that the disk goes, and it is
        still there."""
        name = "sd{}x{}".format(*self._disk(sid, lun))
        scsi = f"/devices/platform/host{sid}/session{sid}/target{sid}:0:0/{sid}:0:0:{lun}"
        self.kernel_event(f"{scsi}/block/{name}", "remove")
        meanwhile()
        self._unlink_disk(sid, lun)
        shutil.rmtree(f"{self.root}/sys{scsi}")
        self.kernel_event(scsi, "unbind")
        self.kernel_event(scsi, "remove")

    def _session_event(self, sid, action):
        self.event("iscsi_session", f"/devices/platform/host{sid}/session{sid}"
                   f"/iscsi_session/session{sid}", action)

    def login(self, sid, of_map=False):
        """`of_map`: its maps have the paths when the event comes, and no event of theirs follows."""
        self._add_connection(sid)
        if of_map:
            self._write_tables(self.target(sid))
        self._session_event(sid, "add")

    def logout(self, sid):
        self._remove_connection(sid)
        self._session_event(sid, "remove")

    # --- Bus and service

    def start_bus(self):
        config = self.directory / "bus.conf"
        config.write_text(BUS_CONFIG.format(self.directory / "bus"))
        log = self.directory / "bus.log"
        if not shutil.which("dbus-daemon"):
            raise RuntimeError("dbus-daemon is not there: install it (Debian's package has its name).")
        bus = subprocess.Popen([*BOUND, "dbus-daemon", f"--config-file={config}", "--nofork",
                                "--nosyslog", "--print-address"], stdout=subprocess.PIPE,
                               stderr=open(log, "wb"), start_new_session=True)
        self.children.append(bus)
        if not bus.stdout.readline():
            raise RuntimeError("dbus-daemon does not start:\n" + log.read_text())
        drop_in = self.directory / "multipath/conf.d/90-iscsi-wmi.conf"
        Multipathd(self.root / "run/multipathd.socket", drop_in).start()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.directory / "notify"))

    def environment(self):
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        return {"PATH": os.environ["PATH"], "LD_PRELOAD": str(self.fake),
                "FAKE_HOST": str(self.root), "STATE_DIRECTORY": str(state),
                "CONFIGURATION_DIRECTORY": str(self.directory / "multipath/conf.d"),
                "DBUS_SYSTEM_BUS_ADDRESS": self.address,
                "NOTIFY_SOCKET": str(self.directory / "notify")}

    def start(self, *wrapper):
        """Until READY=1; how long that took in seconds."""
        if not self.children:
            self.start_bus()
        environment = self.environment()
        if wrapper and wrapper[0] == "strace":  # which must not see the made-up host itself
            wrapper += ("-E", "LD_PRELOAD=" + environment.pop("LD_PRELOAD"))
        self.log = open(self.directory / "log", "ab")
        before = time.monotonic()
        self.service = subprocess.Popen([*BOUND, *wrapper, str(self.program)], env=environment,
                                        stderr=self.log, start_new_session=True)
        self.pid = self.service.pid
        while not self._ready(before + PATIENCE):
            pass
        taken = time.monotonic() - before
        if wrapper and wrapper[0] == "strace":  # which keeps signals from itself
            task = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
            self.pid = int(task.read_text().split()[0])
        return taken

    def _ready(self, until):
        if not select.select([self.notify], [], [], 0.2)[0]:
            if self.service.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the service does not start:\n" + self.said())
            return False
        return self.notify.recv(4096).startswith(b"READY=1\n")

    def start_echo(self, program, call):
        """A service beside ours that answers as ours answers that call."""
        echo = subprocess.Popen([program, "echo", *call.split()], stdout=subprocess.PIPE,
                                env={"DBUS_SYSTEM_BUS_ADDRESS": self.address})
        self.children.append(echo)
        if not echo.stdout.readline():
            raise RuntimeError("the echo does not start")

    # --- What the kernel knows of the service

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}")

    def cpu(self):
        """Seconds of the service and of its children that have ended."""
        children = self._proc("stat").read_text().rpartition(")")[2].split()[13:15]
        own = time.clock_gettime(~self.pid << 3 | 2)
        return own + sum(map(int, children)) / os.sysconf("SC_CLK_TCK")

    def wakeups(self):
        status = self._proc("status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def memory(self):
        """KiB."""
        found = {"Private": 0}
        for line in self._proc("smaps_rollup").read_text().splitlines()[1:]:
            name, size = line.split()[:2]
            found[name.rstrip(":")] = int(size)
            if name.startswith("Private_"):
                found["Private"] += int(size)
        return found

    def descriptors(self):
        return len(list(self._proc("fd").iterdir()))

    def wait_until_idle(self, quiet):
        """The service has slept for so long: nothing is owed to anybody, no timer is near."""
        since, last = time.monotonic(), None
        while time.monotonic() < since + quiet:
            now = self.wakeups()
            if now != last:
                since, last = time.monotonic(), now
            time.sleep(0.2)

    def said(self):
        return (self.directory / "log").read_text()

    def stop(self):
        if not self.service:
            return
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.service.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            raise
        finally:
            self.service = None
        self.log.close()
        while select.select([self.notify], [], [], 0)[0]:
            self.notify.recv(4096)
