"""How long decisions take: counted for one's own office, of at least ten, about nobody."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.register import Register
from hub.errors import RequestRefused
from hub.operation import Request
from hub.pipeline import answer
from hub.population.decision_times import at_percentile, times
from hub.querylog.store import Store
from hub.trusted import Sent
from tests.hub.memory import CALLER, REGISTER, Agency, encode, hub_over

YEAR = datetime.datetime.now(datetime.UTC).year
SUPERVISOR = replace(CALLER, person="supervisor-1", roles=frozenset({"supervisor"}))
POLICY = replace(CALLER, person="policy-1", roles=frozenset({"policy"}), office="policy-office")
ASK = (
    "query($year: Int!, $district: String) { decisionTimes(year: $year, district: $district)"
    " { office district year agency asOf programmes"
    " { programme decisions medianDays ninetiethPercentileDays } } }"
)


def deliver(folder: Path) -> None:
    """25 on housing after 1 to 25 days, 9 on education, 30 of another office, 12 of last year."""
    duckdb.sql(f"""
        COPY (
          SELECT 'r-' || n AS resident_no, 'a-' || n AS reference, programme, office,
                 DATE '{YEAR}-01-01' - INTERVAL (back) YEAR AS applied_on,
                 'decided' AS status, 'granted' AS outcome,
                 applied_on + INTERVAL (days) DAY AS decided_on
          FROM (
            SELECT n, 'housing' AS programme, 'office-1' AS office, n AS days, 0 AS back
            FROM range(1, 26) t(n)
            UNION ALL SELECT n, 'education', 'office-1', 5, 0 FROM range(100, 109) t(n)
            UNION ALL SELECT n, 'housing', 'office-2', 200, 0 FROM range(200, 230) t(n)
            UNION ALL SELECT n, 'housing', 'office-1', 90, 1 FROM range(300, 312) t(n)
            UNION ALL SELECT n, 'livelihood', 'office-1', -3, 0 FROM range(400, 420) t(n)
            UNION ALL SELECT n, 'medical-aid', 'office-1', NULL, 0 FROM range(500, 520) t(n)
          )
        ) TO '{folder / "applications-2026-10-31.parquet"}' (FORMAT PARQUET)
    """)


def settle(folder: Path) -> None:
    """Those with even numbers live in 11110, the others in 26110."""
    folder.mkdir()
    duckdb.sql(f"""
        COPY (
          SELECT 'r-' || n AS id, DATE '1980-01-01' AS birthDate, 'female' AS sex,
                 CASE n % 2 WHEN 0 THEN '11110' ELSE '26110' END AS district
          FROM range(1, 400) t(n)
        ) TO '{folder / "people-2026-10-30.parquet"}' (FORMAT PARQUET)
    """)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "deliveries"
    made.mkdir()
    monkeypatch.setenv("BENEFITS_DELIVERIES", str(made))
    return made


async def ask(
    store: Store,
    caller: Any = SUPERVISOR,
    register: Register = REGISTER,
    purpose: str = "oversight",
    year: int = YEAR,
    district: str | None = None,
) -> dict[str, Any]:
    agencies = {name: Agency({}) for name in ("resident", "tax", "labour", "property", "benefits")}
    request = Request(
        sent=Sent(ASK, None),
        variables={"year": year, "district": district},
        operation_name=None,
        purpose=purpose,
        cases=None,
        reason="",
        withhold=False,
        by_url=False,
    )
    body = json.loads(await answer(hub_over(store, agencies, register), caller, request, encode))
    assert all(not agency.asked for agency in agencies.values())
    found: dict[str, Any] = body["data"]["decisionTimes"]
    return found


async def test_a_supervisor_sees_how_long_the_decisions_of_the_own_office_take(
    store: Store, folder: Path
) -> None:
    deliver(folder)
    found = await ask(store)
    assert (found["office"], found["year"], found["asOf"]) == ("office-1", YEAR, "2026-10-31")
    assert found["programmes"] == [
        {
            "programme": "housing",
            "decisions": 20,
            "medianDays": 13,
            "ninetiethPercentileDays": 23,
        }
    ]


async def test_what_was_counted_is_logged_and_nobody_is_named(store: Store, folder: Path) -> None:
    deliver(folder)
    await ask(store)
    intent, outcome = [found.details async for found in store.stored()]
    assert (intent["kind"], outcome["kind"]) == ("INTENT", "OUTCOME")
    assert intent["acts"] == {"decisionTimes": None}
    assert outcome["decisionTimes"] == {"office": "office-1", "year": YEAR}
    assert outcome["deliveries"] == {"benefits": "2026-10-31"}
    assert not outcome.get("subjects")


@pytest.fixture
def settled(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(folder)
    settle(tmp_path / "people")
    monkeypatch.setenv("RESIDENT_DELIVERIES", str(tmp_path / "people"))


@pytest.mark.usefixtures("settled")
async def test_policy_teams_see_how_long_they_take_in_any_district(store: Store) -> None:
    told = []
    for district in ("11110", "26110"):
        found = await ask(store, POLICY, purpose="policy-statistics", district=district)
        assert (found["office"], found["district"]) == (None, district)
        [housing] = found["programmes"]
        told.append((housing["decisions"], housing["medianDays"]))
    # Of 25 after 1 to 25 days, 12 have even numbers; of 30 after 200 days, half.
    assert told == [(20, 200), (20, 200)]
    *_, outcome = [found.details async for found in store.stored()]
    assert outcome["decisionTimes"] == {"district": "26110", "year": YEAR}
    assert outcome["deliveries"] == {"benefits": "2026-10-31", "resident": "2026-10-30"}
    nowhere = await ask(store, POLICY, purpose="policy-statistics", district="41110")
    assert nowhere["programmes"] == []


@pytest.mark.usefixtures("settled")
async def test_who_oversees_sees_the_own_district_and_no_other(store: Store) -> None:
    supervisor = replace(SUPERVISOR, district="11110")
    found = await ask(store, supervisor, district="11110")
    assert [one["programme"] for one in found["programmes"]] == ["housing"]
    for caller in (supervisor, replace(supervisor, district=None)):
        with pytest.raises(RequestRefused, match="PURPOSE_DENIED"):
            await ask(store, caller, district="26110")
    with pytest.raises(RequestRefused, match="BAD_VARIABLES"):
        await ask(store, POLICY, purpose="policy-statistics")


@pytest.mark.usefixtures("folder")
async def test_where_nothing_is_delivered_that_is_said(store: Store) -> None:
    with pytest.raises(RequestRefused, match="NO_DELIVERIES"):
        await ask(store)


async def test_nobody_else_may_ask_nor_about_another_time(store: Store, folder: Path) -> None:
    deliver(folder)
    for code, given_ in (
        ("PURPOSE_DENIED", {"caller": CALLER}),
        ("PURPOSE_DENIED", {"purpose": "audit"}),
        ("PURPOSE_DENIED", {"caller": replace(SUPERVISOR, office=None)}),
        ("BAD_VARIABLES", {"year": YEAR + 1}),
        ("BAD_VARIABLES", {"year": 1990}),
    ):
        with pytest.raises(RequestRefused, match=code):
            await ask(store, **given_)


async def test_what_the_register_does_not_let_be_counted_is_not(store: Store, folder: Path) -> None:
    deliver(folder)
    purpose = REGISTER.purposes["oversight"]
    other = REGISTER.purposes["audit"].uses
    purposes = {**REGISTER.purposes, "oversight": replace(purpose, uses=other)}
    with pytest.raises(RequestRefused, match="PURPOSE_DENIED") as caught:
        await ask(store, register=Register(purposes, REGISTER.version))
    assert "benefits.applications.decided" in str(caught.value.errors)


@given(st.dictionaries(st.integers(0, 400), st.integers(1, 50), min_size=1))
def test_a_percentile_is_the_value_at_its_rank(numbers: dict[int, int]) -> None:
    values = sorted(value for value, number in numbers.items() for _ in range(number))
    for per_cent in (50, 90):
        found = at_percentile(numbers, per_cent)
        assert sum(value <= found for value in values) * 100 >= per_cent * len(values)
        assert sum(value < found for value in values) * 100 < per_cent * len(values)


@pytest.mark.parametrize(("number", "shown"), [(9, []), (10, [10]), (19, [10]), (20, [20])])
def test_of_fewer_than_ten_nothing_is_told(number: int, shown: list[int]) -> None:
    assert [one.decisions for one in times({"housing": {30: number}})] == shown
