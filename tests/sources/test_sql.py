"""The `sql` adapter against real databases: SQLite, and a PostgreSQL that stops and starts."""

from __future__ import annotations

import datetime
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sources.adapter import (
    BROKEN,
    Context,
    ContractBroken,
    Question,
    Record,
    Reply,
    SourceUnavailable,
)
from sources.declaration import Source, Subject
from sources.reading import read_catalogue
from sources.sql import SqlAdapter
from tests.sources.postgres import Postgres, running

HANA, DURI, SETI, NEMO = "900101-1000001", "900101-1000002", "900101-1000003", "900101-1000004"
QUOTED = "x' OR '1'='1"
DAY = datetime.date(2026, 10, 31)

TABLES = """
CREATE TABLE owner (resident_no VARCHAR(20), as_of DATE, name TEXT, age INT, height REAL);
CREATE TABLE car (owner_no VARCHAR(20), plate TEXT, price BIGINT, since DATE);
CREATE TABLE land (owner_no VARCHAR(20), parcel INT, area REAL);
CREATE TABLE welfare_case (reference VARCHAR(20), state TEXT, opened DATE);
CREATE TABLE twice (resident_no VARCHAR(20), name TEXT);
INSERT INTO owner VALUES
  ('900101-1000001', '2026-10-31', '김하나', 36, 1.5),
  ('900101-1000002', '2026-10-31', '이두리', NULL, 1.75),
  ('900101-1000003', NULL, '박세티', 3000000000, 2),
  ('x'' OR ''1''=''1', '2026-10-31', '따옴표', 1, 1);
INSERT INTO car VALUES
  ('900101-1000001', '12가3', 30, '2020-01-03'), ('900101-1000001', '12가1', 10, '2020-01-01'),
  ('900101-1000002', '34나1', 1000000000000000000, NULL),
  ('900101-1000001', '12가2', 20, '2020-01-02'),
  ('x'' OR ''1''=''1', '56다1', 7, NULL), ('nobody', '78라1', 8, NULL);
INSERT INTO land VALUES ('900101-1000002', 2, 20.5), ('900101-1000002', 1, 10);
INSERT INTO welfare_case VALUES ('C-1', 'open', '2026-01-02'), ('C-2', 'closed', '2026-01-03');
INSERT INTO twice VALUES ('900101-1000001', 'a'), ('900101-1000001', 'b');
"""
DECLARATION = """\
[source]
agency = "Property"
description = "What people own"
adapter = "sql"

[sql]
url = "${PROPERTY_URL}"

[sql.person]
table = "owner"
key = "resident_no"
as_of = "as_of"

[sql.lists.cars]
table = "car"
key = "owner_no"
order = "plate"

[sql.lists.land]
table = "land"
key = "owner_no"
order = "parcel"

[sql.case]
table = "welfare_case"
key = "reference"

[item.name]
description = "Name"
type = "String"
category = "identity"

[item.age]
description = "Age"
type = "Int"
category = "identity"

[item.height]
description = "Height"
type = "Float"
category = "health"

[item.cars]
description = "Cars"
type = "list"

[item.cars.item.price]
description = "Price"
type = "Won"
category = "asset"

[item.cars.item.bought]
description = "Day of purchase"
type = "Date"
category = "asset"
wire = "since"

[item.land]
description = "Parcels"
type = "list"

[item.land.item.area]
description = "Area"
type = "Float"
category = "asset"

[case.item.reference]
description = "Reference"
type = "ID"
category = "case"

[case.item.state]
description = "State"
type = "String"
category = "case"
"""


@dataclass(frozen=True)
class Database:
    """A database that holds the tables, and the schema they are in."""

    url: str
    schema: str


@pytest.fixture(scope="module")
async def postgres() -> AsyncIterator[Postgres]:
    async with running() as server:
        # Two kinds differ: SQLite holds any number in INT, and double precision is its REAL.
        tables = TABLES.replace(" INT,", " BIGINT,").replace("REAL", "DOUBLE PRECISION")
        await server.execute(tables)
        yield server


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sqlite") / "property.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    if request.param == "sqlite":
        return Database(request.getfixturevalue("sqlite"), "main")
    server: Postgres = request.getfixturevalue("postgres")
    return Database(server.url, "public")


def declared(folder: Path, text: str) -> Source:
    (folder / "property.toml").write_text(text, encoding="utf-8")
    catalogue, faults = read_catalogue(folder, ["property"], "property", "property")
    assert faults == []
    return catalogue.sources["property"]


class Asking:
    """An adapter over a database, and how to ask it by the names of items."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.adapter = SqlAdapter(source)

    async def ask(self, *keys: str, items: tuple[str, ...], subject: Subject = "person") -> Reply:
        wanted = tuple(item for item in self._source.items if item.name in items)
        assert len(wanted) == len(items)
        return await self.adapter.ask(Question(subject, keys, wanted, Context("", "", "", "")))


Over = Callable[..., Asking]


@pytest.fixture
async def over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Over]:
    """Makes adapters over a database at an address."""
    async with AsyncExitStack() as stack:

        def make(url: str, text: str = DECLARATION) -> Asking:
            monkeypatch.setenv("PROPERTY_URL", url)
            asking = Asking(declared(tmp_path, text))
            stack.push_async_callback(asking.adapter.close)
            return asking

        yield make


@dataclass(frozen=True)
class Statement:
    text: str
    parameters: Any

    @property
    def words(self) -> set[str]:
        return set(re.findall(r"\w+", self.text))


@pytest.fixture
def statements() -> Iterator[list[Statement]]:
    """Every statement that any engine of SQLAlchemy sends."""
    seen: list[Statement] = []

    def note(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> None:
        seen.append(Statement(text, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


EVERYTHING = (
    "property.exists",
    "property.name",
    "property.age",
    "property.height",
    "property.cars.price",
    "property.cars.bought",
    "property.land.area",
)


async def test_a_record_has_its_values_and_its_lists(over: Over, database: Database) -> None:
    reply = await over(database.url).ask(DURI, items=EVERYTHING)
    values = {
        "name": "이두리",
        "age": None,
        "height": 1.75,
        "cars": [{"price": 10**18, "bought": None}],
        "land": [{"area": 10.0}, {"area": 20.5}],
    }
    assert reply == Reply({DURI: Record(values, DAY)}, {})


async def test_everyone_gets_their_own_rows_in_order_and_nobody_elses(
    over: Over, database: Database
) -> None:
    asking = over(database.url)
    reply = await asking.ask(HANA, DURI, SETI, QUOTED, items=("property.cars.price",))
    rows = {key: record.values["cars"] for key, record in reply.records.items()}
    assert rows == {
        HANA: [{"price": 10}, {"price": 20}, {"price": 30}],
        DURI: [{"price": 10**18}],
        SETI: [],
        QUOTED: [{"price": 7}],
    }


async def test_two_lists_do_not_multiply_each_other(over: Over, database: Database) -> None:
    items = ("property.cars.price", "property.land.area")
    reply = await over(database.url).ask(HANA, DURI, items=items)
    sizes = {
        key: (len(record.values["cars"]), len(record.values["land"]))
        for key, record in reply.records.items()
    }
    assert sizes == {HANA: (3, 0), DURI: (1, 2)}


async def test_a_list_in_the_table_of_its_owners_is_their_own_too(
    over: Over, database: Database
) -> None:
    text = DECLARATION.replace('table = "car"\nkey = "owner_no"\norder = "plate"', FLAT)
    text = text.replace('wire = "since"', 'wire = "as_of"')
    reply = await over(database.url, text).ask(HANA, SETI, items=("property.cars.bought",))
    rows = {key: record.values["cars"] for key, record in reply.records.items()}
    assert rows == {HANA: [{"bought": DAY}], SETI: [{"bought": None}]}


FLAT = 'table = "owner"\nkey = "resident_no"\norder = "resident_no"'


async def test_tables_may_stand_in_a_schema(over: Over, database: Database) -> None:
    text = re.sub('table = "', f'table = "{database.schema}.', DECLARATION)
    reply = await over(database.url, text).ask(HANA, items=("property.name", "property.cars.price"))
    assert reply.records[HANA].values == {
        "name": "김하나",
        "cars": [{"price": 10}, {"price": 20}, {"price": 30}],
    }


async def test_whom_the_agency_does_not_know_has_no_record(over: Over, database: Database) -> None:
    reply = await over(database.url).ask(NEMO, "nobody", DURI, items=("property.cars.price",))
    assert reply.records.keys() == {DURI}


async def test_that_there_is_a_record_can_be_asked_alone(over: Over, database: Database) -> None:
    reply = await over(database.url).ask(HANA, NEMO, items=("property.exists",))
    assert reply == Reply({HANA: Record({}, DAY)}, {})


async def test_a_record_without_a_day_is_of_no_day(over: Over, database: Database) -> None:
    reply = await over(database.url).ask(SETI, items=("property.name",))
    assert reply.records[SETI] == Record({"name": "박세티"}, None)


async def test_a_value_beyond_its_type_is_broken(over: Over, database: Database) -> None:
    reply = await over(database.url).ask(SETI, items=("property.age",))
    assert (reply.records[SETI].values, reply.breaches) == ({"age": BROKEN}, {"wrong-type": 1})


async def test_a_key_with_quotes_is_a_key_and_no_sql(over: Over, database: Database) -> None:
    reply = await over(database.url).ask(QUOTED, items=("property.name",))
    assert {key: record.values["name"] for key, record in reply.records.items()} == {
        QUOTED: "따옴표"
    }


async def test_a_case_is_found_by_its_reference(over: Over, database: Database) -> None:
    items = ("property.case.exists", "property.case.reference", "property.case.state")
    reply = await over(database.url).ask("C-1", "C-9", items=items, subject="case")
    assert reply == Reply({"C-1": Record({"reference": "C-1", "state": "open"}, None)}, {})


async def test_of_two_records_for_one_person_none_is_believed(
    over: Over, database: Database
) -> None:
    text = DECLARATION.replace('table = "owner"', 'table = "twice"').replace(
        'as_of = "as_of"\n', ""
    )
    reply = await over(database.url, text).ask(HANA, items=("property.name",))
    assert (reply.records, reply.broken, reply.breaches) == ({}, {HANA}, {"duplicate": 1})


@pytest.mark.parametrize(
    ("declaration", "item"),
    [
        (DECLARATION.replace('table = "owner"', 'table = "nothing"'), "property.name"),
        (DECLARATION.replace('as_of = "as_of"', 'as_of = "no_day"'), "property.name"),
        (DECLARATION.replace('wire = "since"', 'wire = "no_day"'), "property.cars.bought"),
    ],
    ids=["table", "column", "column of a list"],
)
async def test_a_view_that_lacks_what_is_declared_breaks_the_contract(
    over: Over, database: Database, declaration: str, item: str
) -> None:
    with pytest.raises(ContractBroken, match=r"^the view lacks a declared table or column$"):
        await over(database.url, declaration).ask(HANA, items=(item,))


async def test_a_fault_of_one_item_costs_no_other(over: Over, database: Database) -> None:
    asking = over(database.url, DECLARATION.replace('wire = "since"', 'wire = "no_day"'))
    with pytest.raises(ContractBroken):
        await asking.ask(HANA, items=("property.cars.bought",))
    assert HANA in (await asking.ask(HANA, items=("property.name",))).records


# What is sent


async def test_a_call_is_one_statement_whatever_it_asks(
    over: Over, database: Database, statements: list[Statement]
) -> None:
    asking = over(database.url)
    await asking.ask(HANA, items=("property.exists",))
    statements.clear()
    await asking.ask(HANA, DURI, SETI, NEMO, items=EVERYTHING)
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("items", "columns"),
    [
        (("property.exists",), set()),
        (("property.name",), {"name"}),
        (("property.cars.price",), {"owner_no", "plate", "price"}),
        (("property.age", "property.land.area"), {"age", "owner_no", "parcel", "area"}),
    ],
)
async def test_only_columns_of_granted_items_are_named(
    over: Over,
    database: Database,
    statements: list[Statement],
    items: tuple[str, ...],
    columns: set[str],
) -> None:
    await over(database.url).ask(HANA, items=items)
    every = {"name", "age", "height", "owner_no", "plate", "price", "since", "parcel", "area"}
    assert statements[-1].words & every == columns
    assert "*" not in statements[-1].text


async def test_keys_are_bound_and_never_in_the_statement(
    over: Over, database: Database, statements: list[Statement]
) -> None:
    await over(database.url).ask(HANA, QUOTED, items=("property.name",))
    assert HANA not in statements[-1].text
    assert QUOTED not in statements[-1].text
    # An array is one parameter.
    bound = statements[-1].parameters
    assert set(bound[0] if len(bound) == 1 else bound) == {HANA, QUOTED}


# The server


async def test_a_server_that_stops_is_unavailable_until_it_is_back(
    over: Over, postgres: Postgres
) -> None:
    asking = over(postgres.url)
    await asking.ask(HANA, items=("property.name",))
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(SourceUnavailable, match=r"^the database cannot be reached$"):
                await asking.ask(HANA, items=("property.name",))
    finally:
        await postgres.start()
    assert HANA in (await asking.ask(HANA, items=("property.name",))).records


async def test_connections_that_died_meanwhile_cost_no_answer(
    over: Over, postgres: Postgres
) -> None:
    asking = over(postgres.url)
    await asking.ask(HANA, items=("property.name",))
    await postgres.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    assert HANA in (await asking.ask(HANA, items=("property.name",))).records


async def test_a_view_that_was_changed_meanwhile_costs_no_answer(
    over: Over, postgres: Postgres
) -> None:
    asking = over(postgres.url)
    for kind, expected in (("TEXT", "BROKEN"), ("BIGINT", "36")):
        await asking.ask(HANA, items=("property.age",))
        await postgres.execute(f"ALTER TABLE owner ALTER age TYPE {kind} USING age::{kind}")
        reply = await asking.ask(HANA, items=("property.age",))
        assert str(reply.records[HANA].values["age"]) == expected


async def test_a_server_that_is_not_this_machine_is_asked_over_tls_or_not_at_all(
    over: Over, postgres: Postgres
) -> None:
    # By this address the server is reached as well, and it is not one of loopback.
    url = postgres.url.replace("127.0.0.1", "0.0.0.0")
    with pytest.raises(SourceUnavailable, match=r"^the database cannot be reached$"):
        await over(url).ask(HANA, items=("property.name",))
    text = DECLARATION.replace("[sql]\n", "[sql]\nplain = true\n")
    assert HANA in (await over(url, text).ask(HANA, items=("property.name",))).records


async def test_a_list_longer_than_it_may_be_is_broken(over: Over, database: Database) -> None:
    text = DECLARATION.replace('adapter = "sql"', 'adapter = "sql"\nlimits.rows = 1')
    reply = await over(database.url, text).ask(HANA, items=("property.cars.price",))
    assert (reply.records[HANA].values, reply.breaches) == ({"cars": BROKEN}, {"too-long": 1})


async def test_a_refused_password_is_unavailable(over: Over, postgres: Postgres) -> None:
    asking = over(postgres.url.replace("keeper:", "keeper:not"))
    with pytest.raises(SourceUnavailable, match=r"^the database cannot be reached$"):
        await asking.ask(HANA, items=("property.name",))


async def test_a_file_that_is_not_there_is_unavailable(over: Over, tmp_path: Path) -> None:
    asking = over(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'at.db'}")
    with pytest.raises(SourceUnavailable, match=r"^the database cannot be reached$"):
        await asking.ask(HANA, items=("property.name",))


# The declaration


FAULTS = [
    (
        DECLARATION.replace("[sql.lists.land]", "[sql.lists.lnad]"),
        "property.toml: item.land (line 58): the list has no table; "
        "add `[sql.lists.land]` with table, key and order",
    ),
    (
        DECLARATION.replace('table = "owner"', 'table = "owner; DROP TABLE owner"'),
        "property.toml: sql.person.table (line 10): `owner; DROP TABLE owner` is no plain SQL "
        "name; use letters, digits and underscores",
    ),
    (
        DECLARATION.replace('wire = "since"', 'wire = "since)--"'),
        "property.toml: item.cars.item.bought (line 52): `since)--` is no plain column name; "
        "correct its `wire`",
    ),
    (
        DECLARATION.replace('[sql.case]\ntable = "welfare_case"\nkey = "reference"\n', ""),
        "property.toml: case (line 64): cases have no table; add `[sql.case]` with table and key",
    ),
    (
        DECLARATION.replace("PROPERTY_URL", "NO_SUCH_URL"),
        "property.toml: sql.url (line 7): the environment has no `NO_SUCH_URL`; "
        "set `NO_SUCH_URL`, or take `property` out of `sources.enabled`",
    ),
    (
        DECLARATION.replace('order = "plate"', 'sort = "plate"'),
        "property.toml: sql.lists.cars.order (line 14): `order` is missing; add it",
    ),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_a_fault_of_the_table_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    monkeypatch.setenv("PROPERTY_URL", "sqlite+aiosqlite://")
    assert fault in [str(found) for found in SqlAdapter.check(declared(tmp_path, text))]


def test_a_good_table_has_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPERTY_URL", "sqlite+aiosqlite://")
    assert SqlAdapter.check(declared(tmp_path, DECLARATION)) == []
