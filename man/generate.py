#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""generate.py interfaces|library|statuses|none TEMPLATE OUTPUT VERSION SOURCE [FILE...]

Make a man page of its template: @VERSION@, a number of the program as @NAME@ or, in a unit,
@NAME:UNIT@, and, on a line of its own, @GENERATED@, which is made of what the program is made of:

    interfaces   FILEs: the XML of each D-Bus interface; its comments are the text. Who may call
                 what is in SOURCE/src/bus/rules.c.
    library      the functions of SOURCE/src/client/libiscsiwmi.map, with the comments of the
                 headers in SOURCE/include/iscsi-wmi.
    statuses     the codes of SOURCE/include/iscsi-wmi/status.h, their texts in
                 SOURCE/src/wmi/status.c, and what to do in SOURCE/man/statuses.txt.

Whatever has no documentation is an error.
"""

import math
import pathlib
import re
import sys
import xml.etree.ElementTree as tree

PREFIX = "com.open_iscsi.WMI1."
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
READERS = "anyone may"
NUMBERS = ("src/service/base/bounds.h", "src/service/base/patience.h",
           "src/service/multipathd/sync-schedule.h")
UNITS = {"KiB": 1024, "MiB": 1024 * 1024, "seconds": 1000000}


# --- roff --------------------------------------------------------------------------------------


def escape(text):
    """Text that stands for itself."""
    for plain, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"),
                        ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(plain, roff)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def quoted(text):
    """An argument of a macro."""
    return '"' + escape(text).replace('"', "\\(dq") + '"'


def paragraphs(comment):
    """A comment's paragraphs, each a list of lines: those that end in a semicolon are entries."""
    text = "\n".join(line.strip().removeprefix("*").strip() for line in comment.strip().split("\n"))
    for block in re.split(r"\n\s*\n", text):
        entries, entry = [], []
        for line in block.split("\n"):
            entry.append(line)
            if line.endswith(";"):
                entries.append(" ".join(entry))
                entry = []
        if entry:
            entries.append(" ".join(entry))
        yield entries


def fill(text):
    """A line of text, in lines that a person can read."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > 76:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return escape("\n".join(lines + [line]))


def prose(comment, macro):
    """A comment as roff: `macro` between paragraphs."""
    return f"\n{macro}\n".join("\n.br\n".join(map(fill, entries))
                               for entries in paragraphs(comment))


# --- com.open_iscsi.WMI1(5) ----------------------------------------------------------------------


def read_rules(source):
    """Who may: (interface, member) to an action of polkit's, None where anyone may."""
    text = (source / "src/bus/rules.c").read_text()
    found = {}
    for row in re.findall(r"\{\s*\.interface = BUS_INTERFACE\([^{}]*\}", text):
        interface = re.search(r'BUS_INTERFACE\("(\w+)"\)', row)[1]
        member = re.search(r'\.member = "(\w+)"', row)[1]
        action = re.search(r'ACTION\("([\w-]+)"\)', row)
        found[interface, member] = "com.open-iscsi.wmi1." + action[1] if action else None
    return found


def signature(method):
    """A method's line."""
    words = [f"{arg.get('direction')} {arg.get('type')} \\fI{arg.get('name')}\\fR"
             for arg in method.iter("arg")]
    return f"\\fB{method.get('name')}\\fR({', '.join(words)})"


def announcement(node):
    """Whether a property's changes are announced."""
    for annotation in node.iter("annotation"):
        if annotation.get("name") == EMITS:
            return {"const": "never changes", "false": "changes are not announced",
                    "invalidates": "changes are announced without the value"}[
                        annotation.get("value")]
    return "changes are announced"


def security(interface, node, rules):
    """Who may read, call and set a member."""
    name = node.get("name")
    if (interface, name) not in rules and node.get("access") != "read":
        sys.exit(f"src/bus/rules.c has no row for {interface}.{name}")
    if node.tag == "property":
        if node.get("access") == "read":
            return f"{READERS} read it."
        return f"{READERS} read it; to set it, polkit\\(aqs {escape(rules[interface, name])}."
    action = rules[interface, name]
    return f"polkit\\(aqs {escape(action)}." if action else f"{READERS} call it."


def member(interface, node, comment, rules):
    """A method or a property."""
    if node.tag == "method":
        head = signature(node)
    else:
        head = (f"\\fB{node.get('name')}\\fR ({node.get('type')}, {node.get('access')}, "
                f"{announcement(node)})")
    return (f".TP\n{head}\n{prose(comment, '.IP')}\n.IP\nSecurity: "
            f"{security(interface, node, rules)}\n")


def children(node):
    """Its elements, each with the comment right before it."""
    comment = None
    for child in node:
        if child.tag is tree.Comment:
            comment = child.text
        else:
            yield child, comment
            comment = None


def interface_page(node, comment, rules):
    name = node.get("name").removeprefix(PREFIX)
    parts = {"method": [], "property": []}
    if not comment:
        sys.exit(f"{name} has no documentation")
    for child, text in children(node):
        if child.tag not in parts:
            continue
        if not text:
            sys.exit(f"{name}.{child.get('name')} has no documentation")
        parts[child.tag].append(member(name, child, text, rules))
    methods = ".PP\nMethods:\n" + "".join(parts["method"]) if parts["method"] else ""
    properties = ".PP\nProperties:\n" + "".join(parts["property"]) if parts["property"] else ""
    return f".SS {quoted(PREFIX + name)}\n{prose(comment, '.PP')}\n{methods}{properties}"


def interfaces(source, files):
    rules = read_rules(source)
    pages = []
    for file in sorted(files, key=lambda path: pathlib.Path(path).name):
        parser = tree.XMLParser(target=tree.TreeBuilder(insert_comments=True))
        for node, comment in children(tree.parse(file, parser).getroot()):
            pages.append(interface_page(node, comment, rules))
    return "".join(pages)


# --- libiscsiwmi(3) ------------------------------------------------------------------------------


def declarations(text):
    """Each comment of a header and the functions right behind it."""
    pattern = r"/\*((?:(?!\*/).)*)\*/\n((?:(?!/\*)[^\n]+\n)+)"
    for comment, code in re.findall(pattern, text, re.DOTALL):
        functions = re.findall(r"(?:^|\n)((?:const char \*|int |void )(\w+)\([^;]*\));", code)
        if functions:
            yield comment, functions


def prototype(text):
    """A declaration: in one line, words that break nowhere but between arguments."""
    text = re.sub(r"\s+", " ", text)
    name = re.search(r"(\w+)\(", text)[1]
    return escape(text).replace(escape(name) + "(", f"\\fB{escape(name)}\\fR(", 1)


def library(source, files):
    exported = re.findall(r"^    (\w+);", (source / "src/client/libiscsiwmi.map").read_text(), re.M)
    seen, parts = set(), []
    for header in ("client.h", "names.h", "status.h"):
        text = (source / "include/iscsi-wmi" / header).read_text()
        parts.append(f".SS {quoted(f'<iscsi-wmi/{header}>')}\n")
        for comment, functions in declarations(text):
            seen.update(name for _, name in functions)
            heads = "\n.TQ\n".join(prototype(head) for head, _ in functions)
            parts.append(f".TP\n{heads}\n{prose(comment, '.IP')}\n")
    if seen != set(exported):
        sys.exit("not documented, or not exported: " + " ".join(seen ^ set(exported)))
    return "".join(parts)


# --- iscsi-wmi-status(7) -------------------------------------------------------------------------


def read_statuses(source):
    """Codes in ascending order: (code, symbol, text)."""
    header = (source / "include/iscsi-wmi/status.h").read_text()
    codes = {symbol: int(code, 16) for symbol, code in
             re.findall(r"#define (\w+) UINT32_C\((0x[0-9A-F]{8})\)", header)}
    table = (source / "src/wmi/status.c").read_text()
    rows = re.findall(r'\{(\w+), "(\w+)",((?:\s*"(?:[^"\\]|\\.)*")+)\}', table)
    if sorted(codes) != sorted(symbol for _, symbol, _ in rows):
        sys.exit("status.h and status.c do not have the same codes")
    return sorted((codes[symbol], symbol, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)))
                  for _, symbol, text in rows)


def read_advice(source):
    """Symbol to what is known beyond the text: paragraphs."""
    advice, symbol = {}, None
    for line in (source / "man/statuses.txt").read_text().split("\n"):
        if line.startswith("#"):
            continue
        if line and not line.startswith(" "):
            symbol = line
            advice[symbol] = ""
        elif symbol:
            advice[symbol] += line.strip() + "\n"
    return advice


def status_entry(code, symbol, text, more=None):
    entry = f".TP\n\\fB0x{code:08X} {symbol}\\fR\n{fill(text)}\n"
    return entry + (f".IP\n{prose(more, '.IP')}\n" if more else "")


def statuses(source, files):
    advice = read_advice(source)
    rows = read_statuses(source)
    unknown = set(advice) - {symbol for _, symbol, _ in rows}
    if unknown:
        sys.exit("statuses.txt has what is no status: " + " ".join(unknown))
    given = [status_entry(*row, advice[row[1]]) for row in rows if row[1] in advice]
    others = [status_entry(*row) for row in rows if row[1] not in advice]
    return (".SH STATUSES THAT THE SERVICE GIVES\n" + "".join(given) +
            ".SH STATUSES THAT IT DOES NOT GIVE\n"
            "Windows has these as well, most of them for logins and discovery, which here are\n"
            "open\\-iscsi\\(aqs own business. No method of this version answers with them; an\n"
            "agent that explains statuses by \\fBDescribeStatus\\fR has their text all the same.\n" +
            "".join(others))


# --- Numbers -------------------------------------------------------------------------------------


def read_numbers(source):
    """Name to value, as NUMBERS define them: a number, or a product."""
    found = {}
    for file in NUMBERS:
        for name, product in re.findall(r"^#define (\w+) ([\w() *]+)", (source / file).read_text(), re.M):
            factors = re.findall(r"\b(?:\d+|[A-Z]\w+)", product.replace("UINT64_C", ""))
            found[name] = math.prod(int(found.get(factor, factor)) for factor in factors)
    return found


def number(name, unit, numbers):
    """A number as it is read. (KeyError: there is none of that name, or no such unit.)"""
    if not unit:
        return str(numbers[name])
    value, rest = divmod(numbers[name], UNITS[unit])
    if rest:
        sys.exit(f"{name} is not in whole {unit}")
    return f"{value} {unit}"


# -------------------------------------------------------------------------------------------------


def main():
    kind, template, output, version, source, *files = sys.argv[1:]
    make = {"interfaces": interfaces, "library": library, "statuses": statuses,
            "none": lambda source, files: ""}[kind]
    generated = make(pathlib.Path(source), files)
    page = pathlib.Path(template).read_text().replace("@VERSION@", version)
    page = page.replace("@GENERATED@\n", generated)
    numbers = read_numbers(pathlib.Path(source))
    page = re.sub(r"@([A-Z]+_[A-Z_]+)(?::(\w+))?@", lambda found: number(*found.groups(), numbers), page)
    pathlib.Path(output).write_text(page)


if __name__ == "__main__":
    main()
