# SPDX-License-Identifier: LGPL-2.1-or-later
"""The initiator: what sysfs says of its sessions, and open-iscsi's commands.

A path is one SCSI disk (sda) of one session.
"""

import contextlib
import dataclasses
import os
import pathlib
import re

import lio
from basic import patience, read, run

INITIATOR = "iqn.2024-01.org.example:host"


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
    found, paths = [], _paths()
    for directory in pathlib.Path("/sys/class/iscsi_session").glob("session*"):
        sid = int(directory.name[len("session"):])
        connection = pathlib.Path(f"/sys/class/iscsi_connection/connection{sid}:0")
        with contextlib.suppress(OSError):
            found.append(Session(
                sid, read(directory / "targetname"), read(connection / "persistent_address"),
                int(read(connection / "persistent_port")), read(directory / "ifacename"),
                read(directory / "state"), tuple(sorted(paths.get(sid, ())))))
    return sorted(found, key=lambda session: session.sid)


def _paths():
    """{session id: its disks}: one link tells of a disk, where a session's directory has to be gone
    through, which is slow for a hundred of them in an emulated machine."""
    found = {}
    for disk in os.listdir("/sys/block"):
        with contextlib.suppress(OSError):
            session = re.search(r"/session(\d+)/", os.readlink(f"/sys/block/{disk}"))
            if session:
                found.setdefault(int(session[1]), []).append(disk)
    return found


def session_of(path):
    """The Session that a path (sda) belongs to."""
    sid = int(re.search(r"/session(\d+)/", os.path.realpath(f"/sys/block/{path}/device"))[1])
    return next(session for session in sessions() if session.sid == sid)


def portal_of(path):
    """The portal address that a path goes through."""
    return session_of(path).address


def disks_of(address):
    """The disks whose paths go through a portal."""
    return [disk for each in sessions() if each.address == address for disk in each.paths]


def hbtl(path):
    """A path's host:channel:target:lun, as the kernel numbers it now."""
    return os.path.basename(os.path.realpath(f"/sys/block/{path}/device"))


def discover(address, port=lio.PORT, new_only=False):
    """Ask a portal for its targets; makes the node records, and those that are there anew unless
    new_only."""
    host = f"[{address}]" if ":" in address else address
    return run("iscsiadm", "-m", "discovery", "-t", "st", "-p", f"{host}:{port}",
               *(["-o", "new"] if new_only else []))


def login(target=lio.TARGET, address=None, port=lio.PORT, iface=None):
    """Log in to all portals of a target, or to one. Target None: to all of that portal, at once."""
    run("iscsiadm", "-m", "node", *_which(target, address, port, iface), "--login",
        timeout=patience(lio.expected_paths()))


def logout(target=lio.TARGET, address=None, port=lio.PORT, iface=None):
    """Log out from all portals of a target, or from one. Target None: as for login()."""
    run("iscsiadm", "-m", "node", *_which(target, address, port, iface), "--logout",
        timeout=patience(lio.expected_paths()))


def login_missing():
    """Log in to those of the default target's portals that have no session."""
    there = {each.address for each in sessions() if each.target == lio.TARGET}
    for address in lio.portals():
        if address not in there:
            login(address=address)


def forget(target=lio.TARGET, address=None):
    """Delete the node records of a target, of a portal, or of both."""
    run("iscsiadm", "-m", "node", *_which(target, address, lio.PORT, None), "-o", "delete")


def update(settings, target=lio.TARGET, address=None):
    """Change settings, a dictionary, of the node records of a target, of a portal, or of both."""
    for name, value in settings.items():
        run("iscsiadm", "-m", "node", *_which(target, address, lio.PORT, None), "-o", "update",
            "-n", name, "-v", value)


def log_in_at_boot(target):
    """Have open-iscsi log in to a target by itself when the guest boots."""
    update({"node.startup": "automatic"}, target)


def quick_timeouts(target=lio.TARGET, address=None, seconds=2):
    """Make new logins see a lost portal within some `seconds`, in place of 10."""
    update({f"node.conn[0].timeo.{name}": seconds
            for name in ("noop_out_interval", "noop_out_timeout")}, target, address)


def _which(target, address, port, iface):
    words = ["-T", target] if target else []
    if address:
        words += ["-p", f"[{address}]:{port}" if ":" in address else f"{address}:{port}"]
    if iface:
        words += ["-I", iface]
    return words
