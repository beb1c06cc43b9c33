# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logins and logouts, of which udev tells: objects, and a policy over paths that come and go."""

import errno
import time

import case
import names
from device_mapper import FOREVER
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUBSET, SUCCESS, WEIGHTED


class SessionTest(case.HostTest):
    def addresses(self, target=0):
        return {connection[3] for connection in self.agent.session("Connections", target)}

    def wait_for_shape(self, minor, *groups):
        wanted = [(selector, set(sids)) for selector, sids in groups]
        self.wait_for(lambda: self.host.shape(minor) == wanted, f"these groups of map {minor}")

    def load(self, *minors):
        """multipathd has seen which paths there are."""
        for minor in minors:
            self.host.multipathd.load(minor)


class Unreadable(SessionTest):
    def test_a_map_that_cannot_be_read_hides_no_other(self):
        self.host.dm.fault("table", 0, count=FOREVER, error=errno.EIO)
        self.assertEqual([each[0] for each in self.agent.session("Maps")], ["mpath1"])
        self.assertIn(names.session_path(), self.agent.objects())
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), "ISDSC_INITIATOR_ERROR")

    def test_and_says_so_once(self):
        """Whoever asks how often."""
        self.wait_for(lambda: names.disk_path(0) in self.agent.objects(), "the disk")
        self.host.dm.fault("table", 0, count=FOREVER, error=errno.EIO)
        for _ in range(20):
            self.agent.query_disk(0)
        self.assertEqual(self.host.said().count("cannot be read"), 1)


class Logins(SessionTest):
    """A fourth path joins: the policy has not named it."""

    def prepare(self):
        self.host.logout(4)
        self.load(0, 1)

    def set_then_login(self, policy, **paths):
        self.assertEqual(self.agent.set_policy(policy, **paths), SUCCESS)
        self.wait_for_agreement()
        self.host.login(4)
        self.wait_for(lambda: len(self.addresses()) == 4, "the connection")
        self.load(0, 1)

    def test_joins_the_first_group_of_round_robin(self):
        self.set_then_login(ROUND_ROBIN, primaries=[1])
        self.wait_for_shape(0, ("round-robin 0", [1, 4]), ("round-robin 0", [2, 3]))
        self.wait_for_agreement()

    def test_joins_least_queue_depth(self):
        """multipathd has no other place for it: nothing is to be done."""
        self.set_then_login(QUEUE_DEPTH)
        self.assert_everywhere(("queue-length 0", [1, 2, 3, 4]))
        self.wait_for_agreement()
        self.assertEqual(self.agent.session("Reapplications"), 0)

    def test_is_alone_behind_those_of_failover(self):
        """multipathd has it join the last one, by the entry that it knows."""
        self.set_then_login(FAILOVER, primaries=[2])
        self.wait_for_shape(0, *(("round-robin 0", [sid]) for sid in (2, 1, 3, 4)))
        self.wait_for_agreement()

    def test_joins_the_last_group_of_a_subset(self):
        self.set_then_login(SUBSET, primaries=[1, 2])
        self.wait_for_shape(1, ("round-robin 0", [1, 2]), ("round-robin 0", [3, 4]))

    def test_joins_the_last_group_of_weights(self):
        self.set_then_login(WEIGHTED, weights={1: 5, 2: 5, 3: 50})
        self.wait_for_shape(1, ("round-robin 0", [1, 2]), ("round-robin 0", [3, 4]))

    def test_the_next_call_names_it(self):
        self.set_then_login(SUBSET, primaries=[1])
        self.assertEqual(self.agent.set_policy(SUBSET, primaries=[4]), SUCCESS)
        self.assert_everywhere(("round-robin 0", [4]), ("round-robin 0", [1, 2, 3]))

    def test_a_login_that_names_itself_later(self):
        """A session's uevent comes before its login has named it, and there is none when it has."""
        target = self.host.login_unnamed(4)
        self.assertEqual(len(self.addresses()), 3)
        self.agent.listen("member='PropertiesChanged'")
        self.host.set_value("iscsi_session/session4", "targetname", target)
        self.wait_for(lambda: "Connections" in str(self.agent.news()), "a signal")
        self.assertEqual(len(self.addresses()), 4)

    def test_events_come_before_it_has_named_itself(self):
        """However many, they do not make its path somebody else's."""
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        target = self.host.login_unnamed(4)
        self.host.load_map(0, [("queue-length 0", [self.host.tree.disk(sid, 0) for sid in (1, 2, 3, 4)])])
        for _ in range(25):
            time.sleep(0.1)  # that all are looked at
            self.host.map_event(0, "change")
        self.host.set_value("iscsi_session/session4", "targetname", target)
        self.wait_for(lambda: len(self.addresses()) == 4, "the connection")
        self.wait_for_agreement()
        self.assertEqual(self.agent.session("Reapplications"), 0)


class Logouts(SessionTest):
    sessions = 2

    def test_a_path_goes_and_comes_back(self):
        """To the place that the policy has for it."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[3]), SUCCESS)
        self.wait_for_agreement()
        self.host.logout(3)
        self.wait_for(lambda: len(self.addresses()) == 3, "its end")
        self.load(0, 1)
        self.wait_for_shape(0, *(("round-robin 0", [sid]) for sid in (1, 2, 4)))
        self.assertEqual(self.agent.session("LoadBalancePolicy"), FAILOVER)
        self.host.login(3)
        self.load(0, 1)
        self.wait_for_shape(0, *(("round-robin 0", [sid]) for sid in (3, 1, 2, 4)))
        self.wait_for_agreement()

    def logout_all(self):
        for minor in 0, 1:
            self.host.remove_map(minor)
        for sid in 1, 2, 3, 4:
            self.host.logout(sid)

    def login_all(self):
        for sid in 1, 2, 3, 4:
            self.host.login(sid)

    def has_session(self):
        return names.session_path() in self.agent.objects()

    def test_what_goes_is_told_with_all_its_interfaces(self):
        """There are libraries by which an object stays until the last one has gone."""
        def removed():
            return dict(each.body for each in self.agent.news() if each.member == "InterfacesRemoved")

        before = self.agent.objects()
        self.agent.listen("member='InterfacesRemoved'")
        for sid in range(1, 5):
            self.host.logout(sid)
        for minor in 0, 1:
            self.host.remove_map(minor)
        self.wait_for(lambda: len(removed()) == 4 + 1 + 2, "connections, the session and disks")
        gone = before.keys() - self.agent.objects().keys()
        self.assertEqual({path: set(interfaces) for path, interfaces in removed().items()},
                         {path: set(before[path]) for path in gone})

    def test_a_whole_session(self):
        """Its object goes with the last connection, and the other session stays as it is."""
        self.logout_all()
        self.wait_for(lambda: not self.has_session(), "its end")
        self.assertEqual(self.addresses(target=1), {f"127.0.0.{n}" for n in (1, 2, 3, 4)})
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH, sids=[1]), "ISDSC_INVALID_SESSION_ID")
        self.agent.listen("member='InterfacesAdded'")
        self.login_all()
        self.wait_for(lambda: self.has_session() and len(self.addresses()) == 4, "its return")
        self.wait_for(lambda: names.session_path() in [signal.body[0] for signal in self.agent.news()],
                      "a signal")

    def test_a_whole_session_with_a_policy(self):
        """It keeps its object, and finds its policy again."""
        self.assertEqual(self.agent.set_policy(SUBSET, primaries=[2]), SUCCESS)
        self.logout_all()
        self.wait_for(lambda: self.addresses() == set(), "its end")
        self.assertEqual(self.agent.session("LoadBalancePolicy"), SUBSET)
        self.assertEqual(self.agent.set_policy(SUBSET, primaries=[1], sids=[1]),
                         "ISDSC_PATH_COUNT_MISMATCH")
        self.login_all()
        for minor in 0, 1:
            self.host.load_map(minor, self.host.own_groups(minor))
            self.wait_for_shape(minor, ("round-robin 0", [2]), ("round-robin 0", [1, 3, 4]))
        self.wait_for_agreement()


class Shared(SessionTest):
    """Two targets export the disk of map 0."""
    sessions = 2

    def prepare(self):
        self.host.join(0, 1)

    def maps(self):
        return [each[0] for each in self.agent.session("Maps", target=1)]

    def test_a_map_loses_a_session(self):
        """Which is logged in, and has another map."""
        self.assertEqual(self.maps(), ["mpath0", "mpath3"])
        self.agent.listen("member='PropertiesChanged'")
        self.host.load_map(0, [("round-robin 0", [self.host.tree.disk(sid, 0) for sid in (1, 2, 3, 4)])])
        self.wait_for(lambda: any(each.path == names.session_path(1) and "Maps" in each.body[2]
                                  for each in self.agent.news()), "a signal")
        self.assertEqual(self.maps(), ["mpath3"])


class Twins(SessionTest):
    """nr_sessions above 1: two sessions at one portal, told apart by a number that one alone has not.
    Sessions 2 and 4 are at the first one's portal, and not there yet."""

    def prepare(self):
        rank = self.host.tree.rank
        for sid in 2, 4:
            self.host.logout(sid)
        self.host.tree.rank = lambda sid: 0 if sid in (2, 4) else rank(sid)
        self.load(0, 1)

    def login(self, sid):
        n = len(self.agent.session("Connections"))
        self.host.login(sid)
        self.wait_for(lambda: len(self.agent.session("Connections")) > n, "the connection")
        self.load(0, 1)

    def logout(self, sid):
        n = len(self.agent.session("Connections"))
        self.host.logout(sid)
        self.wait_for(lambda: len(self.agent.session("Connections")) < n, "its end")
        self.load(0, 1)

    def assert_order(self, *sids):
        """Of a failover's groups, in the end."""
        for minor in 0, 1:
            self.wait_for_shape(minor, *(("round-robin 0", [sid]) for sid in sids))
        self.wait_for_agreement()
        self.assert_everywhere(*(("round-robin 0", [sid]) for sid in sids))

    def wait_for_primary(self, sid):
        """By the live tables."""
        self.wait_for(lambda: [sid] == [each for each, path in self.agent.query()[1].items() if path[3]],
                      f"{sid} as the primary")

    def test_a_second_one_joins(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.login(2)
        self.wait_for_primary(1)
        self.assert_order(1, 3, 2)

    def test_the_second_one_leaves(self):
        self.login(2)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.logout(2)
        self.wait_for_primary(1)
        self.assert_order(1, 3)
        self.assertEqual(self.agent.session("Reapplications"), 0)

    def test_the_first_one_logs_in_again(self):
        """Its twin is the first one of both from then on."""
        self.login(2)
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.assert_order(1, 2, 3)
        self.logout(1)
        self.wait_for_primary(2)
        self.assert_order(2, 3)
        self.login(4)
        self.wait_for_primary(2)
        self.assert_order(2, 4, 3)

    def test_weights(self):
        self.login(2)
        self.assertEqual(self.agent.set_policy(WEIGHTED, weights={1: 5, 2: 50, 3: 20}), SUCCESS)
        self.logout(2)
        self.assert_order(1, 3)
        self.assertEqual({sid: path[2] for sid, path in self.agent.query()[1].items()}, {1: 5, 3: 20})

    def test_of_a_disk(self):
        """By its own policy: the primary, and the path that is preferred."""
        self.login(2)
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[1]), SUCCESS)
        self.assertEqual(self.agent.set_disk_policy(1, FAILOVER, primaries=[3], preferred=1), SUCCESS)
        self.logout(2)
        self.wait_for_shape(0, ("round-robin 0", [1]), ("round-robin 0", [3]))
        self.wait_for_shape(1, ("round-robin 0", [1]), ("round-robin 0", [3]))
        for minor in 0, 1:
            self.wait_for_disk_agreement(minor)
        self.assert_everywhere(("round-robin 0", [1]), ("round-robin 0", [3]))
        self.assertEqual([path.preferred for path in self.agent.query_disk(1)[1]], [1, 0])

    def assert_no_failback(self, *sids):
        """The first one logs out, and the second one, with which the I/O is then, keeps it."""
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=sids[:1], sids=sids), SUCCESS)
        self.wait_for_disk_agreement()
        self.logout(sids[0])
        for _ in "01":  # as multipathd has it, and then as its next look has it
            self.wait_for_disk_agreement()
            self.assertEqual(self.host.shape(0), [("round-robin 0", {sid}) for sid in sids[1:]])
            self.host.multipathd.reconfigure()
        self.assertEqual(self.agent.disk(0, "Reapplications"), 0)

    def test_no_failback_to_the_one_that_is_alone_now(self):
        """Whose name the policy knows as that of the active one."""
        self.login(2)
        self.assert_no_failback(1, 3, 2)

    def test_no_failback_to_one_that_has_moved_up(self):
        """Whose name was that of the active one."""
        self.login(2)
        self.login(4)
        self.assert_no_failback(1, 3, 2, 4)


if __name__ == "__main__":
    case.main()
