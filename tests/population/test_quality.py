"""The quality of deliveries: what is in them is told, and what cannot be used is refused."""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import ibis
import pytest

from hub.population.deliveries import Delivery, newest
from hub.population.quality import Report, examine, keep_report, kept_before, kept_of, read_report
from tests.hub.memory import CATALOGUE
from tests.population.delivering import DAY, Person, deliver, people

SOURCES = ("resident", "tax")
LATER = DAY + datetime.timedelta(days=30)


def delivered(day: datetime.date = DAY) -> dict[str, Delivery]:
    return {name: newest(CATALOGUE.sources[name], day, Path("unused")) for name in SOURCES}


def examined(folder: Path, day: datetime.date = DAY) -> tuple[dict[str, Report], list[str]]:
    reports, faults = examine(ibis.duckdb.connect(), delivered(day), "resident", folder)
    return {report.source: report for report in reports}, [str(fault) for fault in faults]


@pytest.fixture
def persons(tmp_path: Path) -> Sequence[Person]:
    made = people(2_000)
    deliver(tmp_path, made)
    return made


def rewrite(folder: Path, source: str, query: str) -> None:
    """Write the people of a source anew, by a query over `given`."""
    [path] = (folder / source).glob(f"people-{DAY}.parquet")
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE given AS SELECT * FROM '{path}'")
        database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def test_a_good_delivery_is_told_with_its_rows_nulls_and_range(
    tmp_path: Path, persons: Sequence[Person]
) -> None:
    reports, faults = examined(tmp_path)
    assert faults == []
    part = reports["tax"].parts[""]
    known = [one.earned for one in persons if one.earned is not None]
    earned = part.columns["earnedIncome"]
    assert (part.rows, part.people, part.keyless, part.unmatched) == (2_000, 2_000, 0, 0)
    assert (earned.nulls, earned.broken) == (2_000 - len(known), 0)
    assert (earned.least, earned.most) == (str(min(known)), str(max(known)))
    assert earned.mean == pytest.approx(sum(known) / len(known))


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (
            "FROM given UNION ALL (FROM given LIMIT 7)",
            "tax: 7 rows of `people-2026-10-31.parquet` are of a person who is in it already; "
            "have the agency correct and deliver it again",
        ),
        (
            "SELECT * REPLACE (if(rowid < 3, NULL, resident_number) AS resident_number) FROM given",
            "tax: 3 rows of `people-2026-10-31.parquet` name nobody; "
            "have the agency correct and deliver it again",
        ),
        (
            "SELECT * REPLACE (if(rowid < 500, 'x' || resident_number, resident_number)"
            " AS resident_number) FROM given",
            "tax: 25.0% of the people in `people-2026-10-31.parquet` are unknown to the register "
            "of identity; have the agency correct and deliver it again, "
            "or raise `unmatched` of `[bulk]` if that is right",
        ),
        (
            "FROM given LIMIT 0",
            "tax: `people-2026-10-31.parquet` is empty; "
            "have the agency correct and deliver it again",
        ),
        (
            "SELECT * REPLACE (if(rowid < 5, 'much', earned_income::VARCHAR) AS earned_income)"
            " FROM given",
            "tax: 5 values of `earnedIncome` in `people-2026-10-31.parquet` are not as declared; "
            "have the agency correct and deliver it again, "
            "or correct how `[bulk]` says that it is written",
        ),
        (
            "SELECT * REPLACE (if(rowid = 0, 10::BIGINT ** 16, earned_income)::BIGINT"
            " AS earned_income) FROM given",
            "tax: `earnedIncome` in `people-2026-10-31.parquet` has amounts that nobody can have; "
            "have the agency correct and deliver it again",
        ),
    ],
)
def test_a_bad_delivery_is_refused_with_what_mends_it(
    tmp_path: Path, persons: Sequence[Person], query: str, fault: str
) -> None:
    assert persons
    rewrite(tmp_path, "tax", query)
    reports, faults = examined(tmp_path)
    assert faults == [fault]
    assert not reports["tax"].good
    assert reports["resident"].good


def test_what_has_changed_too_much_since_the_last_delivery_is_refused(
    tmp_path: Path, persons: Sequence[Person]
) -> None:
    for report in examined(tmp_path)[0].values():
        keep_report(tmp_path / "kept", report)
    richer = [
        dataclasses.replace(one, earned=None if one.earned is None else one.earned * 3)
        for one in persons
    ]
    deliver(tmp_path, richer[:1_500], LATER)
    reports, faults = examined(tmp_path / "kept", LATER)
    assert reports["tax"].since == str(DAY)
    remedy = "ask the agency why, and raise `drift` of `[bulk]` if that is right"
    rows = f"`people-{LATER}.parquet` has 1,500 rows, the last had 2,000; {remedy}"
    assert f"resident: {rows}" in faults
    assert f"tax: {rows}" in faults
    assert any(
        fault.startswith(f"tax: the mean of `earnedIncome` in `people-{LATER}.parquet` is ")
        for fault in faults
    )


def test_reports_are_kept_and_compared_with_good_ones_only(
    tmp_path: Path, persons: Sequence[Person]
) -> None:
    assert persons
    rewrite(tmp_path, "tax", "FROM given LIMIT 0")
    kept = tmp_path / "kept"
    reports = examined(tmp_path)[0]
    for report in reports.values():
        keep_report(kept, report)
    assert read_report(kept / f"tax-{DAY}.json") == reports["tax"]
    assert kept_before(kept, "resident", LATER) == reports["resident"]
    assert kept_before(kept, "tax", LATER) is None


@pytest.fixture
def touched(tmp_path: Path) -> Callable[[Path], None]:
    """Makes a file newer than any report that is kept."""

    def touch(path: Path) -> None:
        latest = max(one.stat().st_mtime_ns for one in tmp_path.glob("*.json")) + 1
        os.utime(path, ns=(latest, latest))

    return touch


def test_a_report_is_not_of_what_was_delivered_anew_since(
    tmp_path: Path, persons: Sequence[Person], touched: Callable[[Path], None]
) -> None:
    assert persons
    delivery = delivered()["tax"]
    assert kept_of(tmp_path, delivery) is None
    keep_report(tmp_path, examined(tmp_path)[0]["tax"])
    assert kept_of(tmp_path, delivery) is not None
    touched(delivery.files[""])
    assert kept_of(tmp_path, delivery) is None
