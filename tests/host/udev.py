# SPDX-License-Identifier: LGPL-2.1-or-later
"""udev of a made-up host: its events and the kernel's, and what it makes of synthetic ones."""

import contextlib
import pathlib
import queue
import re
import socket
import struct
import threading
import time

MAGIC = int.from_bytes(bytes.fromhex("feedcafe"), "little")
# What a rule does with a synthetic event of ours.
RULE = re.compile(r'^ENV\{SYNTH_ARG_(\w+)\}=="1", ENV\{(\w+)\}="\$env\{SYNTH_UUID\}"', re.MULTILINE)


def nulstr(properties):
    return b"".join(f"{key}={value}".encode() + b"\0" for key, value in properties.items())


class Udev(threading.Thread):
    """`runs` false: synthetic events are left lying, as where systemd-udevd does not run. Its rules take
    `seconds`, in which the kernel alone has told."""

    def __init__(self, root, rules):
        super().__init__(daemon=True)
        self.mark, self.property = RULE.search(rules.read_text()).groups()
        self.root = root
        self.runs = True
        self.seconds = 0
        self._late = queue.SimpleQueue()
        self._teller = threading.Thread(target=self._tell_later, daemon=True)
        self.seqnum = 0
        self.synthetic = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.synthetic.bind(str(root / "synthetic"))

    def event(self, subsystem, path, action, **more):
        """The kernel's, and then udev's."""
        self.kernel_event(path, action)
        self._tell(subsystem, path, action, more)

    def kernel_event(self, path, action):
        """The kernel's own word, which udev has not passed on yet."""
        self._send("kernel-events", f"{action}@{path}\0".encode())

    def _tell(self, subsystem, path, action, more):
        self.seqnum += 1
        properties = nulstr({"ACTION": action, "DEVPATH": path, "SUBSYSTEM": subsystem,
                             "SEQNUM": self.seqnum} | more)
        head = struct.pack("=8s8I", b"libudev", MAGIC, 40, 40, len(properties), 0, 0, 0, 0)
        if self.seconds:
            self._late.put((time.monotonic() + self.seconds, head + properties))
        else:
            self._send("uevents", head + properties)

    def _tell_later(self):
        while late := self._late.get():
            time.sleep(max(0, late[0] - time.monotonic()))
            self._send("uevents", late[1])

    def _send(self, name, data):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # Where nobody listens, netlink would lose it just so. It has more room for udev's events,
            # and whoever sends them waits.
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                sender.sendto(data, socket.MSG_DONTWAIT if name == "kernel-events" else 0,
                              str(self.root / name))

    # --- Synthetic events, of iscsi_session alone

    def _entry(self, session):
        return self.root / f"run/udev/data/+iscsi_session:{session}"

    def tag(self, session):
        """The tag of "session1", as the database has it; None: it has none."""
        with contextlib.suppress(FileNotFoundError):
            for line in self._entry(session).read_text().splitlines():
                if line.startswith(f"E:{self.property}="):
                    return line.partition("=")[2]
        return None

    def start(self):
        super().start()
        self._teller.start()

    def run(self):
        while text := self.synthetic.recv(65536).decode():
            if self.runs:
                self._on_synthetic(*text.split())

    def stop(self):
        self.synthetic.shutdown(socket.SHUT_RD)
        self._late.put(None)
        for thread in self, self._teller:
            if thread.is_alive():
                thread.join()
        self.synthetic.close()

    def _on_synthetic(self, path, action, uuid, *arguments):
        """As the rule has it."""
        properties = {"SYNTH_UUID": uuid}
        properties |= {f"SYNTH_ARG_{name}": value
                       for name, _, value in (each.partition("=") for each in arguments)}
        device = pathlib.Path(f"{self.root}{path}").resolve()
        entry = self._entry(device.name)
        if properties.get(f"SYNTH_ARG_{self.mark}") == "1":
            entry.parent.mkdir(exist_ok=True)
            new = entry.with_suffix(".new")
            new.write_text(f"I:1\nE:{self.property}={uuid}\nV:1\n")
            new.replace(entry)
        if (tag := self.tag(device.name)) is not None:
            properties[self.property] = tag
        self._tell("iscsi_session", "/" + str(device.relative_to(self.root / "sys")), action,
                   properties)
