# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a policy that was answered is undone afterwards: tables are read all the time, and each that has
another one's groups counts."""

import time

import figures
import lio
import tools
import watch
import wmi

PAUSES = 0, 0.5, 2, 5  # seconds from an answer to the next call
CHANGES = 10  # for each
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


def changes_apart(maps, pause):
    """Failover to and fro, with so long between: the changes and what was undone of them."""
    tools.agree()
    changes = []
    with watch.Watch() as tables:
        for i in range(CHANGES):
            changes.append(change(maps, lio.portals()[i % 2]))
            time.sleep(pause)
        time.sleep(WATCHED)
    if len(tables.reads) < CHANGES:
        raise RuntimeError(f"only {len(tables.reads)} reads of all tables")
    return changes, watch.undone(tables.reads, changes)


def tell(undone):
    """Which of them were undone: maps, and when, in seconds since the answer."""
    for each, wrong in undone:
        first, last = min(wrong.values())[0], max(last for _, last in wrong.values())
        tools.say(f"undone: {len(wrong)} of {len(each.maps)} maps, as "
                  f"{first - each.ended:.2f} to {last - each.ended:.2f} s after an answer")


def measure_undone(bench):
    """Of changes that come one after another, how many were undone, and for how long."""
    maps = frozenset(lio.wwid(lun) for lun in range(lio.luns()))
    change(maps, lio.portals()[2])
    before = wmi.session("Reapplications")
    for pause in PAUSES:
        tools.say(f"undone: {CHANGES} changes {pause} s apart")
        changes, undone = changes_apart(maps, pause)
        repairs = wmi.session("Reapplications") - before
        tools.say(f"undone: {len(undone)} of them, {repairs} repairs until now")
        tell(undone)
        longest = max((last - first for _, wrong in undone for first, last in wrong.values()),
                      default=0)
        call = sorted(each.ended - each.began for each in changes)[CHANGES // 2]
        yield bench.row("undone", f"of {CHANGES} changes {pause} s apart, seen undone",
                        [len(undone)], "= 0",
                        note=f"a call {figures.seconds(call)}, longest {figures.seconds(longest)}")
    yield bench.row("undone", "repairs by the service", [wmi.session("Reapplications") - before],
                    "= 0")
