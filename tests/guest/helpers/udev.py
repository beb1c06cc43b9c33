# SPDX-License-Identifier: LGPL-2.1-or-later
"""udev: waited for, and what it has in hand where that takes too long."""

import pathlib
import subprocess

from basic import read, run

QUEUE = pathlib.Path("/run/udev/queue")


def _family(pid):
    """A process and all below it."""
    yield pid
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in read(task, "").split():
            yield from _family(child)


def _process(pid):
    """What a process is, and where in the kernel it waits."""
    words = read(f"/proc/{pid}/cmdline", "").replace("\0", " ").strip()
    state = read(f"/proc/{pid}/status", "State:\tgone").split("State:\t", 1)[1].split("\n", 1)[0]
    stack = [line.split()[-1] for line in read(f"/proc/{pid}/stack", "").splitlines()]
    return f"{pid} {state} {words or read(f'/proc/{pid}/comm', '')}: {' < '.join(stack[:8])}"


def in_hand(seconds=5):
    """udev's processes, with where they wait, and the events of the next seconds: a queue that does not
    empty has a process that does not end, or events without end."""
    main = run("systemctl", "show", "--property=MainPID", "--value", "systemd-udevd.service")
    ping = run("udevadm", "control", "--ping", "--timeout=10", check=False, timeout=20)
    events = run("timeout", str(seconds), "udevadm", "monitor", "--kernel", "--udev", check=False)
    return "\n".join([
        f"queue: {'there' if QUEUE.exists() else 'empty'}; ping: {ping or 'answered'}",
        *map(_process, _family(main)),
        *run("journalctl", "--unit=systemd-udevd.service", "--lines=20", "--output=short-monotonic",
             "--no-pager").splitlines(),
        f"events in {seconds} s:", *events.splitlines()[-40:]])


def settle(seconds=120):
    """Wait until udev has nothing left to do."""
    done = subprocess.run(["udevadm", "settle", f"--timeout={seconds}"], timeout=seconds + 10,
                          check=False)
    if done.returncode != 0:
        raise TimeoutError(f"udev has not settled within {seconds} s\n{in_hand()}")
