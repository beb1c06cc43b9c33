#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing takes from a floor above its own: neither a header nor a symbol. And no files take symbols in
a circle.

The floors are in layers.txt. Headers are those of the include lines of src/ and include/; symbols
those that the objects of which the libraries consist have and lack.
"""

import graphlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["BUILD_DIR"])
NM = os.environ.get("NM", "nm")
CC = shlex.split(os.environ.get("CC", "cc"))
TABLE = pathlib.Path(__file__).with_name("layers.txt")

# Made by the build.
GENERATED = {"build-config.h"}

# Where files may take from each other: the table of commands names functions that read it.
ROUND = {"cli"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


class Layers:
    """The table: for each tower, the floor of each name that stands in it."""

    def __init__(self, text):
        self.towers = {}
        for line in text.splitlines():
            line = line.partition("#")[0].strip()
            if line.startswith("["):
                floors = self.towers.setdefault(line.strip("[]"), {})
                height = 0
            elif line:
                floors.update(dict.fromkeys(line.split(), height))
                height += 1
        self.names = set().union(*self.towers.values())

    def name_of(self, file):
        """What a file belongs to, as the table calls it, or None."""
        stem, folder = str(file.with_suffix("")), f"{file.parent}/"
        return next((name for name in (stem, folder) if name in self.names), None)

    def allows(self, above, below):
        """Whether one may take from the other."""
        return above == below or any(
            floors[below] < floors[above]
            for floors in self.towers.values()
            if above in floors and below in floors
        )


def files(root):
    """All of src/ and include/, by the names that include lines have for them, and where they are."""
    return {
        path.relative_to(top): path
        for top in (root / "src", root / "include")
        for path in sorted(top.rglob("*.[ch]"))
    }


def unknown(layers, sources):
    """A line for each folder that the table does not know."""
    folders = {str(file.parent) for file in sources if not layers.name_of(file)}
    return [f"{folder}/ stands on no floor of {TABLE.name}" for folder in sorted(folders)]


def included(sources, file, name):
    """Which file an include line means, by the compiler's order, or None."""
    beside = file.parent / name
    return next((each for each in (beside, pathlib.Path(name)) if each in sources), None)


def header_faults(layers, sources):
    """A line for each include that points up or aside, or nowhere."""
    faults = []
    for file, path in sources.items():
        for quote, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            target = included(sources, file, name)
            if target is None:
                if quote == '"' and name not in GENERATED:
                    faults.append(f"{file} includes {name}, which is not there")
            elif not layers.allows(layers.name_of(file), layers.name_of(target)):
                faults.append(f"{file} includes {target}")
    return faults


def objects(build, sources):
    """The objects of the build that were made of src/: for each, its file."""
    found = {}
    by_path = {path.resolve(): file for file, path in sources.items()}
    for command in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        file = by_path.get((build / command["file"]).resolve())
        if file and (build / command["output"]).exists():
            found[command["output"]] = file
    return found


def symbols(build, names):
    """For each object, the global symbols that it has and those that it lacks."""
    command = [NM, "--print-file-name", "--format=posix", "--extern-only", *names]
    listing = subprocess.run(command, cwd=build, check=True, capture_output=True, text=True).stdout
    has, lacks = {name: set() for name in names}, {name: set() for name in names}
    for line in listing.splitlines():
        name, _, rest = line.partition(": ")
        symbol, kind = rest.split()[:2]
        (lacks if kind in "Uwv" else has)[name].add(symbol)
    return has, lacks


def circle_faults(takes):
    """A line for a circle of files, each of which takes from the one behind it."""
    try:
        graphlib.TopologicalSorter(takes).prepare()
    except graphlib.CycleError as error:
        return [f"a circle: {' from '.join(map(str, reversed(error.args[1])))}"]
    return []


def symbol_faults(layers, sources, build):
    """A line for each symbol that is taken from above or aside, and for a circle of files; or for each
    file that was not built."""
    made_of = objects(build, sources)
    missing = {file for file in sources if file.suffix == ".c"} - set(made_of.values())
    if missing:
        return [f"{file} has no object in {build}" for file in sorted(missing)]

    has, lacks = symbols(build, sorted(made_of))
    faults, homes, graph = [], {}, {}
    for name, file in made_of.items():
        for symbol in has[name]:
            homes.setdefault(symbol, set()).add(file)
    for name, file in sorted(made_of.items()):
        for symbol in sorted(lacks[name] & set(homes)):
            takes = sorted(homes[symbol])
            # Where several programs have one of the same name, it is the one that may be taken.
            if not any(layers.allows(layers.name_of(file), layers.name_of(each)) for each in takes):
                faults.append(f"{file} takes {symbol} from {', '.join(map(str, takes))}")
            if len(takes) == 1 and takes[0] != file and file.parts[0] not in ROUND:
                graph.setdefault(file, set()).add(takes[0])
    return faults or circle_faults(graph)


def faults_of(layers, root, build):
    """All that is wrong with a tree and what was built of it."""
    sources = files(root)
    return (
        unknown(layers, sources)
        or header_faults(layers, sources) + symbol_faults(layers, sources, build)
    )


class Tree(unittest.TestCase):
    """The project."""

    def test_nothing_points_up(self):
        faults = faults_of(Layers(TABLE.read_text(encoding="utf-8")), SOURCE, BUILD)
        self.assertEqual(faults, [], "\n" + "\n".join(faults))


class Shown(unittest.TestCase):
    """What the test is for, in a tree that is made for it."""

    FLOORS = """
        [one]
        ground/  # of both
        left/ right/
        top/
        ground/roof
        [other]
        ground/
        aside/
    """
    SOUND = {
        "src/ground/g.h": "int g(void);",
        "src/ground/g.c": '#include "ground/g.h"\nint g(void) { return 0; }',
        "src/left/l.c": '#include "ground/g.h"\nint l(void);\nint l(void) { return g(); }',
        "src/right/r.h": "int r(void);",
        "src/right/r.c": '#include "r.h"\nint r(void) { return 0; }',
        "src/top/t.h": "extern int t;",
        "src/top/t.c": '#include <errno.h>\n#include "t.h"\n#include "right/r.h"\nint t = EIO;',
        "src/aside/a.c": '#include "ground/g.h"\nint a(void);\nint a(void) { return g(); }',
    }

    def faults(self, changed):
        """What is found in the sound tree with these files changed."""
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            commands = []
            for name, text in {**self.SOUND, **changed}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text + "\n", encoding="utf-8")
                if path.suffix == ".c":
                    commands.append({"file": name, "output": name.replace("/", "_") + ".o"})
            for command in commands:
                arguments = ["-Isrc", "-c", command["file"], "-o", command["output"]]
                subprocess.run([*CC, *arguments], cwd=root, check=True)
            (root / "compile_commands.json").write_text(json.dumps(commands), encoding="utf-8")
            return faults_of(Layers(self.FLOORS), root, root)

    def test_sound(self):
        self.assertEqual(self.faults({}), [])

    def test_include_up(self):
        lines = '  #  include "top/t.h"\nint l(void);\nint l(void) { return 0; }'
        self.assertEqual(self.faults({"src/left/l.c": lines}), ["left/l.c includes top/t.h"])

    def test_include_up_by_a_header(self):
        header = '#include "../right/r.h"\nint g(void);'
        self.assertEqual(
            self.faults({"src/ground/g.h": '#include "right/r.h"\nint g(void);'}),
            ["ground/g.h includes right/r.h"],
        )
        self.assertEqual(
            self.faults({"src/ground/g.h": header}),
            ["ground/g.h includes ../right/r.h, which is not there"],
        )

    def test_include_aside(self):
        lines = '#include "right/r.h"\nint l(void);\nint l(void) { return 0; }'
        self.assertEqual(self.faults({"src/left/l.c": lines}), ["left/l.c includes right/r.h"])

    def test_include_of_the_other_tower(self):
        lines = '#include "right/r.h"\nint a(void);\nint a(void) { return 0; }'
        self.assertEqual(self.faults({"src/aside/a.c": lines}), ["aside/a.c includes right/r.h"])

    def test_call_up(self):
        lines = "int r(void);\nint g(void);\nint g(void) { return r(); }"
        self.assertEqual(
            self.faults({"src/ground/g.c": lines}), ["ground/g.c takes r from right/r.c"]
        )

    def test_call_aside(self):
        lines = "int r(void);\nint l(void);\nint l(void) { return r(); }"
        self.assertEqual(self.faults({"src/left/l.c": lines}), ["left/l.c takes r from right/r.c"])

    def test_variable_above(self):
        lines = "extern int t;\nint g(void);\nint g(void) { return t; }"
        self.assertEqual(self.faults({"src/ground/g.c": lines}), ["ground/g.c takes t from top/t.c"])

    def test_circle(self):
        """In a folder, too, which the floors say nothing of."""
        changed = {
            "src/left/l.c": "int l(void);\nint l2(void);\nint l(void) { return l2(); }",
            "src/left/l2.c": "int l(void);\nint l2(void);\nint l2(void) { return l(); }",
        }
        (fault,) = self.faults(changed)
        self.assertRegex(fault, r"^a circle: left/l2?\.c from left/l2?\.c from left/l2?\.c$")

    def test_symbol_of_two(self):
        """The other tower's is another program's: left and aside may both have a g2."""
        second = "int g2(void);\nint g2(void) { return 1; }"
        lines = "int g2(void);\nint a(void);\nint a(void) { return g2(); }"
        changed = {"src/aside/a.c": lines, "src/aside/g2.c": second, "src/left/g2.c": second}
        self.assertEqual(self.faults(changed), [])

    def test_file_above_its_folder(self):
        lines = '#include "top/t.h"\nint roof(void);\nint roof(void) { return t; }'
        self.assertEqual(self.faults({"src/ground/roof.c": lines}), [])
        takes = "int roof(void);\nint g(void);\nint g(void) { return roof(); }"
        self.assertEqual(
            self.faults({"src/ground/roof.c": lines, "src/ground/g.c": takes}),
            ["ground/g.c takes roof from ground/roof.c"],
        )

    def test_unknown_folder(self):
        self.assertEqual(
            self.faults({"src/left/room/x.h": ""}), ["left/room/ stands on no floor of layers.txt"]
        )

    def test_header_that_is_not_there(self):
        """As of a header that the build makes, but that the table does not know."""
        text = '#if 0\n#include "gone.h"\n#endif\nint r(void);'
        self.assertEqual(
            self.faults({"src/right/r.h": text}), ["right/r.h includes gone.h, which is not there"]
        )

    def test_not_built(self):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            (root / "src" / "top").mkdir(parents=True)
            (root / "src" / "top" / "t.c").touch()
            (root / "compile_commands.json").write_text("[]", encoding="utf-8")
            self.assertEqual(
                faults_of(Layers(self.FLOORS), root, root), [f"top/t.c has no object in {root}"]
            )


if __name__ == "__main__":
    unittest.main()
