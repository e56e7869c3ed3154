"""Colleagues of the same office are closed, unless somebody of another office has approved."""

from __future__ import annotations

from authz.decide import RecipientFacts
from authz.office import judge_colleagues

FACTS = RecipientFacts("H1", "11110", ("someone", "relative"))
RULE = "a colleague of the caller's office, or of a colleague's household"


def test_a_colleague_and_their_household_are_closed() -> None:
    for official in ("someone", "relative"):
        assert judge_colleagues("someone", FACTS, {official}, approved=False) == RULE


def test_an_approval_opens_them_and_others_need_none() -> None:
    assert judge_colleagues("someone", FACTS, {"someone"}, approved=True) is None
    assert judge_colleagues("someone", FACTS, {"else"}, approved=False) is None


def test_where_the_officials_are_not_known_everyone_may_be_one() -> None:
    rule = "who works at the caller's office is not known"
    assert judge_colleagues("someone", FACTS, None, approved=False) == rule
    assert judge_colleagues("someone", FACTS, None, approved=True) is None
