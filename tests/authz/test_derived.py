"""Derived answers: what may be worked out for whom, from items that may themselves not be seen."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.caller import Caller
from authz.decide import Asked, Inputs, decide, decisions_on
from authz.purpose import Decision, Purpose
from authz.register import read_register
from sources.declaration import Catalogue
from sources.reading import read_catalogue

TAX = """
[source]
agency = "Tax Office"
description = "Tax"
adapter = "rest"
[item.pay]
description = "Wages"
type = "Won"
category = "income"
[item.land]
description = "Land"
type = "Won"
category = "asset"
[item.illness]
description = "Illness"
type = "String"
category = "health"
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
"""
TEST = "meansTest.result"
TODAY = datetime.date(2026, 11, 1)
CASEWORKER = Caller(
    "official-1", "me", frozenset({"caseworker"}), "office-1", "11110", "https://id"
)
INPUTS = Inputs(
    own=frozenset({"tax.exists", "tax.pay", "tax.land"}),
    others=frozenset({"tax.exists", "tax.pay", "tax.land"}),
    leads=frozenset({"tax.exists", "tax.pay"}),
)
ASKED = Asked(own=("tax.exists",), others=(), case=(), derived={TEST: INPUTS})
ALL = frozenset({"tax.exists", "tax.pay", "tax.land"})


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "tax.toml").write_text(TAX)
    return read_catalogue(folder, ["tax"], "tax", "tax")[0]


def purpose(folder: Path, catalogue: Catalogue, rules: str, head: str = HEAD) -> Purpose:
    (folder / "pension.toml").write_text(head + rules)
    register, faults = read_register(folder, catalogue, [TEST])
    assert faults == []
    return register.purposes["pension"]


def test_an_answer_allowed_by_name_is_worked_out_from_items_that_may_not_be_seen(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    named = purpose(
        tmp_path, catalogue, f'[allow]\ncategories = ["existence"]\nderivations = ["{TEST}"]\n'
    )
    verdict = decide(CASEWORKER, named, ASKED, TODAY)
    assert verdict.denied == ()
    assert verdict.granted == {"tax.exists"}
    assert verdict.derivable == {TEST: ALL}
    assert verdict.assessing == {TEST}
    assert verdict.requested == ALL


def test_an_item_it_is_worked_out_from_is_still_denied_to_be_seen(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    named = purpose(
        tmp_path, catalogue, f'[allow]\ncategories = ["existence"]\nderivations = ["{TEST}"]\n'
    )
    verdict = decide(CASEWORKER, named, replace(ASKED, own=("tax.exists", "tax.pay")), TODAY)
    assert [(found.item, found.use) for found in verdict.denied] == [("tax.pay", None)]
    assert "tax.pay" not in verdict.granted


def test_without_a_name_every_item_has_to_be_allowed_by_itself(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    by_items = purpose(tmp_path, catalogue, '[allow]\ncategories = ["existence", "income"]\n')
    verdict = decide(CASEWORKER, by_items, ASKED, TODAY)
    assert verdict.denied == (
        Decision(
            "tax.land",
            allowed=False,
            rule="`pension` does not name it",
            remedy=f"leave `{TEST}` out, or ask under a purpose that allows it",
            use=TEST,
        ),
    )
    assert verdict.derivable == {TEST: ALL - {"tax.land"}}


def test_each_answer_that_lacks_an_item_is_told_by_itself(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    seen = purpose(tmp_path, catalogue, '[allow]\ncategories = ["existence"]\n')
    asked = replace(
        ASKED, own=("tax.exists", "tax.land"), derived={TEST: INPUTS, "meansTest.trace": INPUTS}
    )
    verdict = decide(CASEWORKER, seen, asked, TODAY)
    assert [(found.item, found.use) for found in verdict.denied] == [
        ("tax.land", None),
        ("tax.land", TEST),
        ("tax.pay", TEST),
        ("tax.land", "meansTest.trace"),
        ("tax.pay", "meansTest.trace"),
    ]
    told = decisions_on(seen, asked, verdict)
    assert {found.item: found.allowed for found in told if found.use is None} == {
        "tax.exists": True,
        "tax.land": False,
        TEST: False,
        "meansTest.trace": False,
    }
    assert {found for found in told if found.use} == {
        found for found in verdict.denied if found.use
    }


def test_what_may_not_be_known_to_be_there_is_denied_for_every_use_by_its_name(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    rules = '[allow]\ncategories = ["income"]\n[use]\nfilter = { items = ["tax.pay"] }\n'
    (tmp_path / "pension.toml").write_text(HEAD + rules)
    closed = read_register(tmp_path, catalogue, [TEST])[0].purposes["pension"]
    chosen = Inputs(own=frozenset({"tax.exists", "tax.pay"}))
    asked = Asked(own=(), others=(), case=(), derived={"filter": chosen, "count": chosen})
    verdict = decide(CASEWORKER, closed, asked, TODAY)
    assert verdict.derivable == {}
    assert [(found.item, found.use, found.rule) for found in verdict.denied] == [
        (item, use, rule)
        for use in ("filter", "count")
        for item, rule in (
            ("tax.exists", "`pension` does not name it"),
            ("tax.pay", "`tax.exists` is denied"),
        )
    ]


def test_what_is_released_reduced_is_worked_with_for_a_named_answer_only(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    rules = (
        '[allow]\ncategories = ["existence", "asset"]\n{}\n[[reduce]]\nto = {{ band = [0, 10] }}\n'
    )
    rules += 'categories = ["income"]\n'
    verdict = decide(CASEWORKER, purpose(tmp_path, catalogue, rules.format("")), ASKED, TODAY)
    assert [(found.item, found.use) for found in verdict.denied] == [("tax.pay", TEST)]
    assert "to work with it, `meansTest.result` has to be allowed" in verdict.denied[0].rule
    named = purpose(tmp_path, catalogue, rules.format(f'derivations = ["{TEST}"]'))
    assert decide(CASEWORKER, named, ASKED, TODAY).denied == ()


def test_a_prohibited_item_is_of_no_use_to_any_answer(tmp_path: Path, catalogue: Catalogue) -> None:
    rules = f'[allow]\ncategories = ["existence"]\nderivations = ["{TEST}"]\n'
    rules += '[prohibit]\ncategories = ["asset"]\n'
    verdict = decide(CASEWORKER, purpose(tmp_path, catalogue, rules), ASKED, TODAY)
    assert [(found.item, found.rule) for found in verdict.denied] == [
        ("tax.land", "`pension` prohibits category `asset`")
    ]
    assert verdict.derivable == {TEST: ALL - {"tax.land"}}


def test_a_prohibited_answer_is_denied_even_where_all_its_items_are_allowed(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    rules = '[allow]\ncategories = ["existence", "income", "asset"]\n'
    rules += f'[prohibit]\nderivations = ["{TEST}"]\n'
    found = purpose(tmp_path, catalogue, rules)
    verdict = decide(CASEWORKER, found, ASKED, TODAY)
    assert [(each.item, each.rule) for each in verdict.denied] == [
        (TEST, f"`pension` prohibits `{TEST}`")
    ]
    assert (verdict.derivable, verdict.assessing) == ({}, frozenset())
    decisions = {each.item: each.allowed for each in decisions_on(found, ASKED, verdict)}
    assert decisions == {"tax.exists": True, TEST: False}


def test_ones_own_record_is_not_assessed_with_others_unless_the_answer_is_named(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    head = HEAD.replace('"case"', '"self"')
    seen = '[allow]\ncategories = ["existence", "income", "asset"]\n'
    verdict = decide(CASEWORKER, purpose(tmp_path, catalogue, seen, head), ASKED, TODAY)
    assert verdict.assessing == frozenset()
    named = purpose(tmp_path, catalogue, seen + f'derivations = ["{TEST}"]\n', head)
    assert decide(CASEWORKER, named, ASKED, TODAY).assessing == {TEST}


def test_whoever_may_not_use_the_purpose_is_denied_the_answer_too(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    rules = f'[allow]\ncategories = ["existence"]\nderivations = ["{TEST}"]\n'
    auditor = replace(CASEWORKER, roles=frozenset({"auditor"}))
    verdict = decide(auditor, purpose(tmp_path, catalogue, rules), ASKED, TODAY)
    assert {found.item for found in verdict.denied} == {"tax.exists", TEST}
    assert verdict.requested == frozenset()


def test_faults_of_names_are_told_all_at_once(tmp_path: Path, catalogue: Catalogue) -> None:
    rules = f'[allow]\nderivations = ["{TEST}", "meansTest.resul"]\n'
    rules += f'[prohibit]\nderivations = ["{TEST}"]\n'
    (tmp_path / "pension.toml").write_text(HEAD + rules)
    _, faults = read_register(tmp_path, catalogue, [TEST])
    assert [(fault.message, fault.remedy) for fault in faults] == [
        ("unknown derived answer `meansTest.resul`", f"did you mean `{TEST}`?"),
        (f"`{TEST}` is allowed and prohibited", "take it out of one of the two"),
    ]


@given(
    allowed=st.frozensets(st.sampled_from(["existence", "income", "asset", "health"])),
    prohibited=st.frozensets(st.sampled_from(["income", "asset", "health"])),
    named=st.booleans(),
)
def test_nothing_is_worked_with_that_is_prohibited_or_neither_allowed_nor_named(
    tmp_path_factory: pytest.TempPathFactory,
    catalogue: Catalogue,
    allowed: frozenset[str],
    prohibited: frozenset[str],
    *,
    named: bool,
) -> None:
    rules = f"[allow]\ncategories = {sorted(allowed)}\n"
    rules += f'derivations = ["{TEST}"]\n' if named else ""
    rules += f"[prohibit]\ncategories = {sorted(prohibited)}\n"
    folder = tmp_path_factory.mktemp("register")
    (folder / "pension.toml").write_text(HEAD + rules)
    found = read_register(folder, catalogue, [TEST])[0].purposes["pension"]
    verdict = decide(CASEWORKER, found, ASKED, TODAY)
    for item in verdict.derivable.get(TEST, ()):
        category = catalogue.items[item].category
        assert category not in prohibited
        assert named or category in allowed
    assert verdict.granted <= found.open_items
