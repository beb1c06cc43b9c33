#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coverage.py FILE: what gcovr's JSON summary has, by folder. Fails where a pure folder has less than
95% of its lines run."""

import collections
import json
import os
import sys

PURE = ("src/plan", "src/wmi")
PURE_LINES = 95.0

KEYS = ("line_covered", "line_total", "branch_covered", "branch_total")


def percent(covered, total):
    return 100.0 * covered / total if total else 0.0


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        files = json.load(file)["files"]
    folders = collections.defaultdict(collections.Counter)
    for each in files:
        for folder in (os.path.dirname(each["filename"]), "all"):
            folders[folder].update({key: each[key] for key in KEYS})

    print(f"{'':16}{'lines':>18}{'branches':>20}")
    for name, sums in sorted(folders.items(), key=lambda item: (item[0] == "all", item[0])):
        covered, total, branches, all_branches = (sums[key] for key in KEYS)
        print(f"{name:16}{covered:6}/{total:<5}{percent(covered, total):5.1f}%"
              f"{branches:8}/{all_branches:<5}{percent(branches, all_branches):5.1f}%")

    low = [name for name in PURE
           if percent(folders[name]["line_covered"], folders[name]["line_total"]) < PURE_LINES]
    for name in low:
        print(f"{name}: less than {PURE_LINES:.0f}% of the lines of a pure folder")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
