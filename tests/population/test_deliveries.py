"""Bulk deliveries: the newest whole one is found and read as its declaration says, or refused."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pytest

from hub.population.deliveries import Delivery, DeliveryRefused, broken, newest, opened, table
from sources.declaration import Source
from sources.reading import read_catalogue
from tests.sources.postgres import running

ITEMS = """
[source]
agency = "Tax"
description = "Income"
adapter = "rest"

[item.pay]
description = "Pay"
type = "Won"
category = "income"
wire = "PAY_AMT"

[item.born]
description = "Born"
type = "Date"
category = "identity"

[item.insured]
description = "Insured"
type = "Boolean"
category = "employment"
codes = { Y = "true", N = "false" }

[item.stays]
description = "Stays"
type = "list"

[item.stays.item.month]
description = "Month"
type = "Month"
category = "health"

[item.stays.item.place]
description = "Place"
type = "String"
category = "health"
"""
BULK = """
[bulk]
folder = "FOLDER"
person = { files = "people-{date}.parquet", key = "no" }
items = ["pay", "born", "insured", "stays.month"]
lists.stays = { files = "stays-{date}.parquet", key = "no" }
"""
PEOPLE = (
    "SELECT * FROM (VALUES ('a', 100::BIGINT, DATE '1990-01-02', 'Y'), ('b', NULL, NULL, 'N'))"
    " t(no, PAY_AMT, born, insured)"
)
STAYS = "SELECT * FROM (VALUES ('a', '2026-09'), ('a', '2026-10')) t(no, month)"
TEXT = (
    "SELECT * FROM (VALUES ('a', '100', '19900102', 'Y'), ('b', '', '', 'N'))"
    " t(no, PAY_AMT, born, insured)"
)
OCTOBER = datetime.date(2026, 10, 31)


def deliver(folder: Path, name: str, query: str) -> None:
    kind = "PARQUET" if name.endswith("parquet") else "CSV, HEADER"
    duckdb.sql(f"COPY ({query}) TO '{folder / name}' (FORMAT {kind})")


@pytest.fixture
def declared(tmp_path: Path) -> Callable[[str], Source]:
    def declare(bulk: str) -> Source:
        text = ITEMS + bulk.replace("FOLDER", str(tmp_path))
        (tmp_path / "tax.toml").write_text(text)
        catalogue, faults = read_catalogue(tmp_path, ["tax"], "tax", "tax")
        assert [str(fault) for fault in faults] == []
        return catalogue.sources["tax"]

    return declare


def rows(delivery: Delivery, part: str = "") -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (
        table(ibis.duckdb.connect(), delivery, part).to_pyarrow().to_pylist()
    )
    return found


AS_DECLARED = [
    {"key": "a", "pay": 100, "born": datetime.date(1990, 1, 2), "insured": True},
    {"key": "b", "pay": None, "born": None, "insured": False},
]


def test_the_newest_whole_delivery_until_a_day_is_read_as_declared(
    tmp_path: Path, declared: Callable[[str], Source]
) -> None:
    for day in ("2026-10-01", "2026-10-30", "2026-11-02"):
        deliver(tmp_path, f"people-{day}.parquet", PEOPLE)
    for day in ("2026-10-01", "2026-10-30"):
        deliver(tmp_path, f"stays-{day}.parquet", STAYS)
    deliver(tmp_path, "people-2026-10-31.parquet", PEOPLE)  # its list has not come yet
    delivery = newest(declared(BULK), OCTOBER, tmp_path)
    assert delivery.day == datetime.date(2026, 10, 30)
    assert rows(delivery) == AS_DECLARED
    assert rows(delivery, "stays") == [
        {"key": "a", "month": "2026-09"},
        {"key": "a", "month": "2026-10"},
    ]


def test_text_is_read_in_the_types_that_are_declared(
    tmp_path: Path, declared: Callable[[str], Source]
) -> None:
    more = 'format = "csv"\ndates = "YYYYMMDD"\nmoney = "thousand-won"\nperson'
    source = declared(BULK.replace("person", more, 1).replace(".parquet", ".csv"))
    deliver(tmp_path, "people-2026-10-30.csv", TEXT)
    deliver(tmp_path, "stays-2026-10-30.csv", STAYS)
    assert rows(newest(source, OCTOBER, tmp_path)) == [
        AS_DECLARED[0] | {"pay": 100_000},
        AS_DECLARED[1],
    ]


def test_values_that_are_not_as_declared_are_counted_and_null(
    tmp_path: Path, declared: Callable[[str], Source]
) -> None:
    bad = (
        "SELECT * FROM (VALUES ('a', '1.5', '1990-13-01', 'X'), ('b', 'ten', 'x', 'N'))"
        " t(no, PAY_AMT, born, insured)"
    )
    deliver(tmp_path, "people-2026-10-30.parquet", bad)
    deliver(tmp_path, "stays-2026-10-30.parquet", STAYS)
    delivery, backend = newest(declared(BULK), OCTOBER, tmp_path), ibis.duckdb.connect()
    raw = opened(backend, delivery, "")
    wrong = broken(raw, delivery, delivery.items())
    counted = raw.aggregate(**{item: found.sum() for item, found in wrong.items()})
    assert counted.to_pyarrow().to_pylist() == [{"pay": 2, "born": 2, "insured": 1}]
    assert [row["pay"] for row in rows(delivery)] == [None, None]


def test_a_delivery_that_lacks_a_part_a_column_or_its_folder_is_refused(
    tmp_path: Path, declared: Callable[[str], Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = declared(BULK)
    with pytest.raises(
        DeliveryRefused, match="no whole delivery until 2026-10-31; have the agency"
    ):
        newest(source, OCTOBER, tmp_path)
    deliver(tmp_path, "people-2026-10-30.parquet", "SELECT 'a' AS no, DATE '1990-01-01' AS born")
    deliver(tmp_path, "stays-2026-10-30.parquet", STAYS)
    with pytest.raises(DeliveryRefused, match="lacks `PAY_AMT`, `insured`"):
        rows(newest(source, OCTOBER, tmp_path))
    (tmp_path / "people-2026-10-30.parquet").write_bytes(b"\xff\x00 no delivery")
    with pytest.raises(DeliveryRefused, match=r"`people-2026-10-30\.parquet` cannot be read"):
        rows(newest(source, OCTOBER, tmp_path))
    old = declared(BULK.replace("items", 'oldest = "7d"\nitems'))
    with pytest.raises(DeliveryRefused, match="of 2026-10-30, too old"):
        newest(old, datetime.date(2026, 12, 1), tmp_path)
    monkeypatch.delenv("TAX_DELIVERIES", raising=False)
    with pytest.raises(DeliveryRefused, match="the environment has no `TAX_DELIVERIES`"):
        newest(declared(BULK.replace("FOLDER", "${TAX_DELIVERIES}")), OCTOBER, tmp_path)


def test_views_are_drawn_as_they_are_at_one_moment(
    tmp_path: Path, declared: Callable[[str], Source]
) -> None:
    async def fill() -> None:
        async with running() as postgres:
            await postgres.execute(
                f"CREATE TABLE people AS SELECT *, DATE '2026-10-30' AS as_of FROM ({PEOPLE}) p",
                f"CREATE TABLE stays AS {STAYS}",
                'ALTER TABLE people RENAME pay_amt TO "PAY_AMT"',
            )
            source = declared(
                BULK.replace("folder", "database")
                .replace("FOLDER", postgres.url)
                .replace("person", 'as_of = "as_of"\nperson', 1)
                .replace('files = "people-{date}.parquet"', 'view = "people"')
                .replace('files = "stays-{date}.parquet"', 'view = "stays"')
            )
            delivery = await asyncio.to_thread(newest, source, OCTOBER, tmp_path / "drawn")
        assert delivery.day == datetime.date(2026, 10, 30)
        assert rows(delivery) == AS_DECLARED

    asyncio.run(fill())


def test_every_fault_of_bulk_is_told_at_once(tmp_path: Path) -> None:
    bulk = BULK.replace("lists.stays", "lists.jobs").replace('"pay"', '"wages"')
    (tmp_path / "tax.toml").write_text(ITEMS + bulk.replace("FOLDER", "/deliveries"))
    _, faults = read_catalogue(tmp_path, ["tax"], "tax", "tax")
    assert [(fault.message, fault.remedy) for fault in faults] == [
        ("there is no list `jobs`", "name a list that is declared"),
        ("there is no item `wages`", "write `item` or `list.column`"),
    ]
    (tmp_path / "tax.toml").write_text(ITEMS + "[bulk]\nperson = { key = 'no' }\n")
    _, faults = read_catalogue(tmp_path, ["tax"], "tax", "tax")
    assert [fault.remedy for fault in faults] == ["give `files` or a `view`"]
