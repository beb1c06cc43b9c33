# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which groups maps carry, and which they have to, by what was answered: looked at again and again, while
multipathd checks its paths as it does for ever."""

import collections
import contextlib
import threading
import time
import traceback

import device_mapper
from multipathd import OWN_SELECTOR

LOOKS = 0.002  # seconds from one to the next
CHECKS = 0.02  # likewise, of multipathd's


class Watch:
    """`lock` is for who changes `answered`. Until `rests` says, by map, it may carry what was not asked for."""

    def __init__(self, host, answered):
        self.host, self.answered = host, answered
        self.lock = threading.Lock()
        self.rests = collections.defaultdict(float)
        self.wrong = []  # what was seen, in words
        self.alone = set()  # maps that multipathd could not be told of: it builds them another way
        self._expected = set()  # maps that no change is about
        self._wrong_since, self._built_wrong_since = {}, {}
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._again_and_again, args=each)
                         for each in ((LOOKS, self._look_at_all), (CHECKS, host.multipathd.check_paths))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _again_and_again(self, seconds, run):
        try:
            while not self._ending.wait(seconds):
                run()
        except Exception:  # which nobody else would hear of
            self.wrong.append(traceback.format_exc())

    def _look_at_all(self):
        with self.lock:
            for minor in self._expected:
                self._look(minor, time.monotonic())

    def _look(self, minor, now):
        carried, wanted = self.carried(minor), self.wanted(minor)
        is_right, is_told = carried == wanted, self.is_told(wanted)
        if not is_told:
            self.alone.add(minor)
        if not is_right and is_told and now > self.rests[minor]:
            self.wrong.append(f"map {minor} carries {carried}, not {wanted}")
        self._note_since(self._wrong_since, minor, is_right, now)
        with contextlib.suppress(FileNotFoundError):  # a path goes
            self._note_since(self._built_wrong_since, minor, not is_told or self.built(minor) == wanted, now)

    @staticmethod
    def _note_since(wrong_since, minor, is_right, now):
        if is_right:
            wrong_since.pop(minor, None)
        else:
            wrong_since.setdefault(minor, now)

    def expect(self, minors):
        """Of these, nobody changes what was answered."""
        with self.lock:
            self._expected = set(minors)
            for wrong_since in self._wrong_since, self._built_wrong_since:
                for minor in wrong_since.keys() - self._expected:
                    del wrong_since[minor]

    def wrong_for(self, seconds):
        """For so long, whatever the reason: maps that carry, and that multipathd would build with, other groups."""
        before = time.monotonic() - seconds
        with self.lock:
            return tuple({minor for minor, since in wrong_since.items() if since < before}
                         for wrong_since in (self._wrong_since, self._built_wrong_since))

    # --- Groups, as Host.shape() has them; [] where there is no map

    def _shape(self, groups):
        return [(selector, {self.host.tree.sid_of_disk(disk) for disk in disks})
                for selector, disks in groups]

    def carried(self, minor):
        found = self.host.dm.read(minor)
        return self._shape(device_mapper.parse(found.table)) if found else []

    def built(self, minor):
        """What multipathd would build, by what it has read."""
        return self._shape(self.host.multipathd.would_build(minor))

    def wanted(self, minor):
        """Over the paths that it has."""
        sids = [sid for _, group in self.carried(minor) for sid in sorted(group)]
        return (self.answered.groups(minor, sids) or [(OWN_SELECTOR, set(sids))]) if sids else []

    @staticmethod
    def is_told(wanted):
        """Whether an entry can have multipathd build these groups."""
        return len({selector for selector, _ in wanted}) == 1
