"""Who may read the record of a child: the parents it lives with, until it is 14."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from authz.caller import Actor, Caller
from authz.household import judge_child
from authz.judge import RecipientFacts

TODAY = datetime.date(2026, 11, 23)
PARENT = Caller("person-1", "me", frozenset({"recipient"}), None, None, "https://id.example")
OWN = RecipientFacts("H1", "11110", ("me", "child"), relation="head")
CHILD = replace(OWN, relation="child", birth=datetime.date(2014, 5, 1))


def test_a_parent_reads_a_child_of_the_household_and_themselves() -> None:
    assert judge_child(PARENT, "child", CHILD, OWN, TODAY) is None
    assert judge_child(PARENT, "child", CHILD, replace(OWN, relation="spouse"), TODAY) is None
    assert judge_child(PARENT, "me", None, None, TODAY) is None


@pytest.mark.parametrize(
    ("facts", "own", "rule"),
    [
        (None, OWN, "no such recipient"),
        (CHILD, None, "no such recipient"),
        (replace(CHILD, household=None), OWN, "no such recipient"),
        (replace(CHILD, household="H2"), OWN, "not of the caller's household"),
        (replace(CHILD, members=None), OWN, "not of the caller's household"),
        (replace(CHILD, members=("child",)), OWN, "not of the caller's household"),
        (replace(CHILD, relation="spouse"), OWN, "no child of the caller's"),
        (replace(CHILD, relation=None), OWN, "no child of the caller's"),
        (CHILD, replace(OWN, relation="child"), "no child of the caller's"),
        (CHILD, replace(OWN, relation="other"), "no child of the caller's"),
        (replace(CHILD, birth=None), OWN, "not younger than 14"),
        (replace(CHILD, birth=datetime.date(2012, 11, 23)), OWN, "not younger than 14"),
    ],
)
def test_nobody_else_does(
    facts: RecipientFacts | None, own: RecipientFacts | None, rule: str
) -> None:
    assert judge_child(PARENT, "child", facts, own, TODAY) == rule


def test_the_last_day_before_the_birthday_still_counts() -> None:
    born = replace(CHILD, birth=datetime.date(2012, 11, 24))
    assert judge_child(PARENT, "child", born, OWN, TODAY) is None
    leap = replace(CHILD, birth=datetime.date(2012, 2, 29))
    assert judge_child(PARENT, "child", leap, OWN, datetime.date(2026, 2, 28)) is None
    assert judge_child(PARENT, "child", leap, OWN, datetime.date(2026, 3, 1)) is not None


def test_nobody_reads_a_child_in_a_parents_place() -> None:
    acting = replace(PARENT, actors=(Actor("other", "other", "https://id.example"),))
    assert judge_child(acting, "child", CHILD, OWN, TODAY) == "somebody acts for the caller"
