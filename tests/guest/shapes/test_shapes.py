# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each shape of list.txt that has the bus that runs: one job, of which the kernel is the witness. The
other ones follow when the guest has rebooted. A failure says which step it was, and of which shape.
"""

import contextlib
import time
import unittest

import choose
import diskio
import dm
import iscsi
import lio
import meaning
import multipathd
import service
import shape
import stack
import wmi
from basic import look_in, run, wait_for

# How soon tables are right again when something has happened to the host.
SECONDS = 45

# Reads and writes a second on the disk that is used.
RATE = 20


def without_default_target():
    """The shapes' targets are the only ones."""
    if iscsi.sessions():
        iscsi.logout()
        wait_for(lambda: not dm.maps(), 30, "the end of the default target's maps")
    if lio.tpg().exists():
        lio.remove()


def bus_that_runs():
    found = run("systemctl", "show", "--property=Id", "--value", "dbus.service")
    return "broker" if "broker" in found else "daemon"


class Job:
    """What is done on a shape, a step each."""

    def __init__(self, values):
        self.values = values
        self.shape = shape.Shape(values)
        self.times = {}

    @contextlib.contextmanager
    def step(self, name):
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            raise AssertionError(f"step '{name}': {error}") from error
        finally:
            self.times[name] = time.monotonic() - began

    def run(self):
        self.since = time.time()
        for name, function in self.shape.parts_up.items():
            with self.step(name):
                function()
        self.own = shape.Seen().tables()
        with diskio.Load(files=[self.shape.used], rate=RATE) as load:
            self.policies()
            self.events()
            with self.step("given back"):
                self.give_back()
            ran_on = load.running()
        with self.step("data"):
            assert ran_on and not load.error, load.output
            self.shape.disk_down()
        with self.step("journal"):
            self.assert_journal()

    # Policies

    @staticmethod
    def wanted(seen, *requests):
        return {wwid: meaning.groups(requests, access) for wwid, access in seen.access().items()}

    def wrong(self, *requests):
        """{WWID: (groups, what the policies mean)} of the maps that are not right."""
        seen = shape.Seen()
        found, wanted = seen.tables(), self.wanted(seen, *requests)
        return {wwid: (found.get(wwid), wanted.get(wwid)) for wwid in self.shape.wwids
                if found.get(wwid) != wanted.get(wwid)}

    def assert_right(self, *requests, seconds=0):
        found = look_in(seconds, lambda: self.wrong(*requests), lambda wrong: not wrong)
        assert not found, f"{len(found)} maps are wrong: {dict(list(found.items())[:2])}"
        assert not dm.suspended(), dm.suspended()

    def policies(self):
        """Each policy, the one that is to hold last: live in all maps when it is answered."""
        held = self.values["holds"]
        for policy in sorted(wmi.POLICIES, key=lambda each: (each == held, each)):
            with self.step(f"policy {policy}"):
                self.asked = self.shape.ask(policy)
                self.assert_right(self.asked)

    # Events

    def events(self):
        steps = {"agreement": self.agreement, "reads": self.reads, "reconfigure": self.reconfigure,
                 "path": self.path_out_and_in, "turn": self.turn,
                 "service restart": self.service_restarts, "other session": self.other_session,
                 "marginal": self.marginal}
        for name, function in steps.items():
            with self.step(name):
                function()

    def agreement(self):
        """multipathd agrees; or it cannot be told, as Reason says, and the service puts right what it builds."""
        told = self.can_be_told()
        wanted = ("Applied", "Agrees" if told else "Alone", "" if told else "cannot be told of map")

        def right(said):
            return said[:2] == wanted[:2] and wanted[2] in said[2] and bool(said[2]) != told

        said = look_in(SECONDS, self.said, right)
        assert right(said), f"{said}, not {wanted}"
        self.assert_right(self.asked, seconds=0 if told else 5)

    def can_be_told(self):
        """Whether multipathd can be told of all maps."""
        seen = shape.Seen()
        return all(meaning.can_be_told(groups, seen.addresses(wwid))
                   for wwid, groups in self.wanted(seen, self.asked).items())

    def said(self):
        return tuple(wmi.session(name, shape.TARGET)
                     for name in ("Agreement", "MultipathdAgreement", "Reason"))

    def reads(self):
        """All I/O of the disk that is used goes by the first group, once multipathd knows its priority.
        Where it cannot be told, it has a group used that has most paths, say: a read is a read then."""
        each, told = shape.Seen().maps[self.shape.wwids[0]], self.can_be_told()
        current = look_in(SECONDS if told else 0, lambda: dm.current_groups()[each.name],
                          lambda number: number == 1)
        assert current == 1 or not told, f"group {current} is in use: {each.groups}"
        with diskio.counting(each.paths) as counted:
            diskio.read_map(each.name, count=50)
        first, all_of_it = sum(counted[path] for path in each.groups[0].paths), sum(counted.values())
        assert all_of_it >= 40 and (first == all_of_it or not told), f"{counted} in {each.groups}"

    def reconfigure(self):
        multipathd.reconfigure()
        self.assert_right(self.asked, seconds=5)

    def path_out_and_in(self):
        """Those of a primary's portal, where some are left."""
        if len(self.shape.portals) == 1:
            return
        portal = self.shape.near[-1]
        for function in (iscsi.logout, iscsi.login):
            function(shape.TARGET, portal, iface="default")
        stack.wait_until_whole(self.shape.paths_due)
        self.assert_right(self.asked, seconds=SECONDS)
        self.agreement()

    def turn(self):
        """The array moves LUNs to its other target port group, and back."""
        if self.values["access"] not in ("transitioning", "changing"):
            return
        before = shape.Seen().access()
        for states in (shape.TURNED, shape.STATES):
            self.shape.turn(states, self.shape.luns[:2])
            wait_for(lambda: self.knows_of_turn(before, states is shape.STATES), SECONDS,
                     "the kernel's knowledge of it", interval=1)
            self.assert_right(self.asked, seconds=SECONDS)
        self.agreement()

    @staticmethod
    def knows_of_turn(before, back):
        """Whether the kernel has access states that stay: those of before, or other ones."""
        access = shape.Seen().access()
        return ((access == before) == back
                and not any("transitioning" in each.values() for each in access.values()))

    def service_restarts(self):
        before = dm.tables()
        service.restart()
        self.agreement()
        assert dm.tables() == before, "tables have changed"
        assert wmi.session("Reapplications", shape.TARGET) == 0

    def other_session(self):
        """A policy of the other session over the same LUNs joins, where both are of one kind."""
        for other in self.shape.sessions_due()[1:]:
            self.asked = self.shape.ask(wmi.QUEUE_DEPTH)
            self.assert_right(self.asked, self.shape.ask(wmi.QUEUE_DEPTH, *other))
            self.shape.give_back(*other)
            self.assert_right(self.asked)

    def marginal(self):
        """multipathd takes a path for marginal, and puts it behind the others, whatever an entry says."""
        seen = shape.Seen()
        of_disk = seen.maps[self.shape.wwids[0]]
        if self.values["marginal"] == "off" or len(of_disk.paths) == 1:
            return
        path = of_disk.groups[0].paths[0]
        moves = self.values["access"] == "explicit" and self.is_best_alone(seen, of_disk, path)
        if moves or not self.can_be_told():
            self.survive(path)
        else:
            self.contest(path)

    @staticmethod
    def is_best_alone(seen, of_disk, path):
        """Whether no other path of the map has as good an access state."""
        access = seen.access()[of_disk.wwid]
        best = access.pop(seen.known[path])
        return all(meaning.rank(state) > meaning.rank(best) for state in access.values())

    def survive(self, path):
        """Where the kernel has the array move the LUN to the path that multipathd puts first, what the
        policy means goes with it. Where multipathd cannot be told, the service holds the map for good."""
        for command in ("setmarginal", "unsetmarginal"):
            self.say_of(path, command)
            self.assert_right(self.asked, seconds=SECONDS)

    def contest(self, path):
        """The groups are given again, and again, and then no more; the reason has its name."""
        for _ in range(8):
            given = wmi.session("Reapplications", shape.TARGET)
            self.say_of(path, "setmarginal")
            said = look_in(SECONDS, self.said, lambda said: "marginal_pathgroups" in said[2] and (
                said[0] == "Contested" or wmi.session("Reapplications", shape.TARGET) > given))
            self.say_of(path, "unsetmarginal")
            if said[0] == "Contested":
                break
        assert said[0] == "Contested" and "marginal_pathgroups" in said[2], said
        self.asked = self.shape.ask(self.values["holds"])
        self.assert_right(self.asked)

    @staticmethod
    def say_of(path, command):
        """multipathd answers some commands that it does not know with success: its state counts."""
        run("multipathd", command, "path", path)
        states = run("multipathd", "show", "paths", "format", "%d %M").splitlines()
        state = {"setmarginal": "marginal", "unsetmarginal": "normal"}[command]
        assert [path, state] in map(str.split, states), states

    # The end

    def give_back(self):
        """Policy 6 gives each map the groups that multipathd makes of it, as in the beginning."""
        if self.values["access"] == "explicit":  # the host has asked for states as well
            self.shape.turn(shape.STATES, self.shape.luns)
        self.shape.give_back()

        def different():
            found = shape.Seen().tables()
            return {wwid: (found[wwid], self.own[wwid]) for wwid in self.shape.wwids
                    if sorted(map(repr, found[wwid])) != sorted(map(repr, self.own[wwid]))}

        found = look_in(10, different, lambda found: not found)
        assert not found, f"not as before: {dict(list(found.items())[:2])}"
        multipathd.reconfigure()
        assert not different(), different()

    def account(self):
        """How long it took, for people."""
        answers = self.shape.answers
        return (f"{self.shape.paths_due} paths: "
                + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.times.items()
                            if seconds >= 0.5)
                + f"; {len(answers)} answers in {sum(answers):.1f} s, the longest in"
                f" {max(answers, default=0):.1f} s")

    def journal(self):
        """The end of what multipathd and the service said."""
        run("journalctl", "--sync")
        return run("journalctl", "--unit=multipathd.service", f"--unit={service.UNIT}",
                   f"--since=@{self.since:.3f}", "--lines=60", "--output=short-precise",
                   "--no-hostname", "--no-pager", "--quiet", check=False)

    def assert_journal(self):
        run("journalctl", "--sync")
        lines = run("journalctl", f"--unit={service.UNIT}", f"--since=@{self.since:.3f}",
                    "--priority=err", "--output=cat", "--no-pager", "--quiet", check=False)
        assert not lines, lines


class ShapesTest(unittest.TestCase):
    """A test of each shape that has one of the buses."""

    BUS = None

    def __init_subclass__(cls):
        for number, values in enumerate(choose.shapes(), 1):
            if values["bus"] == cls.BUS:
                setattr(cls, f"test_{number:02}",
                        lambda self, number=number, values=values: self.check(number, values))

    @classmethod
    def setUpClass(cls):
        assert bus_that_runs() == cls.BUS, bus_that_runs()
        print(choose.summary(choose.shapes()), flush=True)
        without_default_target()

    def check(self, number, values):
        job = Job(values)
        self.addCleanup(self.tear_down, number, job)
        try:
            job.run()
        except AssertionError as error:
            raise AssertionError(f"shape {number}, {values}: {error}\n{job.journal()}") from error
        finally:
            print(f"        shape {number}: {job.account()}", flush=True)

    @staticmethod
    def tear_down(number, job):
        began = time.monotonic()
        job.shape.tear_down()
        print(f"        shape {number}: taken down in {time.monotonic() - began:.0f} s", flush=True)


class Broker(ShapesTest):
    """By the bus that the guest boots with, where both are installed."""
    BUS = "broker"
