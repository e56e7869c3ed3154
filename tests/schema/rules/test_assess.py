"""Worked examples, and what is said where facts are missing, changed or not yet law."""

from __future__ import annotations

import datetime
import random
import re
from dataclasses import replace

import pytest

from schema.rules.assess import RESULTS, Result, means_test, verdict
from schema.rules.facts import HouseholdFacts, Known, Member, NotKnown, adjusted, born
from schema.rules.notice import in_korean, notice
from schema.rules.run import work_out
from schema.rules.trace import trace
from schema.rules.year import facts_behind, year_of
from tests.schema.rules.households import BOOK, day, household, known, person, rows

LIVELIHOOD, PENSION = BOOK.by_key["livelihood"], BOOK.by_key["basic-pension"]
SEJONG = household(person(home=166_000_000, land=30_000_000), region="metropolitan", town="city")


def without(facts: HouseholdFacts, *names: str, **limits: int) -> HouseholdFacts:
    """The household, with some facts of its first member not known."""
    first, *rest = facts.members
    unknown = NotKnown("unavailable", ("somewhere",), **limits)
    told = {**first.facts, **dict.fromkeys(names, unknown)}
    return replace(facts, members=(Member(first.key, told), *rest))


def test_a_home_and_land_in_sejong_convert_to_2_802_600_won_a_month() -> None:
    values = means_test(BOOK, LIVELIHOOD, SEJONG, day(2026)).values
    assert values.household["residential_converted"] == 717_600
    assert values.household["general_converted"] == 2_085_000
    assert values.household["converted_assets"] == 2_802_600


def test_the_test_says_by_how_much() -> None:
    test = means_test(BOOK, LIVELIHOOD, SEJONG, day(2026))
    assert (test.result, test.margin) == (Result.NOT_ELIGIBLE, (-1_982_044, -1_982_044))
    assert test.payable is None


def test_a_young_worker_keeps_600_000_and_three_tenths_of_the_rest() -> None:
    facts = household(person(age=30, earned_income=12 * 1_000_000))
    test = means_test(BOOK, LIVELIHOOD, facts, day(2026))
    assert test.recognised == (1_000_000 - 600_000 - 120_000,) * 2
    assert test.payable == (820_556 - 280_000,) * 2


def test_debt_comes_after_the_basic_deduction_and_never_from_cars() -> None:
    first = person(home=99_000_000, financial=15_000_000, debt=4_000_000, vehicles=300_000)
    values = means_test(BOOK, LIVELIHOOD, household(first), day(2026)).values.household
    assert values["residential_net"] == 0
    assert values["financial_net"] == 15_000_000 - 5_000_000 - 4_000_000
    assert values["converted_assets"] == 375_600 + 300_000


def test_a_couple_of_pensioners_gets_a_fifth_less_each() -> None:
    facts = household(person(age=70), person("b", "spouse", age=66), person("c", "child"))
    test = means_test(BOOK, PENSION, facts, day(2026))
    assert (test.result, test.assessed) == (Result.ELIGIBLE, ("a", "b"))
    assert test.threshold == (3_952_000,) * 2
    assert test.payable == (279_760,) * 2


def test_what_is_missing_makes_it_indeterminate_and_is_named() -> None:
    test = means_test(BOOK, LIVELIHOOD, without(household(person()), "financial"), day(2026))
    assert (test.result, test.recognised) == (Result.INDETERMINATE, (0, None))
    assert [(entry.fact, entry.member) for entry in test.lacking] == [("financial", "a")]
    assert test.settled_by == ("somewhere",)
    assert test.payable == (0, 820_556)


def test_a_result_that_is_the_same_whatever_is_missing_is_decided_and_says_so() -> None:
    test = means_test(BOOK, LIVELIHOOD, without(SEJONG, "financial"), day(2026))
    assert (test.result, test.by_bounds, test.lacking) == (Result.NOT_ELIGIBLE, True, ())
    assert test.recognised == (2_802_600, None)
    facts = without(household(person()), "financial", most=104_000_000)
    test = means_test(BOOK, LIVELIHOOD, facts, day(2026))
    assert (test.result, test.by_bounds) == (Result.ELIGIBLE, True)
    assert test.recognised == (0, 0)


def test_members_who_are_not_known_leave_it_open() -> None:
    facts = replace(household(person()), complete=False)
    test = means_test(BOOK, LIVELIHOOD, facts, day(2026))
    assert test.result is Result.INDETERMINATE
    assert "members" in [entry.fact for entry in test.lacking]


def test_a_fact_that_does_not_matter_is_not_asked_for() -> None:
    facts = without(household(person(earned_income=0)), "disabled")
    assert means_test(BOOK, LIVELIHOOD, facts, day(2026)).result is Result.ELIGIBLE
    facts = without(household(person(earned_income=12_000_000)), "disabled")
    test = means_test(BOOK, LIVELIHOOD, facts, day(2026))
    assert test.recognised == (560_000, 700_000)
    assert (test.result, test.by_bounds) == (Result.ELIGIBLE, True)
    assert test.payable == (120_556, 260_556)


def test_what_only_the_household_can_declare_is_counted_as_none_and_said() -> None:
    facts = household(person())
    facts = replace(facts, facts={k: v for k, v in facts.facts.items() if k != "household_expense"})
    test = means_test(BOOK, LIVELIHOOD, facts, day(2026))
    assert test.result is Result.ELIGIBLE
    assert [entry.fact for entry in test.assumptions] == ["household_expense"]


def test_what_the_caller_puts_in_is_hypothetical() -> None:
    changed = adjusted(SEJONG, {"home": 0, "land": 0, "region": "seoul"}, BOOK)
    test = means_test(BOOK, LIVELIHOOD, changed, day(2026))
    assert test.result is Result.ELIGIBLE
    assert set(test.hypothetical) == {"home", "land", "region"}
    used = {use.name: use.hypothetical for line in trace(test) for use in line.used}
    assert used["home"]
    assert not used["debt"]


def test_a_year_without_figures_decides_nothing_and_says_which() -> None:
    test = means_test(BOOK, PENSION, household(person(age=70)), day(2030))
    assert test.result is Result.INDETERMINATE
    assert test.no_figures == ("pension_work_first", "pension_limit", "pension_base_amount")


def test_a_programme_without_a_rule_cannot_be_tested() -> None:
    code = next(code for code, one in BOOK.programmes.items() if not one.decidable)
    with pytest.raises(LookupError, match=f"no rule decides `{code}`"):
        means_test(BOOK, code, household(person()), day(2026))


def test_the_trace_has_every_step_with_its_inputs_figures_and_rounding() -> None:
    lines = {line.name: line for line in trace(means_test(BOOK, LIVELIHOOD, SEJONG, day(2026)))}
    line = lines["livelihood_threshold"]
    assert line.value == (820_556, 820_556)
    assert [(use.name, use.value) for use in line.used] == [("median", (2_564_238, 2_564_238))]
    [applied] = line.applied
    assert (applied.name, applied.figure.mark, applied.figure.since) == (
        "livelihood_rate",
        "S",
        2024,
    )
    [rounded] = line.rounded
    assert (rounded.how, str(rounded.before), rounded.after) == ("half up", "20513904/25", 820_556)
    assert lines["median"].applied[0].key == "1"
    order = [line.name for line in trace(means_test(BOOK, LIVELIHOOD, SEJONG, day(2026)))]
    assert order.index("converted_assets") < order.index("recognised_income")


def test_the_trace_of_what_is_open_has_bounds_and_says_what_is_missing() -> None:
    test = means_test(BOOK, LIVELIHOOD, without(SEJONG, "earned_income"), day(2026))
    lines = {line.name: line for line in trace(test)}
    assert lines["earned_month"].value == (0, None)
    assert lines["earned_month"].rounded == ()
    [use] = lines["earned_month"].used
    assert (use.value, use.missing) == ((0, None), "unavailable")


@pytest.mark.parametrize(
    ("birth", "age", "months"),
    [
        ("1961-06-01", 65, 780),
        ("1961-06-02", 64, 779),
        ("2024-02-29", 2, 27),
        ("2026-06-02", 0, 0),
    ],
)
def test_ages_are_full_years_and_months(birth: str, age: int, months: int) -> None:
    ages = born(datetime.date.fromisoformat(birth), day(2026))
    assert (ages["age"], ages["age_months"]) == (Known(age), Known(months))


@pytest.mark.parametrize("seed", range(3))
def test_a_programme_by_itself_comes_to_what_it_comes_to_among_all(seed: int) -> None:
    dice, whole = random.Random(seed), year_of(BOOK, 2026)
    for code, programme in BOOK.programmes.items():
        if not programme.decidable:
            continue
        people = [Member(str(n), known(row)) for n, row in enumerate(rows(BOOK, dice, 3))]
        facts = household(*people)
        for name in dice.sample(sorted(BOOK.inputs), 12):
            facts = without(facts, name) if name not in ("applicant", "relation") else facts
        wanted = facts_behind(BOOK, code)
        narrowed = replace(
            facts,
            facts={name: fact for name, fact in facts.facts.items() if name in wanted},
            members=tuple(
                replace(one, facts={n: fact for n, fact in one.facts.items() if n in wanted})
                for one in facts.members
            ),
        )
        test = means_test(BOOK, code, narrowed, day(2026))
        assert test == replace(means_test(BOOK, code, facts, day(2026)), facts=narrowed)
        assert test.result is RESULTS[verdict(whole, programme, work_out(whole, facts))], code


@pytest.mark.parametrize(
    ("basis", "told"),
    [
        ("Medical Care Assistance Act, Article 3", "「의료급여법」 제3조"),
        ("Medical Care Assistance Act, Articles 3 and 7", "「의료급여법」 제3조, 제7조"),
        ("Energy Act, Articles 6 to 10", "「에너지법」 제6조부터 제10조까지"),
        ("Energy Act, Article 16-2; guide of the programme", "「에너지법」 제16조의2 및 관련 지침"),
        ("Housing Benefit Act, Article 23(1)3", "「주거급여법」 제23조제1항제3호"),
        ("Some Act, Article 3", "Some Act, Article 3"),
        ("Postal mother insurance, terms", "Postal mother insurance, terms"),
    ],
)
def test_a_notice_in_korean_cites_the_law_in_korean(basis: str, told: str) -> None:
    assert in_korean(basis, BOOK.acts) == told


def test_a_notice_says_in_its_own_language_what_the_rule_leaves_out() -> None:
    housing = means_test(BOOK, BOOK.by_key["housing"], SEJONG, day(2026))
    told = notice(housing, {})
    assert "지급액(지역별 기준임대료 또는 자가가구 수선비용)" in told.ko
    assert "the amount: the standard rent of the region" in told.en
    *lines, _law = told.ko.splitlines()
    assert re.search("[A-Za-z]{2}", "".join(lines)) is None


def test_most_rules_are_cited_in_korean() -> None:
    ruled = [one for one in BOOK.programmes.values() if one.decidable]
    english = [one.key for one in ruled if in_korean(one.basis or "", BOOK.acts) == one.basis]
    assert "livelihood" not in english
    assert len(english) <= 40
