# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a policy that was answered is undone afterwards: tables are read all the time, and each that has
another one's groups counts."""

import statistics
import time

import figures
import iscsi
import lio
import stack
import tools
import watch
import wmi

PAUSES = 0, 0.5, 2, 5  # seconds from an answer to the next call
CHANGES = 10  # for each
WITH_EVENTS = 5  # changes, with a path event behind each
WATCHED = 8  # seconds behind the last one: multipathd checks a path every 5 to 20 s


def wanted(first):
    """Failover with that portal first, in dm.shapes(): the others follow in the order of the call."""
    order = [first, *(each for each in lio.portals() if each != first)]
    return [("round-robin", frozenset([portal])) for portal in order]


def change(maps, first):
    """Failover to that portal, by a call."""
    began = time.monotonic()
    status = wmi.set_policy(wmi.FAILOVER, [first])
    if status != wmi.SUCCESS:
        raise RuntimeError(f"SetLoadBalancePolicy: {status:#010x}")
    return watch.Change(maps, began, time.monotonic(), wanted(first))


def watched(maps, count, between):
    """Failover to and fro, with between() behind each: the changes, and what was undone of them."""
    tools.agree()
    changes = []
    with watch.Watch() as tables:
        for i in range(count):
            changes.append(change(maps, lio.portals()[i % 2]))
            between()
        time.sleep(WATCHED)
    if len(tables.reads) < count:
        raise RuntimeError(f"only {len(tables.reads)} reads of all tables")
    return changes, watch.undone(tables.reads, changes)


def path_comes_back():
    """A portal's paths leave, and are there again."""
    address = lio.portals()[-1]
    iscsi.logout(lio.TARGET, address)
    iscsi.login(lio.TARGET, address)
    stack.wait_for_paths()


def tell(undone, repairs):
    """Which were undone: maps, and when, in seconds since the answer."""
    tools.say(f"undone: {len(undone)} of them, {repairs} repairs")
    for each, wrong in undone:
        first, last = min(wrong.values())[0], max(last for _, last in wrong.values())
        tools.say(f"undone: {len(wrong)} of {len(each.maps)} maps, as "
                  f"{first - each.ended:.2f} to {last - each.ended:.2f} s after an answer")


def changes_row(bench, maps, count, how, between, goal):
    """The row of so many changes, and how many repairs the service has made."""
    tools.say(f"undone: {count} changes {how}")
    before = wmi.session("Reapplications")
    changes, undone = watched(maps, count, between)
    repairs = wmi.session("Reapplications") - before
    tell(undone, repairs)
    longest = max((last - first for _, wrong in undone for first, last in wrong.values()), default=0)
    call = statistics.median(each.ended - each.began for each in changes)
    return bench.row("undone", f"of {count} changes {how}, seen undone", [len(undone)], goal,
                     note=f"a call {figures.seconds(call)}, the longest {figures.seconds(longest)}, "
                          f"repairs {repairs}"), repairs


def measure_undone(bench):
    """Of changes that come one after another, how many were undone, and for how long."""
    maps = frozenset(lio.wwid(lun) for lun in range(lio.luns()))
    change(maps, lio.portals()[2])
    total = 0
    for pause in PAUSES:
        row, repairs = changes_row(bench, maps, CHANGES, f"{pause} s apart",
                                   lambda pause=pause: time.sleep(pause), "= 0")
        yield row
        total += repairs
    yield bench.row("undone", "repairs by the service", [total], "= 0")
    yield changes_row(bench, maps, WITH_EVENTS, "with a path that comes back behind each",
                      path_comes_back, "")[0]
