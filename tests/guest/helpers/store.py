# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service has stored: its state file, read as it is, and a disk that is full."""

import contextlib
import pathlib
import shutil
import sqlite3

import iscsi
import lio
import service
from basic import run

FILE = pathlib.Path("/var/lib/iscsi-wmi/state.db")


def rows(statement, *values):
    """What the state file answers to an SQL statement, as rows. The file is left as it is."""
    with contextlib.closing(sqlite3.connect(f"file:{FILE}?mode=ro", uri=True, timeout=5)) as file:
        return file.execute(statement, values).fetchall()


def policy(target=lio.TARGET):
    """The policy that the state file holds for a session, 0: none."""
    found = rows("SELECT policy FROM policy WHERE initiator = ? AND target = ?", iscsi.INITIATOR,
                 target)
    return found[0][0] if found else 0


def disk_policy(wwid):
    """The same for a disk."""
    found = rows("SELECT policy FROM disk_policy WHERE wwid = ?", wwid)
    return found[0][0] if found else 0


def intents():
    """The WWIDs of the maps whose first policy is not finished, by the state file."""
    return {wwid for wwid, in rows("SELECT wwid FROM unfinished")}


@contextlib.contextmanager
def full():
    """The service on a state directory that has no room left, inside a `with`."""
    directory = FILE.parent
    copy = pathlib.Path("/run/lab-state")
    run("systemctl", "stop", service.UNIT)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    run("mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", directory)
    try:
        shutil.copytree(copy, directory, dirs_exist_ok=True)
        run("systemctl", "start", service.UNIT)
        filler = directory / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        yield
    finally:
        run("systemctl", "stop", service.UNIT)
        run("umount", directory)
        run("systemctl", "start", service.UNIT)
