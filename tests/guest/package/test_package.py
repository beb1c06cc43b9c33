# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages, on a host that has nothing else of the project: installed, upgraded over an
older state, removed, purged. Each test begins and ends without them."""

import os
import pathlib
import re
import shutil
import sqlite3
import time
import unittest

import bus
import dm
import drop_in
import iscsi
import lio
import multipathd
import service
import stack
import store
import wmi
from basic import HOME, run, wait_for

PACKAGES = HOME / "debs"
SERVICE, LIBRARY, DEVELOPMENT = NAMES = "iscsi-wmi", "libiscsiwmi0", "libiscsiwmi-dev"
WORK = pathlib.Path("/run/lab-package")
GUID = bytes.fromhex("00112233445566778899aabbccddeeff")
RR, QL = "round-robin", "queue-length"

# What of a file's name is ours, wherever it is.
OURS = re.compile(r"iscsi-?wmi|open[-_]iscsi\.wmi1", re.IGNORECASE)
# Where the lab itself has such names, the system its logs, and systemd what it knows of units.
NOT_LOOKED_AT = (HOME, WORK, *map(pathlib.Path, ("/var/log", "/var/lib/lab", "/run/systemd")))

# What a release with the first schema made of an empty state file.
FIRST_SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE policy (
 serial INTEGER PRIMARY KEY AUTOINCREMENT,
 initiator TEXT NOT NULL, target TEXT NOT NULL,
 policy INTEGER NOT NULL CHECK (policy BETWEEN 1 AND 5),
 highest_first INTEGER NOT NULL,
 UNIQUE (initiator, target));
CREATE TABLE policy_path (
 serial INTEGER NOT NULL REFERENCES policy (serial) ON DELETE CASCADE,
 position INTEGER NOT NULL, connection TEXT NOT NULL,
 iface TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL,
 weight INTEGER NOT NULL, is_primary INTEGER NOT NULL,
 PRIMARY KEY (serial, position)) WITHOUT ROWID;
CREATE TABLE guid (
 initiator TEXT PRIMARY KEY, guid BLOB NOT NULL CHECK (length(guid) = 16)) WITHOUT ROWID;
CREATE TABLE tag (
 initiator TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL,
 port INTEGER NOT NULL, iface TEXT NOT NULL,
 guid BLOB NOT NULL CHECK (length(guid) = 16),
 PRIMARY KEY (initiator, target, address, port, iface)) WITHOUT ROWID;
PRAGMA application_id = 0x69576d69;
PRAGMA user_version = 1;
"""


def packaging(*command):
    """Run dpkg or apt, which ask nothing and may take their time."""
    return run(*command, timeout=300,
               env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})


def files_of(*names, folder=PACKAGES):
    """The package files of these packages."""
    return [next(folder.glob(f"{name}_*.deb")) for name in names]


def version():
    """The version that was built."""
    return run("dpkg-deb", "--field", *files_of(SERVICE), "Version")


def install(*names, folder=PACKAGES):
    packaging("dpkg", "--install", *files_of(*names or NAMES, folder=folder))


def state_of(name):
    """What dpkg says of a package: 'installed', 'config-files', or 'not-installed'."""
    return run("dpkg-query", "--show", "--showformat=${db:Status-Status}", name,
               check=False) or "not-installed"


def higher():
    """The packages once more, with a higher version: the folder that they are in."""
    folder, old, new = WORK / "higher", version(), f"{version()}+next"
    folder.mkdir(parents=True)
    for file in files_of(*NAMES):
        tree = WORK / "tree"
        run("dpkg-deb", "--raw-extract", file, tree)
        control = tree / "DEBIAN/control"
        text = control.read_text().replace(f"Version: {old}\n", f"Version: {new}\n")
        control.write_text(text.replace(f"(= {old})", f"(= {new})"))
        run("dpkg-deb", "-Znone", "--build", tree, folder)
        shutil.rmtree(tree)
    return folder


def write_first_state(primary, addresses):
    """A state file of the first schema: failover for the default target's session, and a GUID."""
    store.FILE.unlink()
    database = sqlite3.connect(store.FILE)
    with database:
        database.executescript(FIRST_SCHEMA)
        database.execute("INSERT INTO policy VALUES (1, ?, ?, ?, 0)",
                         (iscsi.INITIATOR, lio.TARGET, wmi.FAILOVER))
        database.executemany(
            "INSERT INTO policy_path VALUES (1, ?, ?, 'default', ?, ?, 0, ?)",
            [(i, f"{wmi.connection_id(address):016x}", address, lio.PORT, int(address == primary))
             for i, address in enumerate(addresses)])
        database.execute("INSERT INTO guid VALUES (?, ?)", (iscsi.INITIATOR, GUID))
    database.close()


def schema():
    """The version of the state file's schema."""
    database = sqlite3.connect(f"file:{store.FILE}?mode=ro", uri=True, timeout=5)
    (number,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return number


def traces():
    """All files and directories that have a name of ours, as far as the system keeps them."""
    found = []
    for top in ("/etc", "/usr", "/var", "/run"):
        for directory, folders, files in os.walk(top):
            here = pathlib.Path(directory)
            folders[:] = [name for name in folders if here / name not in NOT_LOOKED_AT
                          and not os.path.ismount(here / name)]
            found += [str(here / name) for name in folders + files if OURS.search(name)]
    return sorted(found)


def owned(*names):
    """The files, not directories, that dpkg has for packages, and that are there: documentation is
    left out of the guest."""
    return {path for path in run("dpkg", "--listfiles", *names).splitlines()
            if os.path.lexists(path) and not os.path.isdir(path)}


def is_running():
    return run("systemctl", "is-active", service.UNIT, check=False) == "active"


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # An earlier test may have ended with multipathd reading its configuration.
        stack.wait_until_whole()

    def setUp(self):
        self.assertEqual([state_of(name) for name in NAMES], ["not-installed"] * len(NAMES))
        self.portals = lio.portals()
        self.host = dm.shapes()
        self.assertEqual({selector for groups in self.host.values() for selector, _ in groups}
                         & {RR, QL}, set(), "the host's own policy has to look like none of ours")
        self.addCleanup(shutil.rmtree, WORK, ignore_errors=True)
        self.addCleanup(self.leave)

    def leave(self):
        """What a test that failed has left, too."""
        there = [name for name in NAMES if state_of(name) != "not-installed"]
        if there:
            self.purge(*there)
        stack.wait_until_whole()
        self.assert_host()

    def purge(self, *names):
        packaging("dpkg", "--purge", *names or NAMES)

    def assert_host(self):
        """Every map has the host's own groups again."""
        self.assertEqual(dm.shapes_in(30, lambda found: found == self.host), self.host)

    def assert_groups(self, *groups):
        """Every map has these groups of portals, in this order."""
        wanted = dict.fromkeys(self.host, [(selector, frozenset(portals))
                                           for selector, portals in groups])
        self.assertEqual(dm.shapes_in(10, lambda found: found == wanted), wanted)
        self.assertEqual(dm.suspended(), [])

    def assert_failover_to_third(self):
        a, b, c, d = self.portals
        self.assert_groups((RR, [c]), (RR, [a]), (RR, [b]), (RR, [d]))

    def fail_over_to_third(self):
        """A policy, of which kernel, state and multipathd know."""
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, [self.portals[2]]), wmi.SUCCESS)
        self.assert_failover_to_third()
        wmi.wait_for_agreement(seconds=40)


    def wait_for_tag(self, text):
        """Every session has it, in udev's word."""
        wait_for(lambda: {wmi.tag(each.sid) for each in iscsi.sessions()} == {text}, 20,
                 f"the tag {text}")

    def set_guid(self):
        """A GUID, as a tag on every session."""
        self.assertEqual(wmi.set_guid(GUID), wmi.SUCCESS)
        self.wait_for_tag(wmi.guid_text(GUID))


class Install(PackageTest):
    def test_install(self):
        """By apt, which has to find all dependencies in the guest, as on a host."""
        packaging("apt-get", "--yes", "install", *files_of(*NAMES))
        self.assertTrue(is_running())
        self.assertEqual(run("systemctl", "is-enabled", service.UNIT), "enabled")
        unit = run("systemctl", "show", "--value", "--property=FragmentPath", service.UNIT)
        # dpkg knows it by its name under / or under /usr, which are one.
        self.assertIn(os.path.realpath(unit),
                      {os.path.realpath(path) for path in owned(SERVICE)})
        self.assertEqual(wmi.get(bus.PATH, "Manager", "Version"), version())
        self.assertEqual(wmi.get(bus.PATH, "Manager", "Conditions"), [])

        with self.subTest("the command sets a policy"):
            run("iscsi-wmi", "policy", "set", lio.TARGET, "failover", "--primary",
                self.portals[2])
            # The command names the rest in the order of the sessions, which log in all at once.

            def leads(found):
                return all(groups[0] == (RR, {self.portals[2]}) and len(groups) == 4
                           for groups in found.values())

            self.assertTrue(leads(dm.shapes_in(10, leads)))
            wmi.wait_for_agreement(seconds=40)
        with self.subTest("the rule of udev is in force"):
            self.set_guid()
        with self.subTest("another user reads"):
            self.assertEqual(wmi.get(wmi.adapter_path(), "MSiSCSI_QueryLBPolicy", "SessionCount",
                                     user="guest"), 1)

    def test_development(self):
        """A program is built with the library as it is installed, and works."""
        install()
        WORK.mkdir()
        flags = run("pkg-config", "--cflags", "--libs", "libiscsiwmi").split()
        run("gcc", "-Wall", "-Werror", "-o", WORK / "set-policy",
            HOME / "examples/c/set-policy.c", *flags)
        run(WORK / "set-policy", lio.TARGET, wmi.QUEUE_DEPTH)
        self.assert_groups((QL, self.portals))


class Upgrade(PackageTest):
    def assert_upgrades(self, folder, expected):
        """The service runs again, another process, on the state that is there."""
        before = service.main_pid()
        install(SERVICE, LIBRARY, DEVELOPMENT, folder=folder)
        self.assertTrue(is_running())
        self.assertNotEqual(service.main_pid(), before)
        self.assertEqual(run("dpkg-query", "--show", "--showformat=${Version}", SERVICE),
                         expected)
        self.assertEqual(wmi.session("LoadBalancePolicy"), wmi.FAILOVER)
        self.assertEqual(wmi.session("Provenance"), "session")
        self.assert_failover_to_third()
        wmi.wait_for_agreement(seconds=40)

    def test_over_an_older_state(self):
        install()
        now = schema()
        self.assertGreater(now, 1)
        run("systemctl", "stop", service.UNIT)
        write_first_state(self.portals[2], [self.portals[2], *self.portals[:2], self.portals[3]])
        self.assertEqual(schema(), 1)

        self.assert_upgrades(higher(), f"{version()}+next")
        self.assertEqual(schema(), now)
        self.assertEqual(bytes(wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation",
                                       "GenerationalGuid")), GUID)
        self.assertEqual(store.policy(), wmi.FAILOVER)

    def test_the_same_version_again(self):
        install()
        self.fail_over_to_third()
        self.assert_upgrades(PACKAGES, version())


class Removal(PackageTest):
    def assert_gone(self):
        """There is no service, and the bus cannot start one."""
        self.assertFalse(is_running())
        self.assertEqual(run("systemctl", "show", "--value", "--property=LoadState",
                             service.UNIT), "not-found")
        with self.assertRaises(RuntimeError):
            wmi.get(bus.PATH, "Manager", "Version")

    def test_remove_keeps_the_policy(self):
        install()
        self.fail_over_to_third()
        packaging("dpkg", "--remove", *NAMES)
        self.assertEqual(state_of(SERVICE), "config-files")
        self.assert_gone()
        self.assert_failover_to_third()
        # multipathd now keeps the groups, by the file that is still there.
        self.assertEqual(set(drop_in.entries()), {each.wwid for each in dm.maps().values()})
        multipathd.reconfigure()
        self.assert_failover_to_third()
        # The same, and it loads every map again.
        run("multipathd", "reconfigure", "all")
        time.sleep(0.5)
        stack.wait_until_whole()
        self.assert_failover_to_third()

        with self.subTest("installed again, it knows the policy"):
            install()
            self.assertEqual(wmi.session("LoadBalancePolicy"), wmi.FAILOVER)
            self.assertEqual(store.policy(), wmi.FAILOVER)
            wmi.wait_for_agreement(seconds=40)
            self.assert_failover_to_third()

    def test_purge_gives_the_maps_back(self):
        before = traces()
        install()
        files = owned(*NAMES)
        self.assertIn("/usr/bin/iscsi-wmi", files)
        self.fail_over_to_third()
        self.set_guid()

        self.purge()
        self.assert_gone()
        self.assert_host()
        self.assertEqual({path for path in files if os.path.lexists(path)}, set())
        self.assertFalse(drop_in.FILE.exists())
        self.assertEqual(drop_in.leftovers(), [])
        self.assertFalse(store.FILE.parent.exists())
        self.assertEqual(traces(), before)
        self.wait_for_tag(None)
        multipathd.reconfigure()
        self.assert_host()

        with self.subTest("installed again, it begins anew"):
            install()
            self.assertTrue(is_running())
            self.assertEqual(wmi.session("Provenance"), "host")
            self.assertEqual(wmi.query()[0], wmi.VENDOR)
            self.assert_host()
            self.fail_over_to_third()

    def test_purge_after_remove(self):
        install()
        self.fail_over_to_third()
        packaging("dpkg", "--remove", *NAMES)
        self.assert_failover_to_third()
        self.purge(SERVICE)
        self.assertFalse(store.FILE.parent.exists())
        self.assert_host()

    def test_purge_without_multipathd(self):
        """It is not started for that; when it starts, it has nothing of the policy."""
        install()
        self.fail_over_to_third()
        with multipathd.stopped():
            self.purge()
            self.assertEqual(run("systemctl", "is-active", "multipathd.service", check=False),
                             "inactive")
            self.assertFalse(drop_in.FILE.exists())
            self.assert_failover_to_third()
        stack.wait_for_paths()
        self.assert_host()

    def test_purge_with_an_idle_socket(self):
        """A multipathd that only its socket could start stays off, too."""
        install()
        self.fail_over_to_third()
        # The service would ask it how it is.
        run("systemctl", "stop", service.UNIT)
        with multipathd.stopped():
            run("systemctl", "start", "multipathd.socket")
            self.purge()
            self.assertEqual(run("systemctl", "is-active", "multipathd.service", check=False),
                             "inactive")
        stack.wait_for_paths()
        self.assert_host()
