# SPDX-License-Identifier: LGPL-2.1-or-later
"""device-mapper of a made-up host: the file of maps that fake-host.c has in its memory, too."""

import collections
import contextlib
import ctypes
import errno
import mmap
import struct

MAJOR = 253
MAPS_MAX = 1024
SECTORS = 2 << 20
FOREVER = 1 << 30

MAP = struct.Struct("=IIQII128s136s256s7920s7920s")  # struct fake_map
FAULT = struct.Struct("=16s8I")  # struct fake_fault
FAULTS_MAX = 16
ABSENT_SIZE = 256
ANY_MAP = 0xFFFFFFFF
FAULTS_AT = MAPS_MAX * MAP.size
ABSENT_AT = FAULTS_AT + FAULTS_MAX * FAULT.size
LOCK_AT = ABSENT_AT + ABSENT_SIZE
LOCK_SIZE = 64  # room for a pthread_mutex_t and its attributes
WAITS = struct.Struct("=I")
WAITS_AT = 32  # milliseconds, in struct fake_fault

# The members of struct fake_map.
Map = collections.namedtuple("Map", "major minor sectors suspended event_nr name uuid failed table "
                                    "inactive")
Group = collections.namedtuple("Group", "selector paths")


def text(data):
    return data.partition(b"\0")[0].decode()


def parse(table):
    """The groups of a multipath table: "round-robin 0", and "major:minor" of its paths."""
    words = iter(table.split())

    def counted():
        n = next(words)
        return [n, *(next(words) for _ in range(int(n)))]

    counted()  # features
    counted()  # hardware handler
    n_groups, _ = int(next(words)), next(words)
    groups = []
    for _ in range(n_groups):
        selector = " ".join([next(words), *counted()])
        n_paths, n_arguments = int(next(words)), int(next(words))
        paths = []
        for _ in range(n_paths):
            paths.append(next(words))
            for _ in range(n_arguments):
                next(words)
        groups.append(Group(selector, paths))
    return groups


class Lock:
    """A mutex of all processes' in shared memory, which goes on where its owner has died."""
    threads = ctypes.CDLL(None)

    def __init__(self, memory, at):
        self._bytes = (ctypes.c_char * LOCK_SIZE).from_buffer(memory, at)
        attributes = ctypes.create_string_buffer(LOCK_SIZE)
        self.threads.pthread_mutexattr_init(attributes)
        self.threads.pthread_mutexattr_setpshared(attributes, 1)
        self.threads.pthread_mutexattr_setrobust(attributes, 1)
        self.threads.pthread_mutex_init(self._bytes, attributes)

    @contextlib.contextmanager
    def held(self):
        if self.threads.pthread_mutex_lock(self._bytes) == errno.EOWNERDEAD:
            self.threads.pthread_mutex_consistent(self._bytes)
        try:
            yield
        finally:
            self.threads.pthread_mutex_unlock(self._bytes)

    def close(self):
        self._bytes = None


class Fault:
    """Calls that fail or wait; see DeviceMapper.fault()."""

    def __init__(self, memory, number):
        self._memory, self._at = memory, FAULTS_AT + number * FAULT.size

    @property
    def seen(self):
        """How many such calls there were, those that passed included."""
        return FAULT.unpack_from(self._memory, self._at)[-2]

    def go_on(self):
        """What waits does so no more; where there is an error, it fails."""
        WAITS.pack_into(self._memory, self._at + WAITS_AT, 0)

    def clear(self):
        """It is over: what waits goes on."""
        self._memory[self._at:self._at + FAULT.size] = bytes(FAULT.size)


class DeviceMapper:
    """Maps are known by their minor number, which is that of their slot, too."""

    def __init__(self, path):
        with open(path, "w+b") as file:
            file.truncate(LOCK_AT + LOCK_SIZE)
            self._memory = mmap.mmap(file.fileno(), 0)
        self._lock = Lock(self._memory, LOCK_AT)

    def close(self):
        self._lock.close()
        self._memory.close()

    def minors(self):
        """Of the maps that there are."""
        with self._lock.held():
            return [minor for minor in range(MAPS_MAX)
                    if any(self._memory[minor * MAP.size:minor * MAP.size + 4])]

    def read(self, minor):
        """A Map, None where there is none."""
        with self._lock.held():
            return self._read(minor)

    def _read(self, minor):
        values = MAP.unpack_from(self._memory, minor * MAP.size)
        if values[0] == 0:
            return None
        return Map(*values[:5], *map(text, values[5:]))

    def _write(self, minor, values):
        texts = (value.encode() for value in values[5:])
        MAP.pack_into(self._memory, minor * MAP.size, *values[:5], *texts)

    def load(self, minor, name, uuid, table):
        """The map has this table at once, and is new or as new."""
        with self._lock.held():
            self._write(minor, Map(MAJOR, minor, SECTORS, 0, 0, name, uuid, "", table, ""))

    def reload(self, minor, table):
        """A map has another table, if it is there."""
        with self._lock.held():
            before = self._read(minor)
            if before:
                self._write(minor, before._replace(suspended=0, event_nr=0, failed="", table=table, inactive=""))
            return before is not None

    def remove(self, minor):
        with self._lock.held():
            self._memory[minor * MAP.size:(minor + 1) * MAP.size] = bytes(MAP.size)

    def suspend(self, minor):
        """As somebody does who then dies."""
        with self._lock.held():
            self._write(minor, self._read(minor)._replace(suspended=1))

    def run(self, minor):
        """As whoever has suspended it does in the end."""
        self._write(minor, self.read(minor)._replace(suspended=0))

    def fail_path(self, minor, path):
        """The kernel has marked a path, "major:minor", as failed. Nothing tells of it."""
        with self._lock.held():
            before = self._read(minor)
            self._write(minor, before._replace(failed=f"{before.failed or ' '}{path} "))

    def fault(self, call, minor=ANY_MAP, skip=0, count=1, error=0, milliseconds=0, in_child=False):
        """A Fault: of the calls of this name for this map, by the service and its children together, the
        first `skip` pass; the next `count` wait so long, or until it is cleared, and then fail where
        there is an error. With `in_child`, the service's own do not count: children change maps, while
        the service looks at them when it likes.

        Names are load, resume, suspend, clear, table, inactive, status, info and message, by what
        device-mapper is asked for; sync is any fsync or fdatasync, of whatever file, fork a child of the service's, and
        watch an instance of inotify.
        """
        for number in range(FAULTS_MAX):
            at = FAULTS_AT + number * FAULT.size
            if self._memory[at] == 0:
                # The name last, for the service looks at it first.
                FAULT.pack_into(self._memory, at, b"", minor, skip, count, error, milliseconds,
                                in_child, 0, 0)
                self._memory[at:at + 16] = call.encode().ljust(16, b"\0")
                return Fault(self._memory, number)
        raise RuntimeError(f"{FAULTS_MAX} faults at most")

    def _faults(self, minor):
        for number in range(FAULTS_MAX):
            call, of, *numbers = FAULT.unpack_from(self._memory, FAULTS_AT + number * FAULT.size)
            if call[0] and of in (minor, ANY_MAP):
                yield text(call), *numbers

    def is_in_a_call(self, minor):
        """Whether a call for this map waits, which the kernel then lets nobody else change."""
        return any(waiting for *_, waiting in self._faults(minor))

    def refuses(self, minor):
        """Whether a new table for this map fails, whoever loads it."""
        return any(error and skip <= seen < skip + count and call in ("load", "resume")
                   for call, skip, count, error, _, _, seen, _ in self._faults(minor))

    def absent_modules(self, *names):
        """The kernel has none of these modules, "dm-queue-length" and the like; all others it has."""
        text = "".join(f" {name} " for name in names).encode()
        self._memory[ABSENT_AT:ABSENT_AT + ABSENT_SIZE] = text.ljust(ABSENT_SIZE, b"\0")
