# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every row of src/wmi/policy.h, on the real thing, and nothing changed where it says so."""

import concurrent.futures
import contextlib
import errno
import pathlib
import sqlite3
import time
import unittest

import dm
import faults
import iscsi
import lio
import multipathd
import network
import service
import stack
import store
import wmi
from basic import MIB, read, run, wait_for, write


class StatusTest(unittest.TestCase):
    """Begins with round robin over all paths."""

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR)

    def setUp(self):
        self.portals = lio.portals()
        self.assertEqual(wmi.set_policy(wmi.ROUND_ROBIN, self.portals), wmi.SUCCESS)
        self.before = dm.shapes()

    def assert_refused(self, status, expected):
        self.assertEqual(f"{status:#010x}", f"{expected:#010x}")
        self.assertEqual(dm.shapes(), self.before)
        self.assertEqual(dm.suspended(), [])
        self.assertEqual(wmi.get(wmi.session_path(), "Session", "LoadBalancePolicy"),
                         wmi.ROUND_ROBIN)


class Requests(StatusTest):
    """Rows 1 to 8: what is wrong with the request itself."""

    def paths(self, primaries=1):
        return [wmi.path(portal, int(i < primaries)) for i, portal in enumerate(self.portals)]

    def test_01_count_larger_than_the_array(self):
        for count in (5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, self.paths(), count=count),
                                wmi.BUFFER_TOO_SMALL)

    def test_02_no_such_policy(self):
        for policy in (0, 7, 0xFFFFFFFF):
            self.assert_refused(wmi.set_policy_raw(policy, self.paths()), wmi.INVALID_POLICY)

    def test_03_a_path_twice(self):
        paths = self.paths()
        self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, paths[:3] + paths[:1]),
                            wmi.DUPLICATE_PATH)

    def test_04_no_such_session(self):
        self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, self.paths(), session=1),
                            wmi.INVALID_SESSION_ID)

    def test_04_a_session_of_another_adapter(self):
        other = "iqn.2024-01.org.example:second-name"
        run("iscsiadm", "-m", "iface", "-I", "second", "-o", "new")
        self.addCleanup(service.restart)
        self.addCleanup(run, "iscsiadm", "-m", "iface", "-I", "second", "-o", "delete")
        run("iscsiadm", "-m", "iface", "-I", "second", "-o", "update", "-n",
            "iface.initiatorname", "-v", other)
        service.restart()
        adapter = wmi.adapter_path(other)
        self.assertEqual(wmi.get(adapter, "MSiSCSI_HBAInformation", "NumberOfPorts"), 1)
        self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, self.paths(), adapter=adapter),
                            wmi.INVALID_SESSION_ID)

    def test_05_not_all_paths(self):
        for paths in ([], self.paths()[:1], self.paths()[:3]):
            self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, paths), wmi.PATH_COUNT_MISMATCH)
        # The array has all of them, but the count says three.
        self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, self.paths(), count=3),
                            wmi.PATH_COUNT_MISMATCH)

    def test_06_a_path_of_another_session(self):
        strange = wmi.path(self.portals[0], target="iqn.2024-01.org.example:nowhere")
        self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, self.paths()[:3] + [strange]),
                            wmi.INVALID_PATH_ID)

    def test_07_two_primaries(self):
        self.assert_refused(wmi.set_policy_raw(wmi.FAILOVER, self.paths(2)),
                            wmi.MULTIPLE_PRIMARIES)

    def test_08_no_primary(self):
        for policy in (wmi.FAILOVER, wmi.ROUND_ROBIN, wmi.SUBSET):
            self.assert_refused(wmi.set_policy_raw(policy, self.paths(0)), wmi.NO_PRIMARY)

    def test_extra_entries_are_ignored(self):
        junk = [(0, 0, 0, 1, 0, 0)] * 2
        self.assertEqual(wmi.set_policy_raw(wmi.FAILOVER, self.paths() + junk, count=4),
                         wmi.SUCCESS)

    def test_ten_thousand_paths(self):
        """Of more than 256 nothing is looked at: that is a bound (service/base/bounds.h)."""
        for n, status in ((256, wmi.PATH_COUNT_MISMATCH), (257, wmi.OUT_OF_RESOURCES),
                          (10000, wmi.OUT_OF_RESOURCES)):
            paths = [(i, 0, 0, 1, 0, 0) for i in range(1, n + 1)]
            self.assert_refused(wmi.set_policy_raw(wmi.QUEUE_DEPTH, paths), status)

    def test_policy_six_does_not_look_at_paths(self):
        paths = self.paths()
        self.assertEqual(wmi.set_policy_raw(wmi.VENDOR, paths[:1] * 3), wmi.SUCCESS)


class Host(StatusTest):
    """Rows 10 to 13: what this host cannot do now."""

    def test_09_somebody_has_suspended_a_map(self):
        """For a snapshot on the array: it stays so, and nothing has changed."""
        name = lio.wwid(0)
        run("dmsetup", "suspend", "--noflush", "--nolockfs", name)
        try:
            for policy in wmi.QUEUE_DEPTH, wmi.VENDOR:
                self.assertEqual(wmi.set_policy(policy), wmi.SESSION_BUSY)
            self.assertEqual(wmi.set_disk(name, wmi.QUEUE_DEPTH), wmi.DEVICE_BUSY)
            self.assertEqual([each.split(":")[0] for each in dm.suspended()], [name])
            self.assertEqual(dm.shapes(), self.before)
        finally:
            run("dmsetup", "resume", "--noflush", "--nolockfs", name)
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)

    def test_10_no_connection_is_up(self):
        for portal in self.portals:
            network.block(portal)
        try:
            wait_for(lambda: all(each.state != "LOGGED_IN" for each in iscsi.sessions()), 60,
                     "all sessions down")
            _, paths = wmi.query()
            self.assertTrue({each[4] for each in paths.values()} <= {2, 3}, paths)
            self.assert_refused(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.NO_CONNECTION)
        finally:
            for portal in self.portals:
                network.unblock(portal)
        wait_for(lambda: all(each.state == "LOGGED_IN" for each in iscsi.sessions()), 90,
                 "all sessions up")
        wait_for(lambda: set(dm.path_states().values()) == {"A"}, 60, "all paths usable")
        _, paths = wmi.query()
        self.assertEqual({each[4] for each in paths.values()}, {1})

    def test_11_no_multipath_map(self):
        dm.flush_maps()
        try:
            self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.DEVICE_NOT_FOUND)
        finally:
            run("multipathd", "reconfigure")
            stack.wait_for_paths()

    def test_12_the_selector_is_absent(self):
        blocked = pathlib.Path("/etc/modprobe.d/lab.conf")
        run("modprobe", "-r", "dm_queue_length", check=False)
        self.assertFalse(pathlib.Path("/sys/module/dm_queue_length").exists())
        blocked.write_text("install dm_queue_length /bin/false\n")
        self.addCleanup(blocked.unlink)
        self.assert_refused(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.NOT_SUPPORTED)

    def test_13_no_process_to_be_had(self):
        run("systemctl", "set-property", "--runtime", service.UNIT, "TasksMax=1")
        try:
            self.assert_refused(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.OUT_OF_RESOURCES)
        finally:
            run("systemctl", "revert", service.UNIT)
            run("systemctl", "set-property", "--runtime", service.UNIT, "TasksMax=infinity")
            run("systemctl", "revert", service.UNIT)

    def test_14_the_kernel_refuses_one_map(self):
        """A disk that has become smaller than its map: the kernel takes no table over it."""
        lun = lio.luns() - 1
        name = next(each.name for each in dm.maps().values() if lio.wwid(lun) in each.uuid)
        path = dm.maps()[name].paths[0]
        control = lio.CORE / f"lun{lun}/control"
        try:
            write(control, f"fd_dev_size={32 * MIB}")
            write(f"/sys/block/{path}/device/rescan", 1)
            wait_for(lambda: int(read(f"/sys/block/{path}/size")) == 32 * MIB // 512, 10,
                     "the smaller disk")
            # It would do without such a path.
            with multipathd.frozen():
                self.assert_refused(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.INITIATOR_ERROR)
        finally:
            write(control, f"fd_dev_size={64 * MIB}")
            write(f"/sys/block/{path}/device/rescan", 1)
            run("multipathd", "reconfigure")
            stack.wait_for_paths()
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)

    def test_16_live_but_not_saved(self):
        self.addCleanup(service.restart)
        with store.full():
            self.assertEqual(wmi.set_policy(wmi.FAILOVER, self.portals[:1]),
                             wmi.FAILURE_TO_PERSIST)
            for shape in dm.shapes().values():
                self.assertEqual(shape[0], ("round-robin", frozenset(self.portals[:1])))
            self.assertEqual(wmi.query()[0], wmi.FAILOVER)
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, self.portals[:1]), wmi.SUCCESS)


class Faults(StatusTest):
    """Rows 9, 14 and 15 where the kernel does not do it by itself: some calls wait or fail."""

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(faults.preloaded())
        super().setUpClass()

    def setUp(self):
        faults.rules()
        super().setUp()
        self.addCleanup(faults.rules)
        self.uuids = [each.uuid for _, each in sorted(dm.maps().items())]

    def test_09_another_change_still_runs(self):
        faults.rules(("load", "*", 0, 1000, 0, 2000))
        with multipathd.frozen(), concurrent.futures.ThreadPoolExecutor() as pool:
            first = pool.submit(wmi.set_policy, wmi.QUEUE_DEPTH)
            wait_for(lambda: faults.seen()[0] > 0, 10, "the first swap")
            # The service answers meanwhile.
            self.assertEqual(wmi.set_policy(wmi.FAILOVER, self.portals[:1]), wmi.SESSION_BUSY)
            self.assertEqual(wmi.query()[0], wmi.ROUND_ROBIN)
            self.assertFalse(first.done())
            self.assertEqual(first.result(), wmi.SUCCESS)
        for shape in dm.shapes().values():
            self.assertEqual(shape, [("queue-length", frozenset(self.portals))])

    def test_children_that_swap_have_less_than_the_service(self):
        def filters(pid):
            return int(service.process_status(pid).get("Seccomp_filters", 0))

        faults.rules(("load", "*", 0, 1000, 0, 2000))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            call = pool.submit(wmi.set_policy, wmi.QUEUE_DEPTH)
            wait_for(lambda: faults.seen()[0] > 0, 10, "the first swap")
            parent = service.main_pid()
            children = read(f"/proc/{parent}/task/{parent}/children").split()
            self.assertIn(filters(parent) + 1, [filters(child) for child in children])
            self.assertEqual(call.result(), wmi.SUCCESS)

    def test_14_the_last_map_refuses(self):
        for call in ("load", "resume"):
            with self.subTest(call=call):
                faults.rules((call, self.uuids[-1], 0, 1, errno.EIO, 0))
                self.assert_refused(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.INITIATOR_ERROR)
                self.assertEqual(faults.seen()[0], 1)

    def test_14_a_swap_that_loses_against_another_and_then_fails(self):
        """The kernel may keep the table that the loser had loaded: it is not to stay there."""
        uuid = self.uuids[-1]
        faults.rules(("resume", uuid, 0, 1, errno.EINVAL, 0), ("load", uuid, 1, 1, errno.EIO, 0))
        with multipathd.frozen():
            self.assert_refused(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.INITIATOR_ERROR)
        self.assertEqual(faults.seen(), [1, 2])
        # A live table, none that waits for a RESUME, not suspended, writable.
        self.assertEqual(run("dmsetup", "info", "-c", "--noheadings", "-o", "attr", "--uuid",
                             uuid), "L--w")

    def test_15_a_map_cannot_be_put_back(self):
        # The last map refuses; the first has changed by then, and refuses to go back.
        faults.rules(("load", self.uuids[-1], 0, 1, errno.EIO, 1000),
                     ("load", self.uuids[0], 1, 1, errno.EIO, 0))
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.NOT_ALL_SUCCESS)
        self.assertEqual(dm.suspended(), [])
        # The service goes on by itself: the map gets what its session still has.
        wait_for(lambda: dm.shapes() == self.before, 5, "the old policy on every map")
        wait_for(lambda: wmi.session("Agreement") == "Applied", 5, "its agreement")
        self.assertEqual(wmi.session("LoadBalancePolicy"), wmi.ROUND_ROBIN)
        self.assertEqual(dm.suspended(), [])

    def test_a_killed_service_leaves_whole_tables(self):
        faults.rules(("resume", "*", 0, 1000, 0, 3000))
        with multipathd.frozen(), concurrent.futures.ThreadPoolExecutor() as pool:
            call = pool.submit(wmi.set_policy, wmi.QUEUE_DEPTH)
            wait_for(lambda: faults.seen()[0] > 0, 10, "a swap between load and resume")
            run("systemctl", "kill", "--signal=KILL", service.UNIT)
            self.assertRaises(RuntimeError, call.result)
            faults.rules()
            self.assertEqual(dm.suspended(), [])
            self.assertEqual(dm.shapes(), self.before)
        wait_for(lambda: service.main_pid() > 0, 20, "the service again")
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)


class FirstPolicy(unittest.TestCase):
    """A first policy that the service does not live to finish: there is no other to put back."""

    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(faults.preloaded(restart="no"))
        cls.addClassCleanup(wmi.set_policy, wmi.VENDOR)

    def setUp(self):
        faults.rules()
        self.addCleanup(faults.rules)
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        wmi.wait_until_quiet()
        self.before = dm.shapes()
        self.assertEqual(store.intents(), set())
        self.maps = [each for _, each in sorted(dm.maps().items())]

    def changed(self):
        """The names of the maps that have other groups than before."""
        return {name for name, shape in dm.shapes().items() if shape != self.before[name]}

    def kill_in_the_midst(self, call, *arguments):
        """Make a call, and kill the service as soon as a map has changed; the WWIDs that were noted
        then, and the names of the maps that had changed. Nobody starts it again."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(call, *arguments)
            wait_for(self.changed, 10, "a map with the new groups")
            noted = store.intents()
            run("systemctl", "kill", "--signal=KILL", service.UNIT)
            wait_for(lambda: service.main_pid() == 0, 10, "the end of the service")
            self.assertRaises(RuntimeError, answer.result)
        faults.rules()
        return noted, self.changed()

    def kill_between_two_maps(self):
        """Likewise, with the last map waiting, to which multipathd would give the new groups, too."""
        faults.rules(("load", self.maps[-1].uuid, 0, 1, 0, 20000))
        with multipathd.frozen():
            noted, half = self.kill_in_the_midst(wmi.set_policy, wmi.FAILOVER, lio.portals()[-1:])
        self.assertEqual(noted, {each.wwid for each in self.maps})
        self.assertTrue(half)
        self.assertNotIn(self.maps[-1].name, half)

    def assert_as_before(self):
        wait_for(lambda: not self.changed(), 20, "multipathd's own groups on every map")
        wait_for(lambda: store.intents() == set(), 20, "nothing noted any more")
        self.assertEqual(dm.suspended(), [])
        self.assertEqual(wmi.session("LoadBalancePolicy"), 0)
        wmi.wait_until_quiet()
        self.assertEqual(self.changed(), set())

    def test_killed_between_two_maps(self):
        self.kill_between_two_maps()
        since = time.time()
        service.restart()
        self.assert_as_before()
        told = [line for line in service.journal(since) if "half way to its first policy" in line]
        self.assertEqual(len(told), len(self.maps), told)

    def test_killed_before_it_is_saved(self):
        """A disk's: after the swap, whatever reads the map waits."""
        uuid, wwid = self.maps[0].uuid, self.maps[0].wwid
        self.addCleanup(wmi.set_disk_raw, wwid, wmi.NONE)
        self.addCleanup(faults.rules)
        faults.rules(("resume", uuid, 0, 1, 0, 2000))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            killed = pool.submit(self.kill_in_the_midst, wmi.set_disk, wwid, wmi.FAILOVER,
                                 lio.portals()[-1:])
            wait_for(lambda: faults.seen()[0] > 0, 10, "a swap between load and resume")
            faults.rules(("table", "*", 0, 1000, 0, 20000))  # which are asked by number
            self.assertEqual(killed.result(), ({wwid}, {self.maps[0].name}))
        self.assertEqual(store.disk_policy(wwid), 0)
        service.restart()
        self.assert_as_before()

    def test_multipathd_is_not_there(self):
        """It is asked again and again, and the maps stay noted until it answers."""
        self.kill_between_two_maps()
        multipathd.stop()
        try:
            since = time.time()
            service.restart()
            wait_for(lambda: sum("half way to its first policy: multipathd does not run" in line
                                 for line in service.journal(since)) > len(self.maps), 20,
                     "a second attempt")
            self.assertTrue(self.changed())
            self.assertEqual(store.intents(), {each.wwid for each in self.maps})
        finally:
            multipathd.start()
        self.assert_as_before()

    def test_another_policy_comes_first(self):
        """One that is chosen before multipathd could be asked makes up for it, too."""
        self.kill_between_two_maps()
        multipathd.stop()
        try:
            service.restart()
            self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)
        finally:
            multipathd.start()
        self.assertEqual(store.intents(), set())
        wmi.wait_for_agreement()
        for shape in dm.shapes().values():
            self.assertEqual(shape, [("queue-length", frozenset(lio.portals()))])

    def test_another_boot(self):
        """What was noted in an earlier one is over: multipathd has built these maps."""
        run("systemctl", "stop", service.UNIT)
        with contextlib.closing(sqlite3.connect(store.FILE)) as file, file:
            file.execute("UPDATE setting SET value = ? WHERE name = 'boot'", ("0" * 32,))
            file.executemany("INSERT INTO unfinished VALUES (?)",
                             [(each.wwid,) for each in self.maps])
        loads = multipathd.map_loads()
        service.restart()
        self.assertEqual(store.intents(), set())
        wmi.wait_until_quiet()
        self.assertEqual(multipathd.map_loads(), loads)

    def test_a_map_cannot_be_put_back(self):
        """As in row 15 above: multipathd makes up for it."""
        faults.rules(("load", self.maps[-1].uuid, 0, 1, errno.EIO, 1000),
                     ("load", self.maps[0].uuid, 1, 1, errno.EIO, 0))
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, lio.portals()[-1:]), wmi.NOT_ALL_SUCCESS)
        self.assert_as_before()

    def test_a_policy_is_not_a_first_one_for_ever(self):
        """What is saved, or undone, is not noted any more; and a second policy notes nothing."""
        faults.rules(("load", self.maps[-1].uuid, 0, 1, errno.EIO, 0))
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, lio.portals()[-1:]), wmi.INITIATOR_ERROR)
        self.assertEqual(store.intents(), set())
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, lio.portals()[-1:]), wmi.SUCCESS)
        self.assertEqual(store.intents(), set())
        faults.rules(("load", "*", 0, 1000, 0, 1000))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            call = pool.submit(wmi.set_policy, wmi.QUEUE_DEPTH)
            wait_for(lambda: faults.seen()[0] > 0, 10, "the first swap")
            self.assertEqual(store.intents(), set())
            self.assertEqual(call.result(), wmi.SUCCESS)
