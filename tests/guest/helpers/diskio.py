# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads on maps and disks, and the I/O that each path has completed."""

import contextlib
import mmap
import os
import random

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
