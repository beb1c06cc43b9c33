# SPDX-License-Identifier: LGPL-2.1-or-later
"""Item 3: queries against an empty call to the same service, and against commands."""

import statistics

import bus
import figures
import tools
import wmi

# How often in each repetition.
PINGS, GETS, OBJECTS, COMMANDS = 50, 20, 5, 3


def measure_query(bench):
    """Get of LoadBalancePolicies and GetManagedObjects."""
    probe = bench.probe
    measured = {"ping": [], "get": [], "objects": [], "iscsiadm": [], "multipathd": []}

    def add(name, times):
        measured[name].append(statistics.median(times))

    for _ in tools.repetitions("query", bench.repetitions):
        add("ping", probe.call(PINGS, bus.PATH, "org.freedesktop.DBus.Peer", "Ping"))
        add("get", probe.call(GETS, wmi.adapter_path(), tools.PROPERTIES, "Get", "ss",
                              f"{bus.NAME}.MSiSCSI_QueryLBPolicy", "LoadBalancePolicies"))
        add("objects", probe.call(OBJECTS, bus.PATH, "org.freedesktop.DBus.ObjectManager",
                                  "GetManagedObjects"))
        add("iscsiadm", probe.run(COMMANDS, "iscsiadm", "-m", "session", "-P", "1"))
        add("multipathd", probe.run(COMMANDS, "multipathd", "show", "maps", "json"))

    fastest = list(map(min, measured["iscsiadm"], measured["multipathd"]))

    def note(above, below):
        return " / ".join(figures.seconds(statistics.median(each)) for each in (above, below))

    def against(what, above, below, goal=""):
        return bench.row("query", what, figures.ratios(above, below), goal,
                         note=note(above, below))

    get = measured["get"]
    yield against("Get, in Pings", get, measured["ping"], "<= 4")
    yield against("the faster of the commands, in Gets", fastest, get, ">= 50")
    yield against("iscsiadm -m session -P 1, in Gets", measured["iscsiadm"], get)
    yield against("multipathd show maps json, in Gets", measured["multipathd"], get)
    yield against("GetManagedObjects, in Pings", measured["objects"], measured["ping"])
