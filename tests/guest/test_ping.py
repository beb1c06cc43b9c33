# SPDX-License-Identifier: LGPL-2.1-or-later
"""PingIPAddress: portals that answer, that are cut off, that are silent; and who waits for it."""

import time
import unittest

import lio
import network
import wmi
from basic import run, wait_for

# Of no session: what happens to it is nobody's trouble.
SPARE = "127.0.0.99"


class Ping(unittest.TestCase):
    def test_portals_answer(self):
        for address in (*lio.portals(), network.LINK_ADDRESS, "::1"):
            with self.subTest(address=address):
                self.assertEqual(wmi.ping(address, count=3), (wmi.SUCCESS, 3))

    def test_counts_and_sizes(self):
        address = lio.portals()[0]
        for count, size in ((1, 0), (64, 56), (2, 1473), (2, 65500)):
            with self.subTest(count=count, size=size):
                self.assertEqual(wmi.ping(address, count, size), (wmi.SUCCESS, count))

    def test_either_kind_of_socket(self):
        """Releases differ in who may have ICMP datagram sockets."""
        for groups in ("0 2147483647", "1 0"):
            with self.subTest(groups=groups), network.sysctl("ping_group_range", groups):
                self.assertEqual(wmi.ping(lio.portals()[0], 2), (wmi.SUCCESS, 2))
                self.assertEqual(wmi.ping("::1", 2), (wmi.SUCCESS, 2))

    def test_refused(self):
        address = lio.portals()[0]
        for status, arguments in (
                (wmi.INVALID_PARAMETER, {"count": 0}),
                (wmi.INVALID_PARAMETER, {"count": 65}),
                (wmi.INVALID_PARAMETER, {"size": 65501}),
                (wmi.INVALID_PARAMETER, {"timeout": 0}),
                (wmi.INVALID_PARAMETER, {"timeout": 60001}),
                (wmi.INVALID_PARAMETER, {"address": "224.0.0.1"}),
                (wmi.NAME_UNRESOLVED, {"address": "localhost"})):
            with self.subTest(**arguments):
                self.assertEqual(wmi.ping(**{"address": address, **arguments}), (status, 0))

    def test_cut_off(self):
        run("ip", "addr", "add", f"{SPARE}/32", "dev", "lo")
        try:
            self.assertEqual(wmi.ping(SPARE, 2), (wmi.SUCCESS, 2))
            with network.blocked(SPARE):
                self.assertEqual(wmi.ping(SPARE, 2), (wmi.SEND_FAILED, 0))
            self.assertEqual(wmi.ping(SPARE, 2), (wmi.SUCCESS, 2))
        finally:
            run("ip", "addr", "del", f"{SPARE}/32", "dev", "lo")

    def test_nobody_there(self):
        """A neighbour that does not exist: the link takes the requests, or says that it cannot."""
        before = time.monotonic()
        self.assertEqual(wmi.ping("192.0.2.77", 2, timeout=500), (wmi.SUCCESS, 0))
        self.assertGreaterEqual(time.monotonic() - before, 0.7)

    def test_others_are_answered_meanwhile(self):
        with (network.sysctl("icmp_echo_ignore_all", 1),
              wmi.pings(3, lio.portals()[0], count=2, timeout=3000) as results):
            time.sleep(0.5)
            self.assertEqual(wmi.query()[0], wmi.VENDOR)
            self.assertEqual(results, [])
        self.assertEqual(results, 3 * [(wmi.SUCCESS, 0)])

    def test_more_than_there_is_room_for(self):
        """Each is of a connection of its own, and these of root: a client each. What is too much
        is refused while the others wait, who do so for longer than it takes to start them all."""
        address = lio.portals()[0]
        refused = 3 * [(wmi.OUT_OF_RESOURCES, 0)]
        with (network.sysctl("icmp_echo_ignore_all", 1),
              wmi.pings(wmi.PINGS + len(refused), address, timeout=15000) as results):
            wait_for(lambda: len(results) >= len(refused), 12, "the refusals")
            self.assertEqual(results, refused)
            self.assertEqual(wmi.query()[0], wmi.VENDOR)
            self.assertEqual(results, refused)
        self.assertEqual(results, refused + wmi.PINGS * [(wmi.SUCCESS, 0)])
        self.assertEqual(wmi.ping(address), (wmi.SUCCESS, 1))
