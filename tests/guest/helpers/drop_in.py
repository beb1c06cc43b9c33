# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service tells multipathd: the file in its configuration directory."""

import pathlib
import re

FILE = pathlib.Path("/etc/multipath/conf.d/90-iscsi-wmi.conf")


def entries():
    """{WWID: {keyword: value}} of the file for multipathd, {} where there is none."""
    found, entry = {}, None
    if not FILE.exists():
        return found
    for line in FILE.read_text().splitlines():
        words = line.split("#")[0].split(None, 1)
        if words[:1] == ["multipath"]:
            entry = {}
        elif words == ["}"] and entry is not None:
            found[entry.pop("wwid")] = entry
            entry = None
        elif entry is not None and len(words) == 2:
            entry[words[0]] = words[1].strip().strip('"')
    return found


def leftovers():
    """Temporary files that were written on the way to the file for multipathd."""
    return [each.name for each in FILE.parent.parent.glob(".90-iscsi-wmi*")]


def listed_paths(entry):
    """What an entry's prio_args say: [(host:channel:target:lun, weight)], and the weight of any
    other path."""
    kind, *words = entry["prio_args"].split()
    pairs = [(words[i], int(words[i + 1])) for i in range(0, len(words), 2)]
    assert kind == "hbtl" and pairs[-1][0] == ".*", entry
    listed = []
    for pattern, weight in pairs[:-1]:  # for one host, or for several
        hosts, rest = re.fullmatch(r"\^([0-9]+|\([0-9|]+\))(:[0-9:]+)\$", pattern).groups()
        listed += [(host + rest, weight) for host in hosts.strip("()").split("|")]
    return listed, pairs[-1][1]
