#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""choose.py [--make]: the shapes of list.txt, chosen so that each pair of values meets in one of them.
Prints which pairs meet, and which cannot and why; with --make, writes a new list first. Pure, but for that.
"""

import itertools
import pathlib
import random
import sys

import properties

LIST = pathlib.Path(__file__).resolve().parent / "list.txt"
HEAD = "# SPDX-License-Identifier: LGPL-2.1-or-later\n# Made by choose.py --make.\n"


def pairs_of(shape):
    """The pairs of values that meet in a shape: {((property, value), (property, value))}."""
    return set(itertools.combinations(shape.items(), 2))


def all_pairs(values):
    """Those of all properties, {property: values}, whether they can be or not, in order."""
    return [((one, a), (two, b)) for one, two in itertools.combinations(values, 2)
            for a in values[one] for b in values[two]]


def complete(part, values, impossible, rank=lambda part, name, value: 0):
    """A whole shape with these values of some properties, in the properties' order; of each other one the
    value that ranks highest, the first of equals. None: there is no such shape."""
    if impossible(part):
        return None
    name = next((name for name in values if name not in part), None)
    if name is None:
        return {name: part[name] for name in values}
    for value in sorted(values[name], key=lambda value: rank(part, name, value), reverse=True):
        if found := complete({**part, name: value}, values, impossible, rank):
            return found
    return None


def why_not(pair, values, impossible):
    """Why the pair is in no shape; None: it can be in one."""
    if complete(dict(pair), values, impossible):
        return None
    return impossible(dict(pair)) or "no other property leaves room for both"


def choose(values, impossible, seed=0, cost=lambda shape: 1):
    """Shapes in which each pair that can be meets, few rather than many: each is the one of some that has
    most of what is missing for its cost. The seed decides between equals."""
    chance = random.Random(seed)
    missing = {pair: None for pair in all_pairs(values)
               if why_not(pair, values, impossible) is None}

    def rank(part, name, value):
        whole = {**part, name: value}
        met = pairs_of({each: whole[each] for each in values if each in whole})
        return sum((name, value) in pair for pair in met & missing.keys()), chance.random()

    shapes = []
    while missing:
        candidates = [complete(dict(pair), values, impossible, rank)
                      for pair in chance.sample(sorted(missing, key=str), min(20, len(missing)))]
        best = max(candidates, key=lambda shape: len(pairs_of(shape) & missing.keys())
                   / cost(shape))
        shapes.append(best)
        for pair in pairs_of(best):
            missing.pop(pair, None)
    return shapes


def written(shapes):
    """The text of a list."""
    names = list(shapes[0])
    rows = [names, *([str(shape[name]) for name in names] for shape in shapes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    return HEAD + "".join(
        "  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() + "\n"
        for row in rows)


def parsed(text, values):
    """The shapes of a list. ValueError: it has what is no value of a property."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    known = {name: {str(value): value for value in values[name]} for name in values}
    if rows[0] != list(values):
        raise ValueError(f"the columns are {rows[0]}")
    shapes = []
    for row in rows[1:]:
        try:
            shapes.append({name: known[name][word]
                           for name, word in zip(values, row, strict=True)})
        except KeyError as error:
            raise ValueError(f"{error} in {row}") from None
    return shapes


def shapes():
    """Those of list.txt."""
    return parsed(LIST.read_text(), properties.PROPERTIES)


def report(chosen, values, impossible):
    """(pairs that meet, pairs that do not though they could, {pair that cannot be: why})."""
    met = set().union(*map(pairs_of, chosen))
    no = {pair: why for pair in all_pairs(values)
          if (why := why_not(pair, values, impossible))}
    missing = [pair for pair in all_pairs(values) if pair not in met and pair not in no]
    return met, missing, no


def told(pair):
    return " with ".join(f"{name} {value}" for name, value in pair)


def summary(chosen):
    """What report() says of shapes, for people."""
    met, missing, no = report(chosen, properties.PROPERTIES, properties.impossible)
    lines = [f"{len(chosen)} shapes, in which {len(met)} pairs of values meet"]
    lines += [f"never met: {told(pair)}" for pair in missing]
    lines += [f"cannot be: {told(pair)}: {why}" for pair, why in no.items()]
    return "\n".join(lines)


def main():
    if sys.argv[1:] == ["--make"]:
        lists = [choose(properties.PROPERTIES, properties.impossible, seed, properties.seconds)
                 for seed in range(60)]
        LIST.write_text(written(min(lists, key=lambda each: sum(map(properties.seconds, each)))))
    chosen = shapes()
    met, _, _ = report(chosen, properties.PROPERTIES, properties.impossible)
    for pair in all_pairs(properties.PROPERTIES):
        if pair in met:
            print(told(pair))
    print(summary(chosen))


if __name__ == "__main__":
    main()
