"""Acting for another: what the rules keep from a caller they keep from everyone of the chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authz.caller import Actor, Caller
from authz.judge import CaseFacts, RecipientFacts, judge_recipient
from authz.purpose import LegalBasis, Purpose

ISSUER = "https://id.example"
OFFICIAL = Caller("official-1", "me", frozenset({"caseworker"}), "office-1", "11110", ISSUER)
CITIZEN = replace(OFFICIAL, roles=frozenset({"recipient"}), office=None, district=None)
PENSION = Purpose(
    code="pension",
    title="Decide",
    parent=None,
    legal_basis=LegalBasis(act="Basic Pension Act", article="Article 11", mark="K"),
    roles=frozenset({"caseworker"}),
    relation="case",
    programmes=frozenset({"basic-pension"}),
    jurisdiction="district",
    decisions={},
    exists={},
)
OWN = replace(PENSION, code="own", relation="self", roles=frozenset({"recipient"}))
FACTS = RecipientFacts(household="h1", district="11110", members=("r1", "r2"))
CASE = CaseFacts("c1", "basic-pension", "h1", "r1", "office-1", "open")


def acting(caller: Caller, *recipients: str | None) -> Caller:
    """The caller, acted for by people with these ids as residents."""
    actors = (Actor(f"a{n}", recipient, ISSUER) for n, recipient in enumerate(recipients))
    return replace(caller, actors=tuple(actors))


def official(*recipients: str | None) -> str | None:
    return judge_recipient(acting(OFFICIAL, *recipients), PENSION, "r1", FACTS, [CASE])


@pytest.mark.parametrize("recipients", [(), ("a",), ("a", "b"), ("a", "b", "c")])
def test_a_chain_of_strangers_reaches_whom_the_caller_reaches(recipients: tuple[str, ...]) -> None:
    assert official(*recipients) is None


@pytest.mark.parametrize(
    "recipients", [("r1",), ("r2",), ("a", "r1"), ("a", "r2"), ("a", "b", "r2"), ("r2", "a")]
)
def test_nobody_of_a_chain_reaches_their_own_household(recipients: tuple[str, ...]) -> None:
    assert official(*recipients) == "the caller's own household"


@pytest.mark.parametrize("recipients", [(None,), ("a", None), (None, "a"), ("a", "b", None)])
def test_a_chain_with_somebody_unknown_as_a_resident_reaches_nobody(
    recipients: tuple[str | None, ...],
) -> None:
    assert official(*recipients) == "the caller's own household"


def test_ones_own_record_is_not_read_by_whoever_acts_for_one() -> None:
    assert judge_recipient(CITIZEN, OWN, "me", None, []) is None
    for other in ("official", None):
        found = judge_recipient(acting(CITIZEN, other), OWN, "me", None, [])
        assert found == "not the caller's own record"


def test_one_acting_for_oneself_reads_ones_own_record() -> None:
    assert judge_recipient(acting(CITIZEN, "me"), OWN, "me", None, []) is None
