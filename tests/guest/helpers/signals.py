# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service tells the bus, as it comes."""

import contextlib
import json
import subprocess
import threading

import bus
import wmi
from basic import wait_for


class Monitor:
    """All messages from and to the service while a `with` runs."""

    def __enter__(self):
        self.messages = []
        self._process = subprocess.Popen(["busctl", "--json=short", "monitor", bus.NAME],
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         text=True)
        threading.Thread(target=self._collect, daemon=True).start()
        # It listens from the first message on that it shows.
        wait_for(self._hears, 20, "busctl's monitor")
        self.messages.clear()
        return self

    def __exit__(self, *exception):
        self._process.terminate()
        self._process.wait(10)

    def _collect(self):
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self.messages.append(json.loads(line))

    def _hears(self):
        wmi.session("TargetName")
        return self.messages

    def signals(self, member, path):
        """What the signals of this name carried, in order."""
        return [message["payload"]["data"] for message in list(self.messages)
                if message["type"] == "signal" and message.get("member") == member
                and message.get("path") == path]

    def values(self, name, interface="Session", path=None):
        """The values that a property was announced with, None for one without a value."""
        found = []
        for changed, values, invalidated in self.signals("PropertiesChanged",
                                                         path or wmi.session_path()):
            if changed == f"{wmi.INTERFACE}.{interface}":
                found += [values[name]["data"]] if name in values else []
                found += [None] if name in invalidated else []
        return found

    def objects(self, member, kind="session"):
        """{path: interfaces} of InterfacesAdded or InterfacesRemoved, in order, as pairs: those of
        sessions, or of another kind of objects."""
        return [(path, set(interfaces)) for path, interfaces in self.signals(member, bus.PATH)
                if path.startswith(f"{bus.PATH}/{kind}/")]
