# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the measurements have in common: the programs of tests/bench, the two policies that are
changed between, and the ways to change.
"""

import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time

import bus
import dm
import drop_in
import lio
import multipathd
import service
import stack
import wmi
from basic import HOME, frozen, patience, read, run, wait_for

PROGRAMS = HOME / "bench"

# Two policies whose tables differ for every map: a group for each path, and one group of all.
FIRST, SECOND = wmi.FAILOVER, wmi.QUEUE_DEPTH
POLICIES = FIRST, SECOND

# The child processes that a lone change swaps with: transaction_share() of src/service/tables/transaction.c.
PROCESSES = 8

# So long, at most, the service leaves multipathd to its paths behind a reconfiguration before somebody's next
# change: SYNC_INTERVAL_USEC of src/service/multipathd/sync-schedule.h.
LEFT_TO_PATHS = 5

PROPERTIES = "org.freedesktop.DBus.Properties"


def say(text):
    """Progress, beside the output."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def repetitions(item, count):
    """Their numbers, with signs of life."""
    for i in range(count):
        say(f"{item}: repetition {i + 1} of {count}")
        yield i


# --- Measuring -------------------------------------------------------------------------------


class Probe:
    """bench-probe, in a `with`: one connection to the bus, and times in seconds."""

    def __init__(self, environment=None):
        self._environment = environment

    def __enter__(self):
        self._process = subprocess.Popen([PROGRAMS / "bench-probe"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1,
                                         env=self._environment)
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.wait(10)

    def _ask(self, *words):
        line = " ".join(map(str, words))
        self._process.stdin.write(line + "\n")
        answer = self._process.stdout.readline().split()
        if not answer or answer[0] == "error":
            raise RuntimeError(f"{line}: {' '.join(answer[1:]) or 'bench-probe has ended'}")
        return [int(word) / 1e9 for word in answer]

    def call(self, count, path, interface, member, signature="-", *words):
        """The times of so many calls, one after another."""
        return self._ask("call", count, bus.NAME, path, interface, member, signature, *words)

    def run(self, count, *command):
        """The times of so many runs of a command, from fork to exit."""
        return self._ask("run", count, *command)

    def start(self, *command):
        """The time of a service from fork to READY=1; it is ended then."""
        return self._ask("start", *command)[0]

    def set_policy(self, policy):
        """The time of SetLoadBalancePolicy on the default target's session."""
        primaries = lio.portals()[:1] if policy == FIRST else ()
        paths = [wmi.path(address, int(address in primaries)) for address in lio.portals()]
        return self.call(1, wmi.adapter_path(), f"{bus.NAME}.MSiSCSI_LB_Operations",
                         "SetLoadBalancePolicy", "(tuua(ttuuuu))",
                         *wmi.policy_words(policy, paths))[0]


class Recorder:
    """bench-record, in a `with`: `lines` are those of uevents and of the service's signals."""

    def __enter__(self):
        self._file = open("/run/bench-record", "w+", encoding="utf-8")
        self._process = subprocess.Popen([PROGRAMS / "bench-record", bus.NAME],
                                         stdin=subprocess.PIPE, stdout=self._file)
        wait_for(self.lines, 20, "bench-record")
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.wait(10)
        self._file.close()

    def lines(self):
        """What has been recorded: lists of words, the first of which is the time in ns."""
        written = pathlib.Path(self._file.name).read_text(encoding="utf-8")
        whole = written[:written.rfind("\n") + 1]
        return [[int(words[0]), *words[1:]] for words in map(str.split, whole.splitlines())]

    def wait_until_quiet(self, seconds=3):
        """Wait until nothing has come for so long."""
        wait_for(lambda: time.monotonic_ns() - self.lines()[-1][0] > seconds * 1e9,
                 patience(lio.expected_paths()), "quiet", interval=0.5)


# --- The service -----------------------------------------------------------------------------


def agree():
    """Wait until kernel, multipathd, udev and service are done with the last change: multipathd is
    told of a policy some seconds after the call."""
    paths = lio.expected_paths()
    wmi.wait_for_agreement(seconds=patience(paths))
    wait_for(multipathd.is_idle, patience(paths), "multipathd idle")
    stack.settle(paths)
    wait_for(service_rests, patience(paths), "the service at rest")


def agree_and_leave():
    """The same, and the next change waits for nothing."""
    agree()
    time.sleep(LEFT_TO_PATHS)


def service_rests(seconds=1):
    """Whether it has nothing to do for so long."""
    before = cpu(service.UNIT)
    time.sleep(seconds)
    return cpu(service.UNIT) - before < 0.005 * seconds


@contextlib.contextmanager
def service_frozen():
    """The service stands still inside a `with`, so that it does not put back what others do to its
    maps. It has to find them as it left them. (The job switches watchdogs off.)"""
    with frozen(service.main_pid()):
        yield


def cpu(unit):
    """The CPU seconds that a unit has used, its children's too."""
    text = read(f"/sys/fs/cgroup/system.slice/{unit}/cpu.stat")
    return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6


def idle():
    """The seconds that all processors together have had nothing to do."""
    words = read("/proc/stat").split("\n", 1)[0].split()
    return sum(map(int, words[4:6])) / os.sysconf("SC_CLK_TCK")


class Work:
    """What was worked inside a `with`, in seconds of a processor."""

    def __enter__(self):
        self._before = self._now()
        self._began = time.monotonic()
        return self

    def __exit__(self, *exception):
        self.took = time.monotonic() - self._began
        self.service, self.multipathd, self.idle = (
            after - before for after, before in zip(self._now(), self._before))

    @staticmethod
    def _now():
        return cpu(service.UNIT), cpu("multipathd.service"), idle()

    def idle_part(self):
        """How much of the time of all processors there was nothing to do."""
        return self.idle / self.took / os.cpu_count()


# --- The same change by other means ----------------------------------------------------------


def live_tables():
    """{map: (UUID, sectors, parameters)} of all multipath maps."""
    uuids = dict(line.split("\t") for line in run(
        "dmsetup", "info", "-c", "--noheadings", "--separator", "\t", "-o",
        "name,uuid").splitlines())
    found = {}
    for line in run("dmsetup", "table", "--target", "multipath").splitlines():
        name, rest = line.split(": ", 1)
        _, sectors, _, parameters = rest.split(" ", 3)
        found[name] = uuids[name], sectors, parameters
    return found


def meaning(tables):
    """{map: its groups}, with paths as device numbers: what has to be the same."""
    return {name: [(group.selector, frozenset(group.paths))
                   for group in dm.parse_table(parameters, named=str)[2]]
            for name, (_, _, parameters) in tables.items()}


def same_meaning(found, wanted):
    """Whether all maps have the wanted groups."""
    return (found.keys() == wanted.keys()
            and all(dm.same_meaning(found[name], wanted[name]) for name in wanted))


class Wanted:
    """What a policy comes to: each map's table, and what multipathd is told of it. The service has
    just set it, and all agree."""

    def __init__(self, policy):
        tables = live_tables()
        self.meaning = meaning(tables)
        self.configuration = drop_in.FILE.read_text()
        self.file = pathlib.Path(f"/run/bench-tables-{policy}")
        self.file.write_text("".join(f"{' '.join(words)}\n" for words in tables.values()))


def wanted(probe):
    """{policy: Wanted}; leaves SECOND in force."""
    found = {}
    for policy in POLICIES:
        probe.set_policy(policy)
        agree()
        found[policy] = Wanted(policy)
    for name, groups in found[SECOND].meaning.items():
        if dm.same_meaning(found[FIRST].meaning[name], groups):
            raise RuntimeError(f"{name}: the two policies are to differ for every map")
    return found


def bare_swaps(policies):
    """The times of a bare program to give all maps the tables of one policy, then of the next. The
    service has to be frozen."""
    said = run(PROGRAMS / "bench-swap", PROCESSES, *(each.file for each in policies))
    return [int(line) / 1e9 for line in said.splitlines()]


def ask_multipathd(command):
    """multipathd's answer, without the start of a program: it is asked often."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect("\0/org/kernel/linux/storage/multipathd")
        data = command.encode() + b"\0"
        connection.sendall(struct.pack("@N", len(data)) + data)
        (size,) = struct.unpack("@N", _receive(connection, struct.calcsize("@N")))
        return _receive(connection, size).decode().rstrip("\0")


def _receive(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise RuntimeError("multipathd has closed the connection")
        data += more
    return data


def administrators_change(new):
    """The time of what an administrator does today: writes the configuration, has multipathd read
    it, and waits until it is idle and the tables are new. The service has to be frozen."""
    began = time.monotonic()
    temporary = drop_in.FILE.parent.parent / ".bench.conf"
    temporary.write_text(new.configuration)
    temporary.rename(drop_in.FILE)
    run("multipathd", "reconfigure")
    seconds = patience(lio.expected_paths())
    while True:
        idle = multipathd.says_idle(ask_multipathd("show daemon"))
        ended = time.monotonic()
        # Looked at when multipathd is idle only, and not in the time that is reported.
        if idle and same_meaning(meaning(live_tables()), new.meaning):
            return ended - began
        if ended > began + seconds:
            raise TimeoutError(f"the tables were not new within {seconds} s of a reconfigure")
        time.sleep(0.05)
