# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes of policies on a host: what is asked for by chance, and what comes of it."""

import collections
import time

import bus
from answered import Policy
from names import (FAILOVER, LEAST_BLOCKS, NONE, QUEUE_DEPTH, ROUND_ROBIN, SUBSET, SUCCESS, VENDOR,
                   WEIGHTED)

ANSWER = 60  # seconds, for any change

IN_FORCE = {SUCCESS, "ISDSC_FAILURE_TO_PERSIST_LB_POLICY"}
BUSY = {"ISDSC_SESSION_BUSY", "STATUS_DEVICE_BUSY"}
LOST = "org.freedesktop.DBus.Error.NoReply"

SESSIONS = (FAILOVER, FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED, VENDOR, VENDOR)
DISKS = (NONE, NONE, FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED, LEAST_BLOCKS)

# Of a session by its target, or of a disk by its map. `behind` another one about the same.
Change = collections.namedtuple("Change", "kind number policy request begun behind")


class Changes:
    """`under_way` has those that were not answered yet. What was answered goes into `answered`."""

    def __init__(self, agent, answered, watch, random, note):
        self.agent, self.answered, self.watch = agent, answered, watch
        self.host, self.random, self.note = agent.host, random, note
        self.under_way = []

    def minors(self, change):
        return self.answered.minors_of(change.number) if change.kind == "session" else [change.number]

    def busy(self):
        """The maps that they are about."""
        return {minor for change in self.under_way for minor in self.minors(change)}

    def watch_others(self):
        self.watch.expect(set(self.host.minors()) - self.busy())

    def choose(self, number, sids):
        """A policy over these paths, in some order, and what it is asked for with."""
        self.random.shuffle(sids)
        primaries = sids
        if number == FAILOVER:
            primaries = sids[:1]
        elif number in (ROUND_ROBIN, SUBSET):
            primaries = [sid for sid in sids if self.random.random() < 0.5] or sids[:1]
        weights = {sid: self.random.choice((5, 10, 20)) if number == WEIGHTED else 0 for sid in sids}
        policy = Policy(number, {sid: (sid in primaries, weights[sid]) for sid in sids})
        return policy, {"primaries": primaries, "weights": weights, "sids": sids}

    def begin_any(self):
        if self.random.random() < 0.6:
            self.begin_session()
        else:
            self.begin_disk()

    def begin_session(self):
        number, target = self.random.choice(SESSIONS), self.random.randrange(self.host.sessions)
        policy, asked = self.choose(number, self.host.members(target))
        self.begin("session", target, None if number == VENDOR else policy,
                   lambda: self.agent.begin_policy(number, target=target, **asked))

    def begin_disk(self):
        number, minor = self.random.choice(DISKS), self.random.choice(self.host.minors())
        if number == NONE:
            self.begin("disk", minor, None, lambda: self.agent.begin_disk_policy_raw(minor, NONE))
            return
        sids = [sid for target in self.answered.targets_of(minor) for sid in self.host.members(target)]
        policy, asked = self.choose(number, sids)
        if number == ROUND_ROBIN:  # which has no subset, of a disk's
            policy, asked["primaries"] = Policy(number, {sid: (True, 0) for sid in sids}), sids
        preferred = sids[0] if number == FAILOVER else None
        self.begin("disk", minor, policy,
                   lambda: self.agent.begin_disk_policy(minor, number, preferred=preferred, **asked))

    def begin(self, kind, number, policy, send):
        behind = any((each.kind, each.number) == (kind, number) for each in self.under_way)
        if behind and self.random.random() < 0.7:
            return  # it would be refused, mostly
        change = Change(kind, number, policy, None, time.monotonic(), behind)
        self.note("change", kind, number, policy)
        self.under_way.append(change)
        self.watch_others()
        self.under_way[-1] = change._replace(request=send())

    def come(self):
        """Those that are answered, in the order of their answers."""
        self.agent.process()
        order = list(self.agent.replies)
        return sorted((change for change in self.under_way if change.request.cookie in order),
                      key=lambda change: order.index(change.request.cookie))

    def take(self, change):
        """Its status, or what there was in place of one."""
        self.under_way.remove(change)
        try:
            status = change.request.status()
        except bus.Error as error:
            status = error.name
        self.note("answer", change.kind, change.number, status)
        if status in IN_FORCE:
            with self.watch.lock:
                self.answered.put(change.kind, change.number, change.policy)
        return status

    def late(self):
        return [change for change in self.under_way if time.monotonic() > change.begun + ANSWER]
