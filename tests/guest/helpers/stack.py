# SPDX-License-Identifier: LGPL-2.1-or-later
"""Target, sessions, multipathd and maps together: waited for until they are one."""

import contextlib
import pathlib

import alua
import dm
import iscsi
import lio
import multipathd
import udev
from basic import patience, run, wait_for

# What a test has an administrator configure.
CONFIGURATION = pathlib.Path("/etc/multipath/conf.d/10-lab.conf")


def paths_due():
    """How many paths the sessions that are there give, by the target's own word."""
    return sum(len(list((group / "lun").glob("lun_*")))
               for each in iscsi.sessions() for group in (lio.ISCSI / each.target).glob("tpgt_*")
               if lio.portal_directory(each.address, each.port, int(group.name[len("tpgt_"):]),
                                       each.target).exists())


def settle(paths):
    """Wait until udev has nothing left to do."""
    udev.settle(patience(paths))


def wait_for_disks(count):
    """Wait until the sessions have `count` disks and udev knows them."""
    wait_for(lambda: sum(len(each.paths) for each in iscsi.sessions()) == count, patience(count),
             f"{count} disks")
    settle(count)


def wait_for_paths(count=None, seconds=None):
    """Wait until multipathd knows `count` paths and all are in maps; where the LUNs are asymmetric,
    the kernel then knows the paths' access states (multipathd follows with its next check)."""
    count = lio.expected_paths() if count is None else count
    seconds = patience(count) if seconds is None else seconds

    def known():
        return len(run("multipathd", "show", "paths", "format", "%d", check=False).split())

    # The first word is the heading.
    wait_for(lambda: known() == count + 1, seconds, f"{count} paths in multipathd")
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not dm.maps_without_paths(), 5, "maps to go")
    for name in dm.maps_without_paths():
        dm.flush(name)
    wait_for(lambda: sum(len(each.paths) for each in dm.maps().values()) == count, seconds,
             f"{count} paths in maps")
    if alua.is_used():
        alua.read_states()
    settle(count)


def is_whole(count):
    """Whether every session is logged in, `count` paths are in maps and usable, and multipathd has
    nothing left to do."""
    states = dm.path_states()
    return (len(states) == count and set(states.values()) == {"A"}
            and all(each.state == "LOGGED_IN" for each in iscsi.sessions())
            and multipathd.is_idle())


def wait_until_whole(count=None, seconds=90):
    """Wait until the stack is whole, with so many paths (all that the default target gives)."""
    count = lio.expected_paths() if count is None else count
    wait_for(lambda: is_whole(count), seconds, f"a whole stack with {count} paths")


@contextlib.contextmanager
def another_target(name, luns, addresses):
    """A target beside the default one, and its sessions, inside a `with`."""
    lio.create(name, luns, addresses)
    try:
        iscsi.discover(addresses[0], new_only=True)
        iscsi.login(name)
        wait_for_paths(paths_due())
        yield
    finally:
        iscsi.logout(name)
        iscsi.forget(name)
        lio.remove(name)
        wait_for_paths(paths_due())


def _make_maps_anew():
    with multipathd.stopped():
        dm.flush_maps()
    wait_for_paths(paths_due())


@contextlib.contextmanager
def configured(text):
    """multipathd with more configuration, by which it has made all maps, inside a `with`."""
    CONFIGURATION.write_text(text)
    try:
        _make_maps_anew()
        yield
    finally:
        CONFIGURATION.unlink()
        _make_maps_anew()
