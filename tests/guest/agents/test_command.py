# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command iscsi-wmi on the real service."""

import collections
import contextlib
import json
import select
import signal
import subprocess
import unittest

import disks
import dm
import lio
import wmi


def command(*words):
    """Run iscsi-wmi: exit status, standard output, standard error."""
    done = subprocess.run(["iscsi-wmi", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Calls:
    """What tests of the command share."""

    def ok(self, *words):
        status, output, errors = command(*words)
        self.assertEqual((status, errors), (0, ""))
        return output

    @contextlib.contextmanager
    def monitor(self):
        """iscsi-wmi monitor --json, which listens."""
        with subprocess.Popen(["iscsi-wmi", "monitor", "--json"], stdout=subprocess.PIPE,
                              text=True) as monitor:
            try:
                for _ in range(60):
                    self.ok("guid", "new")
                    if select.select([monitor.stdout], [], [], 0.5)[0]:
                        break
                yield monitor
            finally:
                monitor.kill()


class Command(Calls, unittest.TestCase):
    def setUp(self):
        self.portals = lio.portals()
        self.addCleanup(wmi.set_policy, wmi.VENDOR)

    def test_policy_set_by_portal(self):
        a, b, c, d = self.portals
        self.ok("policy", "set", lio.TARGET, "failover", "--primary", c)
        for shape in dm.shapes().values():
            self.assertEqual(shape[0], ("round-robin", frozenset([c])))
        self.ok("policy", "set", f"{wmi.session_id():016x}", "5", "--weight", f"{a}=3",
                "--weight", f"{b}:3260=2", "--weight", f"{wmi.connection_id(d):016x}=1")
        for shape in dm.shapes().values():
            self.assertEqual(shape, [("round-robin", frozenset([each])) for each in (c, d, b, a)])
        self.assertEqual(wmi.query()[0], wmi.WEIGHTED)

    def test_status(self):
        wmi.set_policy(wmi.SUBSET, self.portals[:2])
        output = self.ok("status")
        for word in (lio.TARGET, "ROUND_ROBIN_WITH_SUBSET", "session", "Applied", *self.portals,
                     *dm.maps()):
            self.assertIn(word, output)
        wmi.wait_for_agreement()
        self.assertIn("Agrees", self.ok("status"))
        (session,) = json.loads(self.ok("--json", "status"))["sessions"]
        self.assertEqual([session[key] for key in ("policy", "provenance", "agreement",
                                                   "multipathd", "reason")],
                         [wmi.SUBSET, "session", "Applied", "Agrees", ""])

    def test_sessions(self):
        output = self.ok("sessions", "--statistics")
        for word in (lio.TARGET, "full feature", "COMMANDS", *self.portals):
            self.assertIn(word, output)
        (session,) = json.loads(self.ok("sessions", "--statistics", "--json"))["sessions"]
        self.assertEqual(session["session_id"], f"{wmi.session_id():016x}")
        self.assertEqual({each["remote_address"] for each in session["connections"]},
                         set(self.portals))
        for each in session["connections"]:
            self.assertGreater(each["statistics"]["commands_sent"], 0)

    def test_policy_clear(self):
        wmi.set_policy(wmi.SUBSET, self.portals[:2])
        self.ok("policy", "clear", lio.TARGET)
        (session,) = json.loads(self.ok("status", "--json"))["sessions"]
        self.assertEqual([session["chosen_policy"], session["provenance"]], [0, "host"])

    def test_ping(self):
        self.assertEqual(self.ok("ping", self.portals[0], "--count", "2"),
                         f"{self.portals[0]}: 2 of 2 answered\n")

    def test_monitor(self):
        with self.monitor() as monitor:
            event = next(each for each in map(json.loads, monitor.stdout)
                         if each["class"] == "MSiSCSI_HBAInformation")
            self.assertEqual((event["event"], event["object"]), ("changed", "adapter"))
            self.assertEqual(event["changes"].keys(), {"GenerationalGuid"})
            monitor.send_signal(signal.SIGINT)
            monitor.communicate(timeout=30)
            self.assertEqual(monitor.returncode, 0)

    def test_json(self):
        for words in (["status"], ["sessions"], ["policy", "get"], ["guid", "get"]):
            json.loads(self.ok("--json", *words))

    def test_a_refused_request(self):
        status, output, errors = command("policy", "set", lio.TARGET, "failover")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("ISDSC_NO_PRIMARY_PATH_SPECIFIED (0xEFFF005B)", errors)

    def test_guid(self):
        self.ok("guid", "set", "33221100-5544-7766-8899-aabbccddeeff")
        self.assertIn("33221100-5544-7766-8899-aabbccddeeff", self.ok("guid", "get"))
        self.assertEqual(bytes(wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation",
                                       "GenerationalGuid")).hex(),
                         "00112233445566778899aabbccddeeff")
        self.ok("guid", "new")
        self.assertNotIn("33221100-5544-7766", self.ok("guid", "get"))

    def test_explain(self):
        self.assertIn("ISDSC_PATH_COUNT_MISMATCH", self.ok("explain", "0xEFFF0058"))
        self.assertIn("STATUS_NO_SUCH_DEVICE", self.ok("explain", "0xC000000E"))


RR, QL, ST = disks.RR, disks.QL, disks.ST


class Disks(Calls, disks.DiskTest):
    """disk list, get, set and clear, and policy default. The tables are the witness."""

    def by_id(self, *portals):
        """The order of paths that no option names."""
        return sorted(portals, key=wmi.connection_id)

    def read_disk(self):
        (disk,) = json.loads(self.ok("disk", "get", self.WWID, "--json"))["disks"]
        return disk

    def test_set(self):
        a, b, c, d = self.portals
        self.ok("disk", "set", self.WWID, "failover", "--primary", c)
        self.assert_alone(c, *self.by_id(a, b, d))
        self.ok("disk", "set", f"/dev/mapper/{self.WWID}", "1", "--preferred", d,
                "--primary", f"{c}:{lio.PORT}")
        self.assert_alone(d, c, *self.by_id(a, b))
        self.ok("disk", "set", self.WWID, "round-robin-with-subset", "--primary", b,
                "--primary", f"{wmi.connection_id(d):016x}")
        self.assert_groups((RR, [b, d]), (RR, [a, c]))
        self.ok("disk", "set", self.WWID, "weighted-paths", "--weight", f"{a}=20",
                "--weight", f"{b}=5", "--weight", f"{d}=5")
        self.assert_groups((RR, [c]), (RR, [b, d]), (RR, [a]))
        self.ok("disk", "set", self.WWID, "6")
        self.assert_groups((ST, self.portals))
        self.assert_provenance(wmi.LEAST_BLOCKS, "disk")

    def test_get_and_list(self):
        a, b, c, d = self.portals
        self.set(wmi.SUBSET, [b, d])
        wmi.wait_for_disk(self.WWID)
        listed = self.ok("disk", "list")
        for name in dm.maps():
            self.assertIn(name, listed)
        (row,) = [line.split() for line in listed.splitlines() if self.WWID in line]
        self.assertEqual(row[-3:], ["ROUND_ROBIN_WITH_SUBSET", "disk", "Applied"])
        found = self.read_disk()
        self.assertEqual([found[key] for key in ("wwid", "active", "policy", "chosen_policy",
                                                 "provenance", "agreement", "multipathd",
                                                 "supported_policies")],
                         [self.WWID, True, wmi.SUBSET, wmi.SUBSET, "disk", "Applied", "Agrees",
                          list(range(1, 7))])
        self.assertEqual({each["portal"]: (each["state"], each["failed"], each["access_state"])
                          for each in found["paths"]},
                         {f"{portal}:{lio.PORT}":
                          ("optimized" if portal in (b, d) else "standby", False, 0)
                          for portal in self.portals})
        shown = self.ok("disk", "get", self.WWID)
        for word in (self.WWID, "3 ROUND_ROBIN_WITH_SUBSET, from disk, Applied", "standby",
                     *self.portals):
            self.assertIn(word, shown)
        # The same of the map, where its session is shown.
        (session,) = json.loads(self.ok("status", "--json"))["sessions"]
        self.assertEqual([each["wwid"] for each in session["maps"]
                          if each["provenance"] == "disk"], [self.WWID])

    def test_completion(self):
        self.assertEqual(set(self.ok("complete", "--", "disk", "get", "").split()),
                         set(dm.maps()))
        self.assertEqual(set(self.ok("complete", "--", "disk", "set", self.WWID, "1",
                                     "--primary", "").split()),
                         {f"{portal}:{lio.PORT}" for portal in self.portals})

    def test_clear(self):
        self.set(wmi.LEAST_BLOCKS)
        self.ok("disk", "clear", self.WWID)
        self.assertEqual(collections.Counter(self.shape()),
                         collections.Counter(self.own[self.WWID]))
        self.assert_provenance(wmi.NONE, "host")

    def test_default(self):
        self.addCleanup(self.give_back)
        self.addCleanup(wmi.set_default, wmi.NONE)
        self.set(wmi.QUEUE_DEPTH)
        self.ok("policy", "default", "least-blocks")
        self.assertEqual(self.ok("policy", "default"), "6 LEAST_BLOCKS\n")
        self.assert_groups((QL, self.portals))
        self.ok("disk", "clear", self.WWID)
        self.assert_groups((ST, self.portals))
        self.assert_provenance(wmi.LEAST_BLOCKS, "default")
        self.ok("policy", "default", "none")
        self.assertEqual(json.loads(self.ok("policy", "default", "--json"))["default_policy"],
                         wmi.NONE)

    def test_refused_requests(self):
        self.set(wmi.QUEUE_DEPTH)
        status, output, errors = command("disk", "set", self.WWID, "failover")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("STATUS_INVALID_PARAMETER (0xC000000D)", errors)
        status, output, errors = command("policy", "default", "weighted-paths")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("DefaultLoadBalancePolicy", errors)
        self.assert_groups((QL, self.portals))

    def test_monitor(self):
        self.set(wmi.QUEUE_DEPTH)
        with self.monitor() as monitor:
            self.ok("disk", "set", self.WWID, "least-blocks")
            event = next(each for each in map(json.loads, monitor.stdout)
                         if each["changes"].get("LoadBalancePolicy") == str(wmi.LEAST_BLOCKS))
        self.assertEqual([event[key] for key in ("event", "object", "wwid", "class")],
                         ["changed", "disk", self.WWID, "Disk"])
