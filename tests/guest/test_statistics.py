# SPDX-License-Identifier: LGPL-2.1-or-later
"""MSiSCSI_ConnectionStatistics against iscsiadm, and against I/O."""

import re
import threading
import time
import unittest

import bus
import diskio
import iscsi
import lio
import wmi
from basic import frozen, processes_of, run

COUNTERS = {
    "BytesSent": ("txdata_octets",),
    "BytesReceived": ("rxdata_octets",),
    "PDUCommandsSent": ("scsicmd_pdus", "tmfcmd_pdus"),
    "PDUResponsesReceived": ("scsirsp_pdus", "tmfrsp_pdus"),
}


KEPT = 1  # second, for which the service asks iscsiadm once


def counted():
    """{portal: {member: value}} as iscsiadm has them."""
    portal = {each.sid: each.address for each in iscsi.sessions()}
    found = {}
    for part in run("iscsiadm", "-m", "session", "-s").split("Stats for session")[1:]:
        sid = int(re.search(r"sid: (\d+)", part)[1])
        values = {name: int(value) for name, value in re.findall(r"(\w+): (\d+)$", part, re.M)}
        found[portal[sid]] = {member: sum(values[name] for name in names)
                              for member, names in COUNTERS.items()}
    return found


class Statistics(unittest.TestCase):
    def test_identity(self):
        for address in lio.portals():
            values = wmi.statistics(address, user="guest")
            self.assertEqual(list(values), ["InstanceName", "Active", "iSCSIName", "CID", "USID",
                                            "UniqueAdapterId", *COUNTERS])
            self.assertEqual(
                [values[name] for name in list(values)[:6]],
                [f"{wmi.connection_id(address):016x}", True, iscsi.INITIATOR, 0, wmi.session_id(),
                 wmi.adapter_id()])

    def test_equal_to_iscsiadm(self):
        """multipathd's checker never rests: ours lie between two looks of iscsiadm."""
        before = counted()
        time.sleep(KEPT)
        ours = {address: wmi.statistics(address) for address in lio.portals()}
        after = counted()
        for address in lio.portals():
            for name in COUNTERS:
                with self.subTest(address=address, counter=name):
                    self.assertLessEqual(before[address][name], ours[address][name])
                    self.assertLessEqual(ours[address][name], after[address][name])
                    self.assertGreater(ours[address][name], 0)

    def test_reads_are_counted(self):
        address = lio.portals()[0]
        before = wmi.statistics(address)
        diskio.read_disk(f"/dev/{iscsi.disks_of(address)[0]}", 100)
        time.sleep(KEPT)
        after = wmi.statistics(address)
        self.assertGreaterEqual(after["BytesReceived"] - before["BytesReceived"], 100 * 4096)
        for name in ("PDUCommandsSent", "PDUResponsesReceived"):
            self.assertGreaterEqual(after[name] - before[name], 100)

    def test_one_by_one(self):
        path = wmi.connection_path(lio.portals()[0])
        self.assertEqual(wmi.get(path, "MSiSCSI_ConnectionStatistics", "CID"), 0)
        for name in COUNTERS:
            self.assertGreater(wmi.get(path, "MSiSCSI_ConnectionStatistics", name), 0)
        with self.assertRaisesRegex(RuntimeError, "(?i)unknown"):
            wmi.get(path, "MSiSCSI_ConnectionStatistics", "NoSuchCounter")
        with self.assertRaisesRegex(RuntimeError, "(?i)unknown"):
            wmi.get(f"{bus.PATH}/connection/0123456789abcdef",
                    "MSiSCSI_ConnectionStatistics", "BytesSent")

    def test_managed_objects_wait_for_nobody(self):
        (objects,) = bus.call(bus.PATH, "org.freedesktop.DBus.ObjectManager",
                              "GetManagedObjects")
        values = objects[wmi.connection_path(lio.portals()[0])]
        self.assertFalse(set(COUNTERS) &
                         set(values[f"{bus.NAME}.MSiSCSI_ConnectionStatistics"]))

    def test_a_slow_iscsid_keeps_nobody_else(self):
        address, results = lio.portals()[0], []
        waiting = [threading.Thread(target=lambda: results.append(wmi.statistics(address)))
                   for _ in range(3)]
        time.sleep(KEPT)
        with frozen(*processes_of("iscsid")):
            for thread in waiting:
                thread.start()
            time.sleep(1)
            self.assertEqual(wmi.query()[0], wmi.VENDOR)
            self.assertEqual(results, [])
        for thread in waiting:
            thread.join()
        self.assertEqual(len(results), 3)
