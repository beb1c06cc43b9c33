# SPDX-License-Identifier: LGPL-2.1-or-later
"""What in an administrator's configuration keeps multipathd from a policy has a name; what could be harmed
by telling it is left alone."""

import case
from multipathd import OWN_SELECTOR, PATH_STATES
from names import FAILOVER, QUEUE_DEPTH, ROUND_ROBIN, SUCCESS

ALL = {1, 2, 3, 4}
NO_STATE = 16  # of a target port group: there is none


class OverrideTest(case.HostTest):
    def setUp(self):
        super().setUp()
        self.multipathd = self.host.multipathd

    def agreement(self):
        return self.agent.session("MultipathdAgreement")

    def reason(self):
        return self.agent.session("Reason")

    def reconfigures(self):
        return self.multipathd.asked.count("reconfigure")

    def put(self, text, name=None):
        """A file of multipathd's configuration, the main one or one of the directory."""
        directory = self.host.drop_in.parent
        file = directory / name if name else directory.parent.with_suffix(".conf")
        file.write_text(text)
        return file


class OddFiles(OverrideTest):
    def test_a_line_that_leaves_a_section_open(self):
        """The brace of the next section closes it, and what follows counts."""
        self.put("defaults { user_friendly_names yes }\n"
                 "blacklist {\n"
                 '  devnode "^sd"\n'
                 "}\n"
                 "multipaths {\n"
                 "  multipath {\n"
                 f"    wwid {self.host.wwid(0)}\n"
                 "    path_grouping_policy multibus\n  }\n}\n", "zz.conf")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "zz.conf line 8: path_grouping_policy" in self.reason(), "what it says of it")
        self.assertEqual(self.agreement(), "Alone")
        self.assertEqual(self.reconfigures(), 1)

    def test_a_deprecated_keyword(self):
        """0.15 passes over rr_weight, ours and others', and shows none."""
        self.multipathd.release = "0.15.1"
        shown = self.multipathd.config
        self.multipathd.config = lambda: "".join(line for line in shown().splitlines(True)
                                                 if "rr_" not in line)
        self.put(f"multipaths {{\n multipath {{\n  wwid {self.host.wwid(0)}\n  rr_weight priorities\n"
                 " }\n}\n", "zz.conf")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.reconfigures(), 1)

    def test_a_main_file_that_it_refuses(self):
        """It says that all is well, and keeps the configuration that it has."""
        self.multipathd.refuses = True
        file = self.put('blacklist {\n wwid "*"\n}\n')
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "refuses" in self.reason(), "its name")
        self.assertIn("multipath.conf line 2: wwid", self.reason())
        self.assertEqual((self.agreement(), self.reconfigures()), ("Pending", 0))
        self.multipathd.refuses = False
        file.write_text("")
        self.wait_for_agreement()

    def test_a_refusal_of_no_account(self):
        """What multipathd has in force is not told again, whatever its files have become since."""
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.multipathd.refuses = True
        asked = len(self.multipathd.asked)
        self.put('blacklist {\n wwid "*"\n}\n')
        self.wait_for(lambda: "show config" in self.multipathd.asked[asked:], "a look at it")
        self.wait_for_agreement()
        self.assertEqual(self.reason(), "")


class Detection(OverrideTest):
    def sections(self):
        return self.host.drop_in.read_text().count("detect_prio no")

    def test_a_prio_that_would_begin_to_count(self):
        """Somebody's prio for the product has no effect while one is detected, and is to have none."""
        file = self.put('devices {\n device {\n  vendor "LIO-ORG"\n  product ".*"\n'
                        "  path_grouping_policy failover\n  prio const\n }\n}\n", "zz.conf")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.wait_for(lambda: "zz.conf line 6: prio" in self.reason(), "what it says of it")
        self.assertEqual(self.agreement(), "Alone")
        self.assertEqual(self.sections(), 0)
        file.unlink()
        self.wait_for(lambda: self.sections() == 1, "the section")
        self.wait_for_agreement()

    def test_a_prio_of_all_products(self):
        self.put("overrides {\n prio const\n}\n")
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.wait_for(lambda: "multipath.conf line 2: prio" in self.reason(), "what it says of it")
        self.assertEqual(self.agreement(), "Alone")
        self.assertEqual(self.sections(), 0)

    def test_groups_by_target_port_group(self):
        """A single group, too, has to be kept from being made by a prio that is detected."""
        self.put("defaults {\n detect_pgpolicy_use_tpg yes\n}\n")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.sections(), 1)
        self.multipathd.load(0)
        self.assertEqual(self.host.shape(0), [("queue-length 0", ALL)])

    def test_groups_by_target_port_group_win(self):
        self.put("defaults {\n detect_pgpolicy_use_tpg yes\n}\n")
        self.put("overrides {\n detect_prio yes\n}\n", "zz.conf")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "multipath.conf line 2: detect_pgpolicy_use_tpg" in self.reason(), "what it says of it")
        self.assertEqual(self.agreement(), "Alone")


class OtherHandlers(OverrideTest):
    """A handler that follows no array: it has noted access states when it attached, which are old, or of
    another LUN, and the array tells of none. multipathd detects no prio for it, and goes by none of them."""

    handler, tpgs = "rdac", 0
    noted = {1: "active/optimized", 2: "standby", 3: "active/optimized", 4: "active/non-optimized"}

    def prepare(self):
        self.host.tree.tpgs = self.tpgs
        for sid, state in self.noted.items():
            for lun in range(self.luns):
                self.host.tree.set_tpgs(sid, lun, self.tpgs)
                self.host.tree.set_disk_value(sid, lun, "dh_state", self.handler)
                self.host.tree.set_disk_value(sid, lun, "access_state", state)

    def test_a_primary_leads(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[2]), SUCCESS)
        self.assert_everywhere(*(("round-robin 0", {sid}) for sid in (2, 1, 3, 4)))
        self.wait_for_agreement()
        self.assertEqual("device {" in self.host.drop_in.read_text(), self.tpgs > 0)

    def test_a_single_group(self):
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.assert_everywhere(("queue-length 0", ALL))
        self.wait_for_agreement()
        self.multipathd.load(0)
        self.assert_everywhere(("queue-length 0", ALL))

    def test_a_disk_tells_of_none(self):
        self.assertEqual(self.agent.set_disk_policy(0, ROUND_ROBIN), SUCCESS)
        policy, paths = self.agent.query_disk(0)
        self.assertEqual((policy, {path.group_state for path in paths}), (ROUND_ROBIN, {NO_STATE}))
        self.assertEqual(self.host.shape(0), [("round-robin 0", ALL)])


class Clariion(OtherHandlers):
    handler = "emc"


class InsistedOn(OtherHandlers):
    """An array that tells of asymmetric access, with a handler that somebody wants: multipathd goes by
    what that has noted."""

    tpgs = 1

    def test_another_handler_is_attached(self):
        """The map's groups stay what they are; that they are kept from a prio is not needed any more."""
        for sid in self.noted:
            self.host.set_access(sid, 0, "active/optimized")
        self.assertEqual(self.agent.set_disk_policy(0, QUEUE_DEPTH), SUCCESS)
        self.wait_for(lambda: "device {" in self.host.drop_in.read_text(), "the section")
        for sid in self.noted:
            self.host.tree.set_disk_value(sid, 0, "dh_state", "alua")
            self.host.set_access(sid, 0, "active/optimized")
        self.wait_for(lambda: "device {" not in self.host.drop_in.read_text(), "no section")


class Marginal(OverrideTest):
    MOVED = [(OWN_SELECTOR, {1, 2, 3}), (OWN_SELECTOR, {4})]

    def move(self):
        """What multipathd does with a path that it takes for marginal; or somebody else with any."""
        self.host.load_map(0, [(selector, [self.host.tree.disk(sid, 0) for sid in sorted(sids)])
                               for selector, sids in self.MOVED])

    def test_what_moves_paths_is_named(self):
        self.put("defaults {\n marginal_pathgroups yes\n}\n")
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.assertEqual(self.reason(), "")
        self.multipathd.marginal.add(self.host.tree.disk(4, 0))
        for _ in range(12):
            self.move()
            self.wait_for(lambda: self.host.shape(0) != self.MOVED
                          or self.agent.session("Agreement") == "Contested", "an answer to that")
            if self.host.shape(0) == self.MOVED:
                break
        self.wait_for(lambda: "multipath.conf line 2: marginal_pathgroups" in self.reason(), "its name")
        self.assertEqual(self.agent.session("Agreement"), "Contested")

    def test_it_is_not_named_where_no_path_is_marginal(self):
        """Of this map, that is: groups that part for another reason are given back, and that is all."""
        self.put("defaults {\n marginal_pathgroups yes\n}\n")
        self.multipathd.marginal.add(self.host.tree.disk(4, 1))
        self.assertEqual(self.agent.set_policy(QUEUE_DEPTH), SUCCESS)
        self.wait_for_agreement()
        self.multipathd.asked.clear()
        self.move()
        self.wait_for(lambda: self.agent.session("Reapplications") == 1
                      and "show config" in self.multipathd.asked, "an answer to that")
        self.wait_for(lambda: PATH_STATES in self.multipathd.asked, "the question which path is marginal")
        self.wait_for_agreement()
        self.assertEqual(self.reason(), "")


if __name__ == "__main__":
    case.main()
