# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault sweep: each call that a change of policy makes fails once, and kills the service once.

What has a policy is a holder: a session, or a disk. A sweep has one, or several that are asked at
once, and changes each between two policies, so that the end of a round is the start of the next. A
state is the policies of all of them, as a tuple. What is counted as a call, fault.c says; which of
them are tried, points.py.
"""

import concurrent.futures
import contextlib
import itertools
import sqlite3
import time
import unittest

import dm
import drop_in
import faults
import lio
import points
import service
import store
import wmi
from basic import look_in, run, wait_for

# How long a change may take, with the file for multipathd, which is asked at intervals
# (sync-schedule.h).
CHANGE_SECONDS = 8


class Holder:
    """Its name as of wmi.holders(), and what the request for each of its two policies needs."""

    def __init__(self, name, requests):
        self.name, self.requests = name, requests

    @staticmethod
    def live(status, old, new):
        """The policies of which one is live after this answer; None: none came."""
        answers = {wmi.SUCCESS: {new}, wmi.FAILURE_TO_PERSIST: {new}, None: {old, new}}
        return answers.get(status, {old})

    def saved(self, status, old, new, _began):
        """The policies of which one is stored then."""
        return {wmi.SUCCESS: {new}, None: {old, new}}.get(status, {old})


class SessionHolder(Holder):
    """A session, with what wmi.set_policy() gets."""

    def __init__(self, requests, target=lio.TARGET):
        super().__init__(target, requests)

    def ask(self, policy):
        return wmi.set_policy(policy, target=self.name, **self.requests[policy])

    def stored(self):
        return store.policy(self.name) or wmi.VENDOR


class DiskHolder(Holder):
    """A disk, with what wmi.set_disk() gets."""

    def __init__(self, requests, wwid):
        super().__init__(wwid, requests)

    def ask(self, policy):
        if policy == wmi.NONE:
            return wmi.set_disk_raw(self.name, wmi.NONE)
        return wmi.set_disk(self.name, policy, **self.requests[policy])

    def stored(self):
        return store.disk_policy(self.name)

    def saved(self, status, old, new, began):
        """That it is live and cannot be saved is a success, of which the journal tells."""
        if (status == wmi.SUCCESS and self.stored() != new
                and any("live but cannot be saved" in line for line in service.journal(began))):
            return {old}
        return super().saved(status, old, new, began)


def states(policies):
    """The states in which each holder has one of its policies."""
    return set(itertools.product(*policies))


class SweepTest(unittest.TestCase):
    """What all sweeps do. A test says who has a policy, and what each state means for the maps."""

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(faults.preloaded())

    def setUp(self):
        self.problems = {"lost policies": [], "half-applied sessions": [], "suspended maps": [],
                         "stores that do not open": [], "requests without a Status": []}
        self.not_reached = 0
        self.tried = []
        self.calls = faults.Sweep()
        self.addCleanup(self.calls.disarm)

    # --- States --------------------------------------------------------------------------------

    def ask(self, state):
        """A request of each holder, at once; their Statuses, None where an error came instead: the
        service died before it answered."""
        def ask(holder, policy):
            try:
                return holder.ask(policy)
            except RuntimeError:
                return None

        with concurrent.futures.ThreadPoolExecutor(len(state)) as pool:
            return list(pool.map(ask, self.holders, state))

    def agree(self):
        """Whether kernel and multipathd agree with all of their policies."""
        found = wmi.holders()
        return all((found[holder.name]["Agreement"], found[holder.name]["MultipathdAgreement"])
                   == ("Applied", "Agrees") for holder in self.holders)

    def meant(self):
        """The state that all maps mean now, None where there is no such one."""
        shapes = dm.shapes()
        return next((state for state, groups in self.meanings.items() if shapes == groups), None)

    def each_map_is_whole(self):
        """Whether each map by itself means one of the states."""
        return all(any(groups.get(name) == shape for groups in self.meanings.values())
                   for name, shape in dm.shapes().items())

    def opposite(self, state):
        """The state in which each holder has its other policy."""
        return tuple(next(policy for policy in holder.requests if policy != old)
                     for holder, old in zip(self.holders, state))

    def go_to(self, state):
        """Without a fault."""
        if self.meant() == state and self.agree():
            return
        self.assertEqual(set(self.ask(state)), {wmi.SUCCESS})
        wait_for(self.agree, 20, "agreement")
        self.assertEqual(self.meant(), state)
        # As in a round: multipathd may be asked at once in the next one.
        service.restart()

    def calls_each_time(self, old, new):
        """The calls that the change from one state to another makes: the fewest of two times, for
        where multipathd takes longer, it is asked more often."""
        return min((self.count_calls(old, new) for _ in range(2)), key=len)

    def count_calls(self, old, new):
        """The calls that it makes this time."""
        self.go_to(old)
        self.calls.arm(self.calls.COUNT)
        self.assertEqual(set(self.ask(new)), {wmi.SUCCESS})
        wait_for(self.agree, 20, "agreement")
        self.calls.disarm()
        self.assertEqual(self.meant(), new)
        service.restart()
        return self.calls.calls

    # --- Rounds --------------------------------------------------------------------------------

    def problem(self, kind, what, details):
        self.problems[kind].append(f"{what}: {details}")
        print(f"    {kind}: {what}: {details}", flush=True)

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

    def provoke(self, point):
        """One change with its fault, until that has come; the Statuses."""
        self.calls.arm(point.mode, point.turn)
        statuses = self.ask(point.new)
        # A service that is killed meanwhile does not answer.
        with contextlib.suppress(TimeoutError, RuntimeError):
            wait_for(lambda: self.calls.hit or self.calls.seen < point.turn and self.agree(),
                     CHANGE_SECONDS, "")
        self.calls.disarm()
        return statuses

    def check_answer(self, what, answers):
        """What the answers say is so, with a service that lives on. multipathd may load what it
        still knows, until it has been told; a look at the map that fails then is taken again."""
        live = states(holder.live(*answer) for holder, *answer in answers)
        if look_in(5, self.meant, lambda state: state in live) not in live:
            self.problem("half-applied sessions", what, f"the maps are {dm.shapes()}")

    def start_again(self, killed):
        if killed:
            wait_for(lambda: service.main_pid() not in (0, self.pid), 20, "the service again")
            run("systemctl", "start", service.UNIT)
        else:
            service.restart()
        self.pid = service.main_pid()

    def check_next_life(self, what, answers, began, with_multipathd):
        """The service that has started again ends at what the store holds, and so does multipathd,
        where that is looked at. Returns that."""
        stored = tuple(holder.stored() for holder in self.holders)
        if stored not in states(holder.saved(*answer, began) for holder, *answer in answers):
            self.problem("lost policies", what, f"the store holds {stored}")
        try:
            wait_for(lambda: self.meant() == stored, 10, "")
            if with_multipathd:
                wait_for(self.agree, 30, "agreement")
        except TimeoutError as error:
            self.problem("lost policies", what,
                         f"the store holds {stored}, the maps {dm.shapes()}; {error}")
        if look_in(5, store.intents, lambda found: not found):
            self.problem("half-applied sessions", what, f"intents: {store.intents()}")
        return stored

    def round(self, point):
        """One point; the state afterwards."""
        began = time.time()
        statuses = self.provoke(point)
        answers = list(zip(self.holders, statuses, point.old, point.new))
        killed = point.mode == self.calls.KILL and self.calls.hit
        self.not_reached += not self.calls.hit
        what = (f"{'kill' if point.mode == self.calls.KILL else 'failure'} {point.turn}, "
                f"{self.calls.hit or 'not reached'}, {point.old} to {point.new}, "
                f"statuses {statuses}")
        if dm.suspended():
            self.problem("suspended maps", what, dm.suspended())
        # multipathd may build a map by the new entries meanwhile, with a path whose prio it does
        # not know yet: that passes.
        if not look_in(10, self.each_map_is_whole, bool):
            self.problem("half-applied sessions", what, dm.shapes())
        if not killed:
            if None in statuses:
                self.problem("requests without a Status", what, "the service was not killed")
            self.check_answer(what, answers)
        if not self.store_is_sound():
            self.problem("stores that do not open", what, store.FILE)
        self.start_again(killed)
        # A service that lives on has told multipathd before it answered: what it has told is in
        # question where that is what failed.
        with_multipathd = killed or "multipath" in self.calls.hit or not self.calls.hit
        return self.check_next_life(what, answers, began, with_multipathd)

    # --- The sweep -----------------------------------------------------------------------------

    def sweep(self, name, holders, meanings, seconds):
        """Changes between the states of the meanings, {state: {map: groups}}, each with a fault."""
        self.holders, self.meanings = holders, meanings
        calls = {state: self.calls_each_time(state, self.opposite(state)) for state in meanings}
        queues = {state: points.in_order(state, self.opposite(state), calls[state])
                  for state in meanings}
        left = self.run_rounds(queues, seconds)
        for each in calls.values():
            points.note(each)
        self.report(name, calls, left)
        self.assertEqual(drop_in.leftovers(), [])
        self.assertEqual({kind: [] for kind in self.problems}, self.problems)
        # Most calls are the same each time: a sweep that hits nothing has tried nothing.
        self.assertLess(self.not_reached, len(self.tried) / 4)

    def run_rounds(self, queues, seconds):
        """Round after round, while there are points, and time; the points that are left."""
        end = time.monotonic() + seconds
        self.pid = service.main_pid()
        state = self.meant()
        while any(queues.values()) and time.monotonic() < end:
            if not queues[state]:
                state = next(each for each, queue in queues.items() if queue)
                self.go_to(state)
                self.pid = service.main_pid()
            self.tried.append(queues[state].pop(0))
            state = self.round(self.tried[-1])
            if state not in queues:
                break  # lost: there is none to go on from
        return list(itertools.chain.from_iterable(queues.values()))

    def report(self, name, calls, left):
        """What was covered, and the figures."""
        def number(tried, **values):
            return sum(all(getattr(point, key) == value for key, value in values.items())
                       for point in tried)

        for state, each in calls.items():
            everything = self.tried + left
            print(f"{name}: {state} to {self.opposite(state)}: {len(each)} calls; "
                  f"{number(self.tried, old=state)} of {number(everything, old=state)} points "
                  f"tried, of those that no sweep before has "
                  f"{number(self.tried, old=state, is_new=True)} of "
                  f"{number(everything, old=state, is_new=True)}", flush=True)
        counts = ", ".join(f"{len(found)} {kind}" for kind, found in self.problems.items())
        failures = number(self.tried, mode=self.calls.FAIL)
        print(f"{name}: {len(self.tried)} injection points tried ({failures} failures, "
              f"{len(self.tried) - failures} kills), {self.not_reached} not reached: {counts}",
              flush=True)
