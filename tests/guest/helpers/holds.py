# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds policies, and the events in the life of a host that each policy has to survive: five
sessions with policies 1 to 5, on a target each, or six disks of one session with MPIO's 1 to 6.

An event hits all at once, and leaves the default target's session alone.
"""

import collections
import concurrent.futures
import dataclasses
import time
import unittest

import diskio
import dm
import drop_in
import iscsi
import lio
import multipathd
import network
import scene
import service
import stack
import wmi
from basic import run, wait_for
from disks import QL, RR, ST

ADDRESSES = A, B, C = lio.portals(3, first=42)
NEW = "127.0.0.46"

# How soon a policy has to hold when the stack is whole again.
HOLD_SECONDS = 5

# Reads and writes a second on each map.
RATE = 10


@dataclasses.dataclass(frozen=True)
class Hold:
    """A policy that is asked for, and the tiers that it means (src/plan/plan.h); also with the
    portal NEW, which joins later."""
    policy: int
    primaries: tuple
    weights: dict
    selector: str
    tiers: tuple
    tiers_with_new: tuple

    @property
    def map(self):
        """The name of the only map that shows it."""
        return lio.wwid(self.lun)

    def groups(self, with_new=False):
        """What dm.shapes() has to say of its map."""
        tiers = self.tiers_with_new if with_new else self.tiers
        return [(self.selector, frozenset(tier)) for tier in tiers]


class OfSession(Hold):
    """The policy of a session, which has a target of its own."""
    provenance = "session"

    @property
    def target(self):
        return f"iqn.2024-01.org.example:holds{self.policy}"

    @property
    def lun(self):
        return 10 + self.policy

    @property
    def holder(self):
        """What wmi.holders() calls its object."""
        return self.target

    def ask(self):
        """Set the policy; the Status."""
        return wmi.set_policy(self.policy, self.primaries, self.weights, ADDRESSES, self.target)

    def give_back(self):
        """Have none; the Status."""
        return wmi.set_policy(wmi.VENDOR, target=self.target)


class OfDisk(Hold):
    """The policy of a disk; all disks are of one session."""
    provenance = "disk"
    target = "iqn.2024-01.org.example:holds-disks"

    @property
    def lun(self):
        return 20 + self.policy

    @property
    def holder(self):
        return self.map

    def ask(self):
        """Likewise; failover has a preferred path, or it would stay where it went."""
        preferred = self.primaries[0] if self.policy == wmi.FAILOVER else None
        return wmi.set_disk(self.map, self.policy, self.primaries or None, preferred, self.weights,
                            ADDRESSES, self.target)

    def give_back(self):
        return wmi.set_disk_raw(self.map, wmi.NONE)


class OfTheDisksSession(OfSession):
    """The policy of the session of those disks, which no map shows."""
    target = OfDisk.target


# What is the same of a session and of a disk.
COMMON = (
    (wmi.FAILOVER, (B,), {}, RR, ([B], [A], [C]), ([B], [A], [C], [NEW])),
    (wmi.SUBSET, (B, C), {}, RR, ([B, C], [A]), ([B, C], [A, NEW])),
    (wmi.QUEUE_DEPTH, (), {}, QL, ([A, B, C],), ([A, B, C, NEW],)),
    (wmi.WEIGHTED, (), {A: 30, B: 10, C: 20}, RR, ([B], [C], [A]), ([B], [C], [A, NEW])),
)


def by_policy(kind, *more):
    """{policy: Hold} of what is common and of more."""
    return {each[0]: kind(*each) for each in sorted((*COMMON, *more), key=lambda each: each[0])}


HOLDS = by_policy(OfSession,
                  (wmi.ROUND_ROBIN, (A, B), {}, RR, ([A, B], [C]), ([A, B, NEW], [C])))
# A disk's round robin is over all of its paths.
DISKS = by_policy(OfDisk,
                  (wmi.ROUND_ROBIN, (), {}, RR, ([A, B, C],), ([A, B, C, NEW],)),
                  (wmi.LEAST_BLOCKS, (), {}, ST, ([A, B, C],), ([A, B, C, NEW],)))

# It means what no policy of a disk does, so that one that has lost its own shows it. (Without, it
# would have the host's own groups, which are those of Least Blocks.)
BELOW = OfTheDisksSession(wmi.SUBSET, (A,), {}, RR, ([A], [B, C]), ([A], [B, C, NEW]))


def tiers(policy, order):
    """What a policy with the portals in that order comes to in dm.shapes(), by src/plan/plan.h."""
    groups = {wmi.FAILOVER: [[each] for each in order],
              wmi.ROUND_ROBIN: [order[:2], order[2:]], wmi.SUBSET: [order[:1], order[1:]],
              wmi.QUEUE_DEPTH: [order], wmi.WEIGHTED: [[each] for each in order]}[policy]
    return [(QL if policy == wmi.QUEUE_DEPTH else RR, frozenset(group)) for group in groups]


def ask_in_order(target, policy, order):
    """Set a policy with the portals in that order, the first ones as primaries; the Status."""
    primaries = {wmi.FAILOVER: order[:1], wmi.ROUND_ROBIN: order[:2],
                 wmi.SUBSET: order[:1]}.get(policy, ())
    weights = {portal: i for i, portal in enumerate(order)}
    return wmi.set_policy(policy, primaries, weights, order, target)


def below(held):
    """What is set besides: the policy of the disks' session, where there are disks."""
    return [BELOW] if any(hold.target == BELOW.target for hold in held) else []


def targets(held):
    """Their targets, each once."""
    return list(dict.fromkeys(hold.target for hold in held))


def paths(held=HOLDS.values(), portals=len(ADDRESSES)):
    """How many paths there are with the default target's."""
    return lio.expected_paths() + portals * len(held)


def targets_up(held):
    """Make the targets."""
    luns = collections.defaultdict(list)
    for hold in held:
        luns[hold.target].append(hold.lun)
    for target in luns:
        lio.create(target, luns[target], ADDRESSES)


def wait_for_agreement(held):
    """Wait until kernel and multipathd agree with all of the policies. multipathd is asked at
    intervals, which counts here."""
    def wanting():
        found = wmi.holders()
        said = {hold.holder: tuple(found[hold.holder][word] for word in
                                   ("Agreement", "MultipathdAgreement", "Reason"))
                for hold in held}
        return {name: words for name, words in said.items() if words[:2] != ("Applied", "Agrees")}

    try:
        wait_for(lambda: not wanting(), 20, "agreement")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {wanting()}") from None


def up(held):
    """Targets, sessions that soon see a lost portal, and policies that multipathd knows."""
    targets_up(held)
    with multipathd.stopped():
        iscsi.discover(A, new_only=True)
        for address in ADDRESSES:
            iscsi.quick_timeouts(None, address)
            iscsi.login(None, address)
        stack.wait_for_disks(paths(held))
    stack.wait_for_paths(paths(held))
    for hold in (*held, *below(held)):
        status = hold.ask()
        assert status == wmi.SUCCESS, f"{hold}: {status:#010x}"
    wait_for_agreement(held)


def down(held):
    """Remove all that up() made, and what a test that failed has left."""
    there = {each.target for each in iscsi.sessions()}
    for target in targets(held):
        if target in there:
            iscsi.logout(target)
    stack.wait_for_paths()
    # All at once, for multipathd reads its configuration once for them.
    with concurrent.futures.ThreadPoolExecutor(len(held)) as pool:
        statuses = list(pool.map(lambda hold: hold.give_back(), held))
    statuses += [hold.give_back() for hold in below(held)]
    for hold, status in zip((*held, *below(held)), statuses):
        assert status == wmi.SUCCESS, f"{hold} given back: {status:#010x}"
    for target in targets(held):
        iscsi.forget(target)
        lio.remove(target)
    wait_for(lambda: not drop_in.FILE.exists(), 10,
             f"no file for multipathd (it had {sorted(drop_in.entries())})")


def before_reboot(name):
    """Have all that holds this module's HOLDS or DISKS, by that name, come up by itself: policies,
    sessions, the array, the service."""
    held = globals()[name].values()
    up(held)
    for target in targets(held):
        iscsi.log_in_at_boot(target)
    scene.target_at_boot(f"import holds; holds.targets_up(holds.{name}.values())")
    run("systemctl", "enable", service.UNIT)


class HoldsTest(unittest.TestCase):
    """Sets the policies of HELD, and knows what "the policy holds" is."""

    HELD = HOLDS.values()

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(down, cls.HELD)
        up(cls.HELD)

    def wrong(self, with_new=False, unusable=()):
        """{what has the policy, and which one: groups} of the maps that do not mean it."""
        shapes = dm.shapes()
        return {(hold.provenance, hold.policy): shapes.get(hold.map) for hold in self.HELD
                if not dm.same_meaning(shapes.get(hold.map, []), hold.groups(with_new), unusable)}

    def assert_means(self, **kwargs):
        """Every map means its policy, at once or within the time that is allowed."""
        try:
            wait_for(lambda: not self.wrong(**kwargs), HOLD_SECONDS, "")
        except TimeoutError:
            self.fail(f"after {HOLD_SECONDS} s these do not mean their policy: "
                      f"{self.wrong(**kwargs)}")
        self.assertEqual(dm.suspended(), [])

    def assert_holds(self, with_new=False):
        """As soon as the stack is whole, every map means its policy; then multipathd agrees and
        nothing stirs any more."""
        stack.wait_until_whole(paths(self.HELD, len(ADDRESSES) + with_new))
        self.assert_means(with_new=with_new)
        wait_for_agreement(self.HELD)
        wmi.wait_until_quiet()
        self.assertEqual(self.wrong(with_new), {})

    def assert_told(self):
        """The objects tell of the policies, and whose they are."""
        found = wmi.holders()
        self.assertEqual({hold.holder: (found[hold.holder]["LoadBalancePolicy"],
                                        found[hold.holder]["Provenance"]) for hold in self.HELD},
                         {hold.holder: (hold.policy, hold.provenance) for hold in self.HELD})


class Events(HoldsTest):
    """The events in order, with random reads and verified writes on all maps throughout; the last
    ones need idle maps. The kernel is the witness."""

    @classmethod
    def setUpClass(cls):
        cls.load = None
        super().setUpClass()
        cls.addClassCleanup(cls.stop_load)
        cls.load = diskio.Load([hold.map for hold in cls.HELD], RATE)
        cls.load.__enter__()

    @classmethod
    def stop_load(cls):
        """End the I/O; what went wrong with it in all the time."""
        if cls.load is None:
            return ""
        load, cls.load = cls.load, None
        load.__exit__()
        return load.error

    def assert_holds(self, *args, **kwargs):
        super().assert_holds(*args, **kwargs)
        if self.load:
            self.assertTrue(self.load.running(), "I/O ended with an error")

    def assert_found(self, before):
        """The service that has started anew found these tables, and left them."""
        self.assert_holds()
        self.assertEqual(dm.tables(), before)
        self.assertEqual({each["Reapplications"] for each in wmi.holders().values()}, {0})
        self.assert_told()

    def test_01_a_path_logs_out_and_in(self):
        iscsi.logout(None, B)
        iscsi.login(None, B)
        self.assert_holds()

    def test_02_a_portal_is_lost_and_returns(self):
        with network.blocked(B):
            wait_for(lambda: dm.is_failed(B), 60, "the loss")
            self.assert_means(unusable=[B])
        self.assert_holds()
        # Failover's primary carries all the I/O again.
        failover = next(hold for hold in self.HELD if hold.policy == wmi.FAILOVER)
        disk = {iscsi.portal_of(path): path for path in dm.maps()[failover.map].paths}
        with diskio.counting(disk.values()) as counted:
            time.sleep(1)
        self.assertGreater(counted[disk[B]], 0)
        self.assertEqual({counted[disk[each]] for each in disk if each != B}, {0})

    def test_03_the_target_restarts(self):
        restarted = targets(self.HELD)
        for enabled in (False, True):
            for target in restarted:
                lio.enable(enabled, name=target)
            if not enabled:
                wait_for(lambda: all(each.state != "LOGGED_IN" for each in iscsi.sessions()
                                     if each.target in restarted), 20, "all sessions down")
        self.assert_holds()

    def test_04_multipathd_reconfigures(self):
        before = dm.tables()
        multipathd.reconfigure()
        self.assertEqual(dm.tables(), before)
        self.assert_holds()

    def test_05_multipathd_restarts(self):
        multipathd.restart()
        self.assert_holds()

    def test_06_the_service_restarts(self):
        before = dm.tables()
        service.restart()
        self.assert_found(before)

    def test_07_the_service_is_killed(self):
        before, old = dm.tables(), service.main_pid()
        run("systemctl", "kill", "--signal=KILL", service.UNIT)
        wait_for(lambda: service.main_pid() not in (0, old), 20, "the service again")
        self.assert_found(before)

    def test_08_a_new_portal_logs_in(self):
        self.addCleanup(self.remove_new)
        for target in targets(self.HELD):
            lio.portal_add(NEW, name=target)
        iscsi.discover(NEW, new_only=True)
        iscsi.login(None, NEW)
        self.assert_holds(with_new=True)

    def remove_new(self):
        iscsi.logout(None, NEW)
        iscsi.forget(None, NEW)
        for target in targets(self.HELD):
            lio.portal_remove(NEW, name=target)
        stack.wait_until_whole(paths(self.HELD))
        self.assert_means()

    def test_09_a_path_changes_while_the_service_is_away(self):
        run("systemctl", "stop", service.UNIT)
        iscsi.logout(None, C)
        iscsi.login(None, C)
        stack.wait_until_whole(paths(self.HELD))
        service.restart()
        self.assert_holds()

    def test_10_no_read_or_write_had_an_error(self):
        self.assertIsNotNone(self.load)
        self.assertTrue(self.load.running())
        self.assertEqual(self.stop_load(), "")

    def test_11_unused_maps_are_flushed_and_made_again(self):
        self.stop_load()
        dm.flush_maps()
        run("multipathd", "reconfigure")
        self.assert_holds()

    def test_12_all_paths_log_out_and_in(self):
        self.stop_load()
        for portal in ADDRESSES:
            iscsi.logout(None, portal)
        # A map that udev has open just then stays, without a path.
        wait_for(lambda: not any(each.paths for name, each in dm.maps().items()
                                 if name in {hold.map for hold in self.HELD}), 20,
                 "no path left")
        self.assert_told()
        for portal in ADDRESSES:
            iscsi.login(None, portal)
        self.assert_holds()
