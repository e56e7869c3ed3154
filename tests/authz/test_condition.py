"""Conditions on what is known of a case and a household; what cannot be evaluated does not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.condition import (
    AgeClass,
    Circumstance,
    Condition,
    Known,
    SoFar,
    SoFarTested,
    unmet,
)
from authz.register import Register, read_register
from sources.declaration import Catalogue
from sources.fault import Fault
from sources.reading import read_catalogue

BANK = """
[source]
agency = "Bank"
description = "Accounts"
adapter = "rest"
[item.balance]
description = "Balance"
type = "Won"
category = "asset"
[item.loans]
type = "list"
description = "Loans"
[item.loans.item.owed]
description = "Owed"
type = "Won"
category = "asset"
[item.loans.item.lender]
description = "Lender"
type = "String"
category = "contact"
[case.item.state]
description = "State"
type = "String"
category = "case"
"""
HEAD = """
title = "Decide"
legal_basis = { act = "Basic Pension Act", article = "Article 11", mark = "K" }
roles = ["caseworker"]
relation = "case"
programmes = ["pension"]
[allow]
categories = ["existence", "asset", "contact"]
[[restrict]]
sources = ["bank"]
"""
LAW = 'act = "Basic Pension Act Decree", article = "Article 16(4)", mark = "S"'


def condition(*circumstances: Circumstance) -> Condition:
    return Condition(any=circumstances, act="Decree", article="Article 16(4)", mark="S")


REVIEW = condition(
    Circumstance(stages=("review",)),
    Circumstance(means_test=SoFar(financial_assets=50)),
    Circumstance(means_test=SoFar(recognised_income=70)),
)
OLD = condition(Circumstance(age=AgeClass(since=65)))
PART = condition(Circumstance(programmes=("pension",), age=AgeClass(since=18, below=65)))


@pytest.mark.parametrize(
    ("rule", "known", "holds"),
    [
        (REVIEW, Known(), False),
        (REVIEW, Known(stages=frozenset({"review"})), True),
        (REVIEW, Known(stages=frozenset({"received"})), False),
        (REVIEW, Known(stages=frozenset({"review", ""})), False),
        (REVIEW, Known(tested=SoFarTested(0, 49, 100)), False),
        (REVIEW, Known(tested=SoFarTested(0, 50, 100)), True),
        (REVIEW, Known(tested=SoFarTested(69, 0, 100)), False),
        (REVIEW, Known(tested=SoFarTested(70, 0, 100)), True),
        (REVIEW, Known(tested=SoFarTested(70, 0, 101)), False),
        (OLD, Known(age=None), False),
        (OLD, Known(age=64), False),
        (OLD, Known(age=65), True),
        (PART, Known(frozenset({"pension"}), age=64), True),
        (PART, Known(frozenset({"pension"}), age=65), False),
        (PART, Known(frozenset({"pension"}), age=17), False),
        (PART, Known(frozenset({"pension", "housing"}), age=18), False),
        (PART, Known(age=18), False),
    ],
)
def test_a_condition_holds_where_a_circumstance_is_known_to(
    rule: Condition, known: Known, *, holds: bool
) -> None:
    assert rule.holds(known) is holds


def test_a_condition_reads_as_a_sentence() -> None:
    assert REVIEW.text == (
        "only if case at stage review, or converted financial assets at least 50 % of the threshold"
        " so far, or recognised income at least 70 % of the threshold so far"
        " (Decree, Article 16(4))"
    )
    assert PART.text == (
        "only if programme pension, 18 or older and younger than 65 (Decree, Article 16(4))"
    )


def test_all_conditions_on_an_item_have_to_hold() -> None:
    both = {"bank.balance": (OLD, PART)}
    known = Known(frozenset({"pension"}), age=70)
    assert unmet(both, ["bank.balance", "bank.exists"], known) == {"bank.balance": PART.text}


@given(
    programmes=st.frozensets(st.sampled_from(["pension", "housing"])),
    stages=st.frozensets(st.sampled_from(["review", "received", ""])),
    age=st.one_of(st.none(), st.integers(0, 120)),
)
def test_knowing_less_never_makes_a_condition_hold(
    programmes: frozenset[str], stages: frozenset[str], age: int | None
) -> None:
    known = Known(programmes, stages, age)
    for rule in (REVIEW, OLD, PART):
        if not rule.holds(known):
            for less in (
                Known(frozenset(), stages, age),
                Known(programmes, frozenset(), age),
                Known(programmes, stages, None),
            ):
                assert not rule.holds(less)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "bank.toml").write_text(BANK)
    return read_catalogue(folder, ["bank"], "bank", "bank")[0]


Read = Callable[[str], tuple[Register, list[Fault]]]


@pytest.fixture
def read(tmp_path: Path, catalogue: Catalogue) -> Read:
    def read(text: str) -> tuple[Register, list[Fault]]:
        (tmp_path / "pension.toml").write_text(text)
        return read_register(tmp_path, catalogue)

    return read


def test_a_restriction_is_of_all_it_names_and_of_there_being_a_record(read: Read) -> None:
    register, faults = read(HEAD + f'only_if = {{ any = [{{ stages = ["review"] }}], {LAW} }}\n')
    assert faults == []
    conditions = register.purposes["pension"].conditions
    assert {"bank.exists", "bank.balance", "bank.loans.owed"} <= conditions.keys()
    assert conditions["bank.exists"][0].text == (
        "only if case at stage review (Basic Pension Act Decree, Article 16(4))"
    )


def test_there_being_a_record_rests_on_what_all_its_items_rest_on(read: Read) -> None:
    part = HEAD.replace('sources = ["bank"]', 'items = ["bank.balance"]')
    register, _ = read(part + f'only_if = {{ any = [{{ stages = ["review"] }}], {LAW} }}\n')
    assert set(register.purposes["pension"].conditions) == {"bank.balance"}
    several = part.replace(
        '"bank.balance"', '"bank.balance", "bank.loans.owed", "bank.loans.lender"'
    )
    register, _ = read(several + f'only_if = {{ any = [{{ stages = ["review"] }}], {LAW} }}\n')
    assert "bank.exists" in register.purposes["pension"].conditions


def test_faults_of_a_restriction_are_told(read: Read) -> None:
    text = HEAD.replace('sources = ["bank"]', 'categories = ["asset"]\nitems = ["bank.balanc"]')
    _, faults = read(text + f"only_if = {{ any = [{{ age = {{ since = 65 }} }}], {LAW} }}\n")
    assert [(fault.message, fault.remedy) for fault in faults] == [
        ("unknown name `bank.balanc`", "did you mean `bank.balance`?"),
        (
            "some columns of `bank.loans` are under the condition, and some not",
            "name all columns of the list, or none",
        ),
    ]
    _, faults = read(HEAD + f"only_if = {{ any = [{{}}], {LAW} }}\n")
    assert "says nothing: name programmes, stages, an age or a means test" in str(faults[0])
