# SPDX-License-Identifier: LGPL-2.1-or-later
"""Five sessions that each hold a policy of their own, 1 to 5, on targets and portals of their own.

An event hits all five at once, and leaves the default target's session alone.
"""

import concurrent.futures
import dataclasses
import unittest

import lab
import wmi

RR, QL = "round-robin", "queue-length"

ADDRESSES = A, B, C = lab.portals(3, first=42)
NEW = "127.0.0.46"

# How soon a policy has to hold when the stack is whole again.
HOLD_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class Hold:
    """A session: the policy that is asked for, and the tiers that it means, by DESIGN section 3;
    also with the portal NEW, which joins later."""
    policy: int
    primaries: tuple
    weights: dict
    selector: str
    tiers: tuple
    tiers_with_new: tuple

    @property
    def target(self):
        return f"iqn.2024-01.org.example:holds{self.policy}"

    @property
    def lun(self):
        return 10 + self.policy

    @property
    def map(self):
        """The name of its only map."""
        return lab.wwid(self.lun)

    def groups(self, with_new=False):
        """What wmi.shapes() has to say of its map."""
        tiers = self.tiers_with_new if with_new else self.tiers
        return [(self.selector, frozenset(tier)) for tier in tiers]

    def ask(self):
        """Set the policy; the Status."""
        return wmi.set_policy(self.policy, self.primaries, self.weights, ADDRESSES, self.target)


HOLDS = {each.policy: each for each in (
    Hold(wmi.FAILOVER, (B,), {}, RR, ([B], [A], [C]), ([B], [A], [C], [NEW])),
    Hold(wmi.ROUND_ROBIN, (A, B), {}, RR, ([A, B], [C]), ([A, B, NEW], [C])),
    Hold(wmi.SUBSET, (B, C), {}, RR, ([B, C], [A]), ([B, C], [A, NEW])),
    Hold(wmi.QUEUE_DEPTH, (), {}, QL, ([A, B, C],), ([A, B, C, NEW],)),
    Hold(wmi.WEIGHTED, (), {A: 30, B: 10, C: 20}, RR, ([B], [C], [A]), ([B], [C], [A, NEW])),
)}


def paths(each_has=len(ADDRESSES), policies=tuple(HOLDS)):
    """How many paths there are with the default target's."""
    return lab.expected_paths() + each_has * len(policies)


def targets_up(policies=tuple(HOLDS)):
    """Make the targets."""
    for policy in policies:
        hold = HOLDS[policy]
        lab.target_create(hold.target, [hold.lun], ADDRESSES)


def up(policies=tuple(HOLDS)):
    """Targets, sessions that soon see a lost portal, and policies that multipathd knows."""
    targets_up(policies)
    with lab.multipathd_stopped():
        lab.discover(A, new_only=True)
        for address in ADDRESSES:
            lab.quick_timeouts(None, address)
            lab.login(None, address)
        lab.wait_for_disks(paths(policies=policies))
    lab.wait_for_paths(paths(policies=policies))
    for policy in policies:
        status = HOLDS[policy].ask()
        assert status == wmi.SUCCESS, f"policy {policy}: {status:#010x}"
    wmi.wait_for_agreement(*(HOLDS[policy].target for policy in policies))


def down(policies=tuple(HOLDS)):
    """Remove all that up() made, and what a test that failed has left."""
    targets = [HOLDS[policy].target for policy in policies]
    there = {each.target for each in lab.sessions()}
    for target in targets:
        if target in there:
            lab.logout(target)
    lab.wait_for_paths()
    # All at once, for multipathd reads its configuration once for them.
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        statuses = pool.map(lambda target: wmi.set_policy(wmi.VENDOR, target=target), targets)
    for target, status in zip(targets, statuses):
        assert status == wmi.SUCCESS, f"policy 6 for {target}: {status:#010x}"
        lab.forget(target)
        lab.target_remove(target)
    lab.wait_for(lambda: not wmi.MULTIPATHD_FILE.exists(), 10,
                 f"no file for multipathd (it had {sorted(wmi.entries())})")


class HoldsTest(unittest.TestCase):
    """Has the five sessions, and what "the policy holds" is."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(down)
        up()

    def wrong(self, policies, with_new=False, unusable=()):
        """{policy: groups} of the maps that do not mean their policy."""
        shapes = wmi.shapes()
        found = {policy: shapes.get(HOLDS[policy].map, []) for policy in policies}
        return {policy: groups for policy, groups in found.items()
                if not wmi.same_meaning(groups, HOLDS[policy].groups(with_new), unusable)}

    def assert_means(self, policies=tuple(HOLDS), **kwargs):
        """Every map means its policy, at once or within the time that is allowed."""
        try:
            lab.wait_for(lambda: not self.wrong(policies, **kwargs), HOLD_SECONDS, "")
        except TimeoutError:
            self.fail(f"after {HOLD_SECONDS} s these do not mean their policy: "
                      f"{self.wrong(policies, **kwargs)}")
        self.assertEqual(wmi.suspended(), [])

    def assert_holds(self, with_new=False, policies=tuple(HOLDS)):
        """As soon as the stack is whole, every map means its policy; then multipathd agrees and
        nothing stirs any more."""
        lab.wait_until_whole(paths(len(ADDRESSES) + with_new, policies))
        self.assert_means(policies, with_new=with_new)
        wmi.wait_for_agreement(*(HOLDS[policy].target for policy in policies))
        wmi.wait_until_quiet()
        self.assertEqual(self.wrong(policies, with_new), {})
