# SPDX-License-Identifier: LGPL-2.1-or-later
"""What outlives the service: policies, and what a crash in the midst of a change has left."""

import errno
import time

import bus
import case
import names
from device_mapper import FOREVER
from multipathd import OWN_SELECTOR
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUBSET, SUCCESS, VENDOR

ALL = {1, 2, 3, 4}
HOSTS_OWN = [(OWN_SELECTOR, ALL)]
WANTED = [("round-robin 0", {2}), ("round-robin 0", {1, 3, 4})]


class RestartTest(case.HostTest):
    def set(self):
        self.assertEqual(self.agent.set_policy(SUBSET, primaries=[2]), SUCCESS)

    def event_numbers(self):
        """How often each map has got a table."""
        return [self.host.dm.read(minor).event_nr for minor in self.host.minors()]

    def slow_down_multipathd(self):
        """On a slow machine it is faster than a swap, and builds the map first."""
        self.host.multipathd.seconds = 3

    def wait_for_shapes(self, wanted):
        self.wait_for(lambda: self.host.shapes() == {minor: wanted for minor in (0, 1)}, "the groups")


class Restart(RestartTest):
    def test_policies_hold(self):
        """Nothing is done to maps that are as they should be."""
        self.set()
        self.wait_for_agreement()
        before = self.event_numbers(), self.host.multipathd.loads
        self.restart()
        self.wait_for_agreement()
        self.assertEqual(self.agent.query()[0], SUBSET)
        self.assertEqual(self.agent.session("Provenance"), "session")
        self.assert_everywhere(*WANTED)
        self.assertEqual((self.event_numbers(), self.host.multipathd.loads), before)

    def test_after_a_crash(self):
        self.set()
        self.host.kill()
        self.host.start()
        self.assertEqual(self.agent.query()[0], SUBSET)
        self.assert_everywhere(*WANTED)

    def test_what_others_did_meanwhile(self):
        self.set()
        self.assertEqual(self.host.stop(), 0)
        for minor in 0, 1:
            self.host.load_map(minor, self.host.own_groups(minor))
        self.host.start()
        self.wait_for_shapes(WANTED)

    def test_maps_that_appear_later(self):
        """As at a boot, where the service comes before the logins."""
        self.set()
        self.assertEqual(self.host.stop(), 0)
        for minor in 0, 1:
            self.host.remove_map(minor)
        for sid in ALL:
            self.host.logout(sid)
        self.host.start()
        self.assertEqual(self.agent.session("LoadBalancePolicy"), SUBSET)
        for sid in ALL:
            self.host.login(sid)
        for minor in 0, 1:
            self.host.load_map(minor, self.host.own_groups(minor))
        self.wait_for_shapes(WANTED)

    def test_a_policy_that_was_given_back(self):
        self.set()
        self.wait_for_agreement()
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.restart()
        self.assert_everywhere(*HOSTS_OWN)
        self.assertEqual(self.agent.session("Provenance"), "host")

    def test_a_change_is_carried_to_its_end(self):
        """The service does not end in the midst of one."""
        self.set()
        self.slow_down_multipathd()
        slow = self.host.dm.fault("load", 1, milliseconds=300)
        change = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: slow.seen, "the swap")
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(change.status(), SUCCESS)
        self.assert_everywhere(("queue-length 0", ALL))
        self.host.start()
        self.assertEqual(self.agent.session("LoadBalancePolicy"), QUEUE_DEPTH)


class FirstLook(RestartTest):
    luns = 1
    access = False  # or the map would be looked at some times more

    def test_it_fails(self):
        """It is not the last one, though the model does not know the map yet, and nobody else puts the map
        right."""
        self.set()
        self.assertEqual(self.host.stop(), 0)
        self.host.multipathd.stop()
        self.host.load_map(0, self.host.own_groups(0))
        table = self.host.dm.fault("table", 0, count=2, error=errno.EIO)
        self.host.start()
        self.wait_for(lambda: self.host.shape(0) == WANTED, "the groups")
        self.assertGreater(table.seen, 2)
        self.assertEqual(self.agent.objects().keys() & {names.disk_path(0)}, {names.disk_path(0)})


class BootTest(RestartTest):
    """The service comes before the logins, which come one target after another."""

    sessions, portals, luns = 2, 2, 1
    TARGETS = ([1, 2], [3, 4])

    def groups(self, target):
        """Which its policy makes."""
        return [("round-robin 0", {sid}) for sid in reversed(self.TARGETS[target])]

    def set_policies(self):
        for target, sids in enumerate(self.TARGETS):
            self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[sids[1]], target=target), SUCCESS)
            self.wait_for_agreement(target)

    def leave(self, *targets):
        for target in targets:
            self.host.remove_map(target)
            for sid in self.TARGETS[target]:
                self.host.logout(sid)

    def boot(self):
        """As after a reboot, but for the kernel's numbers."""
        self.assertEqual(self.host.stop(), 0)
        self.leave(0, 1)
        self.loads, self.reconfigures = self.host.multipathd.loads, self.count()
        self.host.start()

    def count(self):
        return self.host.multipathd.asked.count("reconfigure")

    def come(self, target):
        """multipathd builds the map by what it has read."""
        for sid in self.TARGETS[target]:
            self.host.login(sid)
        paths = self.host.paths(target)
        self.host.load_map(target, self.host.multipathd.groups(self.host.wwid(target), paths))

    def has_section(self, target):
        return (self.host.drop_in.exists()
                and self.host.drop_in.read_text().count(f'wwid "{self.host.wwid(target)}"') == 1)


class Boot(BootTest):
    def test_what_has_not_come_yet_keeps_its_entry(self):
        self.set_policies()
        before = self.host.drop_in.read_text()
        self.boot()
        for target in 0, 1:
            self.assertTrue(self.has_section(1))
            self.come(target)
            self.assertEqual(self.host.shape(target), self.groups(target))
            self.wait_for_agreement(target)
            time.sleep(1.5)  # in which what is not wanted would be taken out
            self.assertEqual(self.host.drop_in.read_text(), before)
        self.assertEqual((self.count(), self.host.multipathd.loads), (self.reconfigures, self.loads))
        self.assertEqual([self.agent.session("Reapplications", target) for target in (0, 1)], [0, 0])

    def test_a_disk_that_has_not_come_yet(self):
        """Its policy is its own."""
        self.assertEqual(self.agent.set_disk_policy(1, FAILOVER, primaries=[4], preferred=4), SUCCESS)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.wait_for(lambda: self.agent.disk(1, "MultipathdAgreement") == "Agrees", "agreement")
        self.boot()
        self.come(0)
        self.wait_for_agreement()
        time.sleep(1.5)
        self.assertTrue(self.has_section(1))
        self.come(1)
        self.assertEqual(self.host.shape(1), self.groups(1))

    def test_a_policy_that_is_taken_back_before(self):
        """Nobody is left who could want what has not come."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[4], target=1), SUCCESS)
        self.wait_for_agreement(1)
        self.boot()
        self.come(0)
        self.assertEqual(self.agent.set_policy_raw(VENDOR, [], names.session_id(1)), SUCCESS)
        self.wait_for(lambda: not self.host.drop_in.exists(), "no file")

    def test_a_file_that_nobody_wants(self):
        self.set_policies()
        self.assertEqual(self.host.stop(), 0)
        (self.host.directory / "state/state.db").unlink()
        self.leave(0, 1)
        self.host.start()
        self.wait_for(lambda: not self.host.drop_in.exists(), "no file")


class Ending(RestartTest):
    """A change runs when the service is told to end."""
    sessions = 2

    def setUp(self):
        super().setUp()
        for target in range(self.sessions):
            self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=self.host.members(target),
                                                   target=target), SUCCESS)
            self.wait_for_agreement(target)
        self.slow_down_multipathd()
        self.slow = self.host.dm.fault("load", 1, milliseconds=20000, in_child=True)
        self.change = self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: self.slow.seen, "the swap")
        self.host.tell_to_end()

    def assert_ends(self):
        self.slow.clear()
        self.assertEqual(self.change.status(), SUCCESS)
        self.assertEqual(self.host.stop(), 0)

    def assert_refused(self, function, *arguments, **more):
        with self.assertRaises(bus.Error) as raised:
            function(*arguments, **more)
        self.assertEqual(raised.exception.name, "org.freedesktop.DBus.Error.NameHasNoOwner")

    def test_no_other_begins(self):
        before = self.host.shape(2), self.agent.query(target=1)
        self.assert_refused(self.agent.set_policy, QUEUE_DEPTH, target=1)
        self.assert_refused(self.agent.set_disk_policy, 3, QUEUE_DEPTH)
        self.assert_refused(self.agent.set_guid, bytes(16))
        self.assert_refused(self.agent.set_manager, "DefaultLoadBalancePolicy", "u", QUEUE_DEPTH)
        self.assertEqual((self.host.shape(2), self.agent.query(target=1)), before)
        self.assert_ends()
        self.host.start()
        self.assertEqual([self.agent.session("LoadBalancePolicy", target) for target in (0, 1)],
                         [QUEUE_DEPTH, ROUND_ROBIN])
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH, target=1), SUCCESS)

    def test_repairs_are_for_the_next_one(self):
        """Else a host where paths come and go all the time would never have it end."""
        self.host.load_map(2, self.host.own_groups(2))
        time.sleep(0.5)  # in which it could be repaired
        self.assertEqual(self.host.shape(2)[0][0], OWN_SELECTOR)
        self.assert_ends()
        self.host.start()
        self.wait_for(lambda: self.host.shape(2)[0][0] == "round-robin 0", "its groups")


class Absent(BootTest):
    """A policy changes while maps that could be under it are not there."""
    luns = 2

    def setUp(self):
        super().setUp()
        self.absent = self.host.minor(0, 1)

    def has_section_of(self, minor):
        return (self.host.drop_in.exists()
                and f'wwid "{self.host.wwid(minor)}"' in self.host.drop_in.read_text())

    def set_policy(self, target=0):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[self.TARGETS[target][1]],
                                               target=target), SUCCESS)
        self.wait_for_agreement(target)

    def leave(self):
        for minor in self.host.minors():
            self.host.remove_map(minor)
        for sid in sum(self.TARGETS, []):
            self.host.logout(sid)

    def boot(self):
        """After which one of a session's maps comes, and the other does not yet."""
        self.assertEqual(self.host.stop(), 0)
        self.leave()
        self.host.start()
        for sid in self.TARGETS[0]:
            self.host.login(sid)
        self.host.load_map(0, self.host.multipathd.groups(self.host.wwid(0), self.host.paths(0)))
        self.wait_for_agreement()
        self.assertTrue(self.has_section_of(self.absent))

    def assert_comes_without(self, minor):
        self.wait_for(lambda: not self.has_section_of(minor), "no section of the earlier policy")
        self.wait_for(lambda: self.host.wwid(minor) not in self.host.multipathd.config(), "what it reads")

    def test_one_session_of_two_has_its_policy_taken_back(self):
        """That has not logged in: it is not known which maps are its own."""
        for target in 0, 1:
            self.set_policy(target)
        self.boot()
        self.assertEqual(self.agent.set_policy_raw(VENDOR, [], names.session_id(1)), SUCCESS)
        for lun in range(self.luns):
            self.assert_comes_without(self.host.minor(1, lun))
        self.assertTrue(self.has_section_of(0))

    def test_of_a_map_that_has_not_come(self):
        self.set_policy()
        self.boot()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assert_comes_without(self.absent)

    def test_of_a_map_that_has_gone(self):
        self.set_policy()
        self.host.remove_map(self.absent)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assert_comes_without(self.absent)

    def test_of_a_disk_that_has_gone(self):
        """Its own policy is cleared; the session's is what counts for it then."""
        self.set_policy()
        self.assertEqual(self.agent.set_disk_policy(self.absent, ROUND_ROBIN), SUCCESS)
        self.host.remove_map(self.absent)
        self.assertEqual(self.agent.clear_disk_policy(self.absent), SUCCESS)
        self.assert_comes_without(self.absent)

    def assert_fails(self):
        """A policy that cannot be given back stays that of all its maps."""
        self.host.multipathd.answers["reload map dm-0"] = "fail\n"
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_INITIATOR_ERROR")
        self.wait_for_agreement()
        self.assertTrue(self.has_section_of(self.absent))
        del self.host.multipathd.answers["reload map dm-0"]
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_comes_without(self.absent)

    def test_one_that_stays_of_a_map_that_has_gone(self):
        self.set_policy()
        self.host.remove_map(self.absent)
        self.assert_fails()

    def test_one_that_stays_of_a_map_that_has_not_come(self):
        self.set_policy()
        self.boot()
        self.assert_fails()


class PlainBoot(BootTest):
    """Of an array without access states."""
    access = False

    def test_numbers_of_the_last_boot(self):
        """By them another path leads, which each check of multipathd's brings about until it is told."""
        self.set_policies()
        self.assertEqual(self.host.stop(), 0)
        stale = self.host.drop_in.read_text().replace("^2:", "^1:").replace("^4:", "^3:")
        self.host.drop_in.write_text(stale)
        self.host.multipathd.reconfigure()
        loads, reconfigures = self.host.multipathd.loads, self.count()
        self.host.start()
        self.wait_for(lambda: self.host.multipathd.check_paths() or self.count() > reconfigures, "the news")
        for target in 0, 1:
            self.wait_for_agreement(target)
            self.assertEqual(self.host.shape(target), self.groups(target))
        self.assertLess(self.host.multipathd.loads - loads, 10)

    def test_long_after_the_start(self):
        """multipathd has answered for nothing by then."""
        self.set_policies()
        self.boot()
        time.sleep(1.5)  # until after what a start has multipathd told
        for target in 0, 1:
            self.come(target)
            self.wait_for_agreement(target)
        self.assertEqual((self.count(), self.host.multipathd.loads), (self.reconfigures, self.loads))


class Detached(RestartTest):
    """multipathd detects a prio by the INQUIRY data, whether or not a handler is attached."""
    access = False

    def prepare(self):
        self.host.tree.tpgs = 1
        for sid in self.host.members(0):
            for lun in range(self.luns):
                self.host.tree.set_tpgs(sid, lun, 1)

    def test_its_product_keeps_its_section(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.wait_for_agreement()
        before = self.host.drop_in.read_text()
        self.assertIn("detect_prio no", before)
        self.restart()
        self.wait_for_agreement()
        time.sleep(1.5)  # in which it would be written
        self.assertEqual(self.host.drop_in.read_text(), before)
        shape = self.host.shape(0)
        self.host.multipathd.load(0)
        self.assertEqual(self.host.shape(0), shape)


class Killed(RestartTest):
    def kill_between_two_maps(self, policy, **paths):
        """The first map has its new table, the second is about to be swapped."""
        self.slow_down_multipathd()
        before = self.host.shape(0)
        slow = self.host.dm.fault("load", 1, milliseconds=20000)
        change = self.agent.begin_policy(policy, **paths)
        self.wait_for(lambda: slow.seen and self.host.shape(0) != before, "the first map's table")
        self.host.kill()
        slow.clear()
        with self.assertRaises(bus.Error) as raised:
            change.status()
        self.assertEqual(raised.exception.name, "org.freedesktop.DBus.Error.NoReply")

    def test_between_two_maps(self):
        """The next service puts the policy back that it was left with."""
        self.set()
        self.kill_between_two_maps(QUEUE_DEPTH)
        self.assertEqual((self.host.shape(0), self.host.shape(1)), ([("queue-length 0", ALL)], WANTED))
        self.host.start()
        self.wait_for_shapes(WANTED)
        self.assertEqual(self.agent.query()[0], SUBSET)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)

    def test_between_load_and_resume(self):
        """No map is left suspended, and what was loaded is never taken into use."""
        self.set()
        self.slow_down_multipathd()
        slow = self.host.dm.fault("resume", count=FOREVER, milliseconds=20000)
        self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: slow.seen == 2, "both swaps")
        self.host.kill()
        slow.clear()
        self.assert_everywhere(*WANTED)
        self.assertEqual([self.host.dm.read(minor).suspended for minor in (0, 1)], [0, 0])
        self.host.start()
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=ALL), SUCCESS)
        self.assert_everywhere(("round-robin 0", ALL))

    def test_in_the_midst_of_a_first_policy(self):
        """There is no other to put back: multipathd builds the maps again."""
        self.kill_between_two_maps(FAILOVER, primaries=[1])
        self.host.start()
        self.wait_for_shapes(HOSTS_OWN)
        self.wait_for(lambda: self.host.said().count("half way to its first policy") == 2, "a word")
        self.assertEqual(self.agent.session("Provenance"), "host")

    def set_unsaved(self):
        self.slow_down_multipathd()
        swap = self.host.dm.fault("load", 0, milliseconds=20000)
        change = self.agent.begin_policy(FAILOVER, primaries=[1])
        self.wait_for(lambda: swap.seen, "the swap")
        self.host.dm.fault("sync", error=errno.EIO)
        swap.clear()
        self.assertEqual(change.status(), "ISDSC_FAILURE_TO_PERSIST_LB_POLICY")
        self.wait_for_agreement()

    def test_a_first_policy_that_was_not_saved(self):
        """It is live until the service ends; there is no other to put back then."""
        self.set_unsaved()
        self.restart()
        self.wait_for_shapes(HOSTS_OWN)
        self.wait_for(lambda: self.host.said().count("half way to its first policy") == 2, "a word")
        self.assertEqual(self.agent.session("Provenance"), "host")

    def test_a_map_of_it_goes_and_comes_back(self):
        """multipathd builds it by its entry, which counts for nothing after the service has ended."""
        self.set_unsaved()
        self.host.remove_map(0)
        self.wait_for(lambda: names.disk_path(0) not in self.agent.objects(), "its absence")
        self.host.multipathd.load(0)
        self.wait_for(lambda: names.disk_path(0) in self.agent.objects(), "its return")
        self.restart()
        self.wait_for_shapes(HOSTS_OWN)
        self.wait_for(lambda: self.host.said().count("half way to its first policy") == 2, "a word")

    def test_when_it_is_saved(self):
        """Live on every map, and not answered: the old policy comes back."""
        self.set()
        self.slow_down_multipathd()
        swap = self.host.dm.fault("load", 0, milliseconds=20000)  # behind multipathd's file
        self.agent.begin_policy(QUEUE_DEPTH)
        self.wait_for(lambda: swap.seen, "the swap")
        slow = self.host.dm.fault("sync", milliseconds=20000)
        swap.clear()
        self.wait_for(lambda: slow.seen, "the store")
        self.assert_everywhere(("queue-length 0", ALL))
        self.host.kill()
        slow.clear()
        self.host.start()
        self.wait_for_shapes(WANTED)
        self.assertEqual(self.agent.session("LoadBalancePolicy"), SUBSET)

    def test_again_and_again(self):
        """At many moments of a change: the next service has one of the two on every map."""
        for milliseconds in range(0, 30, 3):
            with self.subTest(milliseconds=milliseconds):
                self.set()
                self.agent.begin_policy(QUEUE_DEPTH)
                time.sleep(milliseconds / 1000)
                self.host.kill()
                self.host.start()
                policy = self.agent.session("LoadBalancePolicy")
                self.assertIn(policy, (SUBSET, QUEUE_DEPTH))
                self.wait_for_shapes(WANTED if policy == SUBSET else [("queue-length 0", ALL)])


if __name__ == "__main__":
    case.main()
