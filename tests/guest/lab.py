#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's target, sessions and maps: made, looked at, disturbed.

Tests import this module; run as a program, it sets the guest up:

    lab.py target    make the target
    lab.py sessions  log in to it, and wait for paths and maps
    lab.py up        both
    lab.py job       all that the guest does: set up, start the service, run the job

Everything here asks the kernel (configfs, sysfs, device-mapper) and takes nobody's word. The
names follow open-iscsi and dm-multipath: a portal is an address and a port, a path is one SCSI
disk (sda), a map is one multipath device.
"""

import contextlib
import dataclasses
import json
import mmap
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

INITIATOR = "iqn.2024-01.org.example:host"
TARGET = "iqn.2024-01.org.example:disks"
PORT = 3260
MIB = 1024 * 1024

# An address on an interface that has a link speed (a veth pair), for a portal that needs one.
LINK = "lab0"
LINK_ADDRESS = "192.0.2.1"

# The optimized, non-optimized and standby states of ALUA, as the target numbers them.
OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE = 0, 1, 2, 3

HOME = pathlib.Path("/usr/lib/iscsi-wmi-lab")
STATE = pathlib.Path("/var/lib/lab")
CONFIGFS = pathlib.Path("/sys/kernel/config")
CORE = CONFIGFS / "target/core/fileio_0"
ISCSI = CONFIGFS / "target/iscsi"

BUS_NAME = "com.open_iscsi.WMI1"
BUS_PATH = "/com/open_iscsi/WMI1"


# --- Small helpers ---------------------------------------------------------------------------


def run(*command, check=True, timeout=120, **kwargs):
    """Run a command; its standard output, stripped. A failure shows what the command said."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, **kwargs)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def wait_for(condition, seconds, what, interval=0.1):
    """Call condition() until it is true; its value. TimeoutError with `what` when time is up. Asking
    takes a quarter of a processor at most: the machine has better things to do, and few of them."""
    end = time.monotonic() + seconds
    while True:
        spent = sum(os.times()[:4])
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(max(interval, min(1, 3 * (sum(os.times()[:4]) - spent))))


def read(path, default=None):
    """A sysfs file's content, stripped; default where it cannot be read."""
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        if default is None:
            raise
        return default


def write(path, value):
    """Write a configfs or sysfs file, in one write."""
    try:
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, f"{value}\n".encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}, writing '{value}'", str(path)) from None


def setting(name, default):
    """A setting of this run: LAB_LUNS, LAB_PORTALS, LAB_RELEASE, LAB_MODE, LAB_ACCEL."""
    return os.environ.get(name) or _settings().get(name, default)


def _settings():
    lines = read(HOME / "lab.env", "").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


# --- The target ------------------------------------------------------------------------------


def portals(count=None, first=2):
    """The default portals' addresses: 127.0.0.2 and up."""
    count = int(setting("LAB_PORTALS", 4)) if count is None else count
    return [f"127.0.0.{first + i}" for i in range(count)]


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


def target_create(name=TARGET, luns=4, addresses=None, tpgt=1):
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


def target_enable(enabled, tpgt=1, name=TARGET):
    """Switch a target portal group off, which ends its sessions, or on again."""
    write(tpg(tpgt, name) / "enable", int(enabled))


def target_remove(name=TARGET):
    """Remove a target with all its portal groups. Log out first. Backstores stay."""
    for group in sorted((ISCSI / name).glob("tpgt_*")):
        target_group_remove(int(group.name[len("tpgt_"):]), name)
    (ISCSI / name).rmdir()


def target_group_remove(tpgt, name=TARGET):
    """Remove one target portal group. Log out from its portals first."""
    group = tpg(tpgt, name)
    write(group / "enable", 0)
    for directory in (group / "lun").glob("lun_*"):
        lun_remove(int(directory.name[len("lun_"):]), tpgt, name)
    for directory in (group / "np").iterdir():
        directory.rmdir()
    group.rmdir()


def target_chap(username, password, username_in="NULL", password_in="NULL", tpgt=1, name=TARGET):
    """Have a target portal group ask for a CHAP name and password, and answer with its own where
    it is given one. Sessions that are there stay. ("NULL" is how the kernel is told of none.)"""
    for key, value in (("userid", username), ("password", password),
                       ("userid_mutual", username_in), ("password_mutual", password_in)):
        # The kernel would take a newline for a part of it.
        (tpg(tpgt, name) / "auth" / key).write_text(value)
    write(tpg(tpgt, name) / "attrib/authentication", 1)


def _portal_directory(address, port, tpgt, name):
    host = f"[{address}]" if ":" in address else address
    return tpg(tpgt, name) / f"np/{host}:{port}"


def _on_lo(address):
    """What `ip` calls this address."""
    return f"{address}/{128 if ':' in address else 32}"


def portal_add(address, port=PORT, tpgt=1, name=TARGET):
    """Add a portal; the address is put on lo unless some interface has it."""
    if f" {address}/" not in run("ip", "-o", "addr"):
        run("ip", "addr", "add", _on_lo(address), "dev", "lo",
            *(["nodad"] if ":" in address else []))
    _portal_directory(address, port, tpgt, name).mkdir()


def portal_remove(address, port=PORT, tpgt=1, name=TARGET):
    """Remove a portal. Sessions over it stay up until they end."""
    _portal_directory(address, port, tpgt, name).rmdir()


def portal_block(address):
    """Cut a portal off, as a broken cable would: its packets are dropped both ways."""
    run("ip", "addr", "del", _on_lo(address), "dev", "lo")
    run("ip", "route", "add", "blackhole", _on_lo(address), "table", "local")


def portal_unblock(address):
    """Undo portal_block()."""
    run("ip", "route", "del", "blackhole", _on_lo(address), "table", "local")
    run("ip", "addr", "add", _on_lo(address), "dev", "lo")


@contextlib.contextmanager
def portal_blocked(address):
    """A portal that is cut off inside a `with`."""
    portal_block(address)
    try:
        yield
    finally:
        portal_unblock(address)


@contextlib.contextmanager
def sysctl(name, value):
    """A setting of net.ipv4 inside a `with`."""
    file = pathlib.Path("/proc/sys/net/ipv4", name)
    before = read(file)
    write(file, value)
    try:
        yield
    finally:
        write(file, before)


def link_up():
    """A veth pair with LINK_ADDRESS, whose end has a link speed (lo has none)."""
    if not pathlib.Path("/sys/class/net", LINK).exists():
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", f"{LINK}p")
        run("ip", "addr", "add", f"{LINK_ADDRESS}/24", "dev", LINK)
        run("ip", "link", "set", LINK, "up")
        run("ip", "link", "set", f"{LINK}p", "up")


# --- Asymmetric access (ALUA) ----------------------------------------------------------------


def alua_group(lun, name, number, state=OPTIMIZED):
    """A target port group on a LUN's backstore, made on the first call; number is its ID, 1 and
    up. Groups stay until the guest ends: without a member they change nothing."""
    group = CORE / f"lun{lun}/alua/{name}"
    if not group.exists():
        group.mkdir()
        write(group / "tg_pt_gp_id", number)
    write(group / "alua_access_state", state)
    return group


def alua_join(lun, group, tpgt, name=TARGET):
    """Put a LUN, as a target portal group exports it, into a target port group."""
    write(tpg(tpgt, name) / f"lun/lun_{lun}/alua_tg_pt_gp", group)


def set_access_state(lun, group, state):
    """Change a target port group's access state. The kernel learns it from the path's next command
    (a unit attention: multipathd's checker sends one within 20 s), or by read_access_states()."""
    write(CORE / f"lun{lun}/alua/{group}/alua_access_state", state)


def target_asymmetric(addresses, state=NON_OPTIMIZED, luns=None, name=TARGET, tpgt=2,
                      group="second"):
    """Give the target a second portal group with portals of its own whose paths have another
    access state. Log in afterwards, then wait_for_paths(); target_group_remove() undoes it."""
    luns = int(setting("LAB_LUNS", 4)) if luns is None else luns
    target_create(name, luns, addresses, tpgt)
    for lun in range(luns):
        alua_group(lun, group, tpgt, state)
        alua_join(lun, group, tpgt, name)


def read_access_states(paths=None):
    """Have the kernel ask for the access states anew. It takes a path that joins for an
    optimized one until a command fails on it, or a map activates it."""
    for path in [path for each in sessions() for path in each.paths] if paths is None else paths:
        write(f"/sys/block/{path}/device/rescan", 1)


def asymmetric():
    """Whether some LUN has a target port group besides the default one."""
    return len(list(CORE.glob("lun*/alua/*"))) > len(list(CORE.glob("lun*")))


def access_states(path):
    """What the kernel knows of a path: 'active/optimized' and so on."""
    return read(f"/sys/block/{path}/device/access_state")


# --- The initiator ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Session:
    """One kernel session, from sysfs."""
    sid: int
    target: str
    address: str
    port: int
    iface: str
    state: str
    paths: tuple


def sessions():
    """All kernel sessions, by session id."""
    found = []
    for directory in pathlib.Path("/sys/class/iscsi_session").glob("session*"):
        sid = int(directory.name[len("session"):])
        connection = pathlib.Path(f"/sys/class/iscsi_connection/connection{sid}:0")
        with contextlib.suppress(OSError):
            found.append(Session(
                sid, read(directory / "targetname"), read(connection / "persistent_address"),
                int(read(connection / "persistent_port")), read(directory / "ifacename"),
                read(directory / "state"), tuple(sorted(_session_paths(sid)))))
    return sorted(found, key=lambda session: session.sid)


def _session_paths(sid):
    device = pathlib.Path(f"/sys/class/iscsi_session/session{sid}/device")
    return [block.name for block in device.glob("target*/*/block/*")]


def session_of(path):
    """The Session that a path (sda) belongs to."""
    sid = int(re.search(r"/session(\d+)/", os.path.realpath(f"/sys/block/{path}/device"))[1])
    return next(session for session in sessions() if session.sid == sid)


def portal_of(path):
    """The portal address that a path goes through."""
    return session_of(path).address


def discover(address, port=PORT, new_only=False):
    """Ask a portal for its targets; makes the node records, and those that are there anew unless
    new_only."""
    host = f"[{address}]" if ":" in address else address
    return run("iscsiadm", "-m", "discovery", "-t", "st", "-p", f"{host}:{port}",
               *(["-o", "new"] if new_only else []))


def login(target=TARGET, address=None, port=PORT, iface=None):
    """Log in to all portals of a target, or to one. Target None: to all of that portal, at once."""
    run("iscsiadm", "-m", "node", *_which(target, address, port, iface), "--login",
        timeout=patience(expected_paths()))


def logout(target=TARGET, address=None, port=PORT, iface=None):
    """Log out from all portals of a target, or from one. Target None: as for login()."""
    run("iscsiadm", "-m", "node", *_which(target, address, port, iface), "--logout",
        timeout=patience(expected_paths()))


def login_missing():
    """Log in to those of the default target's portals that have no session."""
    there = {each.address for each in sessions() if each.target == TARGET}
    for address in portals():
        if address not in there:
            login(address=address)


def forget(target=TARGET, address=None):
    """Delete the node records of a target, of a portal, or of both."""
    run("iscsiadm", "-m", "node", *_which(target, address, PORT, None), "-o", "delete")


def update(settings, target=TARGET, address=None):
    """Change settings, a dictionary, of the node records of a target, of a portal, or of both."""
    for name, value in settings.items():
        run("iscsiadm", "-m", "node", *_which(target, address, PORT, None), "-o", "update",
            "-n", name, "-v", value)


def log_in_at_boot(target):
    """Have open-iscsi log in to a target by itself when the guest boots."""
    update({"node.startup": "automatic"}, target)


def _which(target, address, port, iface):
    words = ["-T", target] if target else []
    if address:
        words += ["-p", f"[{address}]:{port}" if ":" in address else f"{address}:{port}"]
    if iface:
        words += ["-I", iface]
    return words


def quick_timeouts(target=TARGET, address=None, seconds=2):
    """Make new logins see a lost portal within some `seconds`, in place of 10."""
    update({f"node.conn[0].timeo.{name}": seconds
            for name in ("noop_out_interval", "noop_out_timeout")}, target, address)


# --- Multipath maps --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Group:
    """One priority group: its selector, and its paths as disks (sda)."""
    selector: str
    paths: tuple


@dataclasses.dataclass(frozen=True)
class Map:
    """One multipath map, as the kernel has it."""
    name: str
    uuid: str
    device: str
    features: tuple
    handler: tuple
    groups: tuple
    table: str

    @property
    def wwid(self):
        """The WWID, which multipathd puts into the UUID."""
        return self.uuid[len("mpath-"):]

    @property
    def paths(self):
        """All paths, in the table's order."""
        return tuple(path for group in self.groups for path in group.paths)

    @property
    def shape(self):
        """What a policy decides: the groups as sets of paths, each with its selector."""
        return [(group.selector, frozenset(group.paths)) for group in self.groups]

    @property
    def portals(self):
        """The groups as lists of portal addresses."""
        return [[portal_of(path) for path in group.paths] for group in self.groups]


def disk_name(number):
    """The name (sda) of a block device given by number (8:0)."""
    return os.path.basename(os.path.realpath(f"/sys/dev/block/{number}"))


def _counted(words):
    """Of a table or a status: a number, and as many words."""
    return tuple(next(words) for _ in range(int(next(words))))


def parse_table(line, named=disk_name):
    """The features, the hardware handler and the groups of a multipath table line, without
    its start and length; `named` makes a path's name of its device number."""
    words = iter(line.split())
    features, handler = _counted(words), _counted(words)
    number, _initial = int(next(words)), next(words)
    groups = []
    for _ in range(number):
        selector = next(words)
        _counted(words)
        paths, arguments = int(next(words)), int(next(words))
        members = []
        for _ in range(paths):
            members.append(named(next(words)))
            for _ in range(arguments):
                next(words)
        groups.append(Group(selector, tuple(members)))
    return features, handler, tuple(groups)


def _dmsetup(*command):
    """What it says of all devices. It fails when one goes between its list and the look at it: then it
    is asked again, a few times."""
    for left in reversed(range(5)):
        try:
            return run("dmsetup", *command)
        except RuntimeError as error:
            if left == 0 or "Device does not exist" not in str(error):
                raise


def _dm_lines(*command):
    output = _dmsetup(*command, "--target", "multipath")
    return [] if output == "No devices found" else output.splitlines()


def maps():
    """All multipath maps, by name."""
    devices = {}
    for line in _dmsetup("info", "-c", "--noheadings", "--separator", "\t", "-o",
                         "name,devno,uuid").splitlines():
        name, *rest = line.split("\t")
        if rest:  # else "No devices found"
            number, uuid = rest
            devices[name] = (uuid, disk_name(number))
    found = {}
    for line in _dm_lines("table"):
        name, kind, table = re.match(r"(\S+): \d+ \d+ (\S+) (.*)", line).groups()
        if kind == "multipath" and name in devices:  # else it has come just now
            found[name] = Map(name, *devices[name], *parse_table(table), table)
    return found


def load_groups(name, groups, selector):
    """Swap a map's table by hand for one with these groups of portals, as dmsetup's users do."""
    each = maps()[name]
    device = {portal_of(path): read(f"/sys/block/{path}/dev") for path in each.paths}
    sectors = run("blockdev", "--getsz", f"/dev/mapper/{name}")
    words = [0, sectors, "multipath", len(each.features), *each.features, len(each.handler),
             *each.handler, len(groups), 1]
    for group in groups:
        words += [selector, 0, len(group), 1]
        for portal in group:
            words += [device[portal], 1]
    run("dmsetup", "reload", name, "--table", " ".join(map(str, words)))
    run("dmsetup", "resume", "--noflush", "--nolockfs", "--noudevsync", name)


def flush_maps():
    """Remove all maps that are not in use; the sessions stay. udev may hold one for a moment."""
    def flushed():
        run("multipath", "-F", check=False)
        return not maps()

    run("udevadm", "settle")
    wait_for(flushed, 10, "no map left")


def map_of(path):
    """The Map that a path (sda) is in, None where it is in none."""
    return next((each for each in maps().values() if path in each.paths), None)


def path_states():
    """What dm-multipath thinks of each path: {'sda': 'A'} (active) or 'F' (failed)."""
    states = {}
    for line in _dm_lines("status"):
        for number, state in re.findall(r"(\d+:\d+) ([AF]) \d+", line.split(" multipath ")[1]):
            states[disk_name(number)] = state
    return states


def current_groups():
    """The number of the group that each map uses, 1 being its table's first: {'mpatha': 1}. Another
    one than the table says, where multipathd takes it for better and has the kernel switch to it."""
    current = {}
    for line in _dm_lines("status"):
        name, status = re.match(r"(\S+): \d+ \d+ multipath (.*)", line).groups()
        words = iter(status.split())
        _features, _handler, _number = _counted(words), _counted(words), next(words)
        current[name] = int(next(words))
    return current


def path_ios(paths=None):
    """The reads and writes that each path has completed, from /sys/block: {'sda': 17}."""
    if paths is None:
        paths = [path for each in maps().values() for path in each.paths]
    counts = {}
    for path in paths:
        fields = read(f"/sys/block/{path}/stat").split()
        counts[path] = int(fields[0]) + int(fields[4])
    return counts


def disks_of(address):
    """The disks whose paths go through a portal."""
    return [disk for each in sessions() if each.address == address for disk in each.paths]


def is_failed(address):
    """Whether dm-multipath holds every path through a portal for failed."""
    states = path_states()
    return all(states.get(disk) == "F" for disk in disks_of(address))


def hbtl(path):
    """A path's host:channel:target:lun, as the kernel numbers it now."""
    return os.path.basename(os.path.realpath(f"/sys/block/{path}/device"))


@contextlib.contextmanager
def counting_ios(paths=None):
    """Count I/O inside a `with`: the dictionary it gives is filled at the end."""
    before, counted = path_ios(paths), {}
    yield counted
    after = path_ios(before)
    counted.update({path: after[path] - before[path] for path in before})


def read_map(name, count):
    """Random 4 KiB reads on a map, one after another and past the page cache. An I/O error is an
    OSError."""
    read_disk(f"/dev/mapper/{name}", count)


def read_disk(device, count):
    """The same on any block device."""
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        blocks = os.lseek(fd, 0, os.SEEK_END) // 4096
        with mmap.mmap(-1, 4096) as page:  # aligned, as O_DIRECT wants it
            for _ in range(count):
                os.preadv(fd, [page], random.randrange(blocks) * 4096)
    finally:
        os.close(fd)


def multipathd_stop():
    """Stop multipathd; nothing starts it meanwhile."""
    run("systemctl", "stop", "multipathd.socket", "multipathd.service")


def multipathd_start():
    """Start multipathd, as often as the tests like: systemd counts, on some releases."""
    run("systemctl", "reset-failed", "multipathd.service", check=False)
    run("systemctl", "start", "multipathd.socket", "multipathd.service")


def multipathd_restart():
    """Restart multipathd, likewise."""
    run("systemctl", "reset-failed", "multipathd.service", check=False)
    run("systemctl", "restart", "multipathd.service")


@contextlib.contextmanager
def multipathd_stopped():
    """No multipathd inside a `with`. One that finds many new paths when it starts makes each map
    once, in place of once for each path."""
    multipathd_stop()
    try:
        yield
    finally:
        multipathd_start()


def is_idle(state):
    """Whether this answer to "show daemon" means that multipathd has nothing left to do: no request
    for a reconfiguration, and none under way. (It is "running" while it checks paths.)"""
    return bool(re.search(r" (idle|running)$", state.strip("\n\0 ")))


def multipathd_is_idle():
    """Whether multipathd has nothing left to do."""
    return is_idle(run("multipathd", "show", "daemon", check=False))


@contextlib.contextmanager
def frozen(*processes):
    """They stand still inside a `with`."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def processes_of(program):
    """The numbers of a program's processes."""
    return [int(pid) for pid in run("pgrep", "-x", program).split()]


def reconfigure():
    """Have multipathd read its configuration, and wait until it has: releases before 0.10 do not
    say that the request is still queued."""
    run("multipathd", "reconfigure")
    time.sleep(0.5)
    wait_for(multipathd_is_idle, 30, "multipathd idle")


def reconfigures(since):
    """When multipathd was asked to reconfigure since a time.time(): a time of each request."""
    run("journalctl", "--sync")
    lines = run("journalctl", "--unit=multipathd.service", f"--since=@{since:.6f}",
                "--output=short-unix", "--no-pager").splitlines()
    return [float(line.split()[0]) for line in lines if "reconfigure (operator)" in line]


def map_loads():
    """{map: how often multipathd has loaded a table for it since it was configured}. multipathd
    reads the live tables for this answer."""
    found = json.loads(run("multipathd", "show", "maps", "json"))["maps"]
    return {each["name"]: each["map_loads"] for each in found}


def expected_paths():
    """How many paths the default target gives."""
    return int(setting("LAB_LUNS", 4)) * int(setting("LAB_PORTALS", 4))


def paths_due():
    """How many paths the sessions that are there give, by the target's own word."""
    return sum(len(list((group / "lun").glob("lun_*")))
               for each in sessions() for group in (ISCSI / each.target).glob("tpgt_*")
               if _portal_directory(each.address, each.port, int(group.name[len("tpgt_"):]),
                                    each.target).exists())


def patience(paths):
    """Seconds to allow for work on so many paths, in an emulated machine on a busy host."""
    return 120 + 5 * paths


def settle(paths):
    """Wait until udev has nothing left to do."""
    seconds = patience(paths)
    run("udevadm", "settle", f"--timeout={seconds}", timeout=seconds + 10)


def wait_for_disks(count):
    """Wait until the sessions have `count` disks and udev knows them."""
    wait_for(lambda: sum(len(each.paths) for each in sessions()) == count, patience(count),
             f"{count} disks")
    settle(count)


def maps_without_paths():
    """Names of the maps whose paths have all left."""
    return [each.name for each in maps().values()
            if not any(pathlib.Path(f"/sys/block/{path}").exists() for path in each.paths)]


def flush(name):
    """Remove a map that multipathd has given up: it tries once, and if udev just reads the map, which
    then waits for a path for ever, the map is in use."""
    def is_gone():
        run("multipath", "-f", name, check=False)
        return name not in maps()

    run("dmsetup", "message", name, "0", "fail_if_no_path", check=False)
    wait_for(is_gone, 20, f"the end of {name}")


def wait_for_paths(count=None, seconds=None):
    """Wait until multipathd knows `count` paths and all are in maps; where the LUNs are asymmetric,
    the kernel then knows the paths' access states (multipathd follows with its next check)."""
    count = expected_paths() if count is None else count
    seconds = patience(count) if seconds is None else seconds

    def known():
        return len(run("multipathd", "show", "paths", "format", "%d", check=False).split())

    # The first word is the heading.
    wait_for(lambda: known() == count + 1, seconds, f"{count} paths in multipathd")
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not maps_without_paths(), 5, "maps to go")
    for name in maps_without_paths():
        flush(name)
    wait_for(lambda: sum(len(each.paths) for each in maps().values()) == count, seconds,
             f"{count} paths in maps")
    if asymmetric():
        read_access_states()
    settle(count)


def is_whole(count):
    """Whether every session is logged in, `count` paths are in maps and usable, and multipathd has
    nothing left to do."""
    states = path_states()
    return (len(states) == count and set(states.values()) == {"A"}
            and all(each.state == "LOGGED_IN" for each in sessions())
            and multipathd_is_idle())


def wait_until_whole(count=None, seconds=90):
    """Wait until the stack is whole, with so many paths (all that the default target gives)."""
    count = expected_paths() if count is None else count
    wait_for(lambda: is_whole(count), seconds, f"a whole stack with {count} paths")


# --- The bus ---------------------------------------------------------------------------------


# How long a call may take, for busctl; the tests under valgrind raise it.
CALL_SECONDS = 25


def call(path, interface, member, signature="", *args, name=BUS_NAME, user=None):
    """Call a D-Bus method with busctl; the reply's values, decoded. `interface` may leave out
    the service's own prefix. RuntimeError carries what busctl said. `user` calls as another."""
    if "." not in interface:
        interface = f"{BUS_NAME}.{interface}"
    words = ["busctl", "--json=short", f"--timeout={CALL_SECONDS}", "call", name, path, interface,
             member]
    if signature:
        words += [signature, *map(str, args)]
    if user:
        words = ["runuser", "-u", user, "--", *words]
    reply = run(*words, timeout=CALL_SECONDS + 10)
    return json.loads(reply)["data"] if reply else []


# --- The guest's own work --------------------------------------------------------------------


def target_up():
    """The target as the command line of ./lab asks for it."""
    link_up()
    if not tpg().exists():
        target_create(luns=int(setting("LAB_LUNS", 4)))


def sessions_up():
    """All sessions of the target, and their maps."""
    if not sessions():
        with multipathd_stopped():
            discover(portals()[0])
            login()
            wait_for_disks(expected_paths())
    # After a reboot open-iscsi may have logged in by itself, and to others as well.
    wait_for_paths(paths_due())


def target_at_boot(code):
    """Have Python code make more targets at the next boot, after the default one and before open-iscsi
    logs in: an array is there before its hosts. The code imports what it needs of our modules."""
    unit = pathlib.Path("/etc/systemd/system/lab-target.service")
    if not unit.exists():
        unit.write_text(
            "[Unit]\nDescription=The lab's targets\nDefaultDependencies=no\n"
            "After=local-fs.target sys-kernel-config.mount systemd-udevd.service\n"
            "Before=iscsid.service open-iscsi.service\n"
            "[Install]\nWantedBy=sysinit.target\n"
            f"[Service]\nType=oneshot\nRemainAfterExit=yes\nWorkingDirectory={HOME}\n"
            "ExecStart=/usr/bin/python3 -c 'import lab; lab.target_up()'\n")
        log_in_at_boot(TARGET)
    with unit.open("a") as file:
        file.write(f"ExecStart=/usr/bin/python3 -c '{code}'\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "lab-target.service")


def start_service():
    """Start the service, if it is installed. systemd waits until it is ready."""
    known = run("systemctl", "show", "--property=LoadState", "--value", "iscsi-wmid.service")
    if known != "loaded":
        print("lab: iscsi-wmid.service is not installed: going on without it", file=sys.stderr)
        return
    try:
        run("systemctl", "start", "iscsi-wmid.service")
    except RuntimeError:
        print(run("journalctl", "--unit=iscsi-wmid", "--no-pager", "--lines=30", "--output=cat"),
              file=sys.stderr)
        raise


def set_up():
    """Everything that a job finds there."""
    target_up()
    sessions_up()
    start_service()


# --- The job ---------------------------------------------------------------------------------


def job_environment():
    """What a job finds in its environment."""
    boots = STATE / "boots"
    boot = int(read(boots, "0")) + 1
    boots.write_text(f"{boot}\n")
    return {**_settings(), "LAB_BOOT": str(boot), "HOME": "/root", "USER": "root",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HOME)}


def _report(line):
    """Tell the host. The port refuses a second opening, so it is opened for each word."""
    with open("/dev/virtio-ports/lab.status", "w", encoding="ascii") as port:
        port.write(f"{line}\n")


def _relay(name, stack):
    """A pipe to the host: a job may reopen a pipe, but not a port."""
    port = stack.enter_context(open(f"/dev/virtio-ports/{name}", "wb", buffering=0))
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=port)


def _run_job(environment):
    """Run what ./lab was given; its exit status, in a shell's terms."""
    command = read(HOME / "argv").rstrip("\0").split("\0")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, cwd="/root", env=environment,
                          check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _run_shell(environment):
    """A root shell on the serial console, which knows the size of the terminal it is shown on."""
    rows, columns = environment.get("LAB_SIZE", "24 80").split()
    with open("/dev/ttyS0", "r+b", buffering=0) as console:
        subprocess.run(["stty", "sane", "rows", rows, "columns", columns], stdin=console,
                       check=False)
        subprocess.run(["setsid", "--ctty", "--wait", "bash", "-l"], cwd="/root", check=False,
                       stdin=console, stdout=console, stderr=console,
                       env={**environment, "TERM": environment.get("LAB_TERM", "linux")})
    return 0


def _job_and_status():
    try:
        environment = job_environment()
        set_up()
    except Exception as error:  # whatever it is, the host has to hear of it
        print(f"lab: the guest's set-up failed: {error}", file=sys.stderr)
        return 125
    _report("up")
    if environment.get("LAB_MODE") == "shell":
        return _run_shell(environment)
    return _run_job(environment)


def job():
    """Set up, run the job, send its status, switch off. A job that reboots the guest (with
    `./lab --reboots`) is run again afterwards, with LAB_BOOT one higher."""
    # udev may not have come to the ports yet.
    wait_for(lambda: all(pathlib.Path("/dev/virtio-ports", f"lab.{name}").exists()
                         for name in ("out", "err", "status")), 120, "the ports to the host")
    with contextlib.ExitStack() as stack:
        relays = [_relay("lab.out", stack), _relay("lab.err", stack)]
        for descriptor, relay in enumerate(relays, 1):
            os.dup2(relay.stdin.fileno(), descriptor)
            relay.stdin.close()
        status = _job_and_status()
        with open(os.devnull, "wb") as nothing:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        for relay in relays:
            # Something that the job left behind may hold the pipe: do not wait for it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                relay.wait(5)
    if run("systemctl", "is-system-running", check=False) == "stopping":
        return
    _report(f"exit {status}")
    run("systemctl", "poweroff", "--force", "--force")


def main():
    actions = {"target": target_up, "sessions": sessions_up, "up": set_up, "job": job}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]]()


if __name__ == "__main__":
    main()
