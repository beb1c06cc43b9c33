# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host that is made up: a tree for fake-host.c, and a bus and the real service on it.

    with Host(program, fake, sessions=16, connections=4, luns=2) as host:
        host.start()

has 16 targets with 4 portals and 2 LUNs each, so 64 connections and 32 multipath maps. Targets and LUNs
are numbered from 0, connections by kernel session id from 1, the first target's first: sid 1 is at
127.0.0.1, sid 2 at 127.0.0.2. Maps have their minor number: the first target's LUNs, then the second's.

What happens on such a host is a method here, or of its parts: `dm`, device-mapper, whose calls can be
made to fail and to wait; `udev`, which need not run; `multipathd`, which can be silent or gone.
"""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import bus
import device_mapper
import multipathd
import names
import tree
import udev

PATIENCE = 300  # seconds, for valgrind on a slow machine
# What runs does not outlive the thread that started it, and Ctrl-C is not for it.
BOUND = ("setpriv", "--pdeathsig", "KILL")
PASSED_ON = ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "SYSTEMD_LOG_LEVEL")

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


def path(text):
    """Of a program that is run, or loaded, from anywhere."""
    return pathlib.Path(text).resolve()


class Host:
    """Without `access`, the disks have no access states, which the service would look at a few times
    more after each event."""

    def __init__(self, program, fake, sessions=1, connections=4, luns=2, access=True):
        self.program, self.fake = program, fake
        self.sessions, self.per_session, self.luns = sessions, connections, luns
        # sysfs is no file system of a disk's either, where there is such a place.
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="wmi-", dir=shared))
        self.address = f"unix:path={self.directory}/bus"
        self.root = self.directory / "r"
        self.drop_in = self.directory / "multipath/conf.d/90-iscsi-wmi.conf"
        self.drop_in.parent.mkdir(parents=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.directory / "notify"))
        self.children = []
        self.service = None
        self.up = set()
        self.handler = "alua"  # of maps that are loaded from now on
        self.joined = {}  # other targets that export a map's disk, by minor
        self.tree = tree.Tree(self.root, connections, luns, access)
        self.dm = device_mapper.DeviceMapper(self.root / "dev/mapper/control")
        self.udev = udev.Udev(self.root, fake.parents[2] / "data/90-iscsi-wmi.rules")
        self.multipathd = multipathd.Multipathd(self.root / "run/multipathd.socket",
                                                self.directory / "multipath", self)
        for sid in range(1, sessions * connections + 1):
            self._add_connection(sid)
        for minor in range(sessions * luns):
            self.write_map(minor, self.own_groups(minor))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.multipathd.stop()
        self.udev.stop()
        for child in self.children:
            child.kill()
            child.communicate()
        self.notify.close()
        self.dm.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def target(self, sid):
        return self.tree.target(sid)

    def members(self, target):
        first = target * self.per_session + 1
        return [sid for sid in range(first, first + self.per_session) if sid in self.up]

    # --- Maps

    def minor(self, target, lun):
        return self.tree.minor(target, lun)

    def minors(self):
        return self.dm.minors()

    def wwid(self, minor):
        return tree.wwid(minor)

    def paths(self, minor):
        """What multipathd knows of the paths that are there."""
        target, lun = divmod(minor, self.luns)
        return [self._path(sid, lun) for each in (target, *self.joined.get(minor, ()))
                for sid in self.members(each)]

    def _path(self, sid, lun):
        values = self.tree.disk_values
        scsi = pathlib.Path(f"{self.tree.sys}{self.tree.scsi_device(sid, lun)}")
        access = (scsi / "access_state").read_text().strip() if "access_state" in values else None
        return multipathd.Path(self.tree.disk(sid, lun), f"{sid}:0:0:{lun}", access, self.tree.tpgs,
                               values["vendor"], values["model"])

    def groups(self, minor):
        """[(selector, ["major:minor"])]: the live table's."""
        return device_mapper.parse(self.dm.read(minor).table)

    def shape(self, minor):
        """[(selector, {sid})]: what a policy decides."""
        return [(selector, {self.tree.sid_of_disk(disk) for disk in disks})
                for selector, disks in self.groups(minor)]

    def shapes(self):
        """By map."""
        return {minor: self.shape(minor) for minor in self.minors()}

    def fail_path(self, sid, lun):
        """The kernel has marked a path as failed. Nothing tells of it."""
        self.dm.fail_path(self.minor(self.target(sid), lun), self.tree.disk(sid, lun))

    def failed_paths(self, minor):
        """{sid}"""
        return {self.tree.sid_of_disk(disk) for disk in self.dm.read(minor).failed.split()}

    def own_groups(self, minor, selector=multipathd.OWN_SELECTOR):
        """All in one."""
        return [(selector, [path.disk for path in self.paths(minor)])]

    def write_map(self, minor, groups):
        """Its table, which is live at once; nothing tells of it."""
        if not self.tree.has_map(minor):
            self.tree.add_map(minor)
        self.dm.load(minor, f"mpath{minor}", f"mpath-{self.wwid(minor)}", self.table(groups))

    def table(self, groups):
        text = "".join(f" {selector} {len(disks)} 1" + "".join(f" {disk} 1" for disk in disks)
                       for selector, disks in groups)
        return f"1 queue_if_no_path 1 {self.handler} {len(groups)} 1{text}"

    def map_event(self, minor, action):
        self.udev.event("block", f"/devices/virtual/block/dm-{minor}", action, DEVTYPE="disk",
                        DEVNAME=f"/dev/dm-{minor}", MAJOR=device_mapper.MAJOR, MINOR=minor,
                        DM_UUID=f"mpath-{self.wwid(minor)}")

    def join(self, minor, target):
        """Another target exports the same disk: its map goes, its paths are this one's. Nothing tells of
        it."""
        lun = minor % self.luns
        self.joined.setdefault(minor, []).append(target)
        self.dm.remove(self.minor(target, lun))
        self.tree.remove_map(self.minor(target, lun))
        for sid in self.members(target):
            self.tree.hold(sid, lun, minor)
        self.write_map(minor, self.own_groups(minor))

    def load_map(self, minor, groups):
        """Somebody gives a map these groups; one that is not there appears."""
        self.write_map(minor, groups)
        self.map_event(minor, "change")

    def reload_map(self, minor, groups):
        """Likewise, but one that has gone stays so."""
        if self.dm.reload(minor, self.table(groups)):
            self.map_event(minor, "change")

    def remove_map(self, minor):
        self.dm.remove(minor)
        self.tree.remove_map(minor)
        self.map_event(minor, "remove")

    def reload(self, target, own_way=False):
        """A target's maps get the paths that are there: as the drop-in has it for round robin, or
        multipathd's own way."""
        for lun in range(self.luns):
            minor = self.minor(target, lun)
            self.load_map(minor, self.own_groups(minor, multipathd.OWN_SELECTOR if own_way
                                                  else "round-robin 0"))

    # --- Disks

    def add_disk(self, sid, lun):
        """Of the session with the highest number: disks are numbered by sessions. Only the kernel
        tells of it; its name."""
        scsi, name = self.tree.scsi_device(sid, lun), self.tree.disk_name(sid, lun)
        self.udev.kernel_event(scsi, "add")
        self.tree.add_disk(sid, lun)
        self.udev.kernel_event(f"{scsi}/block/{name}", "add")
        return name

    def remove_disk(self, sid, lun, meanwhile):
        """Likewise. `meanwhile` is called when the kernel has told that the disk goes, and it is
        still there."""
        scsi, name = self.tree.scsi_device(sid, lun), self.tree.disk_name(sid, lun)
        self.udev.kernel_event(f"{scsi}/block/{name}", "remove")
        meanwhile()
        self.tree.remove_disk(sid, lun)
        self.udev.kernel_event(scsi, "unbind")
        self.udev.kernel_event(scsi, "remove")

    def set_access(self, sid, lun, state):
        """The array gives a path another access state, and says so."""
        self.tree.set_disk_value(sid, lun, "access_state", state)
        self.udev.event("scsi", self.tree.scsi_device(sid, lun), "change", SDEV_UA="ASYMMETRIC_ACCESS_STATE_CHANGED")

    # --- Connections

    def set_state(self, sid, state):
        """Of which nothing tells."""
        self.set_value(f"iscsi_session/session{sid}", "state", state)

    def set_value(self, device, name, value):
        """Of a device of a class; nothing tells of it, either."""
        (self.root / "sys/class" / device / name).write_text(value + "\n")

    def _add_connection(self, sid):
        self.tree.add_connection(sid)
        self.up.add(sid)

    def _session_event(self, sid, action):
        self.udev.event("iscsi_session", f"{self.tree.device(sid)}/iscsi_session/session{sid}",
                        action)

    def login(self, sid, of_map=False):
        """`of_map`: its maps have the paths when the event comes, and no event of theirs follows."""
        self._add_connection(sid)
        if of_map:
            for lun in range(self.luns):
                minor = self.minor(self.target(sid), lun)
                self.write_map(minor, self.own_groups(minor, "round-robin 0"))
        self._session_event(sid, "add")

    def login_unnamed(self, sid):
        """As the kernel has it at first: the name of the target, which is to come."""
        self._add_connection(sid)
        name = self.root / f"sys/class/iscsi_session/session{sid}/targetname"
        target = name.read_text().strip()
        name.write_text("(null)\n")
        self._session_event(sid, "add")
        return target

    def logout(self, sid):
        """Its maps keep the paths until multipathd loads them."""
        self.tree.remove_connection(sid)
        self.up.discard(sid)
        self._session_event(sid, "remove")

    # --- open-iscsi's records

    def put_record(self, name, text):
        """As an iscsiadm writes it, below /etc/iscsi."""
        file = self.root / "etc/iscsi" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    # --- Bus and service

    def start_bus(self):
        config, log = self.directory / "bus.conf", self.directory / "bus.log"
        config.write_text(BUS_CONFIG.format(self.directory / "bus"))
        if not shutil.which("dbus-daemon"):
            raise RuntimeError("dbus-daemon is not there: install it (Debian's package has its name).")
        with open(log, "wb") as errors:
            bus = subprocess.Popen([*BOUND, "dbus-daemon", f"--config-file={config}", "--nofork",
                                    "--nosyslog", "--print-address"], stdout=subprocess.PIPE,
                                   stderr=errors, start_new_session=True)
        self.children.append(bus)
        if not bus.stdout.readline():
            raise RuntimeError("dbus-daemon does not start:\n" + log.read_text())
        self.udev.start()
        self.multipathd.start()

    def environment(self):
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # gcc's sanitizer wants to be loaded first, and does with less.
        sanitizer = passed_on.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return passed_on | {
            "ASAN_OPTIONS": sanitizer, "LD_PRELOAD": str(self.fake), "FAKE_HOST": str(self.root),
            "STATE_DIRECTORY": str(state), "DBUS_SYSTEM_BUS_ADDRESS": self.address,
            "CONFIGURATION_DIRECTORY": str(self.drop_in.parent),
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

    def said(self):
        """All that services have written to standard error."""
        return (self.directory / "log").read_text()

    def stop(self):
        """Its exit status, None where it does not run. Its children get the signal, too, as from systemd;
        a wrapper does not, and ends with it."""
        if not self.service:
            return None
        if self.pid != self.service.pid:
            return self._end(os.kill, self.pid, signal.SIGTERM)
        return self._end(os.killpg, self.pid, signal.SIGTERM)

    def tell_to_end(self):
        """As systemd does, and returns when the service has heard it; stop() waits until it has ended."""
        os.killpg(self.service.pid, signal.SIGTERM)
        while not self.notify.recv(4096).startswith(b"STOPPING=1"):
            pass

    def kill(self):
        """As a crash does, after which systemd ends the children. A child may die later, with the bus in
        its hands: the name is free when this returns."""
        status = self._end(os.killpg, self.service.pid, signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        asker = bus.Bus(self.address)
        try:
            while self._is_owned(asker):
                if time.monotonic() > until:
                    raise RuntimeError(f"{names.NAME} is still somebody's")
                time.sleep(0.01)
        finally:
            asker.close()
        return status

    @staticmethod
    def _is_owned(asker):
        (owned,) = asker.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                              "NameHasOwner", "s", names.NAME)
        return owned

    def _end(self, kill, *arguments):
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            kill(*arguments)
        try:
            return self.service.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            raise
        finally:
            self.service = None
            self.log.close()
            while select.select([self.notify], [], [], 0)[0]:
                self.notify.recv(4096)
