#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of a benchmark: ratios, goals, tables."""

import unittest

import figures

PAGE = ("one\n<!-- bench change -->\nold\n<!-- end -->\n"
        "two\n<!-- bench rest -->\nkept\n<!-- end -->\n")


class Figures(unittest.TestCase):
    def test_a_row_has_median_and_spread(self):
        found = figures.row("change", "a by b", figures.ratios([30, 8, 27], [1, 1, 1]), ">= 25")
        self.assertEqual((found["median"], found["least"], found["greatest"]), (27, 8, 30))
        self.assertIs(found["met"], True)

    def test_a_ratio_is_of_the_same_repetition(self):
        self.assertEqual(figures.ratios([10, 40], [1, 2]), [10, 20])
        with self.assertRaises(ValueError):
            figures.ratios([1, 2], [1])

    def test_goals(self):
        for value, goal, met in ((1.3, "<= 1.3", True), (1.31, "<= 1.3", False),
                                 (25, ">= 25", True), (24.9, ">= 25", False), (0, "= 0", True),
                                 (1, "= 0", False), (1.5, "< 1.5", False), (5, "", None)):
            self.assertIs(figures.meets(value, goal), met, (value, goal))

    def test_numbers(self):
        self.assertEqual([figures.seconds(each) for each in (7.214, 0.2554, 0.0000042, 3e-9)],
                         ["7.21 s", "255 ms", "4.2 µs", "3 ns"])

    def test_a_table_shows_goal_and_verdict(self):
        rows = [figures.row("change", "a by b", [2, 1, 3], "<= 1.3"),
                figures.row("rest", "resident", [7], "<= 8", "MiB")]
        lines = figures.text(rows).splitlines()
        self.assertEqual(lines[1].split(), "change a by b 2 1 to 3 <= 1.3 no".split())
        self.assertEqual(lines[2].split(), "rest resident 7 MiB <= 8 yes".split())

    def test_a_page_gets_new_tables_and_keeps_the_others(self):
        rows = [figures.row("change", "a by b", [2], where="here"),
                figures.row("change", "a by b", [3], where="there")]
        found = figures.fill(PAGE, rows)
        self.assertNotIn("old", found)
        self.assertIn("<!-- bench rest -->\nkept\n<!-- end -->\n", found)
        self.assertLess(found.index("here:"), found.index("| a by b | 3 |"))
        self.assertEqual(figures.fill(found, rows), found)

    def test_a_page_without_an_end(self):
        with self.assertRaises(ValueError):
            figures.fill("<!-- bench change -->\nold\n", [figures.row("change", "a", [1])])


if __name__ == "__main__":
    unittest.main()
