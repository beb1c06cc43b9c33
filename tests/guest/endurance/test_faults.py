# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault sweep: each call that a change of policy makes fails once, and kills the service once.

The change goes from one policy to another and back, so that the end of a round is the start of the
next; in a second sweep from none to a policy and back. What is counted as a call, fault.c says.
"""

import contextlib
import sqlite3
import time
import unittest

import dm
import drop_in
import faults
import lio
import service
import store
import wmi
from basic import look_in, run, setting, wait_for

# The rounds of a sweep end after this time; on a slow machine an even choice of the points has been
# tried.
SECONDS, SECONDS_FIRST = 600, 300

# How long a change may take, with the file for multipathd, which is asked at intervals (sync-schedule.h).
CHANGE_SECONDS = 8

# Multiples of this, modulo 1, fall evenly between 0 and 1 however many are taken.
GOLDEN = 0.6180339887498949


class Sweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(faults.preloaded())

    def setUp(self):
        a, b, c, d = lio.portals()
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        # What the policies need to be asked for, and what they mean; policy 6 is none.
        self.all_requests = {
            wmi.VENDOR: ((), next(iter(dm.shapes().values()))),
            wmi.FAILOVER: (([c],), [("round-robin", frozenset([each])) for each in (c, a, b, d)]),
            wmi.WEIGHTED: (((), {a: 1, b: 2, c: 2, d: 3}),
                           [("round-robin", frozenset(each)) for each in ([a], [b, c], [d])])}
        self.problems = {"lost policies": [], "half-applied sessions": [], "suspended maps": [],
                         "stores that do not open": []}
        self.not_reached = 0
        self.sweep = faults.Sweep()
        self.addCleanup(wmi.set_policy, wmi.VENDOR)
        self.addCleanup(self.sweep.disarm)

    def ask(self, policy):
        """SetLoadBalancePolicy; its Status, None where the service died before it answered."""
        try:
            return wmi.set_policy(policy, *self.requests[policy][0])
        except RuntimeError:
            return None

    def meant(self):
        """The policy that every map means now, None where there is no such one."""
        shapes = list(dm.shapes().values())
        return next((policy for policy, (_, groups) in self.requests.items()
                     if shapes and all(shape == groups for shape in shapes)), None)

    def each_map_is_whole(self):
        """Whether each map by itself means one of the policies."""
        wanted = [groups for _, groups in self.requests.values()]
        return all(shape in wanted for shape in dm.shapes().values())

    def problem(self, kind, point, details):
        self.problems[kind].append(f"{point}: {details}")
        print(f"    {kind}: {point}: {details}", flush=True)

    @staticmethod
    def store_is_sound():
        """Whether the state file opens, as the next program to use it would open it: a journal that
        a kill has left is rolled back."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{store.FILE}?mode=rw", uri=True,
                                                    timeout=5)) as file:
                return file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        except sqlite3.Error:
            return False

    def count_points(self):
        """How many calls the change to each of the two policies makes."""
        counts = {}
        # The first change is not from the other one, and is counted again.
        for policy in (*self.requests, *self.requests):
            self.sweep.arm(self.sweep.COUNT)
            self.assertEqual(self.ask(policy), wmi.SUCCESS)
            wmi.wait_for_agreement()
            self.sweep.disarm()
            counts[policy] = self.sweep.seen
            self.assertEqual(self.meant(), policy)
            # As in a round: multipathd may be asked at once in the next one.
            service.restart()
        return counts

    def provoke(self, mode, turn, policy):
        """One change with its fault, until that has come; the Status."""
        self.sweep.arm(mode, turn)
        status = self.ask(policy)
        # A service that is killed meanwhile does not answer.
        with contextlib.suppress(TimeoutError, RuntimeError):
            wait_for(lambda: self.sweep.hit or self.sweep.seen < turn and wmi.agrees(),
                     CHANGE_SECONDS, "")
        self.sweep.disarm()
        return status

    def check_answer(self, point, status, old, new):
        """What the answer says is so, with a service that lives on. multipathd may load what it
        still knows, until it has been told; a look at the map that fails just then is taken again."""
        answers = {wmi.SUCCESS: {new}, wmi.FAILURE_TO_PERSIST: {new}, None: {old, new}}
        live = answers.get(status, {old})
        try:
            wait_for(lambda: self.meant() in live, 5, "")
        except TimeoutError:
            self.problem("half-applied sessions", point,
                         f"status {status}, {old} to {new}, but the maps are {dm.shapes()}")

    def check_next_life(self, point, status, old, new, killed):
        """The service starts, and ends at what the store holds. Returns that."""
        if killed:
            wait_for(lambda: service.main_pid() not in (0, self.pid), 20, "the service again")
            run("systemctl", "start", service.UNIT)
        else:
            service.restart()
        self.pid = service.main_pid()
        stored = store.policy() or wmi.VENDOR
        answers = {wmi.SUCCESS: {new}, None: {old, new}}
        if stored not in answers.get(status, {old}):
            self.problem("lost policies", point, f"status {status}, but the store holds {stored}")
        # Whether multipathd comes to agree can only be a matter of what is written for it.
        with_multipathd = "multipath" in self.sweep.hit or not self.sweep.hit
        try:
            wait_for(lambda: self.meant() == stored, 10, "")
            if with_multipathd:
                wmi.wait_for_agreement(seconds=30)
        except TimeoutError as error:
            self.problem("lost policies", point,
                         f"the store holds {stored}, the maps {dm.shapes()}; {error}")
        if look_in(5, store.intents, lambda found: not found):
            self.problem("half-applied sessions", point, f"intents: {store.intents()}")
        return stored

    def round(self, mode, turn, old):
        """One point, which is an earlier one where the change makes fewer calls than the other; the
        policy in force afterwards."""
        new = next(policy for policy in self.requests if policy != old)
        turn = -(-turn * self.counts[new] // max(self.counts.values()))
        status = self.provoke(mode, turn, new)
        killed = mode == self.sweep.KILL and self.sweep.hit
        point = f"{'kill' if mode == self.sweep.KILL else 'failure'} {turn}, {self.sweep.hit}"
        self.not_reached += not self.sweep.hit
        if dm.suspended():
            self.problem("suspended maps", point, dm.suspended())
        # multipathd may build a map by the new entries meanwhile, with a path whose prio it does not know
        # yet: that passes.
        if not look_in(10, self.each_map_is_whole, bool):
            self.problem("half-applied sessions", point, dm.shapes())
        if not killed:
            self.check_answer(point, status, old, new)
        if not self.store_is_sound():
            self.problem("stores that do not open", point, store.FILE)
        return self.check_next_life(point, status, old, new, killed)

    def sweep_between(self, name, policies, seconds):
        """Changes from the one policy to the other and back, with a fault in each."""
        self.requests = {policy: self.all_requests[policy] for policy in policies}
        self.counts = self.count_points()
        count = max(self.counts.values())
        points = [(mode, turn) for turn in range(1, count + 1)
                  for mode in (self.sweep.FAIL, self.sweep.KILL)]
        order = sorted(range(len(points)), key=lambda i: i * GOLDEN % 1)
        # The releases try different ones where time does not suffice for all.
        if setting("LAB_RELEASE", "") == "bookworm":
            order.reverse()
        self.pid = service.main_pid()
        policy, tried, end = self.meant(), [], time.monotonic() + seconds
        for i in order:
            if time.monotonic() >= end:
                break
            tried.append(points[i][0])
            policy = self.round(*points[i], policy)
            if policy not in self.requests:
                break  # lost: there is none to go on from
        self.assertEqual(drop_in.leftovers(), [])

        failures = tried.count(self.sweep.FAIL)
        counts = ", ".join(f"{len(each)} {kind}" for kind, each in self.problems.items())
        print(f"{name}: {len(points)} points of {count} calls, {len(points) - len(tried)} "
              f"left out, {self.not_reached} not reached", flush=True)
        print(f"{name}: {len(tried)} injection points tried ({failures} failures, "
              f"{len(tried) - failures} kills): {counts}", flush=True)
        self.assertEqual({kind: [] for kind in self.problems}, self.problems)
        # Most calls are the same each time: a sweep that hits nothing has tried nothing.
        self.assertLess(self.not_reached, len(tried) / 4)

    def test_fault_sweep(self):
        self.sweep_between("fault sweep", (wmi.FAILOVER, wmi.WEIGHTED), SECONDS)

    def test_fault_sweep_of_first_policies(self):
        self.sweep_between("fault sweep of first policies", (wmi.FAILOVER, wmi.VENDOR),
                           SECONDS_FIRST)
