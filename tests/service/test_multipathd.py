# SPDX-License-Identifier: LGPL-2.1-or-later
"""What multipathd is told, when it is asked to read that, and what the service says of it."""

import os
import socket
import time
import unittest

import case
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUBSET, SUCCESS, VENDOR

ASKED_AGAIN = 0.05  # seconds from one command to the next where it is busy, at least


class MultipathdTest(case.HostTest):
    def setUp(self):
        super().setUp()
        self.multipathd = self.host.multipathd

    def agreement(self, target=0):
        return self.agent.session("MultipathdAgreement", target)

    def reason(self):
        return self.agent.session("Reason")

    def reconfigures(self):
        return self.multipathd.asked.count("reconfigure")

    def sections(self):
        """{wwid: its section} of the file."""
        found = {}
        for part in self.host.drop_in.read_text().split("    multipath {\n")[1:]:
            lines = part.split("    }")[0].splitlines()
            section = dict(line.strip().split(" ", 1) for line in lines)
            found[section["wwid"].strip('"')] = section
        return found


class Telling(MultipathdTest):
    sessions = 2

    def test_the_file(self):
        """A section for each map under a policy, which names the paths of all groups but the last."""
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.wait_for_agreement()
        sections = self.sections()
        self.assertEqual(set(sections), {self.host.wwid(0), self.host.wwid(1)})
        self.assertEqual(sections[self.host.wwid(1)] | {"wwid": ""}, {
            "wwid": "", "path_grouping_policy": "group_by_prio",
            "path_selector": '"round-robin 0"', "prio": "weightedpath",
            "prio_args": '"hbtl ^2:0:0:1$ 40 ^1:0:0:1$ 30 ^3:0:0:1$ 20 .* 10"',
            "failback": "immediate", "rr_weight": "uniform", "rr_min_io_rq": "1"})
        self.assertIn("detect_prio no", self.host.drop_in.read_text())

    def test_what_it_knows_it_is_not_told_again(self):
        self.multipathd.seconds = 1
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        asked = len(self.multipathd.asked)
        self.restart()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "show config" in self.multipathd.asked[asked:], "a look at it")
        self.wait_for_agreement()
        self.assertEqual((self.reconfigures(), self.multipathd.loads), (1, 0))

    def test_policy_6_takes_its_sections_away(self):
        for target in 0, 1:
            self.assertEqual(self.agent.set_policy(QUEUE_DEPTH, target=target), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assertEqual(set(self.sections()), {self.host.wwid(2), self.host.wwid(3)})


class Together(MultipathdTest):
    sessions = 6

    def test_requests_that_come_together(self):
        """The first is told at once, and all the others with one reconfiguration behind it."""
        changes = [self.agent.begin_policy(QUEUE_DEPTH, target=target)
                   for target in range(self.sessions)]
        self.assertEqual([change.status() for change in changes], [SUCCESS] * self.sessions)
        self.assertLessEqual(self.reconfigures(), 2)
        self.assertEqual(len(self.sections()), self.sessions * self.luns)
        self.assertEqual(self.host.shapes(), {
            minor: [("queue-length 0", set(self.host.members(minor // self.luns)))]
            for minor in self.host.minors()})


class Proof(MultipathdTest):
    def test_pending_until_it_has_read_the_file(self):
        """That it has answered is no proof: its configuration is."""
        self.multipathd.answers["show config"] = self.multipathd.config()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assertEqual(self.agreement(), "Pending")
        self.assertIn("has not read the policy yet", self.reason())
        self.wait_for(lambda: self.multipathd.asked.count("show config") > 4, "looks at it")
        self.assertEqual(self.agreement(), "Pending")
        self.assertEqual(self.agent.session("Agreement"), "Applied")
        del self.multipathd.answers["show config"]
        self.wait_for_agreement()
        self.assertEqual(self.reason(), "")
        self.assertEqual(self.reconfigures(), 1)

    def test_a_busy_one_is_asked_again(self):
        """By and by, even where it says at once that it is."""
        begin = time.monotonic()
        self.multipathd.answers["reconfigure"] = "timeout\n"
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: self.reconfigures() > 2, "more than two attempts")
        self.assertLess(self.reconfigures(), 4 + (time.monotonic() - begin) / ASKED_AGAIN)
        del self.multipathd.answers["reconfigure"]
        self.wait_for_agreement()

    def test_one_that_does_not_answer(self):
        """Policies are set all the same, and it is told when it speaks again."""
        self.multipathd.silent = True
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: self.multipathd.asked, "a question")
        self.assertEqual(self.agreement(), "Pending")
        self.assertEqual(self.agent.set_policy(ROUND_ROBIN, primaries=[1]), SUCCESS)
        self.assert_everywhere(("round-robin 0", [1]), ("round-robin 0", [2, 3, 4]))
        self.assertEqual(self.agent.session("Agreement"), "Applied")
        self.multipathd.silent = False
        self.wait_for_agreement()

    def test_one_that_does_not_answer_does_not_hold_up_the_end(self):
        self.multipathd.silent = True
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: self.multipathd.asked, "a question")
        before = time.monotonic()
        self.restart()
        self.assertLess(time.monotonic() - before, 10)

    def test_one_that_does_not_run(self):
        self.multipathd.stop()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "multipathd does not run" in self.reason(), "the reason")
        self.assertEqual(self.agreement(), "Pending")
        # Without it no map can be given back, and nothing is half done then.
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_INITIATOR_ERROR")
        self.assert_everywhere(("queue-length 0", [1, 2, 3, 4]))
        self.assertEqual(self.agent.session("LoadBalancePolicy"), QUEUE_DEPTH)
        self.multipathd.start()
        self.wait_for_agreement()

    def test_one_that_was_stopped_is_not_started(self):
        """systemd listens in its place, and would start it for whoever connects."""
        self.multipathd.stop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as systemd:
            systemd.bind(str(self.multipathd.path))
            systemd.listen(8)
            self.assertIn("multipathd does not run: start multipathd.service.",
                          self.agent.manager("Conditions"))
            self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
            self.wait_for(lambda: "multipathd does not run" in self.reason(), "the reason")
            systemd.settimeout(0)
            self.assertRaises(BlockingIOError, systemd.accept)
        self.multipathd.path.unlink()
        self.multipathd.start()
        self.wait_for_agreement()

    @unittest.skipUnless(os.geteuid() == 0, "another user is only for root to be")
    def test_another_users(self):
        """Who has bound its name is not multipathd, and is asked nothing."""
        self.multipathd.stop()
        asked = len(self.multipathd.asked)
        self.multipathd.start(user=65534)
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "multipathd does not run" in self.reason(), "the reason")
        self.assertEqual(self.agreement(), "Pending")
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_INITIATOR_ERROR")
        self.assertEqual(self.multipathd.asked[asked:], [])
        self.multipathd.stop()
        self.multipathd.start()
        self.wait_for_agreement()

    def test_the_file_cannot_be_written(self):
        self.host.drop_in.mkdir()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "cannot be written" in self.reason(), "the reason")
        self.assertEqual(self.agreement(), "Pending")


class OldRelease(MultipathdTest):
    """Up to 0.8.7 a reconfiguration reloads every map of the host: it is not asked."""

    def prepare(self):
        self.host.multipathd.release = "0.8.7"

    def test_alone(self):
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: self.agreement() == "Alone", "what it says of it")
        self.assertIn("reloads every map", self.reason())
        self.assertEqual(self.agent.session("Agreement"), "Applied")
        self.assertEqual(self.reconfigures(), 0)
        # It reads the file when it starts.
        self.assertEqual(len(self.sections()), 2)


class ManyPaths(MultipathdTest):
    """More than its prio_args can list, by one regex each."""
    portals, luns = 24, 1

    def test_alone(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[7]), SUCCESS)
        self.assertEqual(self.agreement(), "Alone")
        self.assertIn("more paths than multipathd's prio_args", self.reason())
        self.host.multipathd.load(0)
        wanted = [("round-robin 0", {sid})
                  for sid in (7, *(sid for sid in range(1, 25) if sid != 7))]
        self.wait_for(lambda: self.host.shape(0) == wanted, "a repair")

    def test_a_single_group_it_can_be_told_of(self):
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()

    def test_few_groups_it_can_be_told_of(self):
        """By one regex for all paths of a group; it builds the same of that, and is not told again."""
        primaries = set(range(2, 25))
        self.assertEqual(self.agent.set_policy(SUBSET, primaries=primaries), SUCCESS)
        self.wait_for_agreement()
        wanted = [("round-robin 0", primaries), ("round-robin 0", {1})]
        self.assertEqual(self.host.shape(0), wanted)
        text = self.host.drop_in.read_text()
        self.host.multipathd.load(0)
        self.assertEqual(self.host.shape(0), wanted)
        self.restart()
        self.wait_for_agreement()
        self.assertEqual(self.host.drop_in.read_text(), text)
        self.assertEqual(self.reconfigures(), 1)


class TwoFiles(MultipathdTest):
    def test_what_it_has_read_of_others_stays(self):
        """Keywords of an administrator's that are none of ours: for the same map, and for others."""
        other = self.host.drop_in.parent / "10-admin.conf"
        other.write_text("multipaths {\n multipath {\n  wwid %s\n  alias data\n }\n}\n"
                         % self.host.wwid(0))
        self.multipathd.reconfigure()
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.assertIn('alias "data"', self.multipathd.config())


if __name__ == "__main__":
    case.main()
