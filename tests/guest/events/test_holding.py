# SPDX-License-Identifier: LGPL-2.1-or-later
"""A policy that holds: what happens to a host in its life, and each policy after it.

The tests of the class go through the events in order, with random reads and verified writes on all
maps throughout; the last ones need idle maps. The kernel is the witness.
"""

import time

import holds
import lab
import wmi
from holds import B, C, HOLDS, NEW

# Reads and writes a second on each map.
RATE = 10


class Holding(holds.HoldsTest):
    @classmethod
    def setUpClass(cls):
        cls.load = None
        super().setUpClass()
        cls.addClassCleanup(cls.stop_load)
        cls.load = wmi.Load([hold.map for hold in HOLDS.values()], RATE)
        cls.load.__enter__()

    @classmethod
    def stop_load(cls):
        """End the I/O; what went wrong with it in all the time."""
        if cls.load is None:
            return ""
        load, cls.load = cls.load, None
        load.__exit__()
        return load.error

    def assert_holds(self, *args, **kwargs):
        super().assert_holds(*args, **kwargs)
        if self.load:
            self.assertTrue(self.load.running(), "I/O ended with an error")

    def test_01_a_path_logs_out_and_in(self):
        lab.logout(None, B)
        lab.login(None, B)
        self.assert_holds()

    def test_02_a_portal_is_lost_and_returns(self):
        with lab.portal_blocked(B):
            lab.wait_for(lambda: lab.is_failed(B), 60, "the loss")
            self.assert_means(unusable=[B])
        self.assert_holds()
        # Failover's primary carries all the I/O again.
        disk = {lab.portal_of(path): path for path in lab.maps()[HOLDS[wmi.FAILOVER].map].paths}
        with lab.counting_ios(disk.values()) as counted:
            time.sleep(1)
        self.assertGreater(counted[disk[B]], 0)
        self.assertEqual({counted[disk[each]] for each in disk if each != B}, {0})

    def test_03_the_target_restarts(self):
        targets = {hold.target for hold in HOLDS.values()}
        for enabled in (False, True):
            for target in targets:
                lab.target_enable(enabled, name=target)
            if not enabled:
                lab.wait_for(lambda: all(each.state != "LOGGED_IN" for each in lab.sessions()
                                         if each.target in targets), 20, "all sessions down")
        self.assert_holds()

    def test_04_multipathd_reconfigures(self):
        before = wmi.tables()
        lab.reconfigure()
        self.assertEqual(wmi.tables(), before)
        self.assert_holds()

    def test_05_multipathd_restarts(self):
        lab.multipathd_restart()
        self.assert_holds()

    def test_06_the_service_restarts(self):
        before = wmi.tables()
        wmi.restart()
        self.assert_holds()
        self.assertEqual(wmi.tables(), before)
        self.assertEqual({each["Reapplications"] for each in wmi.sessions().values()}, {0})

    def test_07_the_service_is_killed(self):
        before, old = wmi.tables(), wmi.main_pid()
        lab.run("systemctl", "kill", "--signal=KILL", wmi.SERVICE)
        lab.wait_for(lambda: wmi.main_pid() not in (0, old), 20, "the service again")
        self.assert_holds()
        self.assertEqual(wmi.tables(), before)
        self.assertEqual({each["Reapplications"] for each in wmi.sessions().values()}, {0})

    def test_08_a_new_portal_logs_in(self):
        self.addCleanup(self.remove_new)
        for hold in HOLDS.values():
            lab.portal_add(NEW, name=hold.target)
        lab.discover(NEW, new_only=True)
        lab.login(None, NEW)
        self.assert_holds(with_new=True)

    def remove_new(self):
        lab.logout(None, NEW)
        lab.forget(None, NEW)
        for hold in HOLDS.values():
            lab.portal_remove(NEW, name=hold.target)
        lab.wait_until_whole(holds.paths())
        self.assert_means()

    def test_09_a_path_changes_while_the_service_is_away(self):
        lab.run("systemctl", "stop", wmi.SERVICE)
        lab.logout(None, C)
        lab.login(None, C)
        lab.wait_until_whole(holds.paths())
        wmi.restart()
        self.assert_holds()

    def test_10_no_read_or_write_had_an_error(self):
        self.assertIsNotNone(self.load)
        self.assertTrue(self.load.running())
        self.assertEqual(self.stop_load(), "")

    def test_11_unused_maps_are_flushed_and_made_again(self):
        self.stop_load()
        lab.flush_maps()
        lab.run("multipathd", "reconfigure")
        self.assert_holds()

    def test_12_all_paths_log_out_and_in(self):
        self.stop_load()
        for portal in holds.ADDRESSES:
            lab.logout(None, portal)
        # A map that udev has open just then stays, without a path.
        lab.wait_for(lambda: not any(each.paths for name, each in lab.maps().items()
                                     if name in {hold.map for hold in HOLDS.values()}), 20,
                     "no path left")
        found = wmi.sessions()
        self.assertEqual({policy: found[hold.target]["LoadBalancePolicy"]
                          for policy, hold in HOLDS.items()}, {policy: policy for policy in HOLDS})
        for portal in holds.ADDRESSES:
            lab.login(None, portal)
        self.assert_holds()
