# SPDX-License-Identifier: LGPL-2.1-or-later
"""Device-mapper calls of the service that fail or wait, by fault.c preloaded into it."""

import contextlib
import pathlib

import lab
import wmi

LIBRARY = pathlib.Path("/run/lab-fault.so")
RULES = pathlib.Path("/run/lab-faults")
DROP_IN = pathlib.Path(f"/run/systemd/system/{wmi.SERVICE}.d/fault.conf")


@contextlib.contextmanager
def preloaded():
    """The service with fault.c in it, inside a `with`."""
    if not LIBRARY.exists():
        lab.run("gcc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", LIBRARY,
                lab.HOME / "fault.c", "-ldl")
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY} LAB_FAULTS={RULES}\n")
    RULES.write_text("")
    lab.run("systemctl", "daemon-reload")
    wmi.restart()
    try:
        yield
    finally:
        DROP_IN.unlink()
        RULES.unlink()
        lab.run("systemctl", "daemon-reload")
        wmi.restart()


def rules(*lines):
    """Set the rules: (command, map's UUID or "*", skip, count, errno, milliseconds)."""
    RULES.write_text("".join(" ".join(map(str, line)) + " 0\n" for line in lines))


def seen():
    """How many calls each rule has seen."""
    return [int(line.split()[-1]) for line in RULES.read_text().splitlines()]
