# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands, files, waiting, and the settings of this run."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

MIB = 1024 * 1024

HOME = pathlib.Path("/usr/lib/iscsi-wmi-lab")
STATE = pathlib.Path("/var/lib/lab")


def run(*command, check=True, timeout=120, **kwargs):
    """Run a command; its standard output, stripped. A failure shows what the command said."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, **kwargs)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}: "
                           f"{(done.stdout + done.stderr).strip()}")
    return done.stdout.strip()


def wait_for(condition, seconds, what, interval=0.1):
    """Call condition() until it is true; its value. TimeoutError with `what` when time is up. Asking
    takes a quarter of a processor at most: the machine has better things to do, and few of them."""
    end = time.monotonic() + seconds
    while True:
        spent = sum(os.times()[:4])
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(max(interval, min(1, 3 * (sum(os.times()[:4]) - spent))))


def look_in(seconds, look, right):
    """What look() finds as soon as it is right, and at the latest after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if right(found) or time.monotonic() >= end:
            return found
        time.sleep(0.1)


def patience(paths):
    """Seconds to allow for work on so many paths, in an emulated machine on a busy host."""
    return 120 + 5 * paths


def read(path, default=None):
    """A sysfs file's content, stripped; default where it cannot be read."""
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        if default is None:
            raise
        return default


def write(path, value):
    """Write a configfs or sysfs file, in one write."""
    try:
        fd = os.open(path, os.O_WRONLY)
        try:
            os.write(fd, f"{value}\n".encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}, writing '{value}'", str(path)) from None


def setting(name, default):
    """A setting of this run: LAB_LUNS, LAB_PORTALS, LAB_RELEASE, LAB_MODE, LAB_ACCEL."""
    return os.environ.get(name) or settings().get(name, default)


def settings():
    """All settings of this run, as ./lab gave them."""
    lines = read(HOME / "lab.env", "").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def processes_of(program):
    """The numbers of a program's processes."""
    return [int(pid) for pid in run("pgrep", "-x", program).split()]


@contextlib.contextmanager
def frozen(*processes):
    """They stand still inside a `with`."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
