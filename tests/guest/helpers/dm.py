# SPDX-License-Identifier: LGPL-2.1-or-later
"""Multipath maps, as device-mapper has them: tables, groups, states of paths."""

import collections
import dataclasses
import os
import pathlib
import re
import time

import iscsi
import udev
from basic import look_in, read, run, wait_for


@dataclasses.dataclass(frozen=True)
class Group:
    """One priority group: its selector, and its paths as disks (sda)."""
    selector: str
    paths: tuple


@dataclasses.dataclass(frozen=True)
class Map:
    """One multipath map, as the kernel has it."""
    name: str
    uuid: str
    device: str
    features: tuple
    handler: tuple
    groups: tuple
    table: str

    @property
    def wwid(self):
        """The WWID, which multipathd puts into the UUID."""
        return self.uuid[len("mpath-"):]

    @property
    def paths(self):
        """All paths, in the table's order."""
        return tuple(path for group in self.groups for path in group.paths)

    @property
    def shape(self):
        """What a policy decides: the groups as sets of paths, each with its selector."""
        return [(group.selector, frozenset(group.paths)) for group in self.groups]

    @property
    def portals(self):
        """The groups as lists of portal addresses."""
        return [[iscsi.portal_of(path) for path in group.paths] for group in self.groups]


def disk_name(number):
    """The name (sda) of a block device given by number (8:0), which stands for one that has gone."""
    try:
        return os.path.basename(os.readlink(f"/sys/dev/block/{number}"))
    except OSError:
        return number


def _counted(words):
    """Of a table or a status: a number, and as many words."""
    return tuple(next(words) for _ in range(int(next(words))))


def parse_table(line, named=disk_name):
    """The features, the hardware handler and the groups of a multipath table line, without
    its start and length; `named` makes a path's name of its device number."""
    words = iter(line.split())
    features, handler = _counted(words), _counted(words)
    number, _initial = int(next(words)), next(words)
    groups = []
    for _ in range(number):
        selector = next(words)
        _counted(words)
        paths, arguments = int(next(words)), int(next(words))
        members = []
        for _ in range(paths):
            members.append(named(next(words)))
            for _ in range(arguments):
                next(words)
        groups.append(Group(selector, tuple(members)))
    return features, handler, tuple(groups)


def _dmsetup(*command):
    """What it says of all devices, by the kernel's names (\\x20 for a blank), which those of the nodes
    are. It fails when one goes between its list and the look at it: then it is asked again, a few
    times."""
    for left in reversed(range(5)):
        try:
            return run("dmsetup", *command, "--manglename", "none")
        except RuntimeError as error:
            if left == 0 or "Device does not exist" not in str(error):
                raise


def _dm_lines(*command):
    output = _dmsetup(*command, "--target", "multipath")
    return [] if output == "No devices found" else output.splitlines()


def maps():
    """All multipath maps, by name."""
    devices = {}
    for line in _dmsetup("info", "-c", "--noheadings", "--separator", "\t", "-o",
                         "name,devno,uuid").splitlines():
        name, *rest = line.split("\t")
        if rest:  # else "No devices found"
            number, uuid = rest
            devices[name] = (uuid, disk_name(number))
    found = {}
    for line in _dm_lines("table"):
        name, kind, table = re.match(r"(\S+): \d+ \d+ (\S+) (.*)", line).groups()
        if kind == "multipath" and name in devices:  # else it has come just now
            found[name] = Map(name, *devices[name], *parse_table(table), table)
    return found


def map_of(path):
    """The Map that a path (sda) is in, None where it is in none."""
    return next((each for each in maps().values() if path in each.paths), None)


def load_groups(name, groups, selector):
    """Swap a map's table by hand for one with these groups of portals, as dmsetup's users do."""
    each = maps()[name]
    device = {iscsi.portal_of(path): read(f"/sys/block/{path}/dev") for path in each.paths}
    sectors = run("blockdev", "--getsz", f"/dev/mapper/{name}")
    words = [0, sectors, "multipath", len(each.features), *each.features, len(each.handler),
             *each.handler, len(groups), 1]
    for group in groups:
        words += [selector, 0, len(group), 1]
        for portal in group:
            words += [device[portal], 1]
    run("dmsetup", "reload", name, "--table", " ".join(map(str, words)))
    run("dmsetup", "resume", "--noflush", "--nolockfs", "--noudevsync", name)


def path_states():
    """What dm-multipath thinks of each path: {'sda': 'A'} (active) or 'F' (failed)."""
    states = {}
    for line in _dm_lines("status"):
        for number, state in re.findall(r"(\d+:\d+) ([AF]) \d+", line.split(" multipath ")[1]):
            states[disk_name(number)] = state
    return states


def is_failed(address):
    """Whether dm-multipath holds every path through a portal for failed."""
    states = path_states()
    return all(states.get(disk) == "F" for disk in iscsi.disks_of(address))


def current_groups():
    """The number of the group that each map uses, 1 being its table's first: {'mpatha': 1}. Another
    one than the table says, where multipathd takes it for better and has the kernel switch to it."""
    current = {}
    for line in _dm_lines("status"):
        name, status = re.match(r"(\S+): \d+ \d+ multipath (.*)", line).groups()
        words = iter(status.split())
        _features, _handler, _number = _counted(words), _counted(words), next(words)
        current[name] = int(next(words))
    return current


def maps_without_paths():
    """Names of the maps whose paths have all left."""
    return [each.name for each in maps().values()
            if not any(pathlib.Path(f"/sys/block/{path}").exists() for path in each.paths)]


def flush(name):
    """Remove a map that multipathd has given up: it tries once, and if udev just reads the map, which
    then waits for a path for ever, the map is in use."""
    def is_gone():
        run("multipath", "-f", name, check=False)
        return name not in maps()

    run("dmsetup", "message", name, "0", "fail_if_no_path", check=False)
    wait_for(is_gone, 20, f"the end of {name}")


def flush_maps():
    """Remove all maps that are not in use; the sessions stay. udev may hold one for a moment."""
    def flushed():
        run("multipath", "-F", check=False)
        return not maps()

    udev.settle()
    wait_for(flushed, 10, "no map left")


def shapes():
    """{map: [(selector, portals of the group)]}: what a policy decides, from the kernel. A path that is
    leaving has no portal any more, and stands for itself."""
    portal = {disk: session.address for session in iscsi.sessions() for disk in session.paths}
    return {each.name: [(group.selector, frozenset(portal.get(disk, disk) for disk in group.paths))
                        for group in each.groups]
            for each in maps().values()}


def shapes_in(seconds, right):
    """Likewise shapes()."""
    return look_in(seconds, shapes, right)


def same_meaning(found, wanted, unusable=()):
    """Whether groups, as of shapes(), mean the wanted ones: the same groups, and those that have a
    usable path in the same order. A group without one may stand anywhere."""
    def usable(groups):
        return [group for group in groups if group[1] - set(unusable)]

    return (usable(found) == usable(wanted)
            and collections.Counter(found) == collections.Counter(wanted))


def tables():
    """{map: features, handler and groups}, to see whether a map was reloaded."""
    return {each.name: (each.features, each.handler, each.groups) for each in maps().values()}


def suspended():
    """Maps that are suspended: there must never be one. The kernel shows one so for the moment in
    which anybody's new table, multipathd's too, is taken into use: that passes."""
    def look():
        states = run("dmsetup", "info", "-c", "--noheadings", "-o", "name,suspended")
        return {line for line in states.splitlines() if "Suspended" in line}

    found = look()
    for _ in range(4):
        if not found:
            break
        time.sleep(0.1)
        found &= look()
    return sorted(found)
