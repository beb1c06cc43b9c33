# SPDX-License-Identifier: LGPL-2.1-or-later
"""One round of everything with the service under valgrind."""

import pathlib
import time
import unittest

import bus
import iscsi
import lio
import service
import stack
import wmi
from basic import run, setting

DROP_IN = pathlib.Path(f"/run/systemd/system/{service.UNIT}.d/valgrind.conf")
FAILED = 99


@unittest.skipIf(setting("LAB_RELEASE", "") == "trixie",
                 "slow in an emulated machine: the run on bookworm has it")
class Valgrind(unittest.TestCase):
    def start(self):
        program = run("systemctl", "show", "--value", "--property=ExecStart", service.UNIT)
        program = program.split("path=")[1].split(" ")[0]
        DROP_IN.parent.mkdir(parents=True, exist_ok=True)
        DROP_IN.write_text(
            "[Service]\nExecStart=\n"
            f"ExecStart=valgrind --error-exitcode={FAILED} --leak-check=full "
            f"--errors-for-leak-kinds=definite --track-fds=no {program}\n"
            "TimeoutStartSec=300\nTimeoutStopSec=300\nWatchdogSec=0\n"
            # It makes code as it runs, and much of it.
            "MemoryDenyWriteExecute=no\nSystemCallFilter=\nMemoryMax=infinity\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", service.UNIT, timeout=310)

    def stop(self):
        DROP_IN.unlink()
        run("systemctl", "daemon-reload")
        service.restart()

    def test_a_round_of_everything(self):
        a, b, _, d = lio.portals()
        since = time.time()
        self.addCleanup(setattr, bus, "CALL_SECONDS", bus.CALL_SECONDS)
        bus.CALL_SECONDS = 300
        self.addCleanup(self.stop)
        self.start()
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, [b]), wmi.SUCCESS)
        self.assertEqual(wmi.set_policy(wmi.WEIGHTED, weights={a: 1}), wmi.SUCCESS)
        self.assertEqual(wmi.set_policy(wmi.FAILOVER, [a, b]), wmi.MULTIPLE_PRIMARIES)
        self.assertEqual(wmi.set_guid(bytes(range(16))), wmi.SUCCESS)
        self.assertEqual(wmi.set_guid(b""), wmi.INVALID_PARAMETER)
        bus.call(bus.PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        iscsi.logout(address=d)
        iscsi.login(address=d)
        stack.wait_for_paths()
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)
        run("systemctl", "stop", service.UNIT, timeout=310)
        status = run("systemctl", "show", "--value", "--property=ExecMainStatus", service.UNIT)
        self.assertEqual(status, "0", "\n".join(service.journal(since)))
        self.assertIn("ERROR SUMMARY: 0 errors", "\n".join(service.journal(since)))
