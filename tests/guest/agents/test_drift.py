# SPDX-License-Identifier: LGPL-2.1-or-later
"""CacheValid: whether open-iscsi's records are as they were when the GUID was set."""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import unittest

import bus
import iscsi
import lio
import service
import signals
import stack
import store
import wmi
from basic import run, wait_for

GUID = bytes.fromhex("00112233445566778899aabbccddeeff")
HBA = "MSiSCSI_HBAInformation"
PASSWORD = "node.session.auth.password"
OLD, NEW = "hush-hush-the-old-one", "hush-hush-the-new-one"
NAME_FILE = pathlib.Path("/etc/iscsi/initiatorname.iscsi")
NEWS = 2  # seconds, within which a change is told


def is_valid():
    return wmi.get(wmi.adapter_path(), HBA, "CacheValid")


def changed_records(user=None):
    """What has changed, as (kind, name, difference, fields), and the reason in one sentence."""
    records, reason = bus.call(wmi.adapter_path(), "Adapter", "ListChangedRecords", user=user)
    return [(kind, name, difference, fields)
            for kind, name, _, difference, fields in records], reason


def check(*words):
    """`iscsi-wmi guid check`: its exit status, and all that it printed."""
    done = subprocess.run(["iscsi-wmi", "guid", "check", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


@contextlib.contextmanager
def lock_held():
    """open-iscsi's lock, as somebody else's."""
    taken = pathlib.Path("/run/lock/iscsi/lock.write")

    def take():
        with contextlib.suppress(FileExistsError):
            os.link(taken.with_name("lock"), taken)
            return True
        return False

    wait_for(take, 10, "open-iscsi's lock", interval=0.01)
    try:
        yield
    finally:
        taken.unlink()


class CacheValid(unittest.TestCase):
    def setUp(self):
        self.address = lio.portals()[0]
        self.record = f"{lio.TARGET}/{self.address},{lio.PORT},1/default"
        self.since = time.time()
        self.addCleanup(self.restore)
        self.secret(OLD)
        self.assertEqual(wmi.set_guid(GUID), wmi.SUCCESS)
        self.assertTrue(is_valid())

    def restore(self):
        self.secret("")
        wmi.set_guid(GUID)
        # Whatever a test did, no secret was told, and none is kept.
        said = "\n".join(service.journal(self.since))
        for secret in (OLD, NEW):
            self.assertNotIn(secret, said)
            self.assertNotIn(secret.encode(), store.FILE.read_bytes())

    def secret(self, value):
        iscsi.update({PASSWORD: value}, address=self.address)

    @contextlib.contextmanager
    def told(self, value):
        """What is done in the `with` makes CacheValid `value`, told once, in time."""
        with signals.Monitor() as monitor:
            yield
            wait_for(lambda: self.news(monitor), NEWS, f"CacheValid {value}", interval=0.05)
            self.assertEqual(is_valid(), value)
            time.sleep(1.5)
            self.assertEqual(self.news(monitor), [value])

    @contextlib.contextmanager
    def untold(self):
        """What is done in the `with` leaves CacheValid as it is."""
        before = is_valid()
        with signals.Monitor() as monitor:
            yield
            time.sleep(NEWS)
            self.assertEqual(self.news(monitor), [])
        self.assertEqual(is_valid(), before)

    @staticmethod
    def news(monitor):
        return monitor.values("CacheValid", HBA, wmi.adapter_path())

    def test_the_initiator_name_goes_and_comes(self):
        """As at a first boot, where it is made after the service has started."""
        aside = NAME_FILE.with_name("aside")
        with self.told(False):
            NAME_FILE.rename(aside)
        self.assertEqual(wmi.get(wmi.adapter_path(""), HBA, "InstanceName"), "")
        with self.told(True):
            aside.rename(NAME_FILE)
        with self.assertRaises(RuntimeError):
            wmi.get(wmi.adapter_path(""), HBA, "InstanceName")

    def test_a_new_secret(self):
        self.assertEqual(check(), (0, ""))
        with self.told(False):
            self.secret(NEW)
        self.assertEqual(changed_records()[0], [("node", self.record, "changed", [PASSWORD])])
        self.assertEqual(wmi.session("ChangedRecords"), [wmi.connection_id(self.address)])

        for words in ([], [iscsi.INITIATOR], ["--json"]):
            status, output = check(*words)
            self.assertEqual(status, 1)
            for word in (self.record, PASSWORD):
                self.assertIn(word, output)
            for secret in (OLD, NEW):
                self.assertNotIn(secret, output)

        with self.told(True):
            self.assertEqual(wmi.set_guid(GUID), wmi.SUCCESS)
        self.assertEqual(check(), (0, ""))
        self.assertEqual(wmi.session("ChangedRecords"), [])
        self.assertEqual(changed_records(), ([], ""))

    def test_taken_back(self):
        with self.told(False):
            self.secret(NEW)
        with self.told(True):
            self.secret(OLD)
        self.assertEqual(check()[0], 0)

    def test_any_user_may_ask_whether_but_not_which(self):
        self.secret(NEW)
        wait_for(lambda: not is_valid(), NEWS, "the change")
        with self.assertRaisesRegex(RuntimeError, "(?i)not permitted"):
            changed_records(user="guest")

    def test_records_come_and_go(self):
        other = "iqn.2024-01.org.example:elsewhere"
        with self.told(False):
            run("iscsiadm", "-m", "node", "-T", other, "-p", f"{self.address}:{lio.PORT},1",
                "-o", "new")
        self.addCleanup(run, "iscsiadm", "-m", "node", "-T", other, "-o", "delete", check=False)
        self.assertEqual(changed_records()[0],
                         [("node", f"{other}/{self.address},{lio.PORT},1/default", "added", [])])
        with self.told(True):
            run("iscsiadm", "-m", "node", "-T", other, "-o", "delete")

    def test_an_iface(self):
        self.addCleanup(run, "iscsiadm", "-m", "iface", "-I", "drift", "-o", "delete",
                        check=False)
        with self.told(False):
            run("iscsiadm", "-m", "iface", "-I", "drift", "-o", "new")
        self.assertEqual(changed_records()[0], [("iface", "drift", "added", [])])
        with self.told(True):
            run("iscsiadm", "-m", "iface", "-I", "drift", "-o", "delete")

    def test_a_discovery(self):
        """The same answer again is no news; a record that was deleted is."""
        iscsi.discover(self.address, new_only=True)
        self.assertEqual(wmi.set_guid(GUID), wmi.SUCCESS)
        with self.untold():
            iscsi.discover(self.address, new_only=True)
        path = f"send_targets/{self.address},{lio.PORT}"
        with self.told(False):
            run("iscsiadm", "-m", "discoverydb", "-t", "st", "-p",
                f"{self.address}:{lio.PORT}", "-o", "update", "-n",
                "discovery.sendtargets.timeo.login_timeout", "-v", "16")
        self.addCleanup(run, "iscsiadm", "-m", "discoverydb", "-t", "st", "-p",
                        f"{self.address}:{lio.PORT}", "-o", "update", "-n",
                        "discovery.sendtargets.timeo.login_timeout", "-v", "15")
        self.assertEqual(changed_records()[0],
                         [("discovery", path, "changed",
                           ["discovery.sendtargets.timeo.login_timeout"])])

    def test_login_and_logout(self):
        self.secret("")  # the target asks for none, but a login should not depend on that
        wmi.set_guid(GUID)
        with self.untold():
            iscsi.logout(address=self.address)
            iscsi.login(address=self.address)
        stack.wait_for_paths()
        self.assertEqual(check(), (0, ""))

    def test_order_and_comments(self):
        (path,) = [root / "nodes" / self.record for root in
                   (pathlib.Path("/etc/iscsi"), pathlib.Path("/var/lib/iscsi"))
                   if (root / "nodes" / self.record).exists()]
        text = path.read_text()
        with self.untold():
            path.write_text("# a comment\n" + "".join(reversed(text.splitlines(True))))
        path.write_text(text)

    def test_while_the_service_is_stopped(self):
        run("systemctl", "stop", service.UNIT)
        try:
            self.secret(NEW)
        finally:
            service.restart()
        self.assertFalse(is_valid())
        self.assertEqual(changed_records()[0], [("node", self.record, "changed", [PASSWORD])])
        run("systemctl", "stop", service.UNIT)
        try:
            self.secret(OLD)
        finally:
            service.restart()
        self.assertTrue(is_valid())

    def test_a_held_lock_delays_the_news_and_nothing_else(self):
        with self.told(False):
            self.secret(NEW)
            with lock_held():
                for _ in range(10):
                    before = time.monotonic()
                    is_valid()
                    self.assertLess(time.monotonic() - before, 1)
                    time.sleep(0.1)

    def test_json(self):
        self.secret(NEW)
        wait_for(lambda: not is_valid(), NEWS, "the change")
        done = subprocess.run(["iscsi-wmi", "guid", "check", "--json"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False, timeout=60)
        found = json.loads(done.stdout)
        self.assertEqual((done.returncode, found["cache_valid"]), (1, False))
        (record,) = found["records"]
        self.assertEqual((record["kind"], record["name"], record["difference"], record["fields"]),
                         ("node", self.record, "changed", [PASSWORD]))
        self.assertEqual(int(record["connection_id"], 16), wmi.connection_id(self.address))
