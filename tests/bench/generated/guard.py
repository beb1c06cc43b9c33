#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""guard.py [--update] ...: counts what planning, a query, an event and a change cost, and compares.

Counted are the instructions of the project's own functions, by callgrind, and system calls, by
strace: no clock, so that a busy machine does not matter. They depend on compiler and libraries all
the same, and so counts.txt has them by release. One that has grown by more than a tenth fails; on
purpose, `meson compile update-counts` writes the file anew, for the release that it runs on.
"""

import argparse
import contextlib
import itertools
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench
import measured

TOLERANCE = 0.10
SKIPPED = 77  # Meson's word for it
QUERIES = 21
AFRESH = 7
MARKS = 7
EVENTS = 10
CHANGES = 3  # of all sessions
CONNECTIONS = 16  # 4 sessions, 4 maps

MARK = bench.call(bench.ROOT, bench.PROPERTIES, "Get", f"{bench.NAME}.Manager",
                  "DefaultLoadBalancePolicy")
MARKER = "get_default_policy"  # its handler

HEADER = """\
# What planning, a query, an event and a change of all policies cost: instructions of the project's
# own functions, and system calls. Written by `meson compile update-counts`;
# tests/bench/generated/guard.py tells what each is.
#
# release    what                              count
"""


def release():
    try:
        text = pathlib.Path("/etc/os-release").read_text()
    except FileNotFoundError:
        return "unknown"
    found = re.search(r'^VERSION_CODENAME="?(\w+)', text, re.MULTILINE)
    return found[1] if found else "unknown"


def own_instructions(profile, program):
    """What a profile of callgrind's has for the functions in that file, without those they call."""
    names, total, own, inclusive = {}, 0, False, False
    for line in profile.read_text().splitlines():
        found = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?$", line)
        if found:
            if found[3]:
                names[found[2]] = found[3]
            if found[1] == "ob":
                own = names[found[2]] == str(program)
        elif line.startswith("calls="):
            inclusive = True
        elif line[:1] in "0123456789+-*" and line:
            if own and not inclusive:
                total += int(line.split()[1])
            inclusive = False
    return total


def callgrind(directory, *options):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out.%p", *options]


def count_planning(program):
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([*callgrind(directory, "--collect-atstart=no", "--toggle-collect=measured"),
                        program], check=True, stderr=subprocess.DEVNULL)
        profile, = pathlib.Path(directory).iterdir()
        return own_instructions(profile, program)


@contextlib.contextmanager
def running(options, *wrapper):
    """A service with round robin on all of its sessions, to which nothing happens."""
    with measured.Host(options.service, options.fake, CONNECTIONS // 4, 4, 1, access=False) as made:
        made.start(*wrapper)
        client = bench.Client(options.calls, made)
        if client.ask("policy", bench.ROUND_ROBIN) != 0:
            raise RuntimeError("a policy was refused:\n" + made.said())
        made.wait_until_idle(3)
        yield made, client


def events(made, client, after):
    """Pairs of a logout and a login, one event after the other: a look at a map follows each."""
    for _ in range(EVENTS):
        client.ask("mark")
        made.logout(4)
        client.ask("mark")
        made.reload(0)
        client.ask("await", 1)
        client.ask("mark")
        made.login(4, of_map=True)
        client.ask("await", 1)
        after()


def ask_afresh(made, client):
    """One query after the kernel has announced that a table has changed."""
    made.udev.kernel_event("/devices/virtual/block/dm-0", "change")
    client.ask("repeat", 1, bench.GET)


def count_instructions(options):
    """By what: one query of many, one afresh, and one event of many. What the service has kept is
    good for a second only: so the median counts, which no pause of a busy machine moves."""
    with tempfile.TemporaryDirectory() as directory:
        with running(options, *callgrind(directory, f"--dump-before={MARKER}*")) as (made, client):
            pid = made.pid
            client.ask("repeat", 1 + MARKS, MARK)
            for _ in range(QUERIES):
                client.ask("repeat", 1, bench.GET)
                client.ask("repeat", 1, MARK)
            for _ in range(AFRESH):
                ask_afresh(made, client)
                client.ask("repeat", 1, MARK)
            events(made, client, lambda: client.ask("repeat", 1, MARK))
        parts = iter([own_instructions(pathlib.Path(directory) / f"out.{pid}.{number}",
                                       options.service)
                      for number in range(2, 2 + MARKS + QUERIES + AFRESH + EVENTS)])
        mark = statistics.median(itertools.islice(parts, MARKS))
        return {what: int(statistics.median(itertools.islice(parts, n)) - mark)
                for what, n in (("query", QUERIES), ("query-afresh", AFRESH), ("event", EVENTS))}


def calls_when_quiet(path):
    """The names of the system calls in a trace to which nothing is added any more."""
    size = -1
    while size != path.stat().st_size:
        size = path.stat().st_size
        time.sleep(0.3)
    text = path.read_text(errors="replace")
    return [found[1] for found in re.finditer(r"^\d+ +(\w+)\(", text, re.MULTILINE)]


def between_replies(calls):
    """How many there are from one reply to the next, as a rule."""
    replies = [i for i, name in enumerate(calls) if name == "sendmsg"]
    return int(statistics.median(b - a for a, b in zip(replies, replies[1:])))


def count_change(made, client, trace):
    """The calls, children's too, until the last session has another policy: multipathd is told
    later."""
    counts = []
    policies = itertools.cycle((bench.LEAST_QUEUE_DEPTH, bench.ROUND_ROBIN))
    for policy in itertools.islice(policies, CHANGES):
        made.wait_until_idle(3)
        before = len(calls_when_quiet(trace))
        if client.ask("policy", policy) != 0:
            raise RuntimeError("a policy was refused:\n" + made.said())
        counts.append(len(calls_when_quiet(trace)) - before)
    return int(statistics.median(counts))


def count_system_calls(options):
    """By what."""
    with tempfile.TemporaryDirectory() as directory:
        trace = pathlib.Path(directory) / "trace"
        with running(options, "strace", "-f", "-qq", "-o", str(trace)) as (made, client):
            ends = [len(calls_when_quiet(trace))]
            client.ask("repeat", QUERIES, bench.GET)
            ends.append(len(calls_when_quiet(trace)))
            for _ in range(AFRESH):
                ask_afresh(made, client)
            ends.append(len(calls_when_quiet(trace)))
            events(made, client, lambda: ends.append(len(calls_when_quiet(trace))))
            calls = calls_when_quiet(trace)
            change = count_change(made, client, trace)
    event = statistics.median(b - a for a, b in zip(ends[2:], ends[3:]))
    return {"query": between_replies(calls[ends[0]:ends[1]]),
            "query-afresh": between_replies(calls[ends[1]:ends[2]]),
            "event": int(event), "change": change}


def count(options):
    counts = {"planning-instructions": count_planning(options.planning)}
    for unit, found in (("instructions", count_instructions(options)),
                        ("system-calls", count_system_calls(options))):
        counts |= {f"{what}-{unit}": n for what, n in found.items()}
    return counts


def read_counts(path):
    """By release and what."""
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return {(row[0], row[1]): int(row[2]) for row in rows if row}


def write_counts(path, counts):
    rows = [f"{key[0]:<12} {key[1]:<28} {value:>10}\n" for key, value in sorted(counts.items())]
    path.write_text(HEADER + "".join(rows))


def compare(kept, counted):
    """Prints both. How many have grown too much, or are not there."""
    bad = 0
    for what, now in counted.items():
        before = kept.get((release(), what))
        change = (now - before) / before if before else 1
        word = "ok"
        if before is None:
            word = "NOT IN counts.txt"
        elif change > TOLERANCE:
            word = "GREW"
        elif change < -TOLERANCE:
            word = "shrank: update counts.txt, so that it cannot grow back unseen"
        bad += before is None or change > TOLERANCE
        print(f"{what:<28} {before or 0:>10} -> {now:>10}  {change:+7.1%}  {word}")
    return bad


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write what was counted")
    for name in "service", "fake", "calls", "planning", "counts":
        parser.add_argument(f"--{name}", type=measured.path, required=True)
    return parser.parse_args()


def main():
    options = parse()
    for tool in "valgrind", "strace":
        if not shutil.which(tool):
            print(f"{tool} is not there")
            return SKIPPED
    kept = read_counts(options.counts)
    if not options.update and release() not in {key[0] for key in kept}:
        print(f"counts.txt has no counts for {release()}")
        return SKIPPED
    counted = count(options)
    bad = compare(kept, counted)
    if options.update:
        write_counts(options.counts, kept | {(release(), what): n for what, n in counted.items()})
        return 0
    if bad:
        print("If that is as it must be: meson compile update-counts, and say why in the commit.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
