# SPDX-License-Identifier: LGPL-2.1-or-later
"""Items 1 and 2: a change of a session's policy, and I/O while policies change."""

import json
import pathlib
import statistics
import subprocess
import time

import diskio
import dm
import figures
import lio
import stack
import tools
from basic import wait_for

# fio's results, and how often the policy changes while it reads.
RESULTS = pathlib.Path("/run/bench-fio.json")
INTERVAL = 0.5


def settle():
    """udev's part in what was done while the service stood still."""
    stack.settle(lio.expected_paths())


def lone_change(probe, policy):
    """The time of a change for which nothing is in the way, and the Work meanwhile."""
    tools.agree_and_leave()
    with tools.Work() as work:
        took = probe.set_policy(policy)
    return took, work


def measure_change(bench):
    """From the call to its reply, against a reconfigure and against bare swaps."""
    policies = tools.wanted(bench.probe)
    service, floor, administrator, works = [], [], [], []
    for _ in tools.repetitions("change", bench.repetitions):
        changes = [lone_change(bench.probe, policy) for policy in tools.POLICIES]
        service.append(statistics.mean(took for took, _ in changes))
        works += [work for _, work in changes]
        tools.agree()
        with tools.service_frozen():
            floor.append(statistics.mean(tools.bare_swaps(policies.values())))
            settle()
            times = []
            for policy in tools.POLICIES:
                times.append(tools.administrators_change(policies[policy]))
                settle()
            administrator.append(statistics.mean(times))
        tools.agree()

    def note(above, below):
        return f"{figures.seconds(above)} / {figures.seconds(below)}"

    call, bare, reconfigure = map(statistics.median, (service, floor, administrator))
    yield bench.row("change", "multipathd reconfigure, in SetLoadBalancePolicy calls",
                    figures.ratios(administrator, service), ">= 25",
                    note=note(reconfigure, call))
    yield bench.row("change", f"SetLoadBalancePolicy, in bare swaps by {tools.PROCESSES} processes",
                    figures.ratios(service, floor), "<= 1.3", note=note(call, bare))
    mine, multipathd = (statistics.median(getattr(each, name) for each in works)
                        for name in ("service", "multipathd"))
    yield bench.row("change", "of a call's time, what the processors were idle",
                    [each.idle_part() for each in works],
                    note=f"processor time of service / multipathd: {note(mine, multipathd)}")


# --- I/O -------------------------------------------------------------------------------------


class Reads:
    """What fio says of one run."""

    def __init__(self, said):
        (job,) = json.loads(said[said.index("{"):])["jobs"]
        self.errors = job.get("total_err", 0) + (job["error"] != 0)
        self.mean = job["read"]["lat_ns"]["mean"] / 1e9
        self.worst = job["read"]["lat_ns"]["max"] / 1e9
        self.rate = job["read"]["iops"]


def wait_for_reads(before):
    """Wait until fio's reads come, more than those of path_ios(): its own start takes a while."""
    wait_for(lambda: sum(diskio.counts(before).values()) > sum(before.values()) + 100, 60,
             "reads")


def read_while(change, seconds):
    """Random reads on a map for so long, while change(policy) is called each INTERVAL, or as often
    as it can be: the Reads and the number of changes. Ends with SECOND in force."""
    name, each = min(dm.maps().items())
    before = diskio.counts(each.paths)
    RESULTS.unlink(missing_ok=True)
    fio = subprocess.Popen(
        ["fio", "--name=reads", f"--filename=/dev/mapper/{name}", "--rw=randread", "--bs=4k",
         "--direct=1", "--ioengine=libaio", "--iodepth=4", "--size=16m", "--time_based",
         f"--runtime={seconds}", "--output-format=json", f"--output={RESULTS}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    changes = 0
    try:
        wait_for_reads(before)
        due = time.monotonic()
        while change and fio.poll() is None:
            change(tools.POLICIES[changes % 2])
            changes += 1
            now = time.monotonic()
            due = max(due + INTERVAL, now)
            time.sleep(due - now)
        fio.wait(seconds + 60)
    finally:
        fio.kill()
        fio.wait()
    if changes % 2:
        change(tools.SECOND)
    return Reads(RESULTS.read_text(encoding="utf-8")), changes


def measure_io(bench):
    """Errors, latency and throughput with changes, against none and against reconfigures."""
    policies = tools.wanted(bench.probe)
    none, service, administrator, counts = [], [], [], []
    for _ in tools.repetitions("io", bench.repetitions):
        none.append(read_while(None, bench.seconds)[0])
        reads, changes = read_while(bench.probe.set_policy, bench.seconds)
        service.append(reads)
        tools.agree()
        with tools.service_frozen():
            reads, reconfigures = read_while(
                lambda policy: tools.administrators_change(policies[policy]), bench.seconds)
            administrator.append(reads)
            settle()
        tools.agree()
        counts.append(f"{changes} and {reconfigures}")

    def against(name, others):
        return figures.ratios([getattr(each, name) for each in service],
                              [getattr(each, name) for each in others])

    def times(name):
        return " / ".join(figures.seconds(statistics.median(getattr(each, name) for each in reads))
                          for reads in (service, none, administrator))

    yield bench.row("io", "errors of reads while policies change",
                    [sum(each.errors for each in service)], "= 0",
                    note=f"changes and reconfigures in {bench.seconds} s: {', '.join(counts)}")
    yield bench.row("io", "worst latency, against reconfigures", against("worst", administrator),
                    "<= 0.333", note=f"changes / none / reconfigures: {times('worst')}")
    yield bench.row("io", "worst latency, against no change", against("worst", none))
    yield bench.row("io", "mean latency, against no change", against("mean", none),
                    note=f"changes / none / reconfigures: {times('mean')}")
    yield bench.row("io", "mean latency, against reconfigures", against("mean", administrator))
    yield bench.row("io", "throughput, against no change", against("rate", none), ">= 0.95")
