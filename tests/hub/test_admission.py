"""What is settled before anyone is asked: the reason that a purpose obliges to give."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from authz.caller import Caller
from authz.obligations import Obligations
from authz.purpose import Purpose
from authz.register import read_register
from hub.admission import Declared, admit
from hub.config import Limits
from hub.documents import Documents, variable_values
from hub.errors import RequestRefused
from hub.plan import Plan, Subjects, make_plan, subjects
from schema.build import build
from sources.reading import read_catalogue

CATALOGUE, _ = read_catalogue(
    Path("sources/catalogue"),
    ["resident", "tax", "labour", "property", "benefits"],
    "resident",
    "benefits",
)
REGISTER, _ = read_register(Path("authz/purposes"), CATALOGUE)
SCHEMA = build(CATALOGUE)
LIMITS = Limits()
CALLER = Caller("p", "r", frozenset({"caseworker"}), "office", "district", "issuer")
DECLARED = Declared(("2026-11110-000001",), "", False, datetime.date(2026, 11, 1))


def read(query: str) -> tuple[Plan, Subjects]:
    document = Documents(SCHEMA.graphql, LIMITS).read(query)
    plan = make_plan(SCHEMA, document, document.operation(None))
    return plan, subjects(plan, SCHEMA, variable_values(SCHEMA.graphql, plan.operation, {}))


@pytest.fixture
def purpose() -> Purpose:
    found = REGISTER.purposes["basic-livelihood.application"]
    return replace(found, obligations=Obligations(reason=10))


@pytest.mark.parametrize("reason", ["", "too short", "ninechars"])
def test_a_purpose_that_obliges_to_a_reason_is_refused_without_one(
    purpose: Purpose, reason: str
) -> None:
    plan, whom = read('{ recipient(id: "x") { id } }')
    with pytest.raises(RequestRefused) as refused:
        admit(CALLER, purpose, replace(DECLARED, reason=reason), plan, whom, LIMITS)
    assert refused.value.codes == ["REASON_REQUIRED"]


def test_a_reason_of_the_length_obliged_is_admitted(purpose: Purpose) -> None:
    plan, whom = read('{ recipient(id: "x") { id } }')
    declared = replace(DECLARED, reason="0123456789")
    assert admit(CALLER, purpose, declared, plan, whom, LIMITS).verdict.denied == ()


def test_sources_are_asked_anew_only_where_the_purpose_lets_them_be(purpose: Purpose) -> None:
    plan, whom = read('{ recipient(id: "x") { id } }')
    declared = replace(DECLARED, reason="0123456789", anew=True)
    with pytest.raises(RequestRefused) as refused:
        admit(CALLER, purpose, declared, plan, whom, LIMITS)
    assert refused.value.codes == ["PURPOSE_LIMIT"]
    letting = replace(purpose, limits=purpose.limits.model_copy(update={"anew": True}))
    assert admit(CALLER, letting, declared, plan, whom, LIMITS).verdict.denied == ()
