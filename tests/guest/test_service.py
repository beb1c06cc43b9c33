# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service under systemd and the system bus: who may what, starting, state, a poor host."""

import pathlib
import re
import sqlite3
import time
import unittest
import xml.etree.ElementTree as xml

import bus
import disks
import dm
import iscsi
import lio
import multipathd
import service
import stack
import store
import wmi
from basic import HOME, run, wait_for

PRIVILEGED = "org.freedesktop.systemd1."


def members(root):
    """What an introspection says of our interfaces, in order."""
    found = {}
    for interface in root.iter("interface"):
        if not interface.get("name").startswith(bus.NAME):
            continue
        entries = found.setdefault(interface.get("name"), [])
        for member in interface:
            if member.tag not in ("method", "property", "signal"):
                continue
            notes = {each.get("name"): each.get("value") for each in member.iter("annotation")
                     if not each.get("name").startswith(PRIVILEGED)}
            arguments = [(each.get("name"), each.get("type"), each.get("direction"))
                         for each in member.iter("arg")]
            entries.append((member.tag, member.get("name"), member.get("type"),
                            member.get("access"), arguments, notes))
    return found


class Introspection(unittest.TestCase):
    def test_agrees_with_the_files(self):
        live = {}
        for path in (bus.PATH, wmi.adapter_path(), wmi.session_path(),
                     wmi.connection_path(lio.portals()[0]), wmi.disk_path(lio.wwid(0))):
            live |= members(xml.fromstring(run("busctl", "introspect", "--xml-interface",
                                               bus.NAME, path)))
        files = {}
        for file in (HOME / "dbus-interfaces").glob("*.xml"):
            files |= members(xml.parse(file).getroot())
        self.assertEqual(set(live), set(files))
        for name in files:
            self.assertEqual(live[name], files[name])

    def test_object_manager(self):
        (objects,) = bus.call(bus.PATH, "org.freedesktop.DBus.ObjectManager",
                              "GetManagedObjects")
        connections = {wmi.connection_path(address) for address in lio.portals()}
        disks = {wmi.disk_path(each.wwid) for each in dm.maps().values()}
        self.assertEqual(set(objects), {wmi.adapter_path(), wmi.session_path(), *connections,
                                        *disks})


class Access(unittest.TestCase):
    """The bus policy and polkit, which has no rule of ours: anyone reads, only root sets."""

    @classmethod
    def setUpClass(cls):
        # What starts it takes longer, in an emulated machine, than a call may.
        run("systemctl", "start", "polkit.service")

    def test_any_user_reads(self):
        self.assertEqual(wmi.get(wmi.adapter_path(), "MSiSCSI_QueryLBPolicy", "SessionCount",
                                 user="guest"), 1)
        (objects,) = bus.call(bus.PATH, "org.freedesktop.DBus.ObjectManager",
                              "GetManagedObjects", user="guest")
        self.assertIn(wmi.session_path(), objects)
        symbol, _ = bus.call(bus.PATH, "Manager", "DescribeStatus", "u", 0xEFFF0058,
                             user="guest")
        self.assertEqual(symbol, "ISDSC_PATH_COUNT_MISMATCH")

    def test_other_users_set_nothing(self):
        before = dm.shapes(), wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation",
                                      "GenerationalGuid")
        paths = [wmi.path(portal) for portal in lio.portals()]
        for refused in (
                lambda: wmi.set_policy_raw(wmi.QUEUE_DEPTH, paths, user="guest"),
                lambda: bus.call(wmi.adapter_path(), "MSiSCSI_SecurityConfigOperations",
                                 "SetGenerationalGuid", "ay", 16, *range(16), user="guest"),
                lambda: bus.call(wmi.adapter_path(), "MSiSCSI_SecurityConfigOperations",
                                 "ClearCache", user="guest"),
                lambda: wmi.ping(lio.portals()[0], user="guest"),
                lambda: bus.call(bus.PATH, "org.freedesktop.DBus.Properties", "Set", "ssv",
                                 f"{bus.NAME}.Manager", "PathWeightOrder", "s",
                                 "highest-first", user="guest")):
            with self.assertRaisesRegex(RuntimeError, "(?i)denied|not permitted|rejected"):
                refused()
        self.assertEqual((dm.shapes(), wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation",
                                               "GenerationalGuid")), before)

    def test_wrong_signatures_get_the_bus_own_error(self):
        for signature, words in (("s", ["x"]), ("(tuua(ttuuu))", [1, 1, 0, 0]), ("", [])):
            with self.assertRaisesRegex(RuntimeError, "(?i)invalid|expect"):
                bus.call(wmi.adapter_path(), "MSiSCSI_LB_Operations", "SetLoadBalancePolicy",
                         signature, *words)

    def test_no_such_object(self):
        with self.assertRaisesRegex(RuntimeError, "(?i)unknown"):
            bus.call(f"{bus.PATH}/adapter/0123456789abcdef", "MSiSCSI_LB_Operations",
                     "SetLoadBalancePolicy", "(tuua(ttuuuu))", 1, 1, 0, 0)


class Confinement(unittest.TestCase):
    CAP_NET_RAW, CAP_SYS_ADMIN = 1 << 13, 1 << 21

    # Its own directories, and what data/iscsi-wmid.service.in gives reasons for.
    WRITABLE = ["/etc/multipath", "/etc/multipath/conf.d", "/run/iscsi-wmid", "/run/lock",
                "/sys/devices", "/tmp", "/var/lib/iscsi-wmi"]
    NOT_WRITABLE = ["/", "/boot", "/etc", "/etc/iscsi", "/proc/sys/kernel",
                    "/run/iscsi-wmid/modules", "/run/systemd", "/run/udev", "/sys/fs", "/sys/kernel",
                    "/sys/module", "/usr", "/var", "/var/lib", "/var/lib/iscsi"]

    def inside(self, *command):
        """A command's output, in the mounts that the service has."""
        return run("nsenter", "--mount", "--target", service.main_pid(), "--", *command)

    def test_it_has_the_least_that_it_needs(self):
        status = service.process_status(service.main_pid())
        for name in ("CapPrm", "CapEff", "CapBnd"):
            self.assertEqual(int(status[name], 16), self.CAP_SYS_ADMIN | self.CAP_NET_RAW, name)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    def test_it_writes_where_it_has_to_and_nowhere_else(self):
        script = 'for each; do if [ -w "$each" ]; then echo "$each"; fi; done'
        found = self.inside("sh", "-c", script, "sh", *self.WRITABLE, *self.NOT_WRITABLE)
        self.assertEqual(found.splitlines(), self.WRITABLE)

    def test_it_has_one_device(self):
        self.assertEqual(self.inside("find", "/dev", "-type", "b"), "")
        # Not find's -type: of what is mounted upon, it says what lies below.
        self.assertEqual(self.inside("sh", "-c", "stat --format='%n %F' /dev/mapper/*"),
                         "/dev/mapper/control character special file")

    def test_its_memory_and_its_tasks_are_limited(self):
        for limit in ("MemoryMax", "TasksMax"):
            value = run("systemctl", "show", "--value", f"--property={limit}", service.UNIT)
            self.assertRegex(value, r"^\d+$", limit)

    def test_systemd_thinks_so_too(self):
        # 2.0 of 10: it fails above that.
        run("systemd-analyze", "security", "--no-pager", "--threshold=20", service.UNIT)


class Life(unittest.TestCase):
    def setUp(self):
        self.addCleanup(wmi.set_policy, wmi.VENDOR)

    def test_the_bus_starts_it(self):
        run("systemctl", "stop", service.UNIT)
        self.assertEqual(service.main_pid(), 0)
        self.assertEqual(wmi.get(bus.PATH, "Manager", "Conditions"), [])
        self.assertGreater(service.main_pid(), 0)

    def test_the_call_that_starts_it_meets_its_maps(self):
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        # A login just before may have made the maps while multipathd still had the policy of then.
        own = dm.shapes_in(20, lambda found: {selector for groups in found.values()
                                              for selector, _ in groups} == {disks.ST})
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, lio.portals()[-1:]), wmi.SUCCESS)
        wmi.wait_for_agreement()
        self.assertNotEqual(dm.shapes(), own)
        run("systemctl", "stop", service.UNIT)
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        self.assertEqual(dm.shapes(), own)

    def test_a_policy_is_known_after_a_restart(self):
        a = lio.portals()[0]
        weights = {portal: i for i, portal in enumerate(lio.portals())}
        self.assertEqual(wmi.set_policy(wmi.WEIGHTED, weights=weights), wmi.SUCCESS)
        service.restart()
        policy, paths = wmi.query()
        self.assertEqual(policy, wmi.WEIGHTED)
        self.assertEqual({portal: paths[wmi.connection_id(portal)][2] for portal in weights},
                         weights)
        self.assertEqual(wmi.get(wmi.session_path(), "Session", "Provenance"), "session")
        self.assertEqual(weights[a], 0)

    def test_one_line_for_a_change(self):
        since = time.time() - 1
        wmi.set_policy(wmi.QUEUE_DEPTH)
        lines = [line for line in service.journal(since) if "DYN_LEAST_QUEUE_DEPTH" in line]
        self.assertEqual(len(lines), 1, lines)
        for word in (f"{wmi.session_id():016x}", "busctl", "uid 0", "STATUS_SUCCESS",
                     *dm.maps()):
            self.assertIn(word, lines[0])

    def test_sessions_come_and_go(self):
        path = wmi.session_path()
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.SUCCESS)
        iscsi.logout()
        try:
            # A chosen policy keeps the object, so that it can be seen and given back.
            self.assertEqual(wmi.get(path, "Session", "LoadBalancePolicy"), wmi.QUEUE_DEPTH)
            self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
            wait_for(lambda: wmi.get(wmi.adapter_path(), "MSiSCSI_QueryLBPolicy",
                                     "SessionCount") == 0, 10, "no session")
            with self.assertRaisesRegex(RuntimeError, "(?i)unknown"):
                wmi.get(path, "Session", "TargetName")
            self.assertEqual(wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation", "Status"), 1)
            self.assertEqual(wmi.get(wmi.adapter_path(), "MSiSCSI_QueryLBPolicy",
                                     "LoadBalancePolicies"), [])
        finally:
            iscsi.login()
            stack.wait_for_paths()
        self.assertEqual(wmi.get(path, "Session", "TargetName"), lio.TARGET)
        self.assertEqual(len(wmi.query()[1]), len(lio.portals()))


class State(unittest.TestCase):
    """A state file that is not to be touched."""

    def setUp(self):
        run("systemctl", "stop", service.UNIT)
        self.good = store.FILE.read_bytes()
        self.addCleanup(self.put_back)

    def put_back(self):
        store.FILE.write_bytes(self.good)
        service.restart()

    def assert_stops(self, content, message):
        since = time.time() - 1
        self.assertRaises(RuntimeError, service.restart)
        self.assertEqual(run("systemctl", "show", "--value", "--property=ExecMainStatus",
                             service.UNIT), "78")
        self.assertEqual(service.main_pid(), 0)
        self.assertRegex("\n".join(service.journal(since)), message)
        self.assertEqual(store.FILE.read_bytes(), content)

    def test_a_newer_schema(self):
        with sqlite3.connect(store.FILE) as database:
            database.execute("PRAGMA user_version = 1000")
        database.close()
        self.assert_stops(store.FILE.read_bytes(), "schema version 1000")

    def test_a_corrupt_file(self):
        broken = self.good[:4096] + b"\xa5" * (len(self.good) - 4096)
        store.FILE.write_bytes(broken)
        self.assert_stops(broken, "corrupt")


class PoorHost(unittest.TestCase):
    """What is missing is said, and the service answers."""

    def status(self):
        return wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation", "Status")

    def conditions(self):
        return " ".join(wmi.get(bus.PATH, "Manager", "Conditions"))

    def test_all_is_well(self):
        self.assertEqual((self.status(), self.conditions()), (0, ""))

    def test_without_multipathd_and_device_mapper_modules(self):
        dm.flush_maps()
        multipathd.stop()
        modules = re.findall(r"^(dm_(?:multipath|service_time|round_robin|queue_length)) ",
                             pathlib.Path("/proc/modules").read_text(), re.MULTILINE)
        try:
            for module in sorted(modules, key="dm_multipath".__eq__):
                run("modprobe", "-r", module)
            self.assertEqual(self.status(), 1)
            self.assertRegex(self.conditions(), "multipathd.*|dm-multipath")
            self.assertIn("modprobe dm-multipath", self.conditions())
            self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.DEVICE_NOT_FOUND)
            service.restart()
            self.assertEqual(wmi.query()[0], wmi.VENDOR)
        finally:
            multipathd.start()
            stack.wait_for_paths()
        self.assertEqual(self.status(), 0)
