# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was answered with success, and what groups maps have by that: the service's own rules, once more.

Whoever asks has connections by kernel session id, maps by minor number, and groups as Host.shape() has them.
"""

import collections

from names import FAILOVER, LEAST_BLOCKS, QUEUE_DEPTH, ROUND_ROBIN, SUBSET, WEIGHTED

# `paths` has those that were named, {sid: (primary, weight)}, in their order.
Policy = collections.namedtuple("Policy", "number paths")

SELECTORS = collections.defaultdict(lambda: "round-robin 0",
                                    {QUEUE_DEPTH: "queue-length 0", LEAST_BLOCKS: "service-time 0"})


def selector(policy):
    return SELECTORS[policy.number]


def tier(policy, sid):
    """The best is the lowest; a path that was not named has joined later."""
    is_late = sid not in policy.paths
    primary, weight = policy.paths.get(sid, (False, 0))
    if policy.number == FAILOVER:
        return int(not primary and bool(policy.paths))
    if policy.number == ROUND_ROBIN:
        return int(not primary and not is_late)
    if policy.number == SUBSET:
        return int(not primary)
    if policy.number == WEIGHTED:
        return max(weight for _, weight in policy.paths.values()) if is_late else weight
    return 0


class Answered:
    """`sessions` has policies by target, those chosen last first; `disks` by map."""

    def __init__(self, host, connection_id):
        self.host, self.connection_id = host, connection_id
        self.sessions, self.disks = {}, {}
        self.access = collections.defaultdict(int)  # by path, (sid, LUN): the lowest leads

    def targets_of(self, minor):
        return (minor // self.host.luns, *self.host.joined.get(minor, ()))

    def minors_of(self, target):
        return [minor for minor in self.host.minors() if target in self.targets_of(minor)]

    def put(self, kind, number, policy):
        """None: it was given back."""
        if kind == "disk":
            self.disks.pop(number, None)
            if policy:
                self.disks[number] = policy
            return
        others = {target: other for target, other in self.sessions.items() if target != number}
        self.sessions = {number: policy, **others} if policy else others

    def get(self, kind, number):
        return (self.disks if kind == "disk" else self.sessions).get(number)

    def _policies(self, minor, sids):
        """Those that count for a map, each with its paths; the last of them have none."""
        if minor in self.disks:
            return [(self.disks[minor], sids)]
        found = [(policy, [sid for sid in sids if self.host.target(sid) == target])
                 for target, policy in self.sessions.items()]
        return [(policy, own) for policy, own in found if own]

    def counts(self, minor):
        """Whether any policy does, for a map."""
        return minor in self.disks or any(target in self.sessions for target in self.targets_of(minor))

    def _places(self, policy, sids):
        """(tier, place in it) of each path."""
        named = list(policy.paths)
        for sid in sids:
            place = (0, named.index(sid)) if sid in named else (1, self.connection_id(sid))
            yield sid, tier(policy, sid), place

    def groups(self, minor, sids):
        """Of a map that has paths of these; None: it is the host's own."""
        policies = self._policies(minor, sids)
        if not policies:
            return None
        joins = len({selector(policy) for policy, _ in policies}) == 1 and not any(
            policy.number in (FAILOVER, WEIGHTED) for policy, _ in policies)
        slots = []
        for rank, (policy, own) in enumerate(policies):
            for sid, best, place in self._places(policy, own):
                alone = place if policy.number == FAILOVER else None
                slots.append(((0 if joins else rank, best, alone or ()), selector(policy), sid))
        placed = {sid for *_, sid in slots}
        last = (len(policies), 0, ())
        slots += [(last, selector(policies[0][0]), sid) for sid in sids if sid not in placed]
        return self._join(minor % self.host.luns, slots)

    def _join(self, lun, slots):
        """Those that are alike; none has paths of two access states, which rank before all else."""
        groups = {}
        for key, name, sid in sorted((((self.access[sid, lun], *key), name, sid) for key, name, sid in slots),
                                     key=lambda slot: slot[0]):
            groups.setdefault(key, (name, set()))[1].add(sid)
        return list(groups.values())
