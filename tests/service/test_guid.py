# SPDX-License-Identifier: LGPL-2.1-or-later
"""A generational GUID: stored, shown on every session by udev, and what has changed since."""

import errno
import uuid

import case
import tree
from device_mapper import FOREVER
from names import SUCCESS

GUID = bytes(range(0x11, 0x21))
TEXT = "14131211-1615-1817-191a-1b1c1d1e1f20"
RECORD = """\
# BEGIN RECORD 2.1.8
node.name = {}
node.tpgt = 1
iface.iscsi_ifacename = default
node.conn[0].address = {}
node.conn[0].port = 3260
node.session.auth.password = {}
# END RECORD
"""


class GuidTest(case.HostTest):
    """Each connection has a record."""

    def prepare(self):
        for sid in 1, 2, 3, 4:
            self.write_record(sid)

    def write_record(self, sid, password="open-sesame"):
        name, address = tree.target_name(0), tree.address(sid - 1)
        self.host.put_record(f"nodes/{name}/{address},3260,1/default",
                             RECORD.format(name, address, password))

    def set_guid(self, guid=GUID):
        self.assertEqual(self.agent.set_guid(guid), SUCCESS)

    def guid(self):
        return bytes(self.agent.information("GenerationalGuid"))

    def is_valid(self):
        return self.agent.information("CacheValid")

    def tags(self):
        return [self.host.udev.tag(f"session{sid}") for sid in sorted(self.host.up)]


class Guid(GuidTest):
    def test_set_and_read_back(self):
        self.set_guid()
        self.assertEqual(self.guid(), GUID)
        self.assertEqual(self.tags(), [TEXT] * 4)
        self.assertTrue(self.is_valid())

    def test_after_a_restart(self):
        self.set_guid()
        self.restart()
        self.assertEqual(self.guid(), GUID)
        self.wait_for(self.is_valid, "a look at the records")

    def test_another_one_and_zeros(self):
        for guid in GUID, bytes(reversed(GUID)), bytes(16):
            self.set_guid(guid)
            self.assertEqual(self.guid(), guid)
            self.assertEqual(self.tags(), [str(uuid.UUID(bytes_le=guid))] * 4)

    def test_a_wrong_length(self):
        self.set_guid()
        for guid in b"", GUID[:15], GUID + b"\0":
            self.assertEqual(self.agent.set_guid(guid), "ISDSC_INVALID_PARAMETER")
        self.assertEqual(self.guid(), GUID)

    def test_it_cannot_be_saved(self):
        """Then nothing has changed: what udev carries, the store has."""
        self.set_guid()
        before = self.tags()
        fault = self.host.dm.fault("sync", count=FOREVER, error=errno.EIO)
        self.assertEqual(self.agent.set_guid(bytes(16)),
                         "ISDSC_COULD_NOT_SAVE_PERSISTENT_LOGIN_DATA")
        fault.clear()
        self.assertEqual((self.guid(), self.tags()), (GUID, before))
        self.restart()
        self.assertEqual(self.guid(), GUID)
        self.wait_for(self.is_valid, "a look at the records")

    def test_udev_does_not_run(self):
        """The answer waits for it, but not for ever; the service answers others meanwhile."""
        self.host.udev.runs = False
        request = self.agent.begin_guid(GUID)
        self.wait_for(lambda: self.guid() == GUID, "the new GUID")
        self.assertFalse(request.done())
        self.assertEqual(self.agent.set_guid(bytes(16)), "ISDSC_SESSION_BUSY")
        self.assertEqual(request.status(), SUCCESS)
        self.assertEqual(self.tags(), [None] * 4)

    def test_killed_before_udev_has_shown_it(self):
        """It is saved by then: the next service has it, and shows it."""
        self.host.udev.runs = False
        self.agent.begin_guid(GUID)
        self.wait_for(lambda: self.guid() == GUID, "the new GUID")
        self.host.kill()
        self.host.udev.runs = True
        self.host.start()
        self.assertEqual(self.guid(), GUID)
        self.wait_for(lambda: self.tags() == [TEXT] * 4, "its tag on all sessions")

    def test_a_login_later_gets_the_tag_of_its_record(self):
        self.host.logout(4)
        self.set_guid()
        self.assertEqual(len(self.tags()), 3)
        self.host.login(4)
        self.wait_for(lambda: len(set(self.tags())) == 1, "the same tag on all")


class Drift(GuidTest):
    def setUp(self):
        super().setUp()
        self.set_guid()

    def wait_for_change(self):
        self.wait_for(lambda: not self.is_valid(), "the change")

    def test_a_record_is_changed(self):
        self.agent.listen("member='PropertiesChanged'")
        self.write_record(2, "another")
        self.wait_for(lambda: "CacheValid" in str(self.agent.news()), "a signal")
        self.assertFalse(self.is_valid())
        records, reason = self.agent.changed_records()
        self.assertIn("1 record has changed", reason)
        self.assertEqual(len(records), 1)
        self.assertIn("node.session.auth.password", str(records))
        self.assertNotIn("another", str(records))
        self.assertEqual(self.agent.session("ChangedRecords"), [self.agent.connection_id(2)])

    def test_and_changed_back(self):
        self.write_record(2, "another")
        self.wait_for_change()
        self.write_record(2)
        self.wait_for(self.is_valid, "the old record")
        self.assertEqual(self.agent.session("ChangedRecords"), [])

    def test_a_record_is_deleted(self):
        (self.host.root / f"etc/iscsi/nodes/{tree.target_name(0)}/127.0.0.3,3260,1/default").unlink()
        self.wait_for_change()
        self.assertEqual(self.agent.session("ChangedRecords"), [self.agent.connection_id(3)])

    def test_a_discovery_is_made(self):
        self.host.put_record("send_targets/127.0.0.1,3260/st_config",
                             "# BEGIN RECORD 2.1.8\ndiscovery.type = sendtargets\n# END RECORD\n")
        self.wait_for_change()

    def test_while_the_service_does_not_run(self):
        self.assertEqual(self.host.stop(), 0)
        self.write_record(1, "another")
        self.host.start()
        self.wait_for(lambda: self.agent.session("ChangedRecords") == [self.agent.connection_id(1)],
                      "a look at the records")
        self.assertFalse(self.is_valid())

    def test_the_next_guid_covers_it(self):
        self.write_record(1, "another")
        self.wait_for_change()
        self.set_guid(bytes(16))
        self.assertTrue(self.is_valid())
        self.assertEqual(self.agent.session("ChangedRecords"), [])

    def test_no_secret_is_told(self):
        self.write_record(1, "sesame-again")
        self.wait_for_change()
        for text in self.host.said(), str(self.agent.changed_records()), str(self.agent.objects()):
            self.assertNotIn("sesame", text)
        for file in (self.host.directory / "state").iterdir():
            self.assertFalse(b"sesame" in file.read_bytes(), file)


class Unwatched(GuidTest):
    """Other programs of the same user have all instances of inotify that there may be."""

    def prepare(self):
        super().prepare()
        self.host.dm.fault("watch", count=FOREVER, error=errno.EMFILE)

    def test_the_journal_says_so_before_anything_is_compared(self):
        self.assertEqual(self.host.said().count("can be watched (see"), 1)
        self.set_guid()
        self.assertTrue(self.is_valid())
        self.assertEqual(self.host.said().count("can be watched (see"), 1)
        self.write_record(1, "another")
        self.restart()
        self.wait_for(lambda: self.agent.session("ChangedRecords") == [self.agent.connection_id(1)],
                      "a look at the records")


if __name__ == "__main__":
    case.main()
