#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fill-tables.py PAGE <ROWS: puts what `./lab bench --json` printed into the page's tables.

    ./lab --json bench | tests/bench/fill-tables.py docs/performance.md
"""

import json
import pathlib
import sys

import figures


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    page = pathlib.Path(sys.argv[1])
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    page.write_text(figures.fill(page.read_text(), rows))


if __name__ == "__main__":
    main()
