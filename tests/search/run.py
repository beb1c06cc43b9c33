# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of the search: a host on which policies change and things happen, with what has to hold meanwhile."""

import contextlib
import random
import time

import agent
import bus
import happenings
import names
from answered import Answered
from changes import BUSY, IN_FORCE, LOST, Changes
from stored import Stored
from watch import Watch

PAUSES = (0, 0.005, 0.02, 0.1, 0.3, 0.6)  # seconds between steps
ROUNDS, STEPS = 3, 25  # at the end of each round it comes to rest
SETTLE = 60  # seconds until all is as it has to be, when nothing happens any more
LIE = 3  # seconds for which what is said need not be so
PATIENCE = 15  # seconds for which a change waits for multipathd, before the maps come first


class Wrong(Exception):
    pass


class Run:
    """`log` has what was done."""

    def __init__(self, made_up, seed, kinds):
        self.host, self.random, self.kinds = made_up, random.Random(seed), kinds
        self.sids = sorted(made_up.up)
        self.targets = range(made_up.sessions)
        self.log = []
        self.agent = agent.Agent(made_up)
        self.answered = Answered(made_up, self.agent.connection_id)
        self.watch = Watch(made_up, self.answered)
        self.changes = Changes(self.agent, self.answered, self.watch, self.random, self.note)
        self.faults = []
        self.disturbed = set()  # maps of changes in whose midst they were given other groups, or paths
        self.away = []  # maps that are to return
        self.untold = 0  # until then, multipathd may know what counts no more
        self.n_untold = 0  # how often the service has said so
        self.knows_store = True  # it has not failed
        self.be_quiet()

    def note(self, *what):
        self.log.append((time.monotonic(), *what))

    @staticmethod
    def expect(condition, *what):
        if not condition:
            raise Wrong(" ".join(map(str, what)))

    def rest(self, seconds, minors=None):
        """For so long from now these maps, or all, may carry other groups; they can be repaired for that."""
        until = time.monotonic() + seconds + self.host.udev.seconds
        if minors is None:
            minors, self.untold = self.host.minors(), max(self.untold, until)
        self.disturbed |= self.changes.busy() & set(minors)
        for minor in minors:
            self.causes.add(minor)
            self.watch.rests[minor] = max(self.watch.rests[minor], until)

    def end_rest(self, seconds):
        """Of what was over all maps and has an end."""
        self.watch.rests.clear()
        self.untold = 0
        self.rest(seconds)

    def fault(self, call, **what):
        if len(self.faults) < 8:
            self.note("fault", call, what)
            self.causes |= set(self.host.minors())
            self.faults.append(self.host.dm.fault(call, **what))

    def bring_back(self):
        """All that are away, as multipathd builds them; what no policy counts for is the host's own."""
        while self.away:
            minor = self.away.pop()
            self.note("map returns", minor)
            with self.host.multipathd.standing_still():
                self.host.load_map(minor, self.host.multipathd.would_build(minor))
            carried, wanted = self.watch.carried(minor), self.watch.wanted(minor)
            is_told = time.monotonic() > self.untold and not self.changes.under_way and not self.faults
            self.expect(carried == wanted or self.answered.counts(minor) or not is_told, "map", minor,
                        "returns as", carried)
            self.rest(happenings.LOOK, [minor])

    # --- What the service says

    def poll(self):
        self.expect(self.host.service.poll() is None, "the service has ended")
        for change in self.changes.come():
            status, minors = self.changes.take(change), set(self.changes.minors(change))
            if status not in IN_FORCE:
                self.expect(self.kinds & happenings.MAKE_FAIL or (change.behind and status in BUSY),
                            status, "was answered to", change)
                self.rest(happenings.LOOK, minors)
            if self.is_untold(change):
                self.rest(happenings.UNTOLD, minors)
            self.rest(happenings.LOOK, minors & self.disturbed)
            self.disturbed -= minors
        self.expect(not self.changes.late(), "there is no answer to", self.changes.late())
        self.changes.watch_others()
        self.expect(not self.watch.wrong, *self.watch.wrong[:1])

    def is_untold(self, change):
        """Whether multipathd, on a slow machine, may have begun to read the entries after the answer."""
        before, self.n_untold = self.n_untold, self.host.said().count("multipathd does not read the policy")
        return self.n_untold > before or time.monotonic() > change.begun + PATIENCE

    def repairs(self):
        return {minor: self.agent.disk(minor, "Reapplications") for minor in self.host.minors()}

    def lies(self, target):
        """What two properties of a session say that has not been so for a while."""
        words = ("Agreement", "Applied"), ("MultipathdAgreement", "Agrees")
        minors = set(self.answered.minors_of(target))
        for (name, best), wrong in zip(words, self.watch.wrong_for(LIE)):
            with contextlib.suppress(bus.Error):  # there is no such session
                if wrong & minors and self.agent.session(name, target) == best:
                    yield name, best, wrong & minors

    def expect_no_lie(self):
        """Of what was so before it was asked for, and still is."""
        target = self.random.choice(self.targets)
        for name, best, wrong in list(self.lies(target)):
            still = [lie for lie in self.lies(target) if lie[0] == name]
            self.expect(not still, f"session {target}'s {name} is {best}, but:", *map(self.describe, wrong))

    def describe(self, minor):
        return (f"map {minor} carries {self.watch.carried(minor)}, is built as {self.watch.built(minor)}, "
                f"has to be {self.watch.wanted(minor)};")

    # --- Another service

    def start_anew(self, gently):
        self.note("the end", "of itself" if gently else "by a signal")
        self.rest(happenings.EVER)
        if gently:
            self.expect(self.host.stop() == 0, "the service has not ended well")
        else:
            self.host.kill()
        lost = self.take_last()
        self.expect(not gently or not lost, "it has ended without an answer to", lost)
        self.clear_faults()
        self.expect(not any(self.host.dm.read(minor).suspended for minor in self.host.minors()), "a map is suspended")
        self.expect_stored(lost)
        self.agent.close()
        self.host.start()
        self.agent = self.changes.agent = agent.Agent(self.host)
        with self.watch.lock:
            stored = self.stored()
            self.answered.sessions, self.answered.disks = stored.sessions, stored.disks
        self.knows_store = True
        self.note("another service")
        self.end_rest(happenings.UNTOLD)

    def take_last(self):
        """The changes that nobody knows the end of."""
        lost = []
        while self.changes.under_way:
            lost += [change for change in self.changes.come() if self.changes.take(change) == LOST]
            self.expect(not self.changes.late(), "the bus has lost", self.changes.late())
        return lost

    def stored(self):
        return Stored(self.host, self.sids, self.agent.connection_id)

    def expect_stored(self, lost=()):
        """What was answered, or what may have become of the others."""
        stored = self.stored()
        keys = [("session", target) for target in self.targets]
        keys += [("disk", minor) for minor in self.host.minors()]
        for key in keys if self.knows_store else ():
            possible = [self.answered.get(*key)]
            possible += [change.policy for change in lost if (change.kind, change.number) == key]
            self.expect(stored.get(*key) in possible, *key, "is stored as", stored.get(*key), "not", possible)

    # --- Rest

    def clear_faults(self):
        while self.faults:
            self.faults.pop().clear()

    def unsettled(self):
        """What is not as it has to be, in words."""
        told = self.host.drop_in.read_text() if self.host.drop_in.exists() else ""
        objects = self.agent.objects()
        for minor in self.host.minors():
            found, wanted = self.host.dm.read(minor), self.watch.wanted(minor)
            is_told = self.watch.is_told(wanted)
            has_policy = self.answered.counts(minor)
            if names.disk_path(minor) not in objects:
                yield f"map {minor} is not known"
            if self.watch.carried(minor) != wanted:
                yield f"map {minor} carries {self.watch.carried(minor)}, not {wanted}"
            if found.suspended or found.inactive:
                yield f"map {minor} is suspended or has another table: {found}"
            if (self.host.wwid(minor) in told) != (has_policy and is_told):
                yield f"map {minor} has {'no ' if is_told and has_policy else 'an '}entry"
            if is_told and self.watch.built(minor) != wanted:
                yield f"multipathd would build map {minor} as {self.watch.built(minor)}, not {wanted}"
        for target in self.targets:
            if target in self.answered.sessions and self.answered.minors_of(target):
                agreement = self.agent.session("Agreement", target)
                if agreement != "Applied":
                    yield f"session {target} is {agreement}: {self.agent.session('Reason', target)}"
        if self.knows_store and self.stored().unfinished:
            yield f"unfinished is {self.stored().unfinished}"

    def settle(self):
        until = time.monotonic() + SETTLE
        while unsettled := list(self.unsettled()):
            self.expect(time.monotonic() < until, "not settled:", *unsettled)
            for minor in self.host.minors():
                if len(self.host.paths(minor)) != sum(len(group) for _, group in self.watch.carried(minor)):
                    self.host.multipathd.load(minor)
            self.poll()
            time.sleep(0.05)

    def come_to_rest(self):
        self.clear_faults()
        self.bring_back()
        while self.changes.under_way:
            self.poll()
            time.sleep(0.01)
        self.note("rest")
        self.expect_stored()
        self.settle()
        left = list(self.host.multipathd.directory.glob(".*"))
        self.expect(not left, "left over:", left)
        again = {minor: times for minor, times in self.repairs().items()
                 if minor not in self.watch.alone | self.causes and times != self.counted.get(minor)}
        self.expect(not again, "repairs without a cause:", again, "before:", self.counted)
        self.be_quiet()

    def be_quiet(self):
        self.counted, self.causes = self.repairs(), set()
        self.watch.alone.clear()
        self.watch.rests.clear()
        self.untold = 0

    # --- A run

    def step(self):
        """A change, or something that happens."""
        if self.random.random() < 0.5:
            self.changes.begin_any()
        elif self.kinds:
            happens, how_often = happenings.ALL[self.random.choice(sorted(self.kinds))]
            if self.random.random() < how_often:
                happens(self)
        until = time.monotonic() + self.random.choice(PAUSES)
        self.poll()
        while time.monotonic() < until:
            time.sleep(0.004)
            self.poll()
        self.expect_no_lie()

    def run(self):
        with self.watch:
            for _ in range(ROUNDS):
                for _ in range(STEPS):
                    self.step()
                self.come_to_rest()
        self.agent.close()
        self.expect(self.host.stop() == 0, "the service has not ended well")
        self.expect("Sanitizer" not in self.host.said() and "runtime error" not in self.host.said(),
                    "the sanitizers have found something")
