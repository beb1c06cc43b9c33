# SPDX-License-Identifier: LGPL-2.1-or-later
"""multipathd of a made-up host: it answers, reads its configuration, and builds maps by that.

What it has not read yet does not count; `reconfigure` has it read the files first, and then build those
maps anew that would be others. Its reasons are the real one's, as far as entries of the service's need
them.
"""

import collections
import contextlib
import fcntl
import os
import re
import socket
import struct
import subprocess
import threading
import time

import device_mapper

OWN_SELECTOR = "service-time 0"
PATH_STATES = "show paths raw format %M=%w"
PRIOS = {"active/optimized": 50, "active/non-optimized": 10}  # prio sysfs; else 1
DEFAULTS = {"rr_weight": "uniform", "rr_min_io_rq": "1", "detect_prio": "yes", "detect_pgpolicy": "yes",
            "detect_pgpolicy_use_tpg": "no"}

# What it knows of a path: "major:minor", "H:B:T:L", access state or None, the TPGS field of its INQUIRY
# data, vendor and product.
Path = collections.namedtuple("Path", "disk address access tpgs vendor product")

LINE = re.compile(r'\s*(\w+|[{}])\s*(?:"([^"]*)"|(\S+))?')


def sections(text):
    """(name, {keyword: value}) of each innermost section of a configuration."""
    name, values = None, {}
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        keyword, quoted, bare = match.groups()
        if keyword == "}":
            if values:
                yield name, values
            values = {}
        elif bare == "{":
            name, values = keyword, {}
        else:
            values[keyword] = bare if quoted is None else quoted


def contents(file):
    """What a file has; none where it is not there, or goes meanwhile."""
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


class Multipathd:
    """`release` is what it says it is. What is in `answers`, by command, it says in place of its own
    answer. While it is `silent` it takes commands, and answers them when it is no more. While it `refuses`
    its files, it keeps what it has read. `asked` has the commands, `loads` counts the tables that it has
    given maps. A reconfiguration takes `seconds` from reading the files to the first map, in which nothing
    else happens to maps. Of the disks in `marginal` it says that it has taken them for that.
    """

    def __init__(self, path, directory, host):
        self.path, self.directory, self.host = path, directory, host
        self.release = "0.11.1"
        self.answers = {}
        self.marginal = set()
        self.refuses = False
        self.asked = []
        self.loads = 0
        self.seconds = 0.2
        self._maps = threading.Lock()
        self._waiting = 0  # reconfigurations that have not ended
        self._configures = False  # one of them has begun: nothing else is done by what was read before
        self._entries, self._devices, self._defaults = {}, [], DEFAULTS
        self._talking = threading.Event()
        self._talking.set()
        self._socket = None
        self._listener, self._threads = None, []

    @property
    def silent(self):
        return not self._talking.is_set()

    @silent.setter
    def silent(self, value):
        if value:
            self._talking.clear()
        else:
            self._talking.set()

    @property
    def is_busy(self):
        """It reads its files, or builds maps by them."""
        return self._maps.locked()

    def start(self, user=None):
        """As root, also another user's: that is who the kernel says listens."""
        self.read()
        self._pid_file = open(self.path.with_name("multipathd.pid"), "w", encoding="utf-8")
        fcntl.lockf(self._pid_file, fcntl.LOCK_EX)  # which it holds as long as it runs
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.path))
        if user is None:
            self._socket.listen(8)
        else:
            subprocess.run(["true"], preexec_fn=lambda: (os.setuid(user), self._socket.listen(8)),
                           check=True)
        self._listener = threading.Thread(target=self._run, daemon=True)
        self._listener.start()

    def stop(self):
        """Nobody listens any more; what was asked is answered."""
        if not self._socket:
            return
        self.path.unlink()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._talking.set()
        self._listener.join()
        while self._threads:
            self._threads.pop().join()
        self._socket.close()
        self._socket = None
        self._pid_file.close()

    # --- Configuration

    def read(self):
        """The files, in its order: the later one's keywords win."""
        entries, devices, defaults = {}, [], DEFAULTS
        conf_d = self.directory / "conf.d"
        for file in (self.directory.with_suffix(".conf"), *sorted(conf_d.glob("*.conf"))):
            for name, values in sections(contents(file)):
                if name == "multipath":
                    entries.setdefault(values["wwid"], {}).update(values)
                elif name == "device":
                    devices.append(values)
                elif name == "defaults":
                    defaults = defaults | values
        self._entries, self._devices, self._defaults = entries, devices, defaults

    def config(self):
        def section(name, values):
            lines = "".join(f'\t\t{keyword} "{value}"\n' for keyword, value in values.items())
            return f"\t{name} {{\n{lines}\t}}\n"

        defaults = "".join(f'\t{keyword} "{value}"\n' for keyword, value in self._defaults.items())
        return (f"defaults {{\n{defaults}}}\ndevices {{\n" + "".join(section("device", each) for each in self._devices) +
                "}\nmultipaths {\n" +
                "".join(section("multipath", each) for each in self._entries.values()) + "}\n")

    # --- Maps

    def standing_still(self):
        """A context in which it builds no map of its own accord, nor reads a file."""
        return self._maps

    def _detects_prio(self, path):
        """Whether it asks sysfs for the prio, whatever an entry says."""
        detect = self._defaults["detect_prio"]
        for device in self._devices:
            if (re.search(device.get("vendor", ""), path.vendor)
                    and re.search(device.get("product", ""), path.product)):
                detect = device.get("detect_prio", detect)
        return path.tpgs > 0 and detect == "yes"

    def _prio(self, entry, path):
        if self._detects_prio(path):
            return PRIOS.get(path.access, 1)
        words = entry.get("prio_args", "").split()[1:]
        for regex, prio in zip(words[::2], words[1::2]):
            if re.search(regex, path.address):
                return int(prio)
        return 0

    def groups(self, wwid, paths):
        """[(selector, [disk])] as its configuration has it, best first."""
        entry = self._entries.get(wwid, {})
        selector = entry.get("path_selector", OWN_SELECTOR)
        if entry.get("path_grouping_policy", "multibus") == "multibus":
            return [(selector, [path.disk for path in paths])]
        if self._defaults["detect_pgpolicy_use_tpg"] == "yes" and all(map(self._detects_prio, paths)):
            return [(selector, [path.disk]) for path in paths]  # each portal is a target port group
        by_prio = collections.defaultdict(list)
        for path in paths:
            by_prio[self._prio(entry, path)].append(path.disk)
        return [(selector, by_prio[prio]) for prio in sorted(by_prio, reverse=True)]

    def would_build(self, minor):
        """[(selector, [disk])], over the paths that are there."""
        return self.groups(self.host.wwid(minor), self.host.paths(minor))

    def load(self, minor):
        """A map's own groups, over the paths that are there; False: the kernel refuses them."""
        if self.host.dm.refuses(minor):
            return False
        self.loads += 1
        self.host.load_map(minor, self.would_build(minor))
        return True

    def _reload_other(self, minor):
        """Likewise, where it has others; not a map that has gone meanwhile."""
        def meaning(groups):
            return [(selector, set(paths)) for selector, paths in groups]

        now, wanted = self.host.dm.read(minor), self.would_build(minor)
        if not now or self.host.dm.refuses(minor):
            return
        if meaning(device_mapper.parse(now.table)) != meaning(wanted):
            self.loads += 1
            self.host.reload_map(minor, wanted)

    def reconfigure(self):
        if self.refuses:
            return
        seconds = self.seconds
        with self._maps, self._configuring():
            self.read()
            time.sleep(seconds)
            for minor in self.host.minors():
                while self.host.dm.is_in_a_call(minor):
                    time.sleep(0.01)
                self._reload_other(minor)

    @contextlib.contextmanager
    def _configuring(self):
        self._configures = True
        try:
            yield
        finally:
            self._configures = False

    def _start(self, run, *arguments):
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        thread.start()  # whoever stops waits for those that run
        self._threads.append(thread)

    def _reconfigure_later(self):
        """It says yes, and goes about it."""
        def run():
            self.reconfigure()
            self._waiting -= 1

        self._waiting += 1
        self._start(run)

    def check_paths(self):
        """What follows from each check of a path since 0.9.6 (main.c, update_mpp_prio()): a map whose
        groups are not in the order of the prios that it knows is built anew by what it has read."""
        with self._maps:
            for minor in self.host.minors():
                entry = self._entries.get(self.host.wwid(minor), {})
                prios = self._prios(minor, entry)
                if entry.get("failback") == "immediate" and prios != sorted(prios, reverse=True):
                    self.load(minor)

    def _prios(self, minor, entry):
        """Of the groups as they are, in their order: a group has its best path's."""
        paths = {path.disk: path for path in self.host.paths(minor)}
        return [max((self._prio(entry, paths[disk]) for disk in disks if disk in paths), default=0)
                for _, disks in self.host.groups(minor)]

    # --- Its socket

    def answer(self, command):
        if command in self.answers:
            return self.answers[command]
        if command == "help":
            return f"multipath-tools v{self.release} (03/01, 2025)\n"
        if command == "show daemon":
            return f"pid 1 {self._state()}\n"
        if command == "show config":
            return self.config()
        if command == PATH_STATES:
            return self._path_states()
        if command == "reconfigure":
            self._reconfigure_later()
            return "ok\n"
        if command.startswith("reload map "):
            return self._reload(command.removeprefix("reload map "))
        return "fail\n"

    def _state(self):
        if self._configures:
            return "configure"
        return "running (reconfigure pending)" if self._waiting else "idle"

    def _path_states(self):
        return "".join(f"{'marginal' if path.disk in self.marginal else 'normal'}={self.host.wwid(minor)}\n"
                       for minor in self.host.minors() for path in self.host.paths(minor))

    def _names(self, minor):
        """What commands find a map by: before 0.10, its WWID is no such thing."""
        finds_wwids = tuple(map(int, self.release.split("."))) >= (0, 10)
        return {f"dm-{minor}", f"mpath{minor}"} | ({self.host.wwid(minor)} if finds_wwids else set())

    def _reload(self, name):
        for minor in self.host.minors():
            if name in self._names(minor):
                return "ok\n" if self.load(minor) else "fail\n"
        return "fail\n"

    def _run(self):
        with contextlib.suppress(OSError):  # it was stopped
            while True:
                peer, _ = self._socket.accept()
                self._start(self._serve, peer)

    def _serve(self, peer):
        with peer, contextlib.suppress(ConnectionError):
            size = peer.recv(8, socket.MSG_WAITALL)
            if not size:
                return  # somebody wanted to know whether it listens
            data = peer.recv(*struct.unpack("=Q", size), socket.MSG_WAITALL)
            command = data.rstrip(b"\0").decode()
            self.asked.append(command)
            self._talking.wait()
            reply = self.answer(command).encode() + b"\0"
            peer.sendall(struct.pack("=Q", len(reply)) + reply)
