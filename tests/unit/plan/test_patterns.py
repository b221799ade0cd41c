"""Patterns, held against regular expressions and against every short name."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.plan.patterns import covered, covers

written = st.text(alphabet="aB-/.+[]^$\\*?", max_size=12)


def oracle(pattern: str) -> re.Pattern[str]:
    pieces = {"*": ".*", "?": "."}
    return re.compile("".join(pieces.get(c) or re.escape(c) for c in pattern), re.DOTALL)


@given(written, st.text(alphabet="aB-/.+[]^$\\", max_size=12))
def test_a_pattern_matches_the_names_that_its_wildcards_say(pattern, name):
    assert covers(pattern, name) == bool(oracle(pattern).fullmatch(name))


@given(written)
def test_a_pattern_covers_itself_and_what_it_was_made_from(pattern):
    assert covers(pattern, pattern)
    assert covers("*", pattern)
    assert covers(pattern, pattern.replace("*", "x/y").replace("?", "z"))


def test_of_all_short_patterns_those_are_covered_whose_names_all_match():
    """Names of letters that patterns have, and of one that none has, up to where every wildcard has shown itself."""
    names = ["".join(letters) for length in range(6) for letters in itertools.product("abz", repeat=length)]
    short = ["".join(text) for length in range(4) for text in itertools.product("ab*?", repeat=length)]
    matched = {pattern: frozenset(filter(oracle(pattern).fullmatch, names)) for pattern in short}
    said = {pair for pair in itertools.product(short, repeat=2) if covers(*pair)}
    true = {(wide, narrow) for wide, narrow in itertools.product(short, repeat=2) if matched[narrow] <= matched[wide]}
    assert said <= true
    # What is missed are patterns with both wildcards side by side, whose order in the other one is unlike.
    assert all(re.search(r"[*][?]|[?][*]", wide) for wide, _ in true - said)
    assert {("*?", "?*"), ("?*", "*?"), ("a*", "a?*"), ("*", "**")} <= said


def test_one_of_several():
    assert covered("team-a-x", ["web", "team-a-*"])
    assert not covered("team-b", ["web", "team-a-*"])
    assert not covered("team-b", [])


def test_many_stars_cost_no_more_than_their_number_times_the_lengths():
    # Backtracking over each star would take longer than the suite may.
    assert not covers("*a" * 60 + "b", "a" * 700)
    assert not covers("*a" * 60 + "b", "a*" * 350)
