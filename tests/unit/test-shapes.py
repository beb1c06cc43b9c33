#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shapes of tests/guest/shapes/: how they are chosen, that the list is whole, and what a policy is
expected to come to on them."""

import unittest

import choose
import configuration
import meaning
import properties

A, B, C, D = 1, 2, 3, 4
BEST, WORSE, BAD = "active/optimized", "active/non-optimized", "standby"
SMALL = {"one": (1, 2), "two": ("a", "b"), "three": (True, False)}


def nothing(shape):
    return None


def no_2b(shape):
    return "why" if (shape.get("one"), shape.get("two")) == (2, "b") else None


def no_2b_by_the_third(shape):
    """It has neither value of the third."""
    return "why" if no_2b(shape) and "three" in shape else None


class Choice(unittest.TestCase):
    def test_each_pair_meets(self):
        for seed in range(20):
            met, missing, no = choose.report(choose.choose(SMALL, nothing, seed), SMALL, nothing)
            self.assertEqual((len(met), missing, no), (12, [], {}))

    def test_few_do(self):
        self.assertLess(min(len(choose.choose(SMALL, nothing, seed)) for seed in range(20)), 6)

    def test_what_cannot_be_is_not_chosen_and_has_a_reason(self):
        pair = (("one", 2), ("two", "b"))
        chosen = choose.choose(SMALL, no_2b)
        met, missing, no = choose.report(chosen, SMALL, no_2b)
        self.assertEqual((len(met), missing, no), (11, [], {pair: "why"}))
        self.assertEqual([each for each in chosen if no_2b(each)], [])

    def test_a_pair_that_leaves_no_room(self):
        pair = (("one", 2), ("two", "b"))
        self.assertIn("leaves room", choose.why_not(pair, SMALL, no_2b_by_the_third))
        self.assertIsNone(choose.why_not((("one", 1), ("two", "b")), SMALL, no_2b_by_the_third))

    def test_a_list_that_lacks_a_shape_is_seen(self):
        chosen = choose.choose(SMALL, nothing)
        self.assertNotEqual(choose.report(chosen[1:], SMALL, nothing)[1], [])

    def test_a_list_is_read_as_it_was_written(self):
        chosen = choose.choose(SMALL, nothing)
        self.assertEqual(choose.parsed(choose.written(chosen), SMALL), chosen)
        with self.assertRaises(ValueError):
            choose.parsed("one two three\n1 c True\n", SMALL)
        with self.assertRaises(ValueError):
            choose.parsed("one three two\n1 True a\n", SMALL)


class List(unittest.TestCase):
    def test_it_has_each_pair_that_can_be(self):
        _, missing, no = choose.report(choose.shapes(), properties.PROPERTIES,
                                       properties.impossible)
        self.assertEqual([choose.told(pair) for pair in missing], [])
        self.assertEqual([choose.told(pair) for pair in no],
                         ["portals 24 with luns 33", "portals 1 with access implicit",
                          "portals 1 with access explicit"])

    def test_it_has_only_what_can_be(self):
        for each in choose.shapes():
            self.assertIsNone(properties.impossible(each), each)

    def test_each_shape_has_a_configuration(self):
        for each in choose.shapes():
            self.assertIn(each["conf"], configuration.FILES)
            text = configuration.labs(each, ["36001"])
            self.assertEqual(text.count("{"), text.count("}"))
            self.assertEqual('alias "' in text, each["names"] == "alias")


class Meaning(unittest.TestCase):
    SAME = dict.fromkeys((A, B, C, D), BEST)

    def groups(self, request, access):
        return [set(members) for _, members in meaning.groups([request], access)]

    def test_tiers(self):
        for policy, primaries, weights, wanted in (
                (1, {C}, {}, [{C}, {A}, {B}, {D}]), (2, {A, B}, {}, [{A, B}, {C, D}]),
                (3, {D}, {}, [{D}, {A, B, C}]), (4, set(), {}, [{A, B, C, D}]),
                (5, set(), {A: 2, B: 1, C: 2, D: 3}, [{B}, {A, C}, {D}])):
            request = meaning.Request(policy, (A, B, C, D), frozenset(primaries), weights)
            self.assertEqual(self.groups(request, self.SAME), wanted)

    def test_access_ranks_before_the_policy(self):
        request = meaning.Request(3, (A, B, C), frozenset({A}))
        self.assertEqual(self.groups(request, {A: WORSE, B: BEST, C: BAD}), [{B}, {A}, {C}])
        self.assertEqual(self.groups(request, {A: "", B: BEST, C: BEST}), [{A}, {B, C}])

    def test_strangers_come_last_and_are_split_too(self):
        request = meaning.Request(4, (A, B))
        self.assertEqual(self.groups(request, {A: BEST, B: WORSE, C: BEST, D: WORSE}),
                         [{A}, {C}, {B}, {D}])

    def test_two_of_a_kind_join(self):
        found = meaning.groups([meaning.Request(4, (A, B)), meaning.Request(4, (C, D))], self.SAME)
        self.assertEqual(found, [("queue-length", frozenset(self.SAME))])

    def test_what_is_asked_for_is_allowed(self):
        access = {A: WORSE, B: BEST, C: BEST, D: BAD}
        for policy in (1, 2, 3):
            request = meaning.request(policy, [A, B, C, D], access)
            self.assertTrue(request.primaries)
            self.assertLessEqual(request.primaries, {B, C})

    def test_who_can_be_told(self):
        address = {each: f"{each}:0:0:1" for each in range(10, 40)}
        tiers = [("round-robin", frozenset({each})) for each in address]
        self.assertFalse(meaning.can_be_told(tiers, address))
        self.assertTrue(meaning.can_be_told(tiers[:4], address))
        self.assertEqual(meaning.prio_args(tiers[:2], address), "hbtl ^10:0:0:1$ 20 .* 10")
        self.assertTrue(meaning.can_be_told([("round-robin", frozenset(address))], {}))
        halves = [("round-robin", frozenset(range(10, 25))), ("round-robin", frozenset(range(25, 40)))]
        self.assertTrue(meaning.can_be_told(halves, address))
        self.assertEqual(meaning.prio_args([("round-robin", frozenset({10, 11})), *tiers[2:3]],
                                           address, True), "hbtl ^(10|11):0:0:1$ 20 .* 10")


if __name__ == "__main__":
    unittest.main()
