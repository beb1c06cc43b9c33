# SPDX-License-Identifier: LGPL-2.1-or-later
"""A minute of everything at once, on five sessions under load; then each policy has to hold."""

import collections
import concurrent.futures
import random
import time

import diskio
import dm
import holds
import iscsi
import network
import stack
import wmi
from basic import run, wait_for
from holds import ADDRESSES, HOLDS

SECONDS = 60
CLIENTS = 3
RATE = 10

# Cables are pulled at some portals, sessions log out and in at the others: open-iscsi would wait
# two minutes for a login over a cable that is out.
CABLES, LOGINS = ADDRESSES[2:], ADDRESSES[:2]

# What a client may hear in a storm, besides success: a path is away, or another one was first.
EXPECTED = {wmi.SUCCESS, wmi.SESSION_BUSY, wmi.PATH_COUNT_MISMATCH, wmi.NO_CONNECTION,
            wmi.INITIATOR_ERROR, wmi.INVALID_PATH_ID}


class Request:
    """One call of a client, and when it ran."""

    def __init__(self, hold, policy, order):
        self.session, self.policy, self.order = hold, policy, order
        self.began = time.monotonic()
        self.status = holds.ask_in_order(hold.target, policy, order)
        self.ended = time.monotonic()

    def groups(self):
        """What it means."""
        return holds.tiers(self.policy, self.order)


class Storm(holds.HoldsTest):
    def setUp(self):
        self.seed = time.time_ns() % 1000000
        print(f"storm: seed {self.seed}", flush=True)
        self.end = time.monotonic() + SECONDS

    def storming(self):
        return time.monotonic() < self.end

    def cables(self, chance):
        while self.storming():
            with network.blocked(chance.choice(CABLES)):
                time.sleep(chance.uniform(1, 12))
            time.sleep(chance.uniform(0, 3))
        return []

    def logins(self, chance):
        while self.storming():
            target, portal = chance.choice(list(HOLDS.values())).target, chance.choice(LOGINS)
            iscsi.logout(target, portal)
            time.sleep(chance.uniform(0, 2))
            iscsi.login(target, portal)
        return []

    def configurations(self, chance):
        while self.storming():
            run("multipathd", "reconfigure", check=False)
            time.sleep(chance.uniform(2, 8))
        return []

    def client(self, chance):
        requests = []
        while self.storming():
            order = chance.sample(ADDRESSES, len(ADDRESSES))
            requests.append(Request(chance.choice(list(HOLDS.values())),
                                    chance.choice(wmi.POLICIES), order))
            time.sleep(chance.uniform(0, 1))
        return requests

    def possible_groups(self, requests):
        """{map: the meanings that it may have}: of the requests that succeeded the last one, or one
        of the last where they overlapped."""
        found = {}
        for hold in HOLDS.values():
            done = [each for each in requests
                    if each.session == hold and each.status == wmi.SUCCESS]
            last = [each.groups() for each in done
                    if not any(other.began > each.ended for other in done)]
            found[hold.map] = last or [hold.groups()]
        return found

    def wrong_maps(self, possible):
        shapes = dm.shapes()
        return {name: shapes.get(name) for name, groups in possible.items()
                if shapes.get(name) not in groups}

    def test_storm(self):
        work = [self.cables, self.logins, self.configurations] + [self.client] * CLIENTS
        with diskio.Load([hold.map for hold in HOLDS.values()], RATE) as load:
            with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
                tasks = [pool.submit(function, random.Random(self.seed + i))
                         for i, function in enumerate(work)]
            requests = [request for task in tasks for request in task.result()]
            self.assertTrue(load.running(), "I/O ended with an error")
            stack.wait_until_whole(holds.paths(), 120)
            possible = self.possible_groups(requests)
            try:
                wait_for(lambda: not self.wrong_maps(possible), holds.HOLD_SECONDS, "")
            except TimeoutError:
                self.fail(f"seed {self.seed}: {self.wrong_maps(possible)} instead of {possible}")
            wmi.wait_for_agreement(*(hold.target for hold in HOLDS.values()))
            wmi.wait_until_quiet()
            self.assertEqual(dm.suspended(), [])
            self.assertTrue(load.running(), "I/O ended with an error")
        self.assertEqual(load.error, "")
        statuses = [request.status for request in requests]
        answers = ", ".join(f"{count} {status:#010x}"
                            for status, count in collections.Counter(statuses).most_common())
        print(f"storm: {len(statuses)} requests, their answers: {answers}", flush=True)
        self.assertEqual({f"{status:#010x}" for status in set(statuses) - EXPECTED}, set())
        self.assertIn(wmi.SUCCESS, statuses)
