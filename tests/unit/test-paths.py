#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What CONTRIBUTING.md, docs/design.md and the comments of the sources name is there: files,
folders, functions and tests."""

import fnmatch
import os
import pathlib
import re
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SOURCE_DIR"])
DOCUMENTS = "CONTRIBUTING.md", "docs/design.md"

ENDINGS = "build|c|conf|cpp|h|in|map|md|policy|py|rules|service|sh|spec|symbols|tsv|txt|xml"
# A path, or a name with one of these endings. What ANY matches stands for anything.
PATH = re.compile(rf"(?<![\w/.@$-])([\w.…*-]+(?:/[\w.…*-]+)+/?|[\w-]+/(?![\w/])"
                  rf"|[\w.…*-]+\.(?:{ENDINGS}))(?![\w/])")
ANY = re.compile(r"…|NAME|GROUP")
FUNCTION = re.compile(r"\b([a-z]\w+)\(\)")
# Of a test, where a recipe has it as what fails, or as a command runs it.
TESTS = re.compile(r"\[(`[^\]]*)\]|meson test -C build((?: [a-z][\w-]*)+)")
# Of a text that is not in the repository.
SECTION = re.compile(r"\b(?:[Ss]ections? \d+|DESIGN\b)")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)

# What is not in the tree: made by the build, or on a host where the service runs; and others' sources.
ELSEWHERE = re.compile(r"(?:build|build-fuzz|found)(?:/|$)|(?:multipath|90-iscsi-wmi|iscsid)\.conf$")
UPSTREAM = re.compile(r"drivers/|libmultipath/|libmpathutil/|usr/|(?:dsmmain|intrface|wmi|wmisample)\.c$"
                      r"|(?:iscsi(?:err|mgt|op|prf)|mpiodisk|ntstatus)\.h$|dm(?:-ioctl)?\.c$"
                      r"|update_mpp_prio$")


def code(text):
    """The parts of a document that are not prose: quoted, or indented."""
    blocks = re.findall(r"^ {4}.*$", text, re.MULTILINE)
    return "\n".join(blocks + re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text))


def everything(root):
    """All files and folders, by their names from the top; not what was built."""
    found = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders
                      if name != ".git" and not (pathlib.Path(folder) / name / "meson-private").exists()]
        found.update(os.path.relpath(os.path.join(folder, name), root) for name in folders + files)
    return found


def paths(text):
    """Those that a text names, that should be in the tree."""
    named = {found.removeprefix("./").rstrip("/.") for found in PATH.findall(text)}
    return {name for name in named if not ELSEWHERE.match(name)}


def is_there(name, tree):
    """By its whole name or the end of it: docs and comments leave out src/ and what goes without saying."""
    pattern = ANY.sub("*", name)
    return pattern in tree or bool(fnmatch.filter(tree, pattern) or fnmatch.filter(tree, "*/" + pattern))


def document_faults(root, name, tree, functions):
    """A line for each path, and each function, that a document names and that is not there."""
    text = code((root / name).read_text(encoding="utf-8"))
    lost = [path for path in sorted(paths(text)) if not is_there(path, tree)]
    lost += [f"{each}()" for each in sorted(set(FUNCTION.findall(text)) - functions)
             if not UPSTREAM.match(each)]
    return [f"{name} names {each}" for each in lost]


def test_faults(name, text, tests):
    """A line for each test that a document names and that the build does not have."""
    named = {each for found in TESTS.findall(text) for each in re.findall(r"[\w-]+", " ".join(found))}
    return [f"{name} names the test {each}" for each in sorted(named)
            if not fnmatch.filter(tests, ANY.sub("*", each))]


def comment_faults(root, file, text, tree):
    """A line for each path that a comment names and that is not there."""
    named = {path for comment in COMMENT.findall(text) for path in paths(comment)
             if re.search(rf"\.(?:{ENDINGS})$", path) and not UPSTREAM.match(path)}
    lost = [path for path in sorted(named) if not is_there(path, tree)]
    lost += [found for comment in COMMENT.findall(text) for found in SECTION.findall(comment)]
    return [f"{file.relative_to(root)} names {each}" for each in lost]


def faults_of(root):
    """All that is named and not there."""
    tree = everything(root)
    sources = {file: file.read_text(encoding="utf-8")
               for top in ("include", "src") for file in sorted((root / top).rglob("*.[ch]"))}
    tests = [file.read_text(encoding="utf-8") for file in (root / "tests").rglob("*")
             if file.suffix in (".c", ".py")]
    functions = set(re.findall(r"\b([a-z]\w+)\(", "\n".join([*sources.values(), *tests])))
    return ([fault for name in DOCUMENTS if (root / name).exists()
             for fault in document_faults(root, name, tree, functions)] +
            [fault for file, text in sources.items()
             for fault in comment_faults(root, file, text, tree)])


class Tree(unittest.TestCase):
    """The project."""

    def test_tests_are_there(self):
        """As the meson.build files have them: some builds leave tests out."""
        words = {word for file in (SOURCE / "tests").rglob("meson.build")
                 for word in re.findall(r"'([\w-]+)'", file.read_text(encoding="utf-8"))}
        tests = {prefix + word for prefix in ("", "service-", "host-", "fuzz-") for word in words}
        text = (SOURCE / "CONTRIBUTING.md").read_text(encoding="utf-8")
        self.assertGreater(len(TESTS.findall(text)), 10)
        self.assertEqual(test_faults("CONTRIBUTING.md", text, tests), [])

    def test_all_is_there(self):
        for name in DOCUMENTS:
            self.assertGreater(len(paths(code((SOURCE / name).read_text(encoding="utf-8")))), 10)
        faults = faults_of(SOURCE)
        self.assertEqual(faults, [], "\n" + "\n".join(faults))


class Shown(unittest.TestCase):
    """What the test is for, in a tree that is made for it."""

    SOURCES = {"src/a/one.c": "/* See a/two.h. */\nint fn(void);\nint fn(void) { return 0; }\n",
               "src/a/two.h": "int g(int);\n"}

    def faults(self, document, **sources):
        """What is found in a tree with this document."""
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, text in {**self.SOURCES, **sources, "CONTRIBUTING.md": document}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            (root / "build/meson-private").mkdir(parents=True)
            (root / "build/three.c").touch()
            return faults_of(root)

    def test_what_is_there(self):
        text = "`a/one.c`, `src/a/`, `two.h`, `a/….c`, `fn()`; read/write, `/etc/a.conf`.\n\n    src/a/    it\n"
        self.assertEqual(self.faults(text), [])

    def test_file_that_is_not(self):
        for text in "See `a/three.c`.", "    cat src/a/three.c\n", "In `x`\nand `a/three.c`":
            with self.subTest(text=text):
                (fault,) = self.faults(text)
                self.assertRegex(fault, "^CONTRIBUTING.md names (src/)?a/three.c$")

    def test_name_that_is_not(self):
        self.assertEqual(self.faults("`three.c`"), ["CONTRIBUTING.md names three.c"])
        self.assertEqual(self.faults("`tw.h`"), ["CONTRIBUTING.md names tw.h"])

    def test_folder_that_is_not(self):
        self.assertEqual(self.faults("    src/b/    it\n"), ["CONTRIBUTING.md names src/b"])
        self.assertEqual(self.faults("    b/    it\n"), ["CONTRIBUTING.md names b"])

    def test_none_of_a_kind(self):
        self.assertEqual(self.faults("`a/x-….c`"), ["CONTRIBUTING.md names a/x-….c"])

    def test_function_that_is_not(self):
        self.assertEqual(self.faults("`ff()`"), ["CONTRIBUTING.md names ff()"])

    def test_test_that_is_not(self):
        text = "What fails [`one`, `fuzz-NAME`], [build].\n\n    meson test -C build two --suite unit\n"
        self.assertEqual(test_faults("x", text, {"one", "two", "fuzz-a"}), [])
        self.assertEqual(test_faults("x", text, {"one", "fuzz-a"}), ["x names the test two"])
        self.assertEqual(test_faults("x", text, {"two"}),
                         ["x names the test fuzz-NAME", "x names the test one"])

    def test_section(self):
        comment = {"src/a/four.c": "/* See DESIGN, section 3. */\n"}
        self.assertEqual(self.faults("", **comment),
                         ["src/a/four.c names DESIGN", "src/a/four.c names section 3"])

    def test_comment(self):
        comment = {"src/a/four.c": "/* As drivers/md/dm.c\n * and a/three.c. */\n"}
        self.assertEqual(self.faults("", **comment), ["src/a/four.c names a/three.c"])


if __name__ == "__main__":
    unittest.main()
