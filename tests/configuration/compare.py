#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what the service understands of multipathd's configuration with what the real one does.

Makes up files, has `multipath -t` and our own parser read each configuration, and fails where they differ, with the
smallest files that still do. To be run as root: it mounts an empty /etc of its own over ROOT's, where nobody else sees
that."""

import argparse
import functools
import os
import random
import re
import subprocess
import sys
import tempfile
import time

from generate import FILES, Generator

KEYWORDS = ("wwid", "vendor", "product", "revision", "path_selector", "prio", "prio_args", "product_blacklist",
            "path_grouping_policy", "failback", "rr_weight", "rr_min_io_rq", "detect_prio", "detect_pgpolicy", "detect_pgpolicy_use_tpg",
            "marginal_pathgroups")


SECTION = re.compile(rb"^(\w+) \{\n", re.M)
SUBSECTION = re.compile(rb"^\t\w+ \{\n", re.M)
LINE = re.compile(rb"^\t+(\w+) (.*)$", re.M)


def value_of(text):
    if text.startswith(b'"'):
        text = text[1:-1].replace(b'""', b'"')
    return {b"yes": b"on", b"no": b"off"}.get(text, text)


@functools.lru_cache(maxsize=4096)
def values_of(text):
    """A section's values by keyword."""
    return {name.decode(): value_of(value) for name, value in LINE.findall(text) if name.decode() in KEYWORDS}


def tree_of(text):
    """What is printed in multipathd's form: for each section the values of those in it, or its own."""
    pieces = SECTION.split(text)
    bodies = dict(zip(pieces[1::2], pieces[2::2]))
    tree = {name: [values_of(part) for part in SUBSECTION.split(bodies.get(name, b""))[1:]]
            for name in (b"devices", b"multipaths")}
    for name in (b"defaults", b"overrides"):
        tree[name] = [values_of(SUBSECTION.split(bodies.get(name, b""))[0])]
    # Old releases do not sort them, and print what is about no map.
    tree[b"multipaths"] = sorted((values for values in tree[b"multipaths"] if "wwid" in values),
                                 key=lambda values: values["wwid"])
    return tree


CRASHED = b"crashed"


class Real:
    """multipath -t in a root directory."""

    def __init__(self, root):
        self.command = ["multipath"] if root == "/" else ["chroot", root, "multipath"]
        self.etc = os.path.join(root, "etc")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "etc", self.etc], check=True)
        os.makedirs(os.path.join(self.etc, "multipath/conf.d"))

    def path(self, name):
        below = name if name == FILES[0] else "multipath/" + name
        return os.path.join(self.etc, below).encode("latin-1")

    def read(self, files):
        """Its answer; None where it refuses the configuration. CRASHED: it has no answer."""
        for name, text in files.items():
            with open(self.path(name), "wb") as file:
                file.write(text)
        result = subprocess.run([*self.command, "-t"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, check=False)
        for name in files:
            os.unlink(self.path(name))
        if result.returncode < 0:
            return CRASHED
        return result.stdout if result.returncode == 0 else None

    def version(self):
        """Its release, as a number of two digits each."""
        result = subprocess.run([*self.command, "-h"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        major, minor, patch = re.search(rb"v(\d+)\.(\d+)\.(\d+)", result.stdout).groups()
        return int(major) * 10000 + int(minor) * 100 + int(patch)


def is_read(name):
    return name == FILES[0] or name.endswith(".conf")


def in_order(files):
    return sorted((name for name in files if is_read(name)),
                  key=lambda name: (name != FILES[0], name.encode("latin-1")))


class Ours:
    """The parser under test, a process that answers."""

    def __init__(self, dump, version, built_in):
        self.process = subprocess.Popen([dump, str(version), built_in], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def read(self, files):
        """What it understands, and the line for which multipathd would refuse it all, or None."""
        names = in_order(files)
        request = b"%d\n" % len(names)
        for name in names:
            place = "m" if name == FILES[0] else "-"
            request += ("%s %d %s\n" % (place, len(files[name]), name)).encode("latin-1") + files[name]
        self.process.stdin.write(request)
        self.process.stdin.flush()
        answer, refusal = b"", None
        for line in self.process.stdout:
            if line == b"end\n":
                return answer, refusal
            if line.startswith(b"refused "):
                refusal = line
            else:
                answer += line
        sys.exit("the parser has ended")


def difference(real, ours, built_in):
    """One line of what differs, or None. Defaults that are not set are those of no configuration at all."""
    answer, refusal = ours
    if real == CRASHED:
        return None
    if real is None or refusal:
        return None if real is None and refusal else "refused: %s, ours: %s" % (real is None, refusal)
    theirs, own = tree_of(real), tree_of(answer)
    own[b"defaults"] = [{**tree_of(built_in)[b"defaults"][0], **own[b"defaults"][0]}]
    for section in theirs:
        if len(theirs[section]) != len(own[section]):
            return "%d in %s, ours: %d" % (len(theirs[section]), section.decode(), len(own[section]))
        for i, (left, right) in enumerate(zip(theirs[section], own[section])):
            if left != right:
                return "%s %d: %s, ours: %s" % (section.decode(), i, left, right)
    return None


class Comparison:
    def __init__(self, root, dump):
        self.real = Real(root)
        self.version = self.real.version()
        self.built_in = self.real.read({})
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.built_in)
            file.flush()
            self.ours = Ours(dump, self.version, file.name)
            self.ours.read({})  # it has the file by then

    def differs(self, files):
        return difference(self.real.read(files), self.ours.read(files), self.built_in)

    def shrink(self, files):
        """Takes files and lines away as long as there is a difference."""
        for name in list(files):
            fewer = {other: text for other, text in files.items() if other != name}
            if self.differs(fewer):
                files = fewer
        size = max((text.count(b"\n") for text in files.values()), default=0) + 1
        while size > 0:
            for name in files:
                lines = files[name].split(b"\n")
                at = 0
                while at < len(lines):
                    fewer = {**files, name: b"\n".join(lines[:at] + lines[at + size:])}
                    if self.differs(fewer):
                        files = fewer
                        lines = files[name].split(b"\n")
                    else:
                        at += size
            size //= 2
        return files


def report(comparison, seed, number, files):
    files = comparison.shrink(files)
    print("differs, seed %d, configuration %d: %s" % (seed, number, comparison.differs(files)))
    for name in in_order(files):
        print("--- %s" % name)
        for line in files[name].split(b"\n"):
            print("    %r" % line)


def run(options):
    comparison = Comparison(options.root, options.dump)
    print("multipath-tools %d, seed %d" % (comparison.version, options.seed))
    n_files, failures, number, start = 0, 0, 0, time.monotonic()
    while n_files < options.files and failures < options.failures:
        files = Generator(random.Random("%d %d" % (options.seed, number))).configuration()
        if comparison.differs(files):
            failures += 1
            report(comparison, options.seed, number, files)
        n_files += len(in_order(files))
        number += 1
    print("%d files in %d configurations, %d differ, %d s" % (
        n_files, number, failures, time.monotonic() - start))
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("dump", help="the parser under test: dump-configuration of the build")
    parser.add_argument("--root", default="/", help="where multipath-tools is (default /)")
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--failures", type=int, default=1, help="end after so many (default 1)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--private", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.private:
        os.execvp("unshare", ["unshare", "--mount", "--", sys.executable, *sys.argv, "--private"])
    sys.exit(1 if run(options) > 0 else 0)


if __name__ == "__main__":
    main()
