#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Searches for what the service does wrong, on made-up hosts with random changes and random happenings.

Each run is another host. Its seed decides on the host, on changes and on what happens, not on times: a run
that has failed may pass when it is repeated. Seen is:

- From its answer on, no map carries other groups than those of what was answered last; but for what
  multipathd does because of an event, for as long as a look and a swap take.
- What has not been so for a while is not said to be: Applied, Agrees.
- No map is repaired without a cause.
- The service answers, lives, and ends by itself; its store has what was answered.
- When all is quiet, everything is as it was asked for: tables, drop-in, multipathd, the store.
"""

import argparse
import collections
import concurrent.futures
import itertools
import os
import random
import sys
import time

import bus
import happenings
import host
import run

SHAPES = ((2, 2, 2), (3, 2, 1), (2, 3, 2), (3, 3, 2), (1, 4, 4), (1, 2, 12), (4, 2, 3))  # of hosts
CONFIGURES = (0.02, 0.1, 0.3, 0.6)  # seconds that multipathd takes, ...
RULES = (0, 0, 0.03, 0.3, 1)  # ... and udev


def choose_kinds(seed, asked):
    """A few together show what all of them would hide."""
    if asked is not None:
        return set(filter(None, asked.split(",")))
    chosen = random.Random(f"kinds {seed}")
    return set(chosen.sample(sorted(happenings.ALL), chosen.choice((0, 1, 1, 2, 2, 3, 3, 4))))


def make_host(seed, kinds):
    chosen = random.Random(f"host {seed}")
    shape = chosen.choice(SHAPES)
    made_up = host.Host(host.path(os.environ["ISCSI_WMID"]), host.path(os.environ["FAKE_HOST_LIBRARY"]), *shape,
                        access="access" in kinds)
    made_up.multipathd.seconds = chosen.choice(CONFIGURES)
    if shape[0] > 1 and chosen.random() < 0.8:
        made_up.join(0, 1)
    made_up.udev.seconds = chosen.choice(RULES)
    return shape, made_up


def describe_failure(failed):
    begin = failed.log[0][0] if failed.log else 0
    yield from (" ".join((f"{moment - begin:8.3f}", *map(str, what))) for moment, *what in failed.log)
    yield "multipathd was asked: " + ", ".join(failed.host.multipathd.asked[-40:])
    yield "the service wrote:"
    yield failed.host.said()


def run_one(seed, kinds):
    """Whether all was right, and what there is to tell."""
    shape, made_up = make_host(seed, kinds)
    title = f"seed {seed}, {shape}, {', '.join(sorted(kinds)) or 'nothing happens'}: "
    with made_up:
        made_up.start()
        one = run.Run(made_up, seed, kinds)
        try:
            one.run()
        except (run.Wrong, bus.Error, OSError) as error:
            return False, "\n".join((title + f"{type(error).__name__}: {error}", *describe_failure(one)))
    answers = collections.Counter(what[-1] for _, *what in one.log if what[0] == "answer")
    return True, title + ", ".join(f"{n} {status}" for status, n in answers.items())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1000000), metavar="N",
                        help="of the first run; the others have the numbers behind it")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="after which no run begins; 60")
    parser.add_argument("--runs", type=int, default=sys.maxsize, metavar="N", help="at most")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), metavar="N",
                        help="at a time, for mostly they wait; twice the processors")
    parser.add_argument("--happens", metavar="NAME,...", help="what happens, in place of what the seed says: "
                        + ", ".join(sorted(happenings.ALL)))
    return parser.parse_args()


def run_all(arguments):
    """Until time is up, or one has failed: whether none has."""
    until, seeds = time.monotonic() + arguments.seconds, itertools.count(arguments.seed)
    running, is_right = set(), True
    print(f"from seed {arguments.seed} on", flush=True)
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        while True:
            while len(running) < arguments.jobs and is_right and time.monotonic() < until and arguments.runs > 0:
                seed = next(seeds)
                running.add(pool.submit(run_one, seed, choose_kinds(seed, arguments.happens)))
                arguments.runs -= 1
            if not running:
                return is_right
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for each in done:
                was_right, text = each.result()
                is_right = is_right and was_right
                print(text, flush=True)


if __name__ == "__main__":
    sys.exit(0 if run_all(parse_arguments()) else 1)
