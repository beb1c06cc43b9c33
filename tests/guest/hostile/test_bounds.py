# SPDX-License-Identifier: LGPL-2.1-or-later
"""As many policies as there can be (src/service/base/bounds.h), of sessions and disks that have gone:
one more is refused and changes nothing, and there is room for the last."""

import contextlib
import sqlite3
import time
import unittest

import bus
import dm
import iscsi
import lio
import service
import store
import wmi
from basic import run

SESSIONS, DISKS = 1024, 1024

# Seconds for a call: with so many objects in an emulated machine, the service may be at work.
CALL_SECONDS = 120


def fill(sessions, disks):
    """Have the stopped service's state hold so many policies of sessions and of disks in all."""
    with contextlib.closing(sqlite3.connect(store.FILE)) as file, file:
        (there,) = file.execute("SELECT COUNT(*) FROM policy").fetchone()
        for i in range(there, sessions):
            target = f"iqn.2024-01.org.example:gone{i}"
            serial = file.execute("INSERT INTO policy (initiator, target, policy, highest_first)"
                                  " VALUES (?, ?, ?, 0)",
                                  (iscsi.INITIATOR, target, wmi.ROUND_ROBIN)).lastrowid
            path = f"{wmi.connection_id('192.0.2.1', target):016x}"
            file.execute("INSERT INTO policy_path"
                         " VALUES (?, 0, ?, 'default', '192.0.2.1', ?, 0, 1)",
                         (serial, path, lio.PORT))
        (there,) = file.execute("SELECT COUNT(*) FROM disk_policy").fetchone()
        for i in range(there, disks):
            wwid = f"3500gone{i}"
            file.execute("INSERT INTO disk_policy VALUES (?, ?, 0)", (wwid, wmi.LEAST_BLOCKS))
            file.execute("INSERT INTO disk_policy_path VALUES (?, 0, ?, 0, 1, 0)",
                         (wwid, f"{wmi.connection_id('192.0.2.1'):016x}"))


class Bounds(unittest.TestCase):
    DISK = lio.wwid(0)

    def setUp(self):
        self.assertEqual((store.policy(), store.disk_policy(self.DISK)), (0, 0))
        wmi.wait_until_quiet()
        self.addCleanup(setattr, bus, "CALL_SECONDS", bus.CALL_SECONDS)
        bus.CALL_SECONDS = CALL_SECONDS
        run("systemctl", "stop", service.UNIT)
        self.good = store.FILE.read_bytes()
        self.addCleanup(self.put_back)

    def put_back(self):
        run("systemctl", "stop", service.UNIT)
        store.FILE.write_bytes(self.good)
        service.restart()

    def give_back(self):
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        self.assertEqual(wmi.set_disk_raw(self.DISK, wmi.NONE), wmi.SUCCESS)

    def start(self, sessions, disks):
        """The service, with so many policies."""
        run("systemctl", "stop", service.UNIT)
        store.FILE.write_bytes(self.good)
        fill(sessions, disks)
        start = time.monotonic()
        service.restart()
        print(f"bounds: {sessions} sessions and {disks} disks, ready after "
              f"{time.monotonic() - start:.1f} s", flush=True)

    def test_one_more(self):
        tables = {name: each.table for name, each in dm.maps().items()}
        self.start(SESSIONS, DISKS)
        self.assertEqual(wmi.set_policy(wmi.QUEUE_DEPTH), wmi.OUT_OF_RESOURCES)
        self.assertEqual(wmi.set_disk(self.DISK, wmi.ROUND_ROBIN), wmi.DSM_OUT_OF_RESOURCES)
        self.assertEqual({name: each.table for name, each in dm.maps().items()}, tables)
        self.assertEqual((store.policy(), store.disk_policy(self.DISK)), (0, 0))

    def test_the_last(self):
        """One that has a policy can have another."""
        self.start(SESSIONS - 1, DISKS - 1)
        self.addCleanup(self.give_back)
        for policy in (wmi.QUEUE_DEPTH, wmi.WEIGHTED):
            self.assertEqual(wmi.set_policy(policy), wmi.SUCCESS)
            self.assertEqual(wmi.set_disk(self.DISK, policy), wmi.SUCCESS)
        self.assertEqual((store.policy(), store.disk_policy(self.DISK)),
                         (wmi.WEIGHTED, wmi.WEIGHTED))
