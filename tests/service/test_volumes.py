# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes that come and go, and never return: what is kept for them does not grow."""

import contextlib
import sqlite3

import case
import names
import tree
import volumes
from multipathd import OWN_SELECTOR
from names import FAILOVER, LEAST_BLOCKS, NONE, QUEUE_DEPTH, SUCCESS

VOLUMES = 150
KEPT = 64 + 2  # for their return, and what is there


class Volumes(case.HostTest):
    portals, luns = 2, 2
    access = False

    def prepare(self):
        self.volume = 0
        plain = self.host.wwid
        self.host.wwid = lambda minor: (f"3600{self.volume:028x}" if minor == 1 and self.volume
                                        else plain(minor))
        self.host.remove_map(1)

    def attach(self, volume=0):
        """In the place of the second LUN."""
        self.volume = volume
        self.host.load_map(1, self.host.own_groups(1))

    def sections(self):
        return self.host.drop_in.read_text().count("multipath {")

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.host.directory / "state/state.db")) as file:
            return file.execute("SELECT count(*) FROM disk_policy").fetchone()[0]

    def churn(self, seen, count=VOLUMES, then=lambda: None):
        for volume in range(1, count + 1):
            self.attach(volume)
            self.wait_for(seen, "the volume")
            then()
            self.host.remove_map(1)
            self.wait_for(lambda: not seen(), "its end")

    def names(self):
        return [each[0] for each in self.agent.session("Maps")]

    def test_under_a_sessions_policy(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.churn(lambda: self.host.dm.read(1) and self.host.shape(1)[0] == ("round-robin 0", {2}))
        self.wait_for(lambda: KEPT / 2 < self.sections() <= KEPT, "a file of few sections")
        self.assertLessEqual(self.disks(), KEPT)

    def test_under_the_default(self):
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)
        self.churn(lambda: self.host.dm.read(1) and self.host.shape(1)[0][0] == "queue-length 0")
        self.wait_for(lambda: self.rows() <= KEPT and self.disks() <= KEPT, "few rows and objects")

    def test_one_that_has_gone_is_cleared(self):
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)
        self.attach()
        self.wait_for(lambda: self.host.shape(1)[0][0] == "queue-length 0", "the default")
        self.host.remove_map(1)
        self.wait_for(lambda: self.names() == ["mpath0"], "its end")
        self.assertEqual(self.agent.begin_disk_policy_raw(1, NONE).status(), SUCCESS)
        self.wait_for(lambda: self.disks() == 1, "the end of its object")

    def test_one_that_returns(self):
        """Finds the policy that was chosen for it, however many have gone meanwhile."""
        self.attach()
        self.wait_for(lambda: self.disks() == 2, "the volume")
        self.assertEqual(self.agent.set_disk_policy(1, LEAST_BLOCKS), SUCCESS)
        self.host.remove_map(1)
        self.churn(lambda: len(self.names()) == 2)
        self.attach()
        self.wait_for(lambda: self.host.shape(1)[0][0] == "service-time 0"
                      and self.agent.disk(1, "Provenance") == "disk", "its policy")

    def test_chosen_policies_take_no_places(self):
        """They wait for ever in any case."""
        self.host.wwid = lambda minor: tree.wwid(minor and minor + self.volume)
        self.host.multipathd.seconds = 0
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.attach()
        self.wait_for(lambda: self.host.shape(1)[0] == ("round-robin 0", {2}), "the session's policy")
        self.host.remove_map(1)
        self.wait_for(lambda: self.names() == ["mpath0"], "its end")
        self.churn(lambda: len(self.names()) == 2 and names.disk_path(1 + self.volume) in self.agent.objects(),
                   KEPT, self.choose)
        self.wait_for(lambda: self.sections() == KEPT + 2, "the sections of all")

    def choose(self):
        self.assertEqual(self.agent.set_disk_policy(1 + self.volume, LEAST_BLOCKS, sids=[1, 2]), SUCCESS)

    def disks(self):
        return sum("/disk/" in path for path in self.agent.objects())


class Numbers(case.HostTest):
    access = False

    def test_another_map_gets_the_number_of_a_stale_one(self):
        """It has come since the change was planned, and is looked at by itself: it is not what was asked
        for, which has gone."""
        swap = self.host.dm.fault("table", 0, milliseconds=20000, in_child=True)
        change = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: swap.seen, "the swap")
        # Of the same map with a path less, the next look is the one that a new plan is made of.
        again = self.host.dm.fault("table", 0, skip=1, milliseconds=20000)
        self.host.write_map(0, [(OWN_SELECTOR, [self.host.tree.disk(sid, 0) for sid in (1, 2, 3)])])
        swap.clear()
        self.wait_for(lambda: again.seen == 2, "the new plan")
        other = self.host.dm.read(0)
        self.host.dm.load(0, "other", "mpath-3600other", other.table)
        again.clear()
        self.assertEqual(change.status(), SUCCESS)
        self.assertIn("maps: mpath0, mpath1; result: STATUS_SUCCESS", self.host.said())
        self.wait_for(lambda: "Map other did not mean its policy any more" in self.host.said(), "its own look")


class Together(case.HostTest):
    """Sixteen at a time: what is kept after many is what was kept after the first."""
    portals, luns = 2, 17
    access = False
    first, more = 112, 160
    bounds = {"objects": KEPT, "sections": KEPT, "rows": KEPT + 1}  # the one there has a row for its offer

    def prepare(self):
        self.volumes = volumes.Volumes(self.host, "queue-length 0")

    def assert_bounded(self, end=lambda: None):
        self.volumes.come_and_go(self.agent, self.first)
        size = "bytes of the store"
        bounds = self.bounds | {size: self.volumes.kept(self.agent)[size]}
        self.volumes.come_and_go(self.agent, self.more)
        end()
        self.wait_for(lambda: all(number <= bounds[kind] for kind, number
                                  in self.volumes.kept(self.agent).items()), f"no more than {bounds}")

    def test_under_a_sessions_policy(self):
        def change(policy=FAILOVER):
            """Which writes multipathd's file."""
            self.assertEqual(self.agent.set_policy(policy, primaries=[1]), SUCCESS)

        change(QUEUE_DEPTH)
        self.assert_bounded(change)

    def test_under_the_default(self):
        self.agent.set_manager("DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)
        self.assert_bounded()


if __name__ == "__main__":
    case.main()
