# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of the service that fail, wait or kill it, by fault.c preloaded into it."""

import contextlib
import fcntl
import mmap
import pathlib
import re
import struct

import service
from basic import HOME, run

LIBRARY = pathlib.Path("/run/lab-fault.so")
RULES = pathlib.Path("/run/lab-faults")
SWEEP = pathlib.Path("/run/lab-sweep")
CALLS_MAX, CALL_SIZE = 1024, 80  # as fault.c has them
_HEAD = struct.Struct("=IIII")
SWEEP_SIZE = _HEAD.size + CALLS_MAX * CALL_SIZE
DROP_IN = pathlib.Path(f"/run/systemd/system/{service.UNIT}.d/fault.conf")


@contextlib.contextmanager
def preloaded(restart="on-failure"):
    """The service with fault.c in it, inside a `with`; when systemd starts it again by itself."""
    if not LIBRARY.exists():
        run("gcc", "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE", "-O1", "-shared", "-fPIC", "-o",
            LIBRARY, HOME / "helpers/fault.c", "-ldl")
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    # Killed as often as a test likes, no start is one too many.
    DROP_IN.write_text(f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart={restart}\n"
                       f"Environment=LD_PRELOAD={LIBRARY} LAB_FAULTS={RULES} LAB_SWEEP={SWEEP}\n"
                       f"ReadWritePaths={RULES} {SWEEP}\n")
    RULES.write_text("")
    SWEEP.write_bytes(bytes(SWEEP_SIZE))
    run("systemctl", "daemon-reload")
    service.restart()
    try:
        yield
    finally:
        DROP_IN.unlink()
        RULES.unlink()
        SWEEP.unlink()
        run("systemctl", "daemon-reload")
        service.restart()


def rules(*lines):
    """Set the rules: (command, map's UUID or "*", skip, count, errno, milliseconds)."""
    with open(RULES, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # fault.c reads it and writes it anew
        file.truncate(0)
        file.write("".join(" ".join(map(str, line)) + " 0\n" for line in lines))


def seen():
    """How many calls each rule has seen."""
    with open(RULES, encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return [int(line.split()[-1]) for line in file]


class Sweep:
    """The calls that a change of policy makes: counted, and one of them failed or killed. fault.c
    says which calls these are. Used inside preloaded()."""

    OFF, COUNT, FAIL, KILL = range(4)

    def __init__(self):
        with open(SWEEP, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SWEEP_SIZE)

    def arm(self, mode, turn=0):
        """From now on, count; and have the call whose turn it is, from 1, fail or kill."""
        self._memory[:SWEEP_SIZE] = bytes(SWEEP_SIZE)
        # The mode last, for the service looks at it first.
        self._memory[4:8] = struct.pack("=I", turn)
        self._memory[0:4] = struct.pack("=I", mode)

    def disarm(self):
        self._memory[0:4] = struct.pack("=I", self.OFF)

    def _head(self):
        """Mode, turn, how many were counted, and whether the one whose turn it was has come."""
        return _HEAD.unpack_from(self._memory)

    def _call(self, turn):
        at = _HEAD.size + (turn - 1) * CALL_SIZE
        text = self._memory[at:at + CALL_SIZE].split(b"\0")[0].decode()
        return re.sub(r"(/\.\S+\.)\w{6}$", r"\1XXXXXX", text)  # a temporary file's name

    @property
    def seen(self):
        """How many calls were counted."""
        return self._head()[2]

    @property
    def calls(self):
        """They, as text."""
        assert self.seen <= CALLS_MAX, self.seen
        return [self._call(turn) for turn in range(1, self.seen + 1)]

    @property
    def hit(self):
        """The call that failed or killed, as text; empty: none so far."""
        _, turn, _, done = self._head()
        return self._call(turn) if done else ""
