"""Double receipt: each check at its edges, and what lacks told apart from what clears."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.double_receipt import (
    Check,
    Facts,
    Finding,
    Kind,
    Paid,
    Result,
    Unknown,
    checks,
    would_duplicate,
)
from schema.law import FOLDER, law, read_law
from schema.rules.book import the_book
from schema.view import State

LAW = law().receipts
INCOMPLETE = Unknown(State.UNAVAILABLE, "the register")
NOBODY = Unknown(State.UNAVAILABLE, "somebody else")
CLEAR: dict[str, Any] = {
    "death": None,
    "abroad_since": None,
    "abroad_until": None,
    "custody_since": None,
    "custody_until": None,
    "household_since": None,
}


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def paid(programme: str, *months: str, office: str = "A", state: str = "paid") -> list[Paid]:
    return [Paid(programme, office, month, state, 1000) for month in months]


def check(kind: Kind, receipts: list[Paid] | Unknown, **facts: Any) -> Check:
    found = checks(Facts(receipts=receipts, **{**CLEAR, **facts}), LAW, INCOMPLETE)
    assert [one.kind for one in found] == list(Kind)
    return next(one for one in found if one.kind is kind)


def only(found: Check) -> Finding:
    (finding,) = found.findings
    return finding


def test_one_programme_in_one_month_from_two_offices_is_found() -> None:
    receipts = [
        *paid("housing", "2026-08", "2026-09"),
        *paid("housing", "2026-09", "2026-10", office="B"),
    ]
    found = check(Kind.SAME_PROGRAMME, receipts)
    assert found.result is Result.FOUND
    finding = only(found)
    assert finding.programmes == ("housing",)
    assert finding.offices == ("A", "B")
    assert finding.months == ("2026-09",)
    assert finding.amount == 2000
    assert (finding.basis.article, finding.basis.mark) == ("Article 9", "S")


@pytest.mark.parametrize(
    "receipts",
    [
        [],
        paid("housing", "2026-09") + paid("housing", "2026-10", office="B"),
        paid("housing", "2026-09") * 2,
        paid("housing", "2026-09") + paid("housing", "2026-09", office="B", state="reclaimed"),
        paid("housing", "2026-09") + paid("housing", "2026-09", office="B", state="held"),
        paid("housing", "2026-09") + paid("education", "2026-09", office="B"),
    ],
)
def test_other_months_one_office_and_what_was_not_kept_are_no_double_receipt(
    receipts: list[Paid],
) -> None:
    assert check(Kind.SAME_PROGRAMME, receipts).result is Result.NOT_FOUND


def test_an_office_that_is_not_known_leaves_two_payments_undecided() -> None:
    receipts = [*paid("housing", "2026-09"), Paid("housing", None, "2026-09", "paid")]
    found = check(Kind.SAME_PROGRAMME, receipts)
    assert (found.result, found.missing) == (Result.NOT_KNOWN, (INCOMPLETE,))


def test_an_amount_that_is_not_known_leaves_the_sum_unknown() -> None:
    receipts = [*paid("housing", "2026-09"), Paid("housing", "B", "2026-09", "paid")]
    assert only(check(Kind.SAME_PROGRAMME, receipts)).amount is None


def pairs() -> list[tuple[str, str, int]]:
    return [
        (one, other, rule.months[0])
        for rule in LAW.exclusive
        for one in rule.programmes
        for other in rule.excludes
    ]


@pytest.mark.parametrize(("one", "other", "number"), pairs())
@pytest.mark.parametrize("turned", [False, True])
def test_every_exclusion_is_found_both_ways_and_in_the_same_month_only(
    one: str, other: str, number: int, turned: bool
) -> None:
    if turned:
        one, other = other, one
    month, next_month = f"2026-{number:02}", f"2026-{number + 1:02}"
    both = check(Kind.EXCLUSIVE, paid(one, month) + paid(other, month, office="B"))
    assert both.result is Result.FOUND
    finding = only(both)
    assert finding.programmes == tuple(sorted((one, other)))
    assert finding.months == (month,)
    apart = paid(one, month) + paid(other, next_month)
    assert check(Kind.EXCLUSIVE, apart).result is Result.NOT_FOUND
    granting = would_duplicate(one, paid(other, month), month, LAW, INCOMPLETE)
    assert granting.result is Result.FOUND
    assert [conflict.kind for conflict in granting.conflicts] == [Kind.EXCLUSIVE]


def test_there_are_exclusions_with_their_articles_and_marks() -> None:
    assert len(pairs()) == 22
    assert {rule.mark for rule in LAW.exclusive} == {"S", "K"}


@pytest.mark.parametrize(
    ("month", "result"), [("2026-05", Result.FOUND), ("2026-06", Result.NOT_FOUND)]
)
def test_a_rule_of_the_winter_holds_in_winter(month: str, result: Result) -> None:
    receipts = paid("energy-voucher", month) + paid("briquette-coupon", month)
    assert check(Kind.EXCLUSIVE, receipts).result is result


def test_programmes_that_go_together_are_no_finding() -> None:
    receipts = [
        one
        for key in ("livelihood", "medical-aid", "housing", "education", "basic-pension")
        for one in paid(key, "2026-09")
    ]
    assert check(Kind.EXCLUSIVE, receipts).result is Result.NOT_FOUND


@pytest.mark.parametrize("died", ["2026-08-01", "2026-08-31"])
def test_what_is_paid_for_months_after_that_of_the_death_is_found(died: str) -> None:
    receipts = paid("basic-pension", "2026-07", "2026-08", "2026-09", "2026-10")
    found = check(Kind.AFTER_DEATH, receipts, death=day(died))
    assert only(found).months == ("2026-09", "2026-10")


def test_what_is_paid_for_the_month_of_the_death_is_due() -> None:
    receipts = paid("basic-pension", "2024-02")
    assert check(Kind.AFTER_DEATH, receipts, death=day("2024-02-29")).result is Result.NOT_FOUND
    assert check(Kind.AFTER_DEATH, receipts, death=day("2024-01-31")).result is Result.FOUND


@pytest.mark.parametrize(
    ("programme", "left", "months"),
    [
        ("basic-pension", "2026-06-20", ("2026-09", "2026-10")),  # day 60: 19 August
        ("basic-pension", "2026-07-02", ("2026-09", "2026-10")),  # day 60: 31 August
        ("basic-pension", "2026-07-03", ("2026-10",)),  # day 60: 1 September
        ("livelihood", "2026-07-01", ("2026-09", "2026-10")),  # day 61: 31 August
        ("livelihood", "2026-07-02", ("2026-10",)),  # day 61: 1 September
        ("child-allowance", "2026-06-02", ("2026-09", "2026-10")),  # day 90: 31 August
        ("child-allowance", "2026-06-03", ("2026-10",)),
        ("basic-pension", "2026-09-01", ()),  # day 60: 31 October
    ],
)
def test_a_stay_abroad_stops_a_benefit_with_the_month_after_its_day(
    programme: str, left: str, months: tuple[str, ...]
) -> None:
    receipts = paid(programme, "2026-07", "2026-08", "2026-09", "2026-10")
    found = check(Kind.ABROAD, receipts, abroad_since=day(left))
    assert tuple(month for finding in found.findings for month in finding.months) == months


@pytest.mark.parametrize(
    ("left", "day_60_month"), [("2024-01-01", "2024-03"), ("2023-12-31", "2024-02")]
)
def test_the_days_of_a_stay_go_over_a_leap_day(left: str, day_60_month: str) -> None:
    """Day 60 after 1 January 2024 is 1 March, after 31 December 2023 the leap day itself."""
    months = ("2024-02", "2024-03", "2024-04")
    found = check(Kind.ABROAD, paid("basic-pension", *months), abroad_since=day(left))
    assert only(found).months == tuple(month for month in months if month > day_60_month)


@pytest.mark.parametrize(
    ("back", "months"),
    [
        ("2026-08-18", ()),  # the day before day 60
        ("2026-08-19", ()),  # day 60: no month after it passed abroad
        ("2026-09-01", ("2026-09",)),
        ("2026-10-31", ("2026-09", "2026-10")),
    ],
)
def test_a_benefit_is_due_again_from_the_month_after_the_return(
    back: str, months: tuple[str, ...]
) -> None:
    receipts = paid("basic-pension", "2026-08", "2026-09", "2026-10", "2026-11")
    found = check(Kind.ABROAD, receipts, abroad_since=day("2026-06-20"), abroad_until=day(back))
    assert tuple(month for finding in found.findings for month in finding.months) == months


def test_custody_stops_a_benefit_with_the_month_after_it_began() -> None:
    receipts = paid("livelihood", "2026-08", "2026-09", "2026-10")
    found = check(
        Kind.IN_CUSTODY,
        receipts,
        custody_since=day("2026-08-31"),
        custody_until=day("2026-09-02"),
    )
    assert only(found).months == ("2026-09",)


def test_a_household_benefit_that_goes_on_as_before_the_change_is_to_be_reviewed() -> None:
    receipts = paid("housing", "2026-08", "2026-09") + paid("basic-pension", "2026-08", "2026-09")
    found = check(Kind.HOUSEHOLD_CHANGE, receipts, household_since=day("2026-08-31"))
    assert found.result is Result.TO_REVIEW
    assert (only(found).programmes, only(found).months) == (("housing",), ("2026-09",))


@pytest.mark.parametrize(
    "receipts",
    [
        paid("housing", "2026-08") + paid("housing", "2026-09", office="B"),
        paid("housing", "2026-09"),
        paid("housing", "2026-07", "2026-08"),
        paid("basic-pension", "2026-08", "2026-09"),
    ],
)
def test_a_benefit_granted_anew_or_ended_or_of_the_person_alone_is_not(
    receipts: list[Paid],
) -> None:
    found = check(Kind.HOUSEHOLD_CHANGE, receipts, household_since=day("2026-08-31"))
    assert found.result is Result.NOT_FOUND


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        (Kind.AFTER_DEATH, "death"),
        (Kind.ABROAD, "abroad_since"),
        (Kind.IN_CUSTODY, "custody_since"),
        (Kind.HOUSEHOLD_CHANGE, "household_since"),
    ],
)
def test_a_fact_that_is_not_known_never_clears(kind: Kind, fact: str) -> None:
    found = check(kind, paid("livelihood", "2026-09"), **{fact: NOBODY})
    assert (found.result, found.findings, found.missing) == (Result.NOT_KNOWN, (), (NOBODY,))


@pytest.mark.parametrize("kind", list(Kind))
def test_without_receipts_nothing_can_be_too_much_whatever_is_not_known(kind: Kind) -> None:
    unknown: dict[str, Any] = dict.fromkeys(CLEAR, NOBODY)
    found = check(kind, [], **unknown)
    assert (found.result, found.missing) == (Result.NOT_FOUND, ())


@pytest.mark.parametrize("kind", list(Kind))
def test_receipts_that_are_not_known_leave_every_check_open(kind: Kind) -> None:
    found = check(kind, NOBODY)
    assert (found.result, found.missing) == (Result.NOT_KNOWN, (NOBODY,))


def test_a_stay_that_no_rule_is_about_needs_not_to_be_known() -> None:
    receipts = paid("first-meeting-voucher", "2026-09")
    assert check(Kind.ABROAD, receipts, abroad_since=NOBODY).result is Result.NOT_FOUND


def test_an_end_that_is_not_known_leaves_open_what_rests_on_it() -> None:
    receipts = paid("basic-pension", "2026-09")
    facts = {"abroad_since": day("2026-01-01"), "abroad_until": NOBODY}
    assert check(Kind.ABROAD, receipts, **facts).result is Result.NOT_KNOWN
    facts["abroad_since"] = day("2026-08-01")  # day 60 is in September, whenever it ended
    assert check(Kind.ABROAD, receipts, **facts).result is Result.NOT_FOUND


@pytest.mark.parametrize(
    "receipt",
    [
        Paid(None, "A", "2026-09", "paid"),
        Paid("housing", "A", None, "paid"),
        Paid("housing", "A", "2026-09", None),
    ],
)
def test_a_receipt_that_lacks_something_leaves_open_what_else_is_not_found(receipt: Paid) -> None:
    found = check(Kind.EXCLUSIVE, [receipt])
    assert (found.result, found.missing) == (Result.NOT_KNOWN, (INCOMPLETE,))
    both = [receipt, *paid("near-poor", "2026-09"), *paid("livelihood", "2026-09")]
    assert check(Kind.EXCLUSIVE, both).result is Result.FOUND


@pytest.mark.parametrize(
    ("receipts", "result"),
    [
        (paid("housing", "2026-10"), Result.FOUND),
        (paid("housing", "2026-09", office="B"), Result.FOUND),
        (paid("housing", "2026-09", state="held"), Result.FOUND),
        (paid("housing", "2026-08"), Result.NOT_FOUND),
        (paid("housing", "2026-11"), Result.NOT_FOUND),
        (paid("housing", "2026-10", state="reclaimed"), Result.NOT_FOUND),
        (paid("education", "2026-10"), Result.NOT_FOUND),
        (NOBODY, Result.NOT_KNOWN),
        ([Paid("housing", "A", None, "paid")], Result.NOT_KNOWN),
    ],
)
def test_granting_what_is_received_now_would_be_a_double_receipt(
    receipts: list[Paid] | Unknown, result: Result
) -> None:
    found = would_duplicate("housing", receipts, "2026-10", LAW, INCOMPLETE)
    assert found.result is result


def test_what_was_received_in_december_is_received_now_in_january() -> None:
    found = would_duplicate("housing", paid("housing", "2025-12"), "2026-01", LAW, INCOMPLETE)
    assert found.result is Result.FOUND


RECEIPTS = st.lists(
    st.builds(
        Paid,
        st.sampled_from(["livelihood", "near-poor", "housing", "basic-pension"]),
        st.sampled_from(["A", "B"]),
        st.sampled_from(["2026-07", "2026-08", "2026-09"]),
        st.sampled_from(["paid", "held", "reclaimed"]),
        st.integers(0, 10**12),
    ),
    max_size=8,
)
DATES = st.one_of(st.none(), st.just(NOBODY), st.dates(day("2026-05-01"), day("2026-10-01")))
KNOWN = st.one_of(st.none(), st.dates(day("2026-05-01"), day("2026-10-01")))


@given(RECEIPTS, st.fixed_dictionaries(dict.fromkeys(CLEAR, DATES)), st.data())
def test_a_result_that_is_settled_stays_whatever_the_missing_facts_turn_out_to_be(
    receipts: list[Paid], facts: dict[str, Any], data: st.DataObject
) -> None:
    before = checks(Facts(receipts=receipts, **facts), LAW, INCOMPLETE)
    settled = {
        name: data.draw(KNOWN) if isinstance(value, Unknown) else value
        for name, value in facts.items()
    }
    after = checks(Facts(receipts=receipts, **settled), LAW, INCOMPLETE)
    for then, now in zip(before, after, strict=True):
        assert now.result is not Result.NOT_KNOWN
        if then.result is not Result.NOT_KNOWN:
            assert then.result is now.result


@given(RECEIPTS, st.randoms())
def test_the_order_of_receipts_does_not_matter(receipts: list[Paid], random: Any) -> None:
    turned = list(receipts)
    random.shuffle(turned)

    def results(of: list[Paid]) -> list[tuple[Result, set[tuple[Any, ...]]]]:
        facts = Facts(receipts=of, **{**CLEAR, "death": day("2026-07-15")})
        return [
            (one.result, {(f.programmes, f.offices, f.months, f.amount) for f in one.findings})
            for one in checks(facts, LAW, INCOMPLETE)
        ]

    assert results(receipts) == results(turned)


def test_every_fault_of_the_law_is_told_at_once(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.toml"):
        (tmp_path / file.name).write_text(file.read_text())
    receipts, applications = tmp_path / "double_receipt.toml", tmp_path / "applications.toml"
    text = receipts.read_text().replace('"briquette-coupon"', '"briquette-coupons"')
    text = text.replace('excludes = ["housing"]', 'excludes = ["emergency-housing"]')
    receipts.write_text(text)
    said = applications.read_text().replace("{due}", "{deadline}").replace("days = 30", "days = 0")
    applications.write_text(said)
    found, faults = read_law(tmp_path, the_book().keys)
    assert found is None
    assert [str(fault).partition(": ")[2] for fault in faults][-2:] == [
        "exclusive.10: there is no programme `briquette-coupons`; did you mean `briquette-coupon`?",
        "exclusive.3: `emergency-housing` excludes itself; take it out of one of the two",
    ]
    blank = "has a blank that nothing fills; use `{applied}`, `{days}`, `{due}`, `{extended}`,"
    assert [str(fault) for fault in faults if "explanation.received.en" in str(fault)] == [
        "applications.toml: explanation.received.en (line 30):"
        f" {blank} `{{decided}}`, `{{objection}}`"
    ]
    assert "applications.toml: decision.days (line 4): input should be greater" in str(faults[0])


def test_a_situation_that_nothing_is_said_of_is_a_fault(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.toml"):
        (tmp_path / file.name).write_text(
            file.read_text().replace("explanation.late", "explanation.lat")
        )
    _, faults = read_law(tmp_path, the_book().keys)
    assert [fault.file for fault in faults] == ["applications.toml"]
