"""Every criterion at its edges: by hand-written households, and by the won where income counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from schema.rules.assess import MeansTest, means_test
from schema.rules.facts import HouseholdFacts, Member
from tests.schema.rules.households import BOOK, day, household, person
from tests.schema.rules.test_thresholds import table

MEDIAN_2026 = (2_564_238, 4_199_292, 5_359_036, 6_494_738)
RELATIONS = {"": "self", "s": "spouse", "c": "child", "p": "parent", "o": "other"}
TRAITS: dict[str, dict[str, Any]] = {
    "d": {"disabled": True},
    "D": {"severely_disabled": True},
    "P": {"pupil": True},
    "S": {"student": True},
    "w": {"earned_income": 12},
    "i": {"employed": True},
    "f": {"sex": "female"},
    "m": {"sex": "male"},
    "g": {"pregnant": True},
    "r": {"high_risk_pregnancy": True},
    "x": {"chronic_or_rare_disease": True},
    "b": {"developmental_disability": True},
    "L": {"care_graded": True},
    "C": {"in_day_care": True},
    "v": {"veteran": True},
    "n": {"defector": True},
    "a": {"artist": True},
    "F": {"fisher": True},
    "t": {"trainee": True},
    "u": {"unable_to_work": True},
    "l": {"low_credit": True},
    "R": {"pension_income": 12},
    "E": {"min_wage_exempt": True},
    "A": {"disability_assessed": True},
}
ROWS = list(table("criteria.tsv"))


def people(text: str) -> Iterator[Member]:
    for number, part in enumerate(text.split("+")):
        found = re.fullmatch(r"([scpo]?)(\d+)(m(?=$|[A-Z]))?(\w*)", part)
        assert found, part
        relation, age, months, traits = found.groups()
        assert (relation == "") == (number == 0), text
        values: dict[str, Any] = {"age": int(age)}
        if months:
            values = {"age": int(age) // 12, "age_months": int(age)}
        for trait in traits:
            values |= TRAITS[trait]
        yield person(str(number), RELATIONS[relation], **values)


def written(text: str, income: int = 0) -> HouseholdFacts:
    """A household as the file writes it, its first member with other income of so much a month."""
    of, _, told = text.partition("!")
    first, *rest = people(of)
    if income:
        first = Member(
            first.key,
            {
                **first.facts,
                **person(other_income=12 * income).facts,
                **{name: fact for name, fact in first.facts.items() if name != "other_income"},
            },
        )
    return household(first, *rest, **{name: True for name in told.split(",") if name})


def outcome(key: str, facts: HouseholdFacts) -> MeansTest:
    return means_test(BOOK, BOOK.by_key[key], facts, day(2026))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["programme"])
def test_conditions_hold_to_their_edges_and_not_beyond(row: dict[str, str]) -> None:
    for text in row["met"].split():
        assert outcome(row["programme"], written(text)).result.value == "ELIGIBLE", text
    for text in (row["missed"] or "").split():
        assert outcome(row["programme"], written(text)).result.value == "NOT_ELIGIBLE", text


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["within"]], ids=lambda row: row["programme"]
)
def test_income_may_reach_its_share_of_the_median_and_no_won_more(row: dict[str, str]) -> None:
    share, _, measure = row["within"].partition(" ")
    for text in row["met"].split():
        size = text.partition("!")[0].count("+") + 1
        threshold = (MEDIAN_2026[size - 1] * int(share) * 2 + 100) // 200
        base = outcome(row["programme"], written(text)).recognised
        assert base is not None
        assert base[0] is not None
        for more, result in ((-1, "ELIGIBLE"), (0, "ELIGIBLE"), (1, "NOT_ELIGIBLE")):
            income = threshold - base[0] + more
            test = outcome(row["programme"], written(text, income))
            assert (test.result.value, test.recognised) == (result, (threshold + more,) * 2), text
            assert test.threshold == (threshold,) * 2
        name = BOOK.programmes[BOOK.by_key[row["programme"]]].measure
        assert name == ("actual_income" if measure else "recognised_income")


def test_every_programme_that_a_rule_decides_has_its_edges() -> None:
    ruled = {one.key for one in BOOK.programmes.values() if one.decidable}
    elsewhere = {"livelihood", "medical-aid", "housing", "education", "basic-pension"}
    below = {"near-poor", "disability-pension", "home-pension"}
    assert {row["programme"] for row in ROWS} | elsewhere | below == ruled


def test_every_rule_says_by_which_article_or_guide_and_how_far_that_is_to_be_relied_on() -> None:
    ruled = [BOOK.programmes[code] for code in BOOK.listed if BOOK.programmes[code].decidable]
    assert all(one.basis and one.basis_mark in ("S", "K") for one in ruled)
    assert all(one.basis_mark == "K" for one in ruled if one.mark == "K")
    assert len(ruled) >= 140


RICH = 60_000_000


@pytest.mark.parametrize(
    ("key", "text", "income", "result"),
    [
        ("mobile-discount", "40", 1_282_119, "ELIGIBLE"),
        ("mobile-discount", "40", 1_282_120, "NOT_ELIGIBLE"),
        ("mobile-discount", "40d", RICH, "ELIGIBLE"),
        ("mobile-discount", "65", 2_470_000, "ELIGIBLE"),
        ("mobile-discount", "65", 2_470_001, "NOT_ELIGIBLE"),
        ("power-discount", "40+s40+c18+c19+c20", RICH, "ELIGIBLE"),
        ("power-discount", "40+s40+c18+c19", RICH, "NOT_ELIGIBLE"),
        ("knee-surgery", "60+c17", RICH, "ELIGIBLE"),
        ("knee-surgery", "60", 1_282_120, "NOT_ELIGIBLE"),
        ("sanitary-goods", "20f", 1_282_120, "NOT_ELIGIBLE"),
        ("sports-voucher", "40+s40+c10", 2_679_519, "NOT_ELIGIBLE"),
        ("sports-voucher", "40+s40+c10", 2_679_518, "ELIGIBLE"),
        ("forest-voucher", "40d", RICH, "ELIGIBLE"),
        ("forest-voucher", "40", 1_282_120, "NOT_ELIGIBLE"),
        ("commuting-cost", "40dDwE", RICH, "ELIGIBLE"),
        ("commuting-cost", "40dDw", RICH, "NOT_ELIGIBLE"),
        ("diapers-formula", "30+s30+c3m", 4_287_229, "NOT_ELIGIBLE"),
        ("diapers-formula", "30+s30+c3m+c4", 5_195_790, "ELIGIBLE"),
        ("diapers-formula", "30+s30+c3m+c4", 5_195_791, "NOT_ELIGIBLE"),
        ("diapers-formula", "30d+s30+c3m", 4_287_229, "ELIGIBLE"),
        ("diapers-formula", "30d+s30+c3m", 4_287_230, "NOT_ELIGIBLE"),
        ("energy-voucher", "65", 1_230_834, "ELIGIBLE"),
        ("energy-voucher", "65", 1_230_835, "NOT_ELIGIBLE"),
        ("energy-voucher", "40+s40+c6P", 2_679_518, "ELIGIBLE"),
        ("permanent-rental", "40", 1_230_835, "NOT_ELIGIBLE"),
        ("tailored-elder-care", "65", 2_470_000, "ELIGIBLE"),
        ("tailored-elder-care", "65", 2_470_001, "NOT_ELIGIBLE"),
        ("senior-jobs", "65", 2_470_001, "NOT_ELIGIBLE"),
        ("emergency-alarm-service", "65", 2_470_001, "NOT_ELIGIBLE"),
        ("near-poor", "40", 1_282_119, "ELIGIBLE"),
        ("near-poor", "40", 1_282_120, "NOT_ELIGIBLE"),
        ("disability-pension", "18dD", 1_400_000, "ELIGIBLE"),
        ("disability-pension", "18dD", 1_400_001, "NOT_ELIGIBLE"),
        ("disability-pension", "17dD", 0, "NOT_ELIGIBLE"),
        ("disability-pension", "40d", 0, "NOT_ELIGIBLE"),
        ("disability-pension", "40dD+s40", 2_240_000, "ELIGIBLE"),
        ("disability-pension", "40dD+s40", 2_240_001, "NOT_ELIGIBLE"),
        ("national-employment-support", "40", 2_564_238, "ELIGIBLE"),
        ("national-employment-support", "40", 2_564_239, "NOT_ELIGIBLE"),
        ("national-employment-support", "34", 3_077_086, "ELIGIBLE"),
        ("national-employment-support", "34", 3_077_087, "NOT_ELIGIBLE"),
        ("national-employment-support", "35", 3_077_086, "NOT_ELIGIBLE"),
        ("sunshine-loan-youth", "30", 2_916_666, "ELIGIBLE"),
        ("sunshine-loan-youth", "30", 2_916_667, "NOT_ELIGIBLE"),
        ("earned-income-tax-credit", "40w", 1_833_332, "ELIGIBLE"),
        ("earned-income-tax-credit", "40w", 1_833_333, "NOT_ELIGIBLE"),
        ("earned-income-tax-credit", "40w+c17", 2_666_665, "ELIGIBLE"),
        ("earned-income-tax-credit", "40w+c18", 2_666_665, "NOT_ELIGIBLE"),
        ("earned-income-tax-credit", "40w+p70", 2_666_665, "ELIGIBLE"),
        ("earned-income-tax-credit", "40w+p69", 2_666_665, "NOT_ELIGIBLE"),
    ],
)
def test_alternatives_hold_to_the_won(key: str, text: str, income: int, result: str) -> None:
    assert outcome(key, written(text, income)).result.value == result


def owning(text: str, **values: Any) -> HouseholdFacts:
    of, _, told = text.partition("!")
    (first,) = people(of)
    owner = person(**values)
    owned = {name: owner.facts[name] for name in values}
    return household(
        Member(first.key, {**first.facts, **owned}),
        **{name: True for name in told.split(",") if name},
    )


@pytest.mark.parametrize(
    ("key", "text", "assets", "most"),
    [
        ("emergency-aid", "40!crisis", "land", 241_000_000),
        ("emergency-aid", "40!crisis", "vehicles", 241_000_000),
        ("emergency-aid", "40!crisis", "financial", 8_564_238),
        ("youth-rent", "30!family_within_limits", "land", 122_000_000),
        ("home-pension", "55", "home", 1_200_000_000),
        ("earned-income-tax-credit", "40w", "land", 239_999_999),
        ("earned-income-tax-credit", "40w", "vehicles", 239_999_999),
    ],
)
def test_assets_may_reach_their_limit_and_no_won_more(
    key: str, text: str, assets: str, most: int
) -> None:
    assert outcome(key, owning(text, **{assets: most})).result.value == "ELIGIBLE"
    assert outcome(key, owning(text, **{assets: most + 1})).result.value == "NOT_ELIGIBLE"


def test_a_home_of_ones_own_shuts_out_of_what_is_for_those_without() -> None:
    for key in ("permanent-rental", "purchased-rental", "jeonse-rental"):
        assert outcome(key, owning("40", home=1)).result.value == "NOT_ELIGIBLE"


@pytest.mark.parametrize(
    ("key", "text", "payable"),
    [
        ("birth-grant", "30!birth", 700_000),
        ("funeral-grant", "30!death", 800_000),
        ("child-allowance", "40+c7+c6+c8", 200_000),
        ("parent-benefit", "30+c11m", 1_000_000),
        ("parent-benefit", "30+c12m", 500_000),
        ("parent-benefit", "30+c11m+c23m", 1_500_000),
        ("first-meeting-voucher", "30+c0!birth", 2_000_000),
        ("first-meeting-voucher", "30+c0+c3!birth", 3_000_000),
        ("culture-voucher", "40+c6+c5", 300_000),
        ("disabled-mothers-birth-grant", "30fd!birth", 1_000_000),
        ("birth-pay-uninsured", "30fw!birth", 1_500_000),
    ],
)
def test_what_is_paid_is_what_the_law_says(key: str, text: str, payable: int) -> None:
    assert outcome(key, written(text)).payable == (payable,) * 2


@pytest.mark.parametrize("year", [2024, 2025, 2027])
def test_a_share_of_the_median_that_is_not_known_of_a_year_decides_nothing_in_it(
    year: int,
) -> None:
    code = BOOK.by_key["dementia-test"]
    test = means_test(BOOK, code, written("60"), day(year))
    assert test.result.value == "INDETERMINATE"
    assert test.no_figures == ("share_120",)
