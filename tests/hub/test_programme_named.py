"""A test of one programme is worked out from what its rule rests on, and nothing else is asked."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from authz.decide import decide
from authz.register import read_register
from hub.documents import Document, Documents
from hub.explain import MEMBER, explain
from hub.plan import Plan, plan_of
from tests.hub.test_admission import CALLER, CATALOGUE, LIMITS, SCHEMA

REGISTER, _ = read_register(Path("authz/purposes"), CATALOGUE, SCHEMA.derivations)
DOCUMENTS = Documents(SCHEMA.graphql, LIMITS)
RESULT = "meansTest.result"
BY_NAME = 'recipient(id: "1") { meansTest(programme: "%s") { result } }'
BY_VARIABLE = 'query($p: ID!%s) { recipient(id: "1") { meansTest(programme: $p) { result } } }'
AGES = {"resident.exists", "resident.birthDate"}


def read(text: str) -> Document:
    return DOCUMENTS.read(text)


def inputs(plan: Plan, name: str = RESULT) -> set[str]:
    """What a derived answer of an operation is worked out from."""
    return {*plan.asked.derived[name].items}


def of(text: str, variables: Mapping[str, Any] | None = None) -> set[str]:
    return inputs(plan_of(SCHEMA, read(text), None, variables or {}))


WHOLE = of(BY_VARIABLE % "")


def test_an_allowance_by_age_is_worked_out_from_ages_and_who_the_members_are() -> None:
    asked = of("{ %s }" % (BY_NAME % "child-allowance"))
    assert asked == AGES | {"resident.members.id"}
    assert of("{ %s }" % (BY_NAME % "WLF00001170")) != asked
    assert of("{ %s }" % (BY_NAME % "livelihood")) > asked
    assert "tax.earnedIncome" in WHOLE


def test_by_a_variable_or_its_default_the_same_is_asked() -> None:
    named = of("{ %s }" % (BY_NAME % "child-allowance"))
    assert of(BY_VARIABLE % "", {"p": "child-allowance"}) == named
    assert of(BY_VARIABLE % ' = "child-allowance"') == named
    assert of(BY_VARIABLE % ' = "child-allowance"', {"p": "livelihood"}) > named


@pytest.mark.parametrize("value", [None, 7, ["child-allowance"], {"p": "child-allowance"}])
def test_a_variable_that_names_none_may_be_any(value: object) -> None:
    assert of(BY_VARIABLE % "", {"p": value}) == WHOLE


def test_an_unknown_programme_is_worked_out_from_nothing() -> None:
    assert of("{ %s }" % (BY_NAME % "no-such")) == set()
    assert of(BY_VARIABLE % "", {"p": "no-such"}) == set()


def test_what_is_below_a_test_is_about_its_programme_through_fragments_and_aliases() -> None:
    text = """query($p: ID!) { recipient(id: "1") {
      a: meansTest(programme: $p) { ...F } b: meansTest(programme: "child-allowance") { result }
      ... on Recipient { entitlements { id } } } } fragment F on MeansTest { notice { ko } }"""
    plan = plan_of(SCHEMA, read(text), None, {"p": "multicultural-family"})
    assert inputs(plan) >= AGES
    assert inputs(plan, "meansTest.notice") == {
        "resident.exists",
        "resident.members.id",
        "resident.relationToHead",
    }
    assert "tax.earnedIncome" in inputs(plan, "entitlements")


def test_plans_of_programmes_are_kept_up_to_a_number() -> None:
    document = read(BY_VARIABLE % "")
    first = plan_of(SCHEMA, document, None, {"p": "livelihood"})
    assert plan_of(SCHEMA, document, None, {"p": "livelihood"}) is first
    for number in range(600):
        plan_of(SCHEMA, document, None, {"p": f"no-such-{number}"})
    assert plan_of(SCHEMA, document, None, {"p": "livelihood"}) is not first
    assert len(document.plans) == 1


def test_what_is_explained_and_what_access_says_are_as_it_is_asked() -> None:
    text = "{ %s }" % (BY_NAME % "child-allowance")
    purpose = REGISTER.purposes["confirmation-survey"]
    plans: Any = SimpleNamespace(schema=SCHEMA, catalogue=CATALOGUE, officials=None)
    found = explain(plans, LIMITS, purpose, text)
    asked = {item for step in found.steps if step.round.startswith("data") for item in step.items}
    assert asked == AGES | {"resident.members.id"}
    assert {step.source for step in found.steps if step.about == MEMBER} == {"resident"}


PURPOSE = """
title = "Decide on child allowance"
legal_basis = { act = "Child Allowance Act", article = "Article 4", mark = "K" }
roles = ["caseworker"]
relation = "case"
programmes = ["child-allowance"]

[allow]
items = ["resident.exists", "resident.birthDate", "resident.members.id"]
"""


def test_a_purpose_that_names_no_test_is_allowed_one_of_items_open_to_it(tmp_path: Path) -> None:
    (tmp_path / "child-allowance.toml").write_text(PURPOSE)
    register, faults = read_register(tmp_path, CATALOGUE, SCHEMA.derivations)
    assert faults == []
    purpose, today = register.purposes["child-allowance"], datetime.date(2026, 11, 1)
    denied = {}
    for programme in ("child-allowance", "livelihood"):
        plan = plan_of(SCHEMA, read("{ %s }" % (BY_NAME % programme)), None, {})
        denied[programme] = {one.item for one in decide(CALLER, purpose, plan.asked, today).denied}
    assert denied["child-allowance"] == set()
    assert "tax.earnedIncome" in denied["livelihood"]
