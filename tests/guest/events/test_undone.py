# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the answer on, no map has the groups of an earlier policy: two hundred changes by two clients, while
paths of other sessions log out and in."""

import concurrent.futures
import random
import time

import dm
import holds
import iscsi
import stack
import watch
import wmi
from holds import ADDRESSES, HOLDS

CHANGES = 100  # by each client
PAUSE = 3  # seconds, at most
ROUND = 15  # from one logout to the next

SESSIONS = list(HOLDS.values())
CLIENTS = SESSIONS[:2], SESSIONS[2:4]
DISTURBED = SESSIONS[1], SESSIONS[2]  # where paths come and go; a client has one of each kind
PATIENCE = 5  # seconds that a path event may be followed by a repair


def change(hold, policy, order):
    """One call."""
    began = time.monotonic()
    status = holds.ask_in_order(hold.target, policy, order)
    wanted = holds.tiers(policy, order) if status == wmi.SUCCESS else None
    return watch.Change(frozenset([hold.map]), began, time.monotonic(), wanted)


class Undone(holds.HoldsTest):
    def setUp(self):
        self.seed = time.time_ns() % 1000000
        print(f"undone: seed {self.seed}", flush=True)
        self.events = []  # (map, from, until)
        self.working = True

    def client(self, chance, sessions):
        changes = []
        for _ in range(CHANGES):
            order = chance.sample(ADDRESSES, len(ADDRESSES))
            changes.append(change(chance.choice(sessions), chance.choice(wmi.POLICIES), order))
            time.sleep(chance.uniform(0, PAUSE))
        return changes

    def logins(self, chance):
        while self.working:
            hold, portal = chance.choice(DISTURBED), chance.choice(ADDRESSES)
            began = time.monotonic()
            iscsi.logout(hold.target, portal)
            time.sleep(chance.uniform(0, 3))
            iscsi.login(hold.target, portal)
            stack.wait_for_paths(holds.paths())
            self.events.append((hold.map, began, time.monotonic() + PATIENCE))
            time.sleep(ROUND - PATIENCE)

    def is_excused(self, wrong):
        """Whether a path has come or gone then."""
        return all(any(name == each and began <= first and last <= until
                       for each, began, until in self.events)
                   for name, (first, last) in wrong.items())

    def test_undone(self):
        before = {hold.map: wmi.session("Reapplications", hold.target) for hold in SESSIONS}
        with watch.Watch() as tables, concurrent.futures.ThreadPoolExecutor(3) as pool:
            disturbing = pool.submit(self.logins, random.Random(self.seed))
            clients = [pool.submit(self.client, random.Random(self.seed + 1 + i), sessions)
                       for i, sessions in enumerate(CLIENTS)]
            try:
                changes = [each for client in clients for each in client.result()]
            finally:
                self.working = False
            disturbing.result()
            wmi.wait_for_agreement(*(hold.target for hold in SESSIONS))
        done = [each for each in changes if each.groups is not None]
        took = sorted(each.ended - each.began for each in done)
        print(f"undone: {len(done)} changes of {len(changes)}, {len(tables.reads)} reads, "
              f"{len(self.events)} logouts and logins; a call took {took[len(took) // 2]:.2f} s, "
              f"{took[-1]:.2f} s at most", flush=True)
        self.assertGreater(len(done), CHANGES)
        self.assertGreater(len(tables.reads), len(changes))

        found = watch.undone(tables.reads, changes)
        for each, wrong in found:
            print(f"undone: {each}: {wrong}", flush=True)
        self.assertEqual([each for each, wrong in found if not self.is_excused(wrong)], [])
        repairs = {hold.map: wmi.session("Reapplications", hold.target) - before[hold.map]
                   for hold in SESSIONS}
        print(f"undone: repairs {repairs}", flush=True)
        self.assertEqual({name: count for name, count in repairs.items()
                          if name not in [hold.map for hold in DISTURBED] and count}, {})
        self.assertEqual(dm.suspended(), [])
