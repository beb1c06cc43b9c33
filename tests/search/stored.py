# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service's store has, in the terms of answered.py."""

import contextlib
import sqlite3

from answered import Policy
from names import FAILOVER


class Stored:
    """Of a service that may run meanwhile."""

    def __init__(self, host, sids, connection_id):
        self.sids = {f"{connection_id(sid):016x}": sid for sid in sids}
        self.minors = {host.wwid(minor): minor for minor in range(len(sids) * host.luns)}
        with contextlib.closing(sqlite3.connect(host.directory / "state/state.db", timeout=30)) as file:
            self.sessions = dict(self._sessions(file))
            self.disks = dict(self._disks(file))
            self.unfinished = {wwid for wwid, in file.execute("SELECT wwid FROM unfinished")}

    def get(self, kind, number):
        return (self.disks if kind == "disk" else self.sessions).get(number)

    def _sessions(self, file):
        """The one chosen last first."""
        for serial, target, number in file.execute(
                "SELECT serial, target, policy FROM policy ORDER BY serial DESC"):
            rows = file.execute("SELECT connection, is_primary, weight FROM policy_path "
                                "WHERE serial = ? ORDER BY position", (serial,))
            paths = {self.sids[each]: (bool(primary), weight) for each, primary, weight in rows}
            yield int(target.rsplit("t", 1)[1]), Policy(number, paths)

    def _disks(self, file):
        for wwid, number in file.execute("SELECT wwid, policy FROM disk_policy"):
            rows = file.execute("SELECT path, is_primary, weight FROM disk_policy_path "
                                "WHERE wwid = ? ORDER BY position", (wwid,))
            paths = {self.sids[each]: (bool(primary), weight) for each, primary, weight in rows}
            if number == FAILOVER:  # the one that leads comes first
                paths = dict(sorted(paths.items(), key=lambda path: not path[1][0]))
            yield self.minors[wwid], Policy(number, paths)
