# SPDX-License-Identifier: LGPL-2.1-or-later
"""Items 4 to 6: a login's events, the service's start, and the service at rest."""

import contextlib
import os
import pathlib
import statistics
import time

import bus
import dm
import figures
import iscsi
import lio
import service
import stack
import tools
import wmi
from basic import patience, read, run, wait_for

UNITS = SERVICE, MULTIPATHD, UDEV = service.UNIT, "multipathd.service", "systemd-udevd.service"
REST_SECONDS = 60

# A change of these shows in the tables that a client sees.
TABLE_PROPERTIES = {"Connections", "Maps", "Agreement"}


# --- A login's events ------------------------------------------------------------------------


class Timeline:
    """What a Recorder's lines say of a login: seconds from its first uevent to the last table that
    the kernel took into use, and to the last signal of what the session has."""

    def __init__(self, lines):
        uevents = [line for line in lines if line[1] == "uevent"]
        began = next(line[0] for line in uevents if line[2:4] == ["add", "iscsi_session"])
        tables = [line[0] for line in uevents
                  if line[2:4] == ["change", "block"] and "/dm-" in line[4]]
        told = [line[0] for line in lines if line[1] == "signal" and self._tells(line)]
        if not tables or not told:
            raise RuntimeError(f"{len(tables)} new tables and {len(told)} signals in a login")
        self.tables = (tables[-1] - began) / 1e9
        self.told = (told[-1] - began) / 1e9
        self.uevents = sum(line[3] in ("block", "iscsi_session") for line in uevents)

    @staticmethod
    def _tells(line):
        return (len(line) == 6 and line[3] == wmi.session_path()
                and line[4] == f"{bus.NAME}.Session"
                and TABLE_PROPERTIES.intersection(line[5].split(",")))


def wait_until_whole(paths):
    """Wait for a whole stack, asking kernel and multipathd alone, and seldom: what the service is
    asked counts as its work, and a look at many paths takes time from all that is measured."""
    wait_for(lambda: stack.is_whole(paths), patience(paths), f"{paths} paths",
             interval=1 + paths / 50)


def check_tables():
    """After a login the tables mean the policy: one group of all paths."""
    for name, groups in dm.shapes().items():
        if groups != [("queue-length", frozenset(lio.portals()))]:
            raise RuntimeError(f"{name} does not carry the policy: {groups}")


def one_login(address, paths):
    """Its Timeline, and the CPU seconds of each unit."""
    luns = len(iscsi.disks_of(address))
    iscsi.logout(address=address)
    wait_until_whole(paths - luns)
    tools.agree()
    with tools.Recorder() as recorder:
        recorder.wait_until_quiet()
        before = {unit: tools.cpu(unit) for unit in UNITS}
        iscsi.login(address=address)
        recorder.wait_until_quiet()
        wait_until_whole(paths)
        recorder.wait_until_quiet()
        used = {unit: tools.cpu(unit) - before[unit] for unit in UNITS}
        timeline = Timeline(recorder.lines())
    check_tables()
    return timeline, used


def measure_events(bench):
    """From a login's first uevent to the state being right and signalled."""
    bench.probe.set_policy(tools.SECOND)
    tools.agree()
    timelines, usages = [], []
    for _ in tools.repetitions("events", bench.repetitions):
        timeline, used = one_login(lio.portals()[-1], lio.expected_paths())
        timelines.append(timeline)
        usages.append(used)
    told, tables = [each.told for each in timelines], [each.tables for each in timelines]
    mine = [used[SERVICE] for used in usages]
    others = [used[MULTIPATHD] + used[UDEV] for used in usages]
    for_each = statistics.median(used / timeline.uevents
                                 for used, timeline in zip(mine, timelines))

    def note(above, below):
        return " / ".join(figures.seconds(statistics.median(times)) for times in (above, below))

    yield bench.row("events", "a login until it is signalled, against until the last table is live",
                    figures.ratios(told, tables), note=note(told, tables))
    yield bench.row("events", "CPU of the service for a login, against multipathd's and udev's",
                    figures.ratios(mine, others),
                    note=f"{note(mine, others)}; {figures.seconds(for_each)} for each uevent")


# --- Start -----------------------------------------------------------------------------------


def service_environment(pid):
    """What systemd gives the service, without the ways to talk to systemd."""
    pairs = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    return {name: value for name, value in environment.items()
            if name not in ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "INVOCATION_ID")}


@contextlib.contextmanager
def service_stopped():
    """The unit does not run inside a `with`, so that the program can be run without it."""
    run("systemctl", "stop", service.UNIT)
    try:
        yield
    finally:
        service.restart()


def measure_start(bench):
    """From exec to ready, against one `iscsiadm -m session`."""
    pid = service.main_pid()
    program, environment = os.readlink(f"/proc/{pid}/exe"), service_environment(pid)
    starts, lists = [], []
    with service_stopped(), tools.Probe(environment) as probe:
        for _ in tools.repetitions("start", bench.repetitions):
            starts.append(probe.start(program))
            lists.append(probe.run(1, "iscsiadm", "-m", "session")[0])
    tools.agree()
    yield bench.row("start", "exec to ready, in runs of iscsiadm -m session",
                    figures.ratios(starts, lists), "<= 2",
                    note=f"{figures.seconds(statistics.median(starts))} / "
                         f"{figures.seconds(statistics.median(lists))}")


# --- At rest ---------------------------------------------------------------------------------


def memory(pid):
    """Resident and private memory in MiB."""
    lines = read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]
    kib = {words[0]: int(words[1]) for words in map(str.split, lines)}
    return kib["Rss:"] / 1024, (kib["Private_Clean:"] + kib["Private_Dirty:"]) / 1024


def descriptors(pid):
    """How many file descriptors are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def wakeups(pid):
    """How often its threads have waited for something, and it came."""
    return sum(int(line.split()[1])
               for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status")
               for line in status.read_text().splitlines()
               if line.startswith("voluntary_ctxt_switches:"))


def measure_rest(bench):
    """Memory, wake-ups, file descriptors."""
    service.restart()
    tools.agree()
    pid = service.main_pid()
    fresh = descriptors(pid)
    for policy in tools.POLICIES:
        bench.probe.set_policy(policy)
        tools.agree()
    time.sleep(10)  # what follows a change is over

    tools.say(f"rest: {REST_SECONDS} idle seconds")
    before = wakeups(pid)
    time.sleep(REST_SECONDS)
    woken = wakeups(pid) - before
    resident, private = memory(pid)
    yield bench.row("rest", "resident memory", [resident], "<= 8", "MiB")
    yield bench.row("rest", "private memory", [private], unit="MiB")
    yield bench.row("rest", f"wake-ups in {REST_SECONDS} idle seconds", [woken], "<= 4",
                    note="the watchdog's: one in 15 to 22.5 s")
    yield bench.row("rest", "file descriptors more than after the start",
                    [descriptors(pid) - fresh], "= 0", note=f"{fresh} after the start")
