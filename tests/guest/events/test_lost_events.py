# SPDX-License-Identifier: LGPL-2.1-or-later
"""More of udev's events than the service's socket has room for, while it is held up."""

import os
import pathlib
import re
import time

import dm
import iscsi
import lio
import service
import stack
import test_policies
import wmi
from basic import frozen, look_in, patience, read, run, wait_for, write

# NETLINK_KOBJECT_UEVENT, and the group in it that udev sends to, as /proc/net/netlink has them.
UEVENTS, UDEV_GROUP = "15", 2

# What the service listens to, and nobody else has work with.
SUBSYSTEMS = "scsi", "iscsi_connection"


def lost_events(pid):
    """How many of udev's events the kernel had no room for in this process' socket."""
    inodes = set()
    for each in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(each))
        inodes.update(found.groups() if found else ())
    names, *lines = pathlib.Path("/proc/net/netlink").read_text().splitlines()
    sockets = [dict(zip(names.split(), line.split())) for line in lines]
    (dropped,) = [int(each["Drops"]) for each in sockets
                  if each["Inode"] in inodes and each["Eth"] == UEVENTS
                  and int(each["Groups"], 16) == UDEV_GROUP]
    return dropped


def fill(pid):
    """Make events until one is lost. From then on all are, until the process has read the others."""
    before = lost_events(pid)
    matches = [f"--subsystem-match={each}" for each in SUBSYSTEMS]

    def is_full():
        run("udevadm", "trigger", "--action=change", "--settle", *matches)
        return lost_events(pid) > before

    wait_for(is_full, patience(lio.expected_paths()), "a lost event")


def restart_with_little_room():
    """Restart the service, whose socket for events then has room for some dozens: it asks for far more
    than the kernel's limit, and gets that. The limit counts when the socket is made."""
    limit = "/proc/sys/net/core/rmem_max"
    before = read(limit)
    write(limit, 32768)
    try:
        service.restart()
    finally:
        write(limit, before)
    return service.main_pid()


class LostEvents(test_policies.PolicyTest):
    def setUp(self):
        super().setUp()
        # A service that stands still gives no sign of life.
        run("systemctl", "service-watchdogs", "no")
        self.addCleanup(run, "systemctl", "service-watchdogs", "yes")
        self.addCleanup(service.restart)
        self.pid = restart_with_little_room()

    def connections(self):
        return {each[0] for each in wmi.session("Connections")}

    def assert_connections(self, addresses):
        """The service has these, in the time that it takes to notice."""
        wanted = {wmi.connection_id(each) for each in addresses}
        self.assertEqual(look_in(20, self.connections, wanted.__eq__), wanted)

    def assert_looked_again(self, since):
        lines = [line for line in service.journal(since) if "events were lost" in line]
        # Those of the session and its disks came when the socket was full.
        self.assertGreater(sum(int(re.match(r"\d+", line)[0]) for line in lines), 1, lines)

    def disturb(self, change):
        """Something happens that the service hears nothing of."""
        since = time.time()
        with frozen(self.pid):
            fill(self.pid)
            change()
            stack.settle(lio.expected_paths())
        return since

    def test_sessions_and_maps_are_found(self):
        a, *others = self.portals
        self.set(wmi.QUEUE_DEPTH)
        wmi.wait_for_agreement()
        self.addCleanup(stack.wait_until_whole)
        self.addCleanup(iscsi.login_missing)

        # A session ends, and somebody else has loaded a table.
        def change():
            iscsi.logout(address=a)
            luns = lio.luns()
            stack.wait_until_whole(len(others) * luns)
            dm.load_groups(min(dm.maps()), [[each] for each in others], "round-robin")

        since = self.disturb(change)
        self.assert_connections(others)
        self.assert_tables(("queue-length", others))
        self.assert_looked_again(since)
        self.assertEqual(service.main_pid(), self.pid)

        # It begins again. The socket's counter does with the socket.
        self.pid = restart_with_little_room()
        since = self.disturb(lambda: iscsi.login(address=a))
        self.assert_connections(self.portals)
        stack.wait_until_whole()
        self.assert_tables(("queue-length", self.portals))
        self.assert_looked_again(since)
        wmi.wait_for_agreement()
