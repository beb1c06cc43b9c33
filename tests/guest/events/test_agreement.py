# SPDX-License-Identifier: LGPL-2.1-or-later
"""multipathd's agreement: the file that the service writes for it, and an administrator's own."""

import pathlib
import time

import dm
import drop_in
import iscsi
import multipathd
import service
import stack
import test_policies
import wmi
from basic import run, wait_for

RR = "round-robin"
HOSTS = pathlib.Path("/sys/class/iscsi_host")
RIVAL = pathlib.Path("/etc/multipath/conf.d/95-admin.conf")
RIVAL_TEXT = """multipaths {
    multipath {
        wwid "WWID"
        path_grouping_policy multibus
    }
}
"""
RIVAL_LINE = 4

# What the file may hold at most in one line, and multipathd in prio_args (docs/design.md, Traps).
LINE_MAX, PRIO_ARGS_MAX = 1023, 254


def priorities():
    """{path: priority}, as multipathd has it."""
    lines = run("multipathd", "show", "paths", "format", "%d %p").splitlines()[1:]
    return {line.split()[0]: int(line.split()[1]) for line in lines}


class AgreementTest(test_policies.PolicyTest):
    def set_and_agree(self, *args, **kwargs):
        self.set(*args, **kwargs)
        wmi.wait_for_agreement()

    def agreement(self):
        return wmi.session("Agreement")


class File(AgreementTest):
    """The file, against multipathd's own view and against the kernel's."""

    def assert_entries(self, *tiers):
        """Each map has a whole entry, which lists by their present addresses all paths but those of
        the last tier, better tiers with higher weights."""
        entries, kernel, seen = drop_in.entries(), dm.maps().values(), priorities()
        self.assertEqual(set(entries), {each.wwid for each in kernel})
        for each in kernel:
            entry = entries[each.wwid]
            rest = {key: value for key, value in entry.items() if key != "prio_args"}
            self.assertEqual(rest, {
                "path_grouping_policy": "group_by_prio", "path_selector": "round-robin 0",
                "prio": "weightedpath", "failback": "immediate", "rr_weight": "uniform",
                "rr_min_io_rq": "1"})
            self.assertLessEqual(len(entry["prio_args"]), PRIO_ARGS_MAX)
            listed, last = drop_in.listed_paths(entry)
            weights, paths = dict(listed), {iscsi.portal_of(path): path for path in each.paths}
            found = []
            for tier in tiers:
                in_tier = {weights.pop(iscsi.hbtl(paths[portal]), last) for portal in tier}
                self.assertEqual(len(in_tier), 1, (tier, entry))
                self.assertEqual({seen[paths[portal]] for portal in tier}, in_tier)
                found += in_tier
            self.assertEqual(weights, {})
            self.assertEqual(found, sorted(set(found), reverse=True))
            self.assertEqual(found[-1], last)

    def test_multipathd_makes_the_same_groups(self):
        a, b, c, d = self.portals
        self.set_and_agree(wmi.FAILOVER, [c])
        self.assert_entries([c], [a], [b], [d])

        text = drop_in.FILE.read_text()
        self.assertEqual(text[0], "#")
        for line in text.splitlines():
            self.assertLess(len(line), LINE_MAX)
            # multipathd loses a keyword that follows a brace.
            self.assertNotRegex(line.split("#")[0], r"\{\s*\S")
        self.assertIn("detect_prio no", " ".join(text.split()))
        config = run("multipathd", "show", "config")
        for wwid, entry in drop_in.entries().items():
            self.assertIn(wwid, config)
            self.assertIn(entry["prio_args"], config)

        before = dm.tables()
        multipathd.reconfigure()
        self.assertEqual(set(multipathd.map_loads().values()), {0})
        self.assertEqual(dm.tables(), before)
        self.assert_tables((RR, [c]), (RR, [a]), (RR, [b]), (RR, [d]))

        # Nothing has changed: the file stays as it is, and multipathd is left alone.
        since, stat = time.time(), drop_in.FILE.stat()
        service.restart()
        wmi.wait_for_agreement()
        wmi.wait_until_quiet()
        again = drop_in.FILE.stat()
        self.assertEqual((again.st_ino, again.st_mtime_ns), (stat.st_ino, stat.st_mtime_ns))
        self.assertEqual(multipathd.reconfigures(since), [])

        # Paths that log in anew in another order have other host numbers.
        old = drop_in.entries()
        order = sorted(iscsi.sessions(), key=lambda session: int(
            iscsi.hbtl(session.paths[0]).split(":")[0]))
        iscsi.logout()
        wait_for(lambda: not list(HOSTS.glob("host*")), 10, "the end of the old hosts")
        for session in reversed(order):
            iscsi.login(address=session.address)
        stack.wait_until_whole()
        # The service looks at the last path a moment after the kernel has it.
        wait_for(lambda: drop_in.entries() != old, 10, "entries with the new host numbers")
        wmi.wait_for_agreement()
        self.assert_entries([c], [a], [b], [d])
        self.assertEqual([each.name for each in drop_in.FILE.parent.iterdir()],
                         [drop_in.FILE.name])
        self.assertEqual(drop_in.leftovers(), [])

    def test_the_last_policy_takes_the_file_with_it(self):
        self.set(wmi.VENDOR)
        before = dm.shapes()
        self.set_and_agree(wmi.WEIGHTED, weights={self.portals[0]: 1})
        self.assertTrue(drop_in.FILE.exists())
        self.set(wmi.VENDOR)
        self.assertEqual(dm.shapes(), before)
        wait_for(lambda: not drop_in.FILE.exists(), 10, "no file")
        wmi.wait_for_agreement()
        multipathd.reconfigure()
        self.assertEqual(dm.shapes(), before)
        self.assertNotIn("weightedpath", run("multipathd", "show", "config"))

    def test_a_change_is_one_reconfiguration(self):
        """Which multipathd has begun when it is answered, and ended when the next one begins."""
        changes = self.portals * 2
        since = time.time()
        for portal in changes:
            self.set(wmi.FAILOVER, [portal])
        wmi.wait_for_agreement()
        times = multipathd.reconfigures(since)
        self.assertEqual(len(times), len(changes), times)
        last = self.portals[-1]
        self.assert_tables((RR, [last]), *((RR, [each]) for each in self.portals[:-1]))

    def test_without_multipathd_it_is_pending(self):
        a, b, c, d = self.portals
        with multipathd.stopped():
            self.set(wmi.SUBSET, [a, b])
            self.assertEqual(wmi.session("Agreement"), "Applied")
            self.assertEqual(wmi.session("MultipathdAgreement"), "Pending")
            self.assertIn("multipathd", wmi.session("Reason"))
        stack.wait_until_whole()
        wmi.wait_for_agreement()
        self.assert_tables((RR, [a, b]), (RR, [c, d]))
        self.assertEqual(wmi.session("Reason"), "")


class Contested(AgreementTest):
    """An administrator's file that is read after the service's."""

    def remove_rival(self):
        RIVAL.unlink(missing_ok=True)
        multipathd.reconfigure()

    def assert_hold(self, names, groups):
        shapes = dm.shapes()
        self.assertEqual([shapes[name] for name in names], [groups] * len(names))

    def test_the_administrator_wins(self):
        a, b, c, d = self.portals
        self.set_and_agree(wmi.FAILOVER, [c])
        groups = [(RR, frozenset([each])) for each in (c, a, b, d)]
        mine, *others = sorted(dm.maps())
        self.addCleanup(self.remove_rival)
        RIVAL.write_text(RIVAL_TEXT.replace("WWID", dm.maps()[mine].wwid))

        def settled():
            return self.agreement() == "Contested" or dm.shapes()[mine] == groups

        for _ in range(8):
            multipathd.reconfigure()
            wait_for(settled, 10, "the service's answer")
            self.assert_hold(others, groups)
            if self.agreement() == "Contested":
                break
        self.assertEqual(self.agreement(), "Contested")
        self.assertIn(f"{RIVAL} line {RIVAL_LINE}: path_grouping_policy", wmi.session("Reason"))

        # No fighting: what multipathd makes of it stays. The other map keeps its policy.
        multipathd.reconfigure()
        self.assertEqual(wmi.noise(5), {})
        self.assert_hold(others, groups)
        self.assertEqual(self.agreement(), "Contested")
        self.assertEqual(wmi.session("LoadBalancePolicy"), wmi.FAILOVER)

        self.remove_rival()
        wmi.wait_for_agreement()
        self.assert_tables(*((RR, [each]) for each in (c, a, b, d)))
        self.assertEqual(wmi.session("Reason"), "")


class ByHand(AgreementTest):
    """Tables that somebody else loads."""

    def test_a_table_swapped_by_hand_is_put_back(self):
        a, b, c, d = self.portals
        self.set_and_agree(wmi.QUEUE_DEPTH)
        wanted, before = dm.shapes(), wmi.session("Reapplications")
        since = time.time()
        name = min(dm.maps())
        dm.load_groups(name, [[a], [c], [b, d]], "round-robin")
        wait_for(lambda: dm.shapes() == wanted, 5, "the policy's table")
        wmi.wait_for_agreement()
        wmi.wait_until_quiet()
        # It is counted, and said: once for the one map that differed. (A change that was asked for
        # has a line with a status.)
        self.assertEqual(wmi.session("Reapplications"), before + 1)
        lines = [line for line in service.journal(since)
                 if "STATUS_" not in line and any(each in line for each in dm.maps())]
        self.assertEqual([name in line for line in lines], [True], lines)

    def test_somebody_who_goes_on_wins(self):
        a, b, c, d = self.portals
        self.set_and_agree(wmi.QUEUE_DEPTH)
        wanted, before = dm.shapes(), wmi.session("Reapplications")
        name = min(dm.maps())

        def settled():
            return self.agreement() == "Contested" or dm.shapes() == wanted

        for _ in range(10):
            dm.load_groups(name, [[a], [b, c, d]], RR)
            wait_for(settled, 10, "the service's answer")
            if self.agreement() == "Contested":
                break
        self.assertEqual(self.agreement(), "Contested")
        self.assertIn(f"Map {name} was given other path groups again and again",
                      wmi.session("Reason"))
        rounds = wmi.session("Reapplications")
        self.assertGreaterEqual(rounds, before + 3)
        time.sleep(3)
        self.assertEqual(wmi.session("Reapplications"), rounds)

        self.set_and_agree(wmi.QUEUE_DEPTH)
        self.assertEqual(dm.shapes(), wanted)
        self.assertEqual(wmi.session("Reason"), "")
