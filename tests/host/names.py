# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names and numbers that an agent knows by itself: policies, statuses, IDs and objects."""

import hashlib
import pathlib

import tree

NAME = "com.open_iscsi.WMI1"
ROOT = "/com/open_iscsi/WMI1"

# A session's, and MPIO's of a disk, which has the first five, too.
FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED, VENDOR = range(1, 7)
NONE, LEAST_BLOCKS, DSM_VENDOR = 0, 6, 7

NTSTATUSES = {
    0x80000011: "STATUS_DEVICE_BUSY",
    0xC000000D: "STATUS_INVALID_PARAMETER",
    0xC000000E: "STATUS_NO_SUCH_DEVICE",
    0xC0000023: "STATUS_BUFFER_TOO_SMALL",
    0xC000009A: "STATUS_INSUFFICIENT_RESOURCES",
    0xC00000BB: "STATUS_NOT_SUPPORTED",
    0xC0000185: "STATUS_IO_DEVICE_ERROR",
}
SUCCESS = "STATUS_SUCCESS"


def _read_statuses():
    """Windows' own list."""
    file = pathlib.Path(__file__).resolve().parents[1] / "data/isdsc-status.tsv"
    lines = (line.split() for line in file.read_text().splitlines() if not line.startswith("#"))
    return {int(words[0], 16): words[1] for words in lines}


STATUSES = _read_statuses() | NTSTATUSES


def number(*parts):
    """The first 8 bytes, big-endian, of SHA-256 over the parts joined by NUL bytes."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


def adapter_id():
    return number("adapter", tree.INITIATOR)


def session_id(target=0):
    return number("session", tree.INITIATOR, tree.target_name(target))


def connection_id(target, portal, *rank):
    """Of a target's portal, counted from 0, and of those at it, from 1, where there are several."""
    return number("connection", tree.INITIATOR, tree.target_name(target), "default",
                  tree.address(portal), str(tree.PORT), *map(str, rank))


def adapter_path():
    return f"{ROOT}/adapter/{adapter_id():016x}"


def session_path(target=0):
    return f"{ROOT}/session/{session_id(target):016x}"


def disk_path(minor):
    """A WWID's first digit is escaped, as sd_bus_path_encode() does it."""
    wwid = tree.wwid(minor)
    return f"{ROOT}/disk/_{ord(wwid[0]):02x}{wwid[1:]}"
