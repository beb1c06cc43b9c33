#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the man pages and the README say, against what they are about: the interfaces, the command,
the library, the statuses. (The running service, and who may call what, are compared with
com.open_iscsi.WMI1(5) by the service tests.)"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree as tree

SOURCE = pathlib.Path(os.environ["SOURCE_DIR"])
MAN = pathlib.Path(os.environ["MAN_DIR"])
COMMAND = os.environ["ISCSI_WMI"]
sys.dont_write_bytecode = True
sys.path.append(str(SOURCE / "man"))
import generate

PAGES = ("iscsi-wmi.1", "libiscsiwmi.3", "com.open_iscsi.WMI1.5", "iscsi-wmi-status.7",
         "iscsi-wmid.8")


def plain(roff):
    """Roff as the words that are shown, macros left in."""
    roff = re.sub(r"\\f[BIR]", "", roff)
    for escape, character in (("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\(ga", "`"),
                              ("\\(ha", "^"), ("\\(ti", "~"), ("\\&", ""), ("\\e", "\\")):
        roff = roff.replace(escape, character)
    return roff


def page(name):
    return plain((MAN / name).read_text())


def section(text, heading, macro="SH"):
    """The lines between a heading and the next one of its level or above."""
    found = re.search(rf'^\.{macro} "?{re.escape(heading)}"?\n(.*?)(?=^\.SH |'
                      rf'{"^.SS " if macro == "SS" else "^.SH "}|\Z)', text, re.M | re.S)
    return found[1]


def words(text):
    """A text whatever its lines."""
    return " ".join(text.split())


def run(*command):
    return subprocess.run([COMMAND, *command], check=True, stdout=subprocess.PIPE, text=True).stdout


def codes():
    """{symbol: code} of the public header."""
    header = (SOURCE / "include/iscsi-wmi/status.h").read_text()
    return {symbol: int(code, 16) for symbol, code in
            re.findall(r"#define (\w+) UINT32_C\((0x\w{8})\)", header)}


class Pages(unittest.TestCase):
    def test_all_are_there(self):
        for name in PAGES:
            self.assertNotIn("@", re.sub(r"@IFACE|USER@HOST(:PORT)?|root@storage1", "", page(name)))

    def test_interfaces(self):
        text = page("com.open_iscsi.WMI1.5")
        files = list((SOURCE / "dbus-interfaces").glob("*.xml"))
        self.assertGreater(len(files), 0)
        self.assertEqual(set(re.findall(r'^\.SS "(.*)"', text, re.M)),
                         {file.name.removesuffix(".xml") for file in files})
        for file in files:
            (interface,) = tree.parse(file).getroot().findall("interface")
            part = section(text, interface.get("name"), "SS")
            members = [node.get("name") for kind in ("method", "property")
                       for node in interface.findall(kind)]
            self.assertEqual(re.findall(r"^\.TP\n(\w+)", part, re.M), members)
            self.assertEqual(len(re.findall(r"^Security: ", part, re.M)), len(members))

    def test_objects(self):
        """Which interfaces each has, and that README's table has those of all that there are many of."""
        part = section(page("com.open_iscsi.WMI1.5"), "Objects", "SS")
        told = {kind: re.findall(r"\b[A-Z]\w+", words(text).split(": ", 1)[1]) for kind, text in
                re.findall(r"^\.BI /com/open_iscsi/WMI1/(\w+)/ \w+\n(.*?)(?=\.TP|\.SS|The WWID|\Z)",
                           part, re.M | re.S)}
        made = {kind: re.findall(r'\{BUS_INTERFACE\("(\w+)"\), \w+_vtable\}',
                                 (SOURCE / f"src/bus/objects/{kind}s.c").read_text())
                for kind in ("adapter", "session", "connection", "disk")}
        self.assertEqual(told, made)
        table = (SOURCE / "README.md").read_text().partition("\n| class | on | |\n")[2]
        rows = "".join(re.findall(r"^\| (`.*?) \|", table.partition("\n\n")[0], re.M))
        self.assertEqual(sorted(re.findall(r"`(\w+)`", rows)), sorted(sum(made.values(), [])))

    def test_commands(self):
        synopses = re.findall(r"^  iscsi-wmi (?!--)(.*)", run("--help"), re.M)
        self.assertGreater(len(synopses), 10)
        part = section(page("iscsi-wmi.1"), "COMMANDS")
        self.assertEqual(re.findall(r"^\.TP\n\.B (.*)", part, re.M), synopses)

    def test_options(self):
        """Those of the commands, and those that go with all."""
        table = (SOURCE / "src/cli/command.c").read_text()
        options = re.findall(r"^    \[OPTION_\w+\] = \{\"(\w+)\"", table, re.M)
        self.assertGreater(len(options), 10)
        part = section(page("iscsi-wmi.1"), "OPTIONS")
        self.assertEqual(sorted(re.findall(r"^\.BI? .*?--(\w+)", part, re.M)), sorted(options))

    def test_functions(self):
        exported = (SOURCE / "src/client/libiscsiwmi.map").read_text()
        names = re.findall(r"^    (\w+);", exported, re.M)
        self.assertGreater(len(names), 10)
        part = section(page("libiscsiwmi.3"), "FUNCTIONS")
        self.assertEqual(sorted(re.findall(r"^\.T[PQ]\n[^(]*?(\w+)\(", part, re.M)), sorted(names))
        package = (SOURCE / "debian/libiscsiwmi0.symbols").read_text()
        self.assertEqual(sorted(re.findall(r"^ (iscsiwmi_\w+)@", package, re.M)), sorted(names))

    def test_library_has_all(self):
        """What agents can read, call and set by the bus, they can from C."""
        called = {name for file in (SOURCE / "src/client").glob("*.c")
                  for name in re.findall(r'"(\w+)"', file.read_text())}
        interfaces = [tree.parse(file).getroot().find("interface")
                      for file in (SOURCE / "dbus-interfaces").glob("*.xml")]
        members = {node.get("name") for interface in interfaces for node in interface
                   if node.tag == "method" or node.get("access") == "readwrite"}
        # Not those that are there to be called.
        classes = {interface.get("name").rpartition(".")[2] for interface in interfaces
                   if {node.get("name") for node in interface.findall("property")}
                   - {"InstanceName", "Active"}}
        self.assertGreater(len(members), 5)
        self.assertGreater(len(classes), 5)
        self.assertEqual((members | classes) - called, set())

    def test_windows_classes(self):
        """Those that test-client-classes compares with Windows' are all that come before the list."""
        before, _, after = (SOURCE / "src/client/classes.c").read_text().partition("windows_classes[] = {")
        made = re.findall(r"^(?:static )?const struct class (class_\w+) = ", before, re.M)
        self.assertEqual(sorted(re.findall(r"&(class_\w+),", after.partition("};")[0])), sorted(made))

    def test_actions(self):
        text = (SOURCE / "data/com.open-iscsi.wmi1.policy").read_text()
        actions = re.findall(r'<action id="(.*?)"', text)
        part = section(page("iscsi-wmid.8"), "AUTHORIZATION")
        self.assertEqual(re.findall(r"^\.TP\n\.B (com\..*)", part, re.M), actions)

    def test_errors(self):
        """D-Bus' own, as far as the service makes them by name."""
        made = {name.title().replace("_", "") for file in (SOURCE / "src/bus").rglob("*.c")
                for name in re.findall(r"(?:set|setf|errorf|refuse)\([^;]*?SD_BUS_ERROR_(\w+)", file.read_text())}
        self.assertGreater(len(made), 5)
        told = re.findall(r"org\.freedesktop\.DBus\.Error\.(\w+)", page("iscsi-wmi-status.7"))
        self.assertEqual(set(told), made - {"Null"})

    def test_environment(self):
        """What the service asks its environment for; the command has a page of its own."""
        names = {name for folder in (SOURCE / "src").iterdir() if folder.name != "cli"
                 for file in ([folder] if folder.suffix == ".c" else folder.rglob("*.c"))
                 for name in re.findall(r'\bgetenv\("(\w+)"\)', file.read_text())}
        self.assertGreater(len(names), 3)
        part = section(page("iscsi-wmid.8"), "ENVIRONMENT")
        self.assertEqual(set(re.findall(r"^\.TP\n\.B (\w+)", part, re.M)), names)


class Store(unittest.TestCase):
    def test_tables(self):
        """Those of the schema, and with which version each came, as docs/design.md has them."""
        schema = (SOURCE / "src/store/schema.c").read_text()
        steps = re.search(r"schema_steps\[\] = \{(.*?)\}", schema, re.S)[1].split(",")
        made = {table: version for version, step in enumerate(map(str.strip, steps), 1)
                for table in re.findall(r"CREATE TABLE (\w+)", re.search(
                    rf"{step}\[\] =(.*?);\n\n", schema, re.S)[1])}
        part = (SOURCE / "docs/design.md").read_text().partition("\n## The store\n")[2]
        rows = re.findall(r"^\| (`.*`) \| (\d+) \|", part.partition("\n## ")[0], re.M)
        self.assertEqual({table: int(version) for names, version in rows
                          for table in re.findall(r"`(\w+)`", names)}, made)


class Bounds(unittest.TestCase):
    def test_all_are_documented(self):
        header = (SOURCE / "src/service/base/bounds.h").read_text()
        bounds = set(re.findall(r"^#define (\w+_MAX\w*)", header, re.M))
        self.assertGreater(len(bounds), 10)
        template = (SOURCE / "man/iscsi-wmid.8.in").read_text()
        self.assertEqual(bounds - set(re.findall(r"@(\w+)(?::\w+)?@", template)), set())

    def test_of_the_guest_tests(self):
        """They ask for one more than there is."""
        text = "\n".join((SOURCE / "tests/guest" / file).read_text() for file in
                         ("helpers/wmi.py", "hostile/test_bounds.py"))
        found = re.search(r"^PINGS, PINGS_OF_A_CLIENT = (\d+), (\d+)$.*^SESSIONS, DISKS = (\d+), (\d+)$",
                          text, re.M | re.S).groups()
        numbers = generate.read_numbers(SOURCE)
        self.assertEqual([int(each) for each in found], [numbers[name] for name in (
            "PINGS_MAX", "PINGS_MAX_PER_CLIENT", "SESSIONS_MAX", "DISKS_MAX")])


class Tag(unittest.TestCase):
    def test_property(self):
        """What people, and the guest tests, know the udev property of a session by."""
        built = (MAN.parent / "build-config.h").read_text()
        name = re.search(r'#define SESSION_TAG_PROPERTY "(\w+)"', built)[1]
        for file, pattern in (
                ("man/iscsi-wmid.8.in", r"udev property (\w+)"),
                ("dbus-interfaces/com.open_iscsi.WMI1.MSiSCSI_SecurityConfigOperations.xml",
                 r"udev property (\w+)"),
                ("tests/guest/helpers/wmi.py", r'\bTAG = "(\w+)"')):
            with self.subTest(file=file):
                self.assertEqual(re.findall(pattern, words((SOURCE / file).read_text())), [name])


class Rows(unittest.TestCase):
    """Of the checks of a request for a session, as stated above lb_check()."""

    @classmethod
    def setUpClass(cls):
        comment = re.search(r"/\*((?:(?!\*/).)*)\*/\s+uint32_t lb_check\(",
                            (SOURCE / "src/wmi/policy.h").read_text(), re.S)[1]
        rows = re.findall(r"^ \* +(\d+)\. (.*?)(?=^ \* +\d+\. |\Z)", comment, re.M | re.S)
        cls.rows = {int(number): re.search(r": ([A-Z_]+)[.;]", text)[1] for number, text in rows}

    def test_each_has_a_test(self):
        text = (SOURCE / "tests/service/test_statuses.py").read_text()
        self.assertGreater(len(self.rows), 10)
        self.assertEqual(set(self.rows), set(map(int, re.findall(r"def test_(\d\d)_", text))))

    def test_people_read_of_each(self):
        file = SOURCE / "dbus-interfaces/com.open_iscsi.WMI1.MSiSCSI_LB_Operations.xml"
        comment = file.read_text().partition('<method name="SetLoadBalancePolicy">')[0]
        told = {int(code, 16) for code in re.findall(r"0x[0-9A-F]{8}\b", comment)}
        self.assertEqual(told, {codes()[f"ISDSC_{name}"] for name in self.rows.values()})


class Statuses(unittest.TestCase):
    def test_all_are_there(self):
        text = page("iscsi-wmi-status.7")
        found = re.findall(r"^\.TP\n0x([0-9A-F]{8}) (\w+)$", text, re.M)
        self.assertEqual({symbol: int(code, 16) for code, symbol in found}, codes())
        self.assertEqual(len(found), len(codes()))

    def test_they_have_their_text(self):
        text = words(page("iscsi-wmi-status.7"))
        for symbol in codes():
            self.assertIn(f"{symbol} {words(run('explain', symbol).split(chr(10), 1)[1])}", text)

    def test_those_that_are_given_have_advice(self):
        """By what the sources name, apart from the table itself."""
        given = {symbol for folder in ("bus", "service", "wmi")
                 for file in (SOURCE / "src" / folder).rglob("*.c") if file.name != "status.c"
                 for symbol in re.findall(r"\b(?:ISDSC|STATUS)_\w+", file.read_text())}
        text = page("iscsi-wmi-status.7")
        part = section(text, "STATUSES THAT THE SERVICE GIVES")
        self.assertEqual(set(re.findall(r"^\.TP\n0x\w{8} (\w+)$", part, re.M)),
                         given & set(codes()))


def advice():
    """What is quoted in the README's table of statuses, and in iscsi-wmi-status(7)."""
    rows = re.findall(r"^\| `0x.*\| (.*) \|$", (SOURCE / "README.md").read_text(), re.M)
    given = section(page("iscsi-wmi-status.7"), "STATUSES THAT THE SERVICE GIVES")
    return (re.findall(r"`([^`]+)`", "\n".join(rows)) +
            [words(quote) for quote in re.findall(r'"([^"]+)"', given)])


def command_lines():
    """Those that the guest test suite documentation runs: of sh blocks, of EXAMPLES, and advice."""
    yield from advice()
    blocks = re.findall(r"^```sh\n(.*?)^```$", (SOURCE / "README.md").read_text(), re.M | re.S)
    for name in PAGES:
        blocks += re.findall(r"^\.EX\n(.*?)^\.EE$", section(page(name), "EXAMPLES"), re.M | re.S)
    for block in blocks:
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            yield line


def interface_of(name):
    return tree.parse(SOURCE / "dbus-interfaces" / f"{name}.xml").getroot().find("interface")


class CommandLines(unittest.TestCase):
    """What can be told of them without a host."""

    def test_usage(self):
        """No wrong usage, which is looked for before the bus is."""
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}
        n = 0
        for line in command_lines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["iscsi-wmi"] or "-H" in words:
                continue
            with self.subTest(line=line):
                done = subprocess.run([COMMAND, *words[1:]], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True, check=False,
                                      env=environment)
                self.assertIn(done.returncode, (0, 1), done.stderr)
                if done.returncode == 1:
                    self.assertIn("bus", done.stderr)
            n += 1
        self.assertGreater(n, 20)

    def assert_call(self, interface, method, signature="", *_):
        node = interface_of(interface).find(f"method[@name='{method}']")
        self.assertIsNotNone(node)
        wanted = [arg.get("type") for arg in node.iter("arg") if arg.get("direction") == "in"]
        self.assertEqual(signature, "".join(wanted))

    def assert_properties(self, interface, *names):
        for name in names:
            self.assertIsNotNone(interface_of(interface).find(f"property[@name='{name}']"), name)

    def test_busctl(self):
        """Members and signatures are those of the interfaces."""
        n = 0
        for line in command_lines():
            words = [word for word in shlex.split(line, comments=True)
                     if not word.startswith("--")]
            if words[:1] != ["busctl"] or words[1] in ("tree", "introspect"):
                continue
            with self.subTest(line=line):
                interface, *rest = words[4:]
                if words[1] == "call":
                    self.assert_call(interface, *rest)
                elif words[1] == "get-property":
                    self.assert_properties(interface, *rest)
                else:
                    self.assertEqual(words[1], "set-property")
                    self.assert_properties(interface, rest[0])
            n += 1
        self.assertGreater(n, 5)


class Form(unittest.TestCase):
    def assert_silent(self, *command):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return done.stdout, done.stderr

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_mandoc(self):
        for name in PAGES:
            with self.subTest(page=name):
                output, _ = self.assert_silent("mandoc", "-T", "lint", "-W", "warning",
                                               str(MAN / name))
                self.assertEqual(output, "")

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "no man, or no groff")
    def test_groff(self):
        for name in PAGES:
            with self.subTest(page=name):
                _, errors = self.assert_silent("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8",
                                               "-Z", str(MAN / name))
                self.assertEqual(errors, "")

    def test_files_that_are_named(self):
        """By their place from the top, or from one of these on; what has capitals stands for several."""
        places = [SOURCE / place for place in (".", "src", "tests", "tests/guest")]
        n = 0
        for name in ("CONTRIBUTING.md", "docs/design.md"):
            for named in re.findall(r"`([\w.-]+/[\w./-]+)`", (SOURCE / name).read_text()):
                if not re.search(r"[A-Z]{4}", named.rpartition("WMI1.")[2]):
                    with self.subTest(file=name, named=named):
                        self.assertTrue(any((place / named).exists() for place in places))
                    n += 1
        self.assertGreater(n, 100)

    def test_tests_that_are_named(self):
        """To be run one at a time: a class of its file, and a test of it where one is given."""
        text = (SOURCE / "CONTRIBUTING.md").read_text()
        named = (re.findall(r"\./lab test test_(\w+)\.(\w+)(?:\.(\w+))?", text) +
                 re.findall(r"host-(\w+) --test-args (\w+)\.(\w+)", text))
        self.assertGreater(len(named), 2)
        for name, cls, test in named:
            with self.subTest(file=name, cls=cls, test=test):
                found = "".join(file.read_text() for folder in ("service", "guest")
                                for file in (SOURCE / "tests" / folder).rglob(f"test_{name}.py"))
                part = found.partition(f"\nclass {cls}(")[2].partition("\nclass ")[0]
                tests = re.findall(r"def (test_\w+)", part)
                self.assertGreater(len(tests), 0)
                self.assertTrue(not test or test in tests)

    def test_links_of_the_readme(self):
        for name in ("README.md", "CONTRIBUTING.md", "docs/design.md"):
            file = SOURCE / name
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text()):
                with self.subTest(file=name, link=link):
                    self.assertTrue((file.parent / link).exists())


if __name__ == "__main__":
    unittest.main()
