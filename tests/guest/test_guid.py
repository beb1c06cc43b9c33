# SPDX-License-Identifier: LGPL-2.1-or-later
"""SetGenerationalGuid: D-Bus, udev, restarts, logins, and what cannot be saved."""

import os
import time
import unittest

import bus
import iscsi
import lio
import service
import stack
import store
import wmi
from basic import run, wait_for

GUID = bytes.fromhex("00112233445566778899aabbccddeeff")
TEXT = "33221100-5544-7766-8899-aabbccddeeff"


def tags():
    return {wmi.tag(each.sid) for each in iscsi.sessions()}


def stored():
    return bytes(wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation", "GenerationalGuid"))


class Guid(unittest.TestCase):
    def test_text_form(self):
        self.assertEqual(wmi.guid_text(GUID), TEXT)

    def test_set_and_read_back(self):
        for data in (GUID, os.urandom(16), bytes(16)):
            with self.subTest(guid=data.hex()):
                self.assertEqual(wmi.set_guid(data), wmi.SUCCESS)
                self.assertEqual(stored(), data)
                # The answer waited for udev: no settling here.
                self.assertEqual(tags(), {wmi.guid_text(data)})
                connections = wmi.get(wmi.session_path(), "Session", "Connections")
                self.assertEqual({each[-1] for each in connections}, {wmi.guid_text(data)})

    def test_wrong_lengths(self):
        wmi.set_guid(GUID)
        for size in (0, 15, 17, 4096):
            self.assertEqual(wmi.set_guid(bytes(size)), wmi.INVALID_PARAMETER)
        self.assertEqual(stored(), GUID)
        self.assertEqual(tags(), {TEXT})

    def test_survives_a_restart_of_the_service(self):
        wmi.set_guid(GUID)
        run("systemctl", "stop", service.UNIT)
        service.restart()
        self.assertEqual(stored(), GUID)
        self.assertEqual(tags(), {TEXT})

    def test_other_events_keep_the_tag(self):
        wmi.set_guid(GUID)
        run("udevadm", "trigger", "--settle", "--subsystem-match=iscsi_session")
        self.assertEqual(tags(), {TEXT})

    def test_a_session_that_logs_in_later_is_tagged(self):
        wmi.set_guid(GUID)
        address = lio.portals()[0]
        before = {each.sid for each in iscsi.sessions()}
        iscsi.logout(address=address)
        iscsi.login(address=address)
        sid = next(each.sid for each in iscsi.sessions() if each.sid not in before)
        wait_for(lambda: wmi.tag(sid) == TEXT, 10, "the tag on the new session")
        stack.wait_for_paths()

    def test_a_tag_lost_by_udev_comes_back_with_the_service(self):
        wmi.set_guid(GUID)
        run("systemctl", "stop", service.UNIT)
        for each in iscsi.sessions():
            number = run("udevadm", "info", "--query=property", "--property=DEVPATH",
                         "--value", f"--path=/sys/class/iscsi_session/session{each.sid}")
            self.assertTrue(number)
            os.unlink(f"/run/udev/data/+iscsi_session:session{each.sid}")
        self.assertEqual(tags(), {None})
        service.restart()
        wait_for(lambda: tags() == {TEXT}, 10, "the tags again")

    def test_not_saved_is_not_changed(self):
        wmi.set_guid(GUID)
        with store.full():
            self.assertEqual(wmi.set_guid(bytes(16)), wmi.COULD_NOT_SAVE)
            self.assertEqual(stored(), GUID)
            self.assertEqual(tags(), {TEXT})

    def test_clear_cache(self):
        records = run("iscsiadm", "-m", "node")
        (status,) = bus.call(wmi.adapter_path(), "MSiSCSI_SecurityConfigOperations", "ClearCache")
        self.assertEqual(status, wmi.CACHE_NOT_SUPPORTED)
        self.assertEqual(run("iscsiadm", "-m", "node"), records)
        self.assertEqual(len(iscsi.sessions()), len(lio.portals()))

    def test_nothing_secret_in_the_journal(self):
        address = lio.portals()[0]
        secret = "hush-hush-never-seen"
        run("iscsiadm", "-m", "node", "-T", lio.TARGET, "-p", f"{address}:3260", "-o", "update",
            "-n", "node.session.auth.password", "-v", secret)
        try:
            since = time.time()
            wmi.set_guid(GUID)
            service.restart()
            self.assertNotIn(secret, "\n".join(service.journal(since)))
            self.assertNotIn(secret.encode(), store.FILE.read_bytes())
        finally:
            run("iscsiadm", "-m", "node", "-T", lio.TARGET, "-p", f"{address}:3260", "-o",
                "update", "-n", "node.session.auth.password", "-v", "")
