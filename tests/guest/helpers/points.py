# SPDX-License-Identifier: LGPL-2.1-or-later
"""The points of a fault sweep, and which of them are tried first where time does not suffice for
all: calls that no earlier sweep of this run has had, then the rest, evenly, failures and kills in
turn. Each call fails; a kill is left out where it would find what one before the call before it
has found."""

import collections
import difflib
import itertools
import re

from basic import setting
from faults import Sweep

# Multiples of this, modulo 1, fall evenly between 0 and 1 however many are taken.
GOLDEN = 0.6180339887498949

# So many calls in a row that an earlier sweep has had as well are the same ones.
ALIKE = 5

# A call, by number from 1, of the change from one state of a sweep to another, and what befalls it.
Point = collections.namedtuple("Point", "old new mode turn is_new")

# Calls that only ask: of device-mapper, for states and tables.
QUESTION = re.compile(r"(read|pread|pread64) .*|ioctl device-mapper (7|12)|"
                      r"send multipathd (the size|help|show .*)")

_swept = []  # sequences of calls, of the changes of earlier sweeps


def note(calls):
    """A sweep over the changes that make these calls has been."""
    _swept.append(calls)


def new_turns(calls):
    """The numbers of the calls that are not among some in a row that an earlier sweep has had."""
    new = set(range(1, len(calls) + 1))
    for earlier in _swept:
        matcher = difflib.SequenceMatcher(None, earlier, calls, autojunk=False)
        for block in matcher.get_matching_blocks():
            if block.size >= ALIKE:
                new -= set(range(block.b + 1, block.b + block.size + 1))
    return new


def _evenly(points):
    order = sorted(range(len(points)), key=lambda i: i * GOLDEN % 1)
    # The releases try different ones where time does not suffice for all.
    if setting("LAB_RELEASE", "") == "bookworm":
        order.reverse()
    return [points[i] for i in order]


def _in_turn(points):
    """A failure, a kill, and so on."""
    kinds = [_evenly([point for point in points if point.mode == mode])
             for mode in (Sweep.FAIL, Sweep.KILL)]
    return [point for pair in itertools.zip_longest(*kinds) for point in pair if point]


def _modes(calls, turn):
    """What can befall a call."""
    is_alike = turn > 1 and QUESTION.fullmatch(calls[turn - 2])
    return (Sweep.FAIL,) if is_alike else (Sweep.FAIL, Sweep.KILL)


def in_order(old, new, calls):
    """The points of the change from old to new, which makes these calls."""
    news = new_turns(calls)
    points = [Point(old, new, mode, turn, turn in news)
              for turn in range(1, len(calls) + 1) for mode in _modes(calls, turn)]
    return (_in_turn([point for point in points if point.is_new])
            + _in_turn([point for point in points if not point.is_new]))
