"""Colleagues of the same office are closed, and where that is not known, everybody."""

from __future__ import annotations

from authz.judge import RecipientFacts
from authz.office import judge_colleagues

FACTS = RecipientFacts("H1", "11110", ("someone", "relative"))
RULE = "a colleague of the caller's office, or of a colleague's household"


def test_a_colleague_and_their_household_are_closed() -> None:
    for official in ("someone", "relative"):
        assert judge_colleagues("someone", FACTS, {official}) == RULE


def test_others_are_not() -> None:
    assert judge_colleagues("someone", FACTS, {"else"}) is None


def test_where_the_officials_are_not_known_everyone_may_be_one() -> None:
    rule = "who works at the caller's office is not known"
    assert judge_colleagues("someone", FACTS, None) == rule
