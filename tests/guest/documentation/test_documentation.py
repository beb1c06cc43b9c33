# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command line that the README and the man pages give, run as it stands. The guest is the
host that they tell of: its initiator and target have the names that are used there, and get the
portals 10.0.0.1 to 10.0.0.4 as well.

In the README these are the blocks that begin with ```sh, in the man pages the blocks of EXAMPLES. A
block of C is built by the line that follows it. What to do about a status is quoted in the README's
table, in `backticks`, and in iscsi-wmi-status(7), in "quotes": that runs, too.
"""

import gzip
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import iscsi
import lio
import service
import stack
import wmi
from basic import HOME, patience, run

README = HOME / "README.md"
MAN = pathlib.Path("/usr/share/man")
PORTALS = [f"10.0.0.{i}" for i in range(1, 5)]

# Lines that are not run: how they begin, and why.
LEFT_OUT = {
    "./lab ": "the lab runs this test",
    "apt ": "the guest has no package source",
    "dpkg-buildpackage ": "the guest has no sources",
    "meson ": "the guest has no sources; the lab has built and installed the project",
}

# What is quoted as advice and is no command line: how it begins, and what it is.
NO_COMMANDS = {
    "-": "an option",
    "/": "a directory",
    "there is nothing to clear": "what to think",
}

# Words of advice that stand for something.
PLACEHOLDERS = {"DISK": lio.wwid(0), "ADDRESS": PORTALS[0]}

# In the place of ssh, for there is no other host: the bus of this one.
SSH = """#!/bin/sh
case "$*" in
    *" root@storage1 systemd-stdio-bridge") exec systemd-stdio-bridge ;;
esac
echo "ssh: not as documented: $*" >&2
exit 255
"""

# Lines that go on until somebody interrupts them: after so many seconds.
INTERRUPTED = {"iscsi-wmi monitor": 8}

# An exit status other than 0 that the documentation tells of. None so far.
STATUSES = {}


def plain(roff):
    """A line of roff as it is shown."""
    for escape, character in (("\\-", "-"), ("\\(aq", "'"), ("\\&", ""), ("\\e", "\\")):
        roff = roff.replace(escape, character)
    return roff


def man_page(name):
    """As it is installed: packages have it compressed."""
    file = MAN / f"man{name[-1]}" / name
    return file.read_text() if file.exists() else gzip.open(f"{file}.gz", "rt").read()


def man_blocks(name):
    """The blocks of a man page's EXAMPLES."""
    text = man_page(name)
    examples = re.search(r"^\.SH EXAMPLES\n(.*?)(?=^\.SH |\Z)", text, re.M | re.S)[1]
    return [plain(block) for block in re.findall(r"^\.EX\n(.*?)^\.EE$", examples, re.M | re.S)]


def readme_blocks():
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.M | re.S)


def readme_advice():
    """What is quoted in the last column of the README's statuses, each as a block."""
    cells = re.findall(r"^\| `0x.*\| (.*) \|$", README.read_text(), re.M)
    return [quote for cell in cells for quote in re.findall(r"`([^`]+)`", cell)]


def status_advice():
    """What is quoted in iscsi-wmi-status(7), which may break its lines there."""
    text = re.search(r"^\.SH STATUSES THAT THE SERVICE GIVES\n(.*?)(?=^\.SH |\Z)",
                     man_page("iscsi-wmi-status.7"), re.M | re.S)[1]
    return [" ".join(quote.split()) for quote in re.findall(r'"([^"]+)"', plain(text))]


def filled_in(advice):
    """Those of them that are commands, their placeholders filled in; each once."""
    commands = [line for line in advice if not line.startswith(tuple(NO_COMMANDS))]
    words = "|".join(PLACEHOLDERS)
    return list(dict.fromkeys(re.sub(rf"\b({words})\b", lambda word: PLACEHOLDERS[word[1]], line)
                              for line in commands))


def command_lines(block):
    """A block's command lines, those that go on in the next line made one; without comments."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    lines = [re.sub(r"(^|\s+)#\s.*", "", line).strip() for line in lines]
    return [line for line in lines if line]


def left_out(line):
    return any(line.startswith(start) for start in LEFT_OUT)


class Documentation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if run("systemctl", "is-enabled", service.UNIT, check=False) != "enabled":
            cls.addClassCleanup(run, "systemctl", "disable", service.UNIT)
        cls.addClassCleanup(cls.remove_portals)
        for address in PORTALS:
            lio.portal_add(address)
        iscsi.discover(PORTALS[0], new_only=True)
        for address in PORTALS:
            iscsi.login(address=address)
        paths = lio.expected_paths() + lio.luns() * len(PORTALS)
        stack.wait_until_whole(paths, patience(paths))

    @classmethod
    def remove_portals(cls):
        """However far setUpClass() came."""
        there = {each.address for each in iscsi.sessions()}
        known = run("iscsiadm", "-m", "node", check=False)
        served = {path.name for path in (lio.tpg() / "np").iterdir()}
        for address in PORTALS:
            if address in there:
                iscsi.logout(address=address)
            if f"{address}:{lio.PORT}," in known:
                iscsi.forget(address=address)
            if f"{address}:{lio.PORT}" in served:
                lio.portal_remove(address)
            run("ip", "addr", "del", f"{address}/32", "dev", "lo", check=False)
        stack.wait_for_paths()

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "ssh").write_text(SSH)
        (programs / "ssh").chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        self.addCleanup(self.give_back)

    def give_back(self):
        """What the lines may have left."""
        wmi.set_default(wmi.NONE)
        self.assertEqual(wmi.set_disk_raw(lio.wwid(0), wmi.NONE), wmi.SUCCESS)
        self.assertEqual(wmi.set_policy(wmi.VENDOR), wmi.SUCCESS)

    def assert_runs(self, line):
        """As root types it into a shell."""
        command = line
        for start, seconds in INTERRUPTED.items():
            if line.startswith(start):
                command = f"timeout --signal=INT --preserve-status {seconds} {line}"
        done = subprocess.run(["bash", "-c", command], cwd=self.directory, check=False, timeout=600,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace")
        self.assertEqual(done.returncode, STATUSES.get(line, 0), f"{line}\n{done.stdout}")
        if line.startswith("busctl ") and "_Operations " in line:
            self.assertRegex(done.stdout, r"^uu? 0\b", f"{line}: a Status that is not 0")

    def assert_all_run(self, blocks):
        n_run = 0
        for block in blocks:
            source = re.match(r"/\* (\w+\.c) \*/\n", block)
            if source:
                (self.directory / source[1]).write_text(block)
                continue
            for line in command_lines(block):
                if left_out(line):
                    continue
                n_run += 1
                with self.subTest(line=line):
                    self.assert_runs(line)
        self.assertGreater(n_run, 1)

    def test_readme(self):
        self.assert_all_run(readme_blocks())

    def test_advice_of_the_readme(self):
        self.assert_all_run(filled_in(readme_advice()))

    def test_command(self):
        self.assert_all_run(man_blocks("iscsi-wmi.1"))

    def test_library(self):
        self.assert_all_run(man_blocks("libiscsiwmi.3"))

    def test_interfaces(self):
        self.assert_all_run(man_blocks("com.open_iscsi.WMI1.5"))

    def test_statuses(self):
        self.assert_all_run(man_blocks("iscsi-wmi-status.7"))

    def test_advice_of_the_statuses(self):
        self.assert_all_run(filled_in(status_advice()))

    def test_service(self):
        self.assert_all_run(man_blocks("iscsi-wmid.8"))
