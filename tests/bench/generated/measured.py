# SPDX-License-Identifier: LGPL-2.1-or-later
"""A made-up host, and what the kernel knows of the service on it."""

import os
import pathlib
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "host"))
import host  # noqa: E402: Python looks there only now
import agent  # noqa: E402, F401: for those who measure
import names  # noqa: E402, F401
import volumes  # noqa: E402, F401

path = host.path


class Host(host.Host):
    def start_echo(self, program, call):
        """A service beside ours that answers as ours answers that call."""
        echo = subprocess.Popen([program, "echo", *call.split()], stdout=subprocess.PIPE,
                                env={"DBUS_SYSTEM_BUS_ADDRESS": self.address})
        self.children.append(echo)
        if not echo.stdout.readline():
            raise RuntimeError("the echo does not start")

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}")

    def cpu(self):
        """Seconds of the service and of its children that have ended."""
        children = self._proc("stat").read_text().rpartition(")")[2].split()[13:15]
        own = time.clock_gettime(~self.pid << 3 | 2)
        return own + sum(map(int, children)) / os.sysconf("SC_CLK_TCK")

    def wakeups(self):
        status = self._proc("status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def memory(self):
        """KiB."""
        found = {"Private": 0}
        for line in self._proc("smaps_rollup").read_text().splitlines()[1:]:
            name, size = line.split()[:2]
            found[name.rstrip(":")] = int(size)
            if name.startswith("Private_"):
                found["Private"] += int(size)
        return found

    def descriptors(self):
        return len(list(self._proc("fd").iterdir()))

    def wait_until_idle(self, quiet):
        """The service has slept for so long: nothing is owed to anybody, no timer is near."""
        since, last = time.monotonic(), None
        while time.monotonic() < since + quiet:
            now = self.wakeups()
            if now != last:
                since, last = time.monotonic(), now
            time.sleep(0.2)
