# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may change what, by the real polkit, for a real user who is not root."""

import contextlib
import pathlib
import time
import unittest

import bus
import dm
import iscsi
import lio
import network
import service
import store
import wmi
from basic import run, wait_for

POLKIT = "polkit.service"
RULE = pathlib.Path("/etc/polkit-1/rules.d/10-iscsi-wmi-lab.rules")
ACTIONS = "com.open-iscsi.wmi1."
GUEST = "guest"
DENIED = "(?i)access denied|not permitted"
GUID = bytes(range(16))


def set_property(name, signature, value, user=GUEST):
    return bus.call(bus.PATH, "org.freedesktop.DBus.Properties", "Set", "ssv",
                    f"{bus.NAME}.Manager", name, signature, value, user=user)


def set_policy(policy):
    return wmi.set_policy_raw(policy, [wmi.path(portal) for portal in lio.portals()], user=GUEST)


def security(member, *words):
    return bus.call(wmi.adapter_path(), "MSiSCSI_SecurityConfigOperations", member, *words,
                    user=GUEST)


# A call by that user for each action.
CHANGES = {
    "set-load-balance-policy": lambda: set_policy(wmi.QUEUE_DEPTH),
    "set-disk-policy": lambda: wmi.set_disk_raw(lio.wwid(0), wmi.NONE, user=GUEST),
    "set-default-policy": lambda: set_property("DefaultLoadBalancePolicy", "u", 4),
    "set-path-weight-order": lambda: set_property("PathWeightOrder", "s", "highest-first"),
    "set-generational-guid": lambda: security("SetGenerationalGuid", "ay", len(GUID), *GUID),
    "clear-cache": lambda: security("ClearCache"),
    "read-records": lambda: bus.call(wmi.adapter_path(), "Adapter", "ListChangedRecords", user=GUEST),
    "ping": lambda: wmi.ping(lio.portals()[0], user=GUEST),
}

# What each gives who may make it.
ANSWERS = {
    "set-load-balance-policy": wmi.SUCCESS,
    "set-disk-policy": wmi.SUCCESS,
    "set-default-policy": [],
    "set-path-weight-order": [],
    "set-generational-guid": [wmi.SUCCESS],
    "clear-cache": [wmi.CACHE_NOT_SUPPORTED],
    "read-records": [[], ""],
    "ping": (wmi.SUCCESS, 1),
}


def values():
    """What the changes would change."""
    return (dm.shapes(), store.policy(), store.disk_policy(lio.wwid(0)),
            wmi.get(bus.PATH, "Manager", "DefaultLoadBalancePolicy"),
            wmi.get(bus.PATH, "Manager", "PathWeightOrder"),
            wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation", "GenerationalGuid"))


def restart_polkit():
    """As often as the tests like: systemd counts."""
    run("systemctl", "reset-failed", POLKIT, check=False)
    run("systemctl", "restart", POLKIT)


@contextlib.contextmanager
def rule(condition):
    """A rule of polkit's that allows what the condition, JavaScript, is true for."""
    RULE.parent.mkdir(parents=True, exist_ok=True)
    RULE.write_text("polkit.addRule(function(action, subject) {\n"
                    f"    if ({condition})\n"
                    "        return polkit.Result.YES;\n"
                    "});\n")
    RULE.chmod(0o644)
    try:
        # It would find the file by itself, but nobody says when.
        restart_polkit()
        yield
    finally:
        RULE.unlink()
        restart_polkit()


@contextlib.contextmanager
def no_polkit():
    """A host on which polkit cannot be started, inside a `with`."""
    run("systemctl", "mask", "--runtime", "--now", POLKIT)
    try:
        yield
    finally:
        run("systemctl", "unmask", "--runtime", POLKIT)


class Authorization(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run("systemctl", "start", POLKIT)

    def assert_denied(self, actions):
        service.restart()  # for it says so once a minute
        since = time.time() - 1
        for action in actions:
            with self.subTest(action=action), self.assertRaisesRegex(RuntimeError, DENIED):
                CHANGES[action]()
        refused = [line for line in service.journal(since) if line.startswith("Refused ")]
        for action in actions:
            self.assertTrue(any(f"{ACTIONS}{action} to " in line and "(uid 1000, " in line
                                for line in refused), (action, refused))

    def test_each_change_is_refused(self):
        before = values()
        self.assert_denied(CHANGES)
        self.assertEqual(values(), before)

    def test_a_rule_allows_one_change(self):
        self.addCleanup(wmi.set_policy, wmi.VENDOR)
        since = time.time() - 1
        with rule(f'action.id == "{ACTIONS}set-load-balance-policy" && '
                  f'subject.user == "{GUEST}" && action.lookup("target") == "{lio.TARGET}" && '
                  'action.lookup("policy") == "DYN_LEAST_QUEUE_DEPTH"'):
            self.assertEqual(set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)
            wanted = [("queue-length", frozenset(lio.portals()))]
            found = dm.shapes_in(3, lambda shapes: all(each == wanted for each in shapes.values()))
            self.assertEqual(found, dict.fromkeys(found, wanted))
            self.assertEqual(store.policy(), wmi.QUEUE_DEPTH)
            self.assertRegex("\n".join(service.journal(since)),
                             r"Policy 4 .*busctl \(uid 1000, .*STATUS_SUCCESS")

            # Another policy and another action are not what the rule is about.
            with self.assertRaisesRegex(RuntimeError, DENIED):
                set_policy(wmi.ROUND_ROBIN)
            self.assert_denied(["set-disk-policy", "set-path-weight-order"])
            self.assertEqual(store.policy(), wmi.QUEUE_DEPTH)
            self.assertEqual(dm.shapes(), found)

    def put_back(self, before):
        """What was there, where neither session nor disk had a policy."""
        *_, default, order, guid = before
        # First, for a disk that loses its policy gets that one.
        set_property("DefaultLoadBalancePolicy", "u", default, user=None)
        set_property("PathWeightOrder", "s", order, user=None)
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        self.assertEqual(wmi.set_disk_raw(lio.wwid(0), wmi.NONE), wmi.SUCCESS)
        self.assertEqual(wmi.set_guid(bytes(guid)), wmi.SUCCESS)
        self.assertEqual(values()[1:], before[1:])

    def test_a_rule_allows_each_change(self):
        before = values()
        self.assertEqual(before[1:3], (0, 0))
        self.addCleanup(self.put_back, before)
        # A policy that the user takes away: the disk then has the session's.
        self.assertEqual(wmi.set_disk(lio.wwid(0), wmi.ROUND_ROBIN), wmi.SUCCESS)
        since = time.time() - 1
        with rule(f'action.id.indexOf("{ACTIONS}") == 0 && subject.user == "{GUEST}"'):
            for action, change in CHANGES.items():
                with self.subTest(action=action):
                    self.assertEqual(change(), ANSWERS[action])
        self.assertEqual([line for line in service.journal(since)
                          if line.startswith("Refused ")], [])

        wanted = [("queue-length", frozenset(lio.portals()))]
        found = dm.shapes_in(10, lambda shapes: all(each == wanted for each in shapes.values()))
        self.assertEqual(found, dict.fromkeys(found, wanted))
        self.assertEqual(values()[1:], (wmi.QUEUE_DEPTH, 0, 4, "highest-first", list(GUID)))
        self.assertEqual({wmi.tag(each.sid) for each in iscsi.sessions()}, {wmi.guid_text(GUID)})

    def test_a_user_has_a_share_of_the_pings(self):
        """All connections of a user who is not root are one client; root's pings have room."""
        refused = 3 * [(wmi.OUT_OF_RESOURCES, 0)]
        waiting = wmi.PINGS_OF_A_CLIENT * [(wmi.SUCCESS, 0)]
        with (rule(f'action.id == "{ACTIONS}ping" && subject.user == "{GUEST}"'),
              network.sysctl("icmp_echo_ignore_all", 1),
              wmi.pings(len(refused + waiting), lio.portals()[0], timeout=15000,
                        user=GUEST) as results):
            wait_for(lambda: len(results) >= len(refused), 12, "the refusals")
            self.assertEqual(wmi.ping("::1"), (wmi.SUCCESS, 1))
            self.assertEqual(results, refused)
        self.assertEqual(results, refused + waiting)

    def test_without_polkit_only_root_may(self):
        self.addCleanup(wmi.set_policy, wmi.VENDOR)
        before = values()
        with no_polkit():
            self.assert_denied(["set-load-balance-policy", "set-path-weight-order"])
            self.assertEqual(values(), before)
            self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)
            self.assertEqual({selector for groups in dm.shapes().values()
                              for selector, _ in groups}, {"queue-length"})
