# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes of one target that come and go, several at a time, and never return.

The target's first LUN stays; the others are places, in each of which a volume is a map with a WWID that no
other one has had.
"""

import contextlib
import sqlite3
import time

import names

PATIENCE = 60  # seconds, for each step


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("volumes are not followed")
        time.sleep(0.01)


class Volumes:
    """Before the service starts; `selector` is what their policy gives them."""

    def __init__(self, host, selector):
        self.host, self.selector = host, selector
        self.places = range(1, host.luns)
        self.attached = 0  # until now
        self._wwids = {}
        plain = host.wwid
        host.wwid = lambda minor: self._wwids.get(minor) or plain(minor)
        for place in self.places:
            host.remove_map(place)

    def attach(self, agent):
        """One in each place, until the service has given them their groups."""
        for place in self.places:
            self.attached += 1
            self._wwids[place] = f"3600{self.attached:028x}"
            self.host.load_map(place, self.host.own_groups(place))
        wait_for(lambda: self.present(agent) == self.host.luns
                 and all(self.host.groups(place)[0][0] == self.selector for place in self.places))

    def detach(self, agent):
        """All of them, until the service knows."""
        for place in self.places:
            self.host.remove_map(place)
        wait_for(lambda: self.present(agent) == 1)

    def come_and_go(self, agent, number):
        """So many, or some more."""
        until = self.attached + number
        while self.attached < until:
            self.attach(agent)
            self.detach(agent)

    # --- What is kept

    @staticmethod
    def _disks(agent):
        return [interfaces[f"{names.NAME}.Disk"] for path, interfaces in agent.objects().items()
                if "/disk/" in path]

    def present(self, agent):
        """Maps that have their groups, as the service sees it."""
        return sum(disk["Agreement"] == "Applied" for disk in self._disks(agent))

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.host.directory / "state/state.db")) as file:
            return sum(file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                       for table in ("disk_policy", "offered", "unfinished"))

    def kept(self, agent):
        """How much of each kind, by name."""
        drop_in = self.host.drop_in
        return {
            "objects": len(self._disks(agent)),
            "sections": drop_in.read_text().count("multipath {") if drop_in.exists() else 0,
            "rows": self.rows(),
            "bytes of the store": (self.host.directory / "state/state.db").stat().st_size,
        }
