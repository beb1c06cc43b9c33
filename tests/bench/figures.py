# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of a benchmark: what was measured in turn, as ratios, and as rows of a table.

A row is what programs get: item, what, median, least, greatest, repetitions, goal, unit, met, and
where it was measured. Nothing passes or fails here: `met` is for the reader.
"""

import operator
import statistics

COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, "=": operator.eq}


def meets(value, goal):
    """Whether a value is as a goal (">= 25") says; None without a goal."""
    if not goal:
        return None
    sign, number = goal.split()
    return COMPARE[sign](value, float(number))


def ratios(above, below):
    """What was measured above, repetition by repetition, by what was measured below."""
    if len(above) != len(below):
        raise ValueError(f"{len(above)} repetitions against {len(below)}")
    return [one / other for one, other in zip(above, below)]


def row(item, what, values, goal="", unit="", note="", where=""):
    """One figure: its repetitions' median and spread, and its goal beside it."""
    values = list(values)
    median = statistics.median(values)
    return {"item": item, "what": what, "median": median, "least": min(values),
            "greatest": max(values), "repetitions": len(values), "goal": goal, "unit": unit,
            "met": meets(median, goal), "note": note, "where": where}


def number(value):
    """Three digits that count."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def seconds(value):
    """A time for people."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{number(value / size)} {unit}"
    return f"{number(value / 1e-9)} ns"


def cells(each):
    """A row's cells, as text."""
    spread = f"{number(each['least'])} to {number(each['greatest'])}"
    verdict = {None: "", True: "yes", False: "no"}[each.get("met")]
    return [each["what"], f"{number(each['median'])} {each['unit']}".strip(),
            spread if each["repetitions"] > 1 else "", each["goal"], verdict, each.get("note", "")]


HEADINGS = ["what", "median", "spread", "goal", "met", "note"]


def text(rows):
    """The table for people."""
    table = [["item", *HEADINGS]] + [[each["item"], *cells(each)] for each in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() + "\n"
                   for line in table)


def markdown(rows):
    """The same for a page: a table for each place where it was measured."""
    parts = []
    for where in dict.fromkeys(each.get("where", "") for each in rows):
        table = [HEADINGS, ["-"] * len(HEADINGS)]
        table += [cells(each) for each in rows if each.get("where", "") == where]
        lines = "\n".join(f"| {' | '.join(line)} |" for line in table)
        parts.append(f"{where}:\n\n{lines}\n" if where else f"{lines}\n")
    return "\n".join(parts)


def fill(page, rows):
    """A page with new tables: each item's between `<!-- bench ITEM -->` and `<!-- end -->`. Items
    without a row keep what they have."""
    out, lines = [], iter(page.splitlines(keepends=True))
    for line in lines:
        out.append(line)
        item = line.strip().removeprefix("<!-- bench ").removesuffix(" -->")
        mine = [each for each in rows if each["item"] == item]
        if not line.startswith("<!-- bench ") or not mine:
            continue
        out.append("\n" + markdown(mine) + "\n")
        for line in lines:
            if line.strip() == "<!-- end -->":
                out.append(line)
                break
        else:
            raise ValueError(f"the table of {item} has no end")
    return "".join(out)
