"""Income and assets put together: precedence, differences, and missing that is never zero."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.components import AssetKind, Combined, IncomeKind, Parts, area, put_together
from schema.view import Answer, Denial, Failure, NotKnown, Person, State, View
from sources.declaration import Catalogue
from sources.reading import read_catalogue

SOURCES = ("resident", "tax", "labour", "property", "benefits")
CATALOGUE, FAULTS = read_catalogue(Path("sources/catalogue"), SOURCES, "resident", "benefits")
NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
NO_INCOME = {
    f"{kind}Income": 0 for kind in ("business", "interest", "dividend", "rental", "pension")
} | {"otherIncome": 0}
"""Every other kind of income that the tax office reports."""


def answer(source: str, values: Mapping[str, Any] | None) -> Answer:
    state = State.ABSENT if values is None else State.KNOWN
    return Answer(source, state, values or {}, datetime.date(2025, 12, 31), NOW)


def failed(source: str) -> Answer:
    return Answer(source, State.UNAVAILABLE, {}, None, NOW, Failure("SOURCE_UNAVAILABLE"))


def person(*answers: Answer, withheld: Mapping[str, Denial] | None = None) -> Person:
    denied = dict(withheld or {})
    granted = frozenset(CATALOGUE.items) - denied.keys()
    found = {(entry.source, "p"): entry for entry in answers}
    denials = {(name, None): denial for name, denial in denied.items()}
    return Person(View(CATALOGUE, granted, denials, {}, found, {}, frozenset("p")), "p")


def income(*answers: Answer, withheld: Mapping[str, Denial] | None = None) -> Parts:
    kinds = [kind.value for kind in IncomeKind]
    return put_together(person(*answers, withheld=withheld), "income.", kinds)


def earned(parts: Parts) -> Combined:
    (found,) = [part for part in parts.combined if part.kind == "earned"]
    return found


def tax(earned_income: int | None) -> Answer:
    return answer("tax", {**NO_INCOME, "earnedIncome": earned_income})


def labour(*jobs: tuple[int, str | None]) -> Answer:
    return answer("labour", {"jobs": [{"monthlyPay": pay, "end": end} for pay, end in jobs]})


def test_wages_reported_twice_are_one_component_with_both_reports() -> None:
    parts = income(tax(30_000_000), labour((2_500_000, None)))
    assert [report.item.source for report in earned(parts).reports] == ["tax", "labour"]
    assert earned(parts).first.amount == 30_000_000
    assert parts.total(["earned"]) == 30_000_000


def test_pay_of_ended_jobs_does_not_count() -> None:
    parts = income(tax(None), labour((2_000_000, None), (9_000_000, "2024-01-31"), (500_000, None)))
    assert earned(parts).first.amount == 2_500_000
    assert parts.total(["earned"]) == 30_000_000


@pytest.mark.parametrize(
    ("yearly", "monthly", "differs"),
    [(12_000_000, 1_000_000, False), (12_000_000, 900_000, False), (12_000_000, 899_999, True)],
)
def test_reports_that_differ_by_more_than_a_tenth_are_flagged(
    yearly: int, monthly: int, differs: bool
) -> None:
    assert earned(income(tax(yearly), labour((monthly, None)))).differs is differs


def test_where_the_first_in_precedence_says_there_is_none_the_next_counts() -> None:
    parts = income(tax(None), labour((1_000_000, None)))
    assert earned(parts).first.item.source == "labour"
    assert parts.total(["earned"]) == 12_000_000


def test_absence_everywhere_is_a_known_nothing() -> None:
    parts = income(answer("tax", None), answer("labour", None))
    assert parts.combined == ()
    assert parts.total(["earned"]) == 0


def test_a_source_that_is_down_leaves_no_total_and_names_what_is_missing() -> None:
    parts = income(failed("tax"), labour((1_000_000, None)))
    assert earned(parts).first.item.source == "labour"
    with pytest.raises(NotKnown, match="`tax` is unavailable"):
        parts.total(["earned"])
    assert [gap.item.name for gap in parts.gaps["earned"]] == ["tax.earnedIncome"]


def test_what_stands_in_for_a_source_that_is_down_is_shown_and_counts_in_no_total() -> None:
    parts = income(tax(30_000_000)._replace(state=State.STALE, cache_age=60), labour())
    assert earned(parts).amount == 30_000_000
    assert earned(parts).first.answer.state is State.STALE
    (gap,) = parts.gaps["earned"]
    assert (gap.item.name, gap.state, gap.code) == (
        "tax.earnedIncome",
        State.STALE,
        "SOURCE_STALE",
    )
    with pytest.raises(NotKnown, match="`tax` is down, and nothing is computed from what stands"):
        parts.total(["earned"])


def test_a_none_that_stands_in_counts_in_no_total_either() -> None:
    parts = income(tax(None)._replace(state=State.STALE, cache_age=60), labour())
    with pytest.raises(NotKnown):
        parts.total(["earned"])


def test_a_withheld_item_leaves_no_total() -> None:
    denial = Denial("tax.earnedIncome", "a rule", "a remedy")
    parts = income(tax(1), labour(), withheld={"tax.earnedIncome": denial})
    (gap,) = parts.gaps["earned"]
    assert (gap.state, gap.code) == (State.WITHHELD, "PURPOSE_DENIED")
    with pytest.raises(NotKnown, match=r"`tax\.earnedIncome` is withheld: a rule"):
        parts.total(["earned"])


def test_each_holding_is_a_component_and_a_landlords_deposit_is_none() -> None:
    values = {
        "land": [{"officialPrice": 5}, {"officialPrice": 7}],
        "buildings": [],
        "leases": [{"role": "tenant", "deposit": 11}, {"role": "landlord", "deposit": 99}],
        "vehicles": None,
    }
    kinds = [kind.value for kind in AssetKind]
    parts = put_together(person(answer("property", values)), "assets.", kinds)
    amounts = [(part.kind, part.first.amount) for part in parts.combined]
    assert amounts == [("land", 5), ("land", 7), ("deposit", 11)]
    assert parts.total(kinds) == 23


PENSIONS = """\
[source]
agency = "An agency"
description = "Pensions"
adapter = "rest"

[item.pension]
description = "Pension"
type = "Won"
per = "%s"
category = "benefit"
counts_as = "income.pension"
reports = "pension"
rank = %d
"""


def pensions(folder: Path, *answers: Answer) -> Parts:
    """What two agencies that pay pensions and a tax office that taxes both are put together to."""
    for name, per, rank in (("old", "month", 1), ("army", "month", 1), ("taxes", "year", 2)):
        (folder / f"{name}.toml").write_text(PENSIONS % (per, rank))
    catalogue, faults = read_catalogue(folder, ["old", "army", "taxes"], "old", "old")
    assert faults == []
    found = {(entry.source, "p"): entry for entry in answers}
    view = View(catalogue, frozenset(catalogue.items), {}, {}, found, {}, frozenset("p"))
    return put_together(Person(view, "p"), "income.", ["pension"])


def test_reports_of_one_rank_are_parts_and_the_next_rank_is_not_added(tmp_path: Path) -> None:
    paid = (answer("old", {"pension": 100}), answer("army", {"pension": 20}))
    parts = pensions(tmp_path, *paid, answer("taxes", {"pension": 1400}))
    (pension,) = parts.combined
    assert (pension.amount, pension.per_year, pension.differs) == (120, 1440, False)
    assert [report.item.source for report in pension.reports] == ["army", "old", "taxes"]
    assert parts.total(["pension"]) == 1440


def test_a_rank_that_is_not_known_whole_does_not_count(tmp_path: Path) -> None:
    paid = (answer("old", {"pension": 100}), failed("army"))
    parts = pensions(tmp_path, *paid, answer("taxes", {"pension": 1400}))
    (pension,) = parts.combined
    assert pension.amount == 1400
    assert [report.item.source for report in pension.reports] == ["taxes", "old"]
    with pytest.raises(NotKnown, match="`army` is unavailable"):
        parts.total(["pension"])


def test_where_no_rank_is_known_whole_there_is_no_amount(tmp_path: Path) -> None:
    paid = (answer("old", {"pension": 100}), failed("army"))
    parts = pensions(tmp_path, *paid, failed("taxes"))
    assert parts.combined == ()
    assert [gap.item.source for gap in parts.gaps["pension"]] == ["army", "taxes"]


def test_parts_of_different_periods_are_added_up_over_the_year(tmp_path: Path) -> None:
    for_year = PENSIONS % ("year", 1)
    parts = pensions(
        tmp_path, answer("old", {"pension": 1}), answer("army", None), answer("taxes", None)
    )
    assert parts.total(["pension"]) == 12
    (tmp_path / "army.toml").write_text(for_year)
    catalogue, _ = read_catalogue(tmp_path, ["old", "army"], "old", "old")
    found = {
        ("old", "p"): answer("old", {"pension": 1}),
        ("army", "p"): answer("army", {"pension": 5}),
    }
    view = View(catalogue, frozenset(catalogue.items), {}, {}, found, {}, frozenset("p"))
    (pension,) = put_together(Person(view, "p"), "income.", ["pension"]).combined
    assert (pension.amount, pension.per_year) == (17, 17)


def test_debts_are_taken_off_the_total_of_assets(tmp_path: Path) -> None:
    for name, kind in (("bank", "financial"), ("lender", "debt")):
        text = PENSIONS.replace("income.pension", f"assets.{kind}").replace('per = "%s"\n', "")
        (tmp_path / f"{name}.toml").write_text(text.replace('reports = "pension"\n', "") % 1)
    catalogue, _ = read_catalogue(tmp_path, ["bank", "lender"], "bank", "bank")
    found = {
        ("bank", "p"): answer("bank", {"pension": 500}),
        ("lender", "p"): answer("lender", {"pension": 800}),
    }
    view = View(catalogue, frozenset(catalogue.items), {}, {}, found, {}, frozenset("p"))
    assets = area(Person(view, "p"), "assets.", AssetKind)
    assert (assets.total(), assets.parts.total(["debt"])) == (-300, 800)


def test_what_is_put_together_is_released_once_it_is_shown() -> None:
    someone = person(tax(1), labour((1, None)))
    parts = put_together(someone, "income.", ["earned"])
    assert someone.view.released == {}
    assert parts.total(["earned"]) == 1
    assert someone.view.released["p"] == {
        "tax.earnedIncome",
        "tax.exists",
        "labour.jobs.monthlyPay",
        "labour.jobs.end",
        "labour.exists",
    }


@given(
    yearly=st.none() | st.integers(0, 10**15),
    pays=st.lists(st.integers(0, 10**13), max_size=4),
    down=st.sets(st.sampled_from(["tax", "labour"])),
)
def test_a_total_is_exact_or_not_given_at_all(
    yearly: int | None, pays: list[int], down: set[str]
) -> None:
    reports = {"tax": tax(yearly), "labour": labour(*((pay, None) for pay in pays))}
    parts = income(*(failed(name) if name in down else reports[name] for name in reports))
    if down:
        with pytest.raises(NotKnown):
            parts.total(["earned"])
    else:
        expected = yearly if yearly is not None else 12 * sum(pays)
        assert parts.total(["earned"]) == expected


def test_the_catalogue_these_tests_rest_on_has_no_fault() -> None:
    assert FAULTS == []
    assert isinstance(CATALOGUE, Catalogue)
