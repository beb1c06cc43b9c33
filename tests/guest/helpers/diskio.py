# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and writes on maps and disks, and the I/O that each path has completed."""

import contextlib
import mmap
import os
import random
import subprocess
import time

import dm
from basic import read


def counts(paths=None):
    """The reads and writes that each path has completed, from /sys/block: {'sda': 17}."""
    if paths is None:
        paths = [path for each in dm.maps().values() for path in each.paths]
    found = {}
    for path in paths:
        fields = read(f"/sys/block/{path}/stat").split()
        found[path] = int(fields[0]) + int(fields[4])
    return found


@contextlib.contextmanager
def counting(paths=None):
    """Count I/O inside a `with`: the dictionary it gives is filled at the end."""
    before, counted = counts(paths), {}
    yield counted
    after = counts(before)
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


class Load:
    """Random reads and verified writes while a `with` runs, on all maps or on some, or on what is
    built upon them: files or devices, by their paths. `output` is fio's, `error` the same where it
    tells of one, else empty. With a rate, so many reads and writes a second on each map: what runs
    for minutes has to leave the emulated machine some time for its work."""

    def __init__(self, names=None, rate=None, files=()):
        self._names = [] if files else names
        self._files = list(files)
        # A whole map has 64 MiB, what is built upon one has less.
        self._more = ["--size=16m" if files or not rate else "--size=64m"]
        if rate:
            self._more.append(f"--rate_iops={rate},{rate}")

    def __enter__(self):
        names = dm.maps() if self._names is None else self._names
        files = self._files + [f"/dev/mapper/{name}" for name in names]
        self._process = subprocess.Popen(
            ["fio", "--rw=randrw", "--bs=4k", "--direct=1", "--ioengine=libaio", "--iodepth=4",
             "--verify=crc32c", "--verify_backlog=64", "--verify_fatal=1", "--time_based",
             "--runtime=1200", "--exitall_on_error", "--minimal", *self._more,
             # A map by its number: fio has a meaning for some characters of names.
             *(word for file in files
               for word in (f"--name={os.path.basename(file)}",
                            f"--filename={os.path.realpath(file)}"))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)
        return self

    def running(self):
        """Whether fio still runs: it ends at its first error."""
        return self._process.poll() is None

    def __exit__(self, *exception):
        self._process.send_signal(2)
        self.output, _ = self._process.communicate(timeout=60)
        # Interrupted, fio exits with 128 where it had no error of its own.
        bad = (self._process.returncode not in (0, 128) or "verify:" in self.output
               or "error=" in self.output)
        self.error = self.output if bad else ""
