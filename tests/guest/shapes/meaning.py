# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a policy comes to in a map (src/plan/plan.h), and whether multipathd can be told. Pure.

A path is known by its connection.
"""

import dataclasses

RR, QL = "round-robin", "queue-length"
FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED = range(1, 6)

# What multipathd keeps of prio_args (docs/design.md).
PRIO_ARGS_MAX = 254


@dataclasses.dataclass(frozen=True)
class Request:
    """A policy for a session: its connections in order, with who is primary and who weighs what."""
    policy: int
    order: tuple
    primaries: frozenset = frozenset()
    weights: dict = dataclasses.field(default_factory=dict)

    @property
    def selector(self):
        return QL if self.policy == QUEUE_DEPTH else RR

    def tier(self, connection):
        if self.policy == FAILOVER:
            return -1 if connection in self.primaries else self.order.index(connection)
        if self.policy == WEIGHTED:
            return self.weights[connection]
        return int(self.policy != QUEUE_DEPTH and connection not in self.primaries)


def rank(access):
    """The place of an access state, as sysfs has it: what is unknown is as good as the best."""
    return {"": 0, "active/optimized": 0, "active/non-optimized": 1}.get(access, 2)


def request(policy, order, access):
    """One that is allowed (row 12): primaries are of the best access state that the session has."""
    best = [each for each in order if rank(access[each]) == min(map(rank, access.values()))]
    primaries = {FAILOVER: best[-1:], ROUND_ROBIN: best[: (len(best) + 1) // 2],
                 SUBSET: best[-1:]}.get(policy, ())
    weights = {each: 10 * (i % 3) + 1 for i, each in enumerate(reversed(order))}
    return Request(policy, tuple(order), frozenset(primaries),
                   weights if policy == WEIGHTED else {})


def groups(requests, access):
    """The groups of a map with these paths, {connection: access state}: [(selector, connections)]. A
    second request is one whose tiers join those of the first."""
    places = {}
    for connection, state in access.items():
        own = [each for each in requests if connection in each.order]
        place = (rank(state), 0, own[0].tier(connection)) if own else (rank(state), 1, 0)
        places.setdefault(place, set()).add(connection)
    return [(requests[0].selector, frozenset(places[place])) for place in sorted(places)]


def prio_args(tiers, address, dense=False):
    """What multipathd has to be told of a map's groups: all paths by address, but for the last tier's.
    Dense, those of a tier together that differ in their hosts alone."""
    words = ["hbtl"]
    for i, (_, members) in enumerate(tiers[:-1]):
        alike = {}
        for each in sorted(members):
            host, place = address[each].split(":", 1)
            alike.setdefault((place, None if dense else each), []).append(host)
        for (place, _), hosts in alike.items():
            one_of = f"({'|'.join(hosts)})" if len(hosts) > 1 else hosts[0]
            words.append(f"^{one_of}:{place}$ {10 * (len(tiers) - i)}")
    return " ".join([*words, ".* 10"])


def can_be_told(tiers, address):
    """Whether multipathd can be told of them; one group is told of without an address."""
    return len(tiers) == 1 or min(len(prio_args(tiers, address, dense))
                                  for dense in (False, True)) <= PRIO_ARGS_MAX
