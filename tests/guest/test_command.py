# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command iscsi-wmi on the real service."""

import json
import select
import signal
import subprocess
import unittest

import lab
import wmi


def command(*words):
    """Run iscsi-wmi: exit status, standard output, standard error."""
    done = subprocess.run(["iscsi-wmi", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Command(unittest.TestCase):
    def setUp(self):
        self.portals = lab.portals()
        self.addCleanup(wmi.set_policy, wmi.VENDOR)

    def ok(self, *words):
        status, output, errors = command(*words)
        self.assertEqual((status, errors), (0, ""))
        return output

    def test_policy_set_by_portal(self):
        a, b, c, d = self.portals
        self.ok("policy", "set", lab.TARGET, "failover", "--primary", c)
        for shape in wmi.shapes().values():
            self.assertEqual(shape[0], ("round-robin", frozenset([c])))
        self.ok("policy", "set", f"{wmi.session_id():016x}", "5", "--weight", f"{a}=3",
                "--weight", f"{b}:3260=2", "--weight", f"{wmi.connection_id(d):016x}=1")
        for shape in wmi.shapes().values():
            self.assertEqual(shape, [("round-robin", frozenset([each])) for each in (c, d, b, a)])
        self.assertEqual(wmi.query()[0], wmi.WEIGHTED)

    def test_status(self):
        wmi.set_policy(wmi.SUBSET, self.portals[:2])
        output = self.ok("status")
        for word in (lab.TARGET, "ROUND_ROBIN_WITH_SUBSET", "session", "Applied", *self.portals,
                     *lab.maps()):
            self.assertIn(word, output)
        wmi.wait_for_agreement()
        self.assertIn("Agrees", self.ok("status"))
        (session,) = json.loads(self.ok("--json", "status"))["sessions"]
        self.assertEqual([session[key] for key in ("policy", "provenance", "agreement",
                                                   "multipathd", "reason")],
                         [wmi.SUBSET, "session", "Applied", "Agrees", ""])

    def test_sessions(self):
        output = self.ok("sessions", "--statistics")
        for word in (lab.TARGET, "full feature", "COMMANDS", *self.portals):
            self.assertIn(word, output)
        (session,) = json.loads(self.ok("sessions", "--statistics", "--json"))["sessions"]
        self.assertEqual(session["session_id"], f"{wmi.session_id():016x}")
        self.assertEqual({each["remote_address"] for each in session["connections"]},
                         set(self.portals))
        for each in session["connections"]:
            self.assertGreater(each["statistics"]["commands_sent"], 0)

    def test_policy_clear(self):
        wmi.set_policy(wmi.SUBSET, self.portals[:2])
        self.ok("policy", "clear", lab.TARGET)
        (session,) = json.loads(self.ok("status", "--json"))["sessions"]
        self.assertEqual([session["chosen_policy"], session["provenance"]], [0, "host"])

    def test_ping(self):
        self.assertEqual(self.ok("ping", self.portals[0], "--count", "2"),
                         f"{self.portals[0]}: 2 of 2 answered\n")

    def test_monitor(self):
        with subprocess.Popen(["iscsi-wmi", "monitor", "--json"], stdout=subprocess.PIPE,
                              text=True) as monitor:
            self.addCleanup(monitor.kill)
            for _ in range(60):  # until it listens
                self.ok("guid", "new")
                if select.select([monitor.stdout], [], [], 0.5)[0]:
                    break
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
        status, output, errors = command("policy", "set", lab.TARGET, "failover")
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
