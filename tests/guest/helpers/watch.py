# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tables read all the time, and whether one of them was of an earlier policy than was answered."""

import dataclasses
import threading
import time

import dm


@dataclasses.dataclass(frozen=True)
class Read:
    """All maps, as they were at some time between the two."""
    began: float
    ended: float
    shapes: dict


@dataclasses.dataclass(frozen=True)
class Change:
    """A call on some maps, and what they are to look like when it was answered with success."""
    maps: frozenset
    began: float
    ended: float
    groups: list  # None: it was answered with something else, and changed nothing


class Watch:
    """Reads tables inside a `with`, as often as it can."""

    def __enter__(self):
        self.reads = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._ending.set()
        self._thread.join()

    def _run(self):
        while not self._ending.is_set():
            began = time.monotonic()
            shapes = dm.shapes()
            self.reads.append(Read(began, time.monotonic(), shapes))


def meaning(groups, present):
    """The groups over those portals alone."""
    left = [(selector, paths & present) for selector, paths in groups]
    return [(selector, paths) for selector, paths in left if paths]


def is_wrong(groups, wanted):
    """Whether a map has other groups than these, as far as the paths that it has go: one that leaves has
    no portal any more, one that comes is not there yet."""
    known = frozenset().union(*(paths for _, paths in wanted))
    present = frozenset().union(*(paths for _, paths in groups)) & known
    return meaning(groups, present) != meaning(wanted, present)


def undone(reads, changes):
    """Of each change that was answered with success and then not seen: (change, {map: (from, until)}), by
    time.monotonic(). Reads that a later change of the same maps touches say nothing."""
    found = []
    for change in changes:
        if change.groups is None:
            continue
        later = [each.began for each in changes if each.began >= change.ended
                 and each.maps & change.maps and each is not change]
        until = min(later, default=float("inf"))
        wrong = {}
        for read in reads:
            if not change.ended <= read.began or read.ended > until:
                continue
            for name in change.maps & read.shapes.keys():
                if is_wrong(read.shapes[name], change.groups):
                    first, _ = wrong.get(name, (read.began, None))
                    wrong[name] = first, read.ended
        if wrong:
            found.append((change, wrong))
    return found
