# SPDX-License-Identifier: LGPL-2.1-or-later
"""PingIPAddress: portals that answer, that are cut off, that are silent; and who waits for it."""

import contextlib
import pathlib
import threading
import time
import unittest

import lab
import wmi

SYSCTL = pathlib.Path("/proc/sys/net/ipv4")

# Of no session: what happens to it is nobody's trouble.
SPARE = "127.0.0.99"


@contextlib.contextmanager
def sysctl(name, value):
    """A setting of net.ipv4 inside a `with`."""
    before = lab.read(SYSCTL / name)
    lab.write(SYSCTL / name, value)
    try:
        yield
    finally:
        lab.write(SYSCTL / name, before)


class Ping(unittest.TestCase):
    def test_portals_answer(self):
        for address in (*lab.portals(), lab.LINK_ADDRESS, "::1"):
            with self.subTest(address=address):
                self.assertEqual(wmi.ping(address, count=3), (wmi.SUCCESS, 3))

    def test_counts_and_sizes(self):
        address = lab.portals()[0]
        for count, size in ((1, 0), (64, 56), (2, 1473), (2, 65500)):
            with self.subTest(count=count, size=size):
                self.assertEqual(wmi.ping(address, count, size), (wmi.SUCCESS, count))

    def test_either_kind_of_socket(self):
        """Releases differ in who may have ICMP datagram sockets."""
        for groups in ("0 2147483647", "1 0"):
            with self.subTest(groups=groups), sysctl("ping_group_range", groups):
                self.assertEqual(wmi.ping(lab.portals()[0], 2), (wmi.SUCCESS, 2))
                self.assertEqual(wmi.ping("::1", 2), (wmi.SUCCESS, 2))

    def test_refused(self):
        address = lab.portals()[0]
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
        lab.run("ip", "addr", "add", f"{SPARE}/32", "dev", "lo")
        try:
            self.assertEqual(wmi.ping(SPARE, 2), (wmi.SUCCESS, 2))
            with lab.portal_blocked(SPARE):
                self.assertEqual(wmi.ping(SPARE, 2), (wmi.SEND_FAILED, 0))
            self.assertEqual(wmi.ping(SPARE, 2), (wmi.SUCCESS, 2))
        finally:
            lab.run("ip", "addr", "del", f"{SPARE}/32", "dev", "lo")

    def test_nobody_there(self):
        """A neighbour that does not exist: the link takes the requests, or says that it cannot."""
        before = time.monotonic()
        self.assertEqual(wmi.ping("192.0.2.77", 2, timeout=500), (wmi.SUCCESS, 0))
        self.assertGreaterEqual(time.monotonic() - before, 0.7)

    def test_others_are_answered_meanwhile(self):
        results = []
        with sysctl("icmp_echo_ignore_all", 1):
            waiting = [threading.Thread(
                target=lambda: results.append(wmi.ping(lab.portals()[0], 2, timeout=3000)))
                for _ in range(3)]
            for thread in waiting:
                thread.start()
            time.sleep(0.5)
            self.assertEqual(wmi.query()[0], wmi.VENDOR)
            self.assertEqual(results, [])
            for thread in waiting:
                thread.join()
        self.assertEqual(results, 3 * [(wmi.SUCCESS, 0)])
