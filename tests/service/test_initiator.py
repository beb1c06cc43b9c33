# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's own initiator name: a file that comes after the service, changes, or goes, as an image's first
boot and administrators have it."""

import time

import case
import names
import test_guid
import tree
from names import SUCCESS

OTHER = "iqn.2025-01.com.example:renamed"


def path(initiator):
    return f"{names.ROOT}/adapter/{names.number('adapter', initiator):016x}"


class NameTest(test_guid.GuidTest):
    def prepare(self):
        super().prepare()
        self.file = self.host.root / "etc/iscsi/initiatorname.iscsi"

    def setUp(self):
        super().setUp()
        self.agent.listen("interface='org.freedesktop.DBus.ObjectManager'")

    def adapters(self):
        return {each for each in self.agent.objects() if "/adapter/" in each}

    def wait_for_adapters(self, *initiators):
        self.wait_for(lambda: self.adapters() == set(map(path, initiators)), f"adapters {initiators}")

    def wait_for_signal(self, member, initiator):
        self.wait_for(lambda: any(each.member == member and each.body[0] == path(initiator)
                                  for each in self.agent.news()), f"{member} of {initiator}")

    def write(self, name):
        """As GenerateName does: a new file, which is renamed."""
        new = self.file.with_suffix(".new")
        new.write_text(f"## A comment, InitiatorName=iqn.no\nInitiatorAlias=iqn.alias\n  InitiatorName = {name} \n")
        new.rename(self.file)


class Late(NameTest):
    def prepare(self):
        super().prepare()
        self.file.unlink()

    def test_after_the_logins(self):
        """Records without a name of their own have been nobody's: a GUID has not covered them."""
        self.wait_for_adapters("", tree.INITIATOR)
        self.set_guid()
        self.assertTrue(self.is_valid())
        self.write(tree.INITIATOR)
        self.wait_for_signal("InterfacesRemoved", "")
        self.wait_for_adapters(tree.INITIATOR)
        self.wait_for(lambda: not self.is_valid(), "records that the GUID has not covered")
        self.set_guid()
        self.assertTrue(self.is_valid())
        self.write_record(2, "another")
        self.wait_for(lambda: self.agent.session("ChangedRecords") == [self.agent.connection_id(2)],
                      "the change")
        self.assertFalse(self.is_valid())


class Before(NameTest):
    sessions = 0

    def prepare(self):
        super().prepare()
        self.file.unlink()

    def test_before_the_logins(self):
        self.wait_for_adapters("")
        self.write(tree.INITIATOR)
        self.wait_for_signal("InterfacesAdded", tree.INITIATOR)
        self.wait_for_signal("InterfacesRemoved", "")
        self.wait_for_adapters(tree.INITIATOR)
        self.assertEqual(self.agent.set_guid(test_guid.GUID), SUCCESS)
        self.assertTrue(self.is_valid())

    def test_with_its_directory(self):
        """open-iscsi is installed after the service has started."""
        directory = self.file.parent
        self.assertEqual(self.host.stop(), 0)
        aside = directory.rename(directory.with_name("aside"))
        self.host.start()
        self.wait_for_adapters("")
        aside.rename(directory)
        self.write(tree.INITIATOR)
        self.wait_for_adapters(tree.INITIATOR)


class Changes(NameTest):
    def test_the_host_is_renamed(self):
        """Its records are the new name's; sessions keep the name that they have logged in with."""
        self.set_guid()
        self.write(OTHER)
        self.wait_for_signal("InterfacesAdded", OTHER)
        self.wait_for_adapters(tree.INITIATOR, OTHER)
        self.wait_for(lambda: not self.is_valid(), "an adapter that has lost its records")
        self.write(tree.INITIATOR)
        self.wait_for_signal("InterfacesRemoved", OTHER)
        self.wait_for_adapters(tree.INITIATOR)
        self.wait_for(self.is_valid, "its records")

    def test_a_link(self):
        """What it leads to changes, and where it leads to."""
        file, self.file = self.file, self.host.directory / "name"
        self.write(tree.INITIATOR)
        file.unlink()
        file.symlink_to(self.file)
        self.write(OTHER)
        self.wait_for_adapters(tree.INITIATOR, OTHER)
        new = self.file.with_name("other")
        new.write_text(f"InitiatorName={tree.INITIATOR}\n")
        self.file.unlink()
        self.file.symlink_to(new)
        self.wait_for_adapters(tree.INITIATOR)
        new.write_text(f"InitiatorName={OTHER}\n")
        self.wait_for_adapters(tree.INITIATOR, OTHER)

    def test_it_goes_for_a_moment(self):
        """As an editor has it, who moves the old file away first."""
        self.file.rename(self.file.with_suffix(".old"))
        self.write(tree.INITIATOR)
        time.sleep(0.5)
        self.write(OTHER)
        self.wait_for_adapters(tree.INITIATOR, OTHER)
        self.assertNotIn(path(""), [each.body[0] for each in self.agent.news()])


if __name__ == "__main__":
    case.main()
