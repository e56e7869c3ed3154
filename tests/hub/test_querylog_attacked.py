"""Attack 33: somebody who may write to the store, and has no key, alters it so that nobody sees."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import shutil
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from hub.querylog import crowd, tables
from hub.querylog.checkpoint import Checkpoints, LogKey
from hub.querylog.retention import shred
from hub.querylog.sealing import Keep, Sealing
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.verify import Report, Trust, verify
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome
from tests.sources.postgres import running

TRUST = Trust([LogKey(SIGNER.verifier)], sealing=Sealing(SEALING_KEY))
LONG_AGO = "2020-01-01T00:00:00.000+00:00"
LATER = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
UNTIL = round(LATER.timestamp() * 1000)
BATCH = uuid.UUID(int=7)
CROWD = [b"".join(sorted(hashlib.sha256(bytes([n])).digest()[:16] for n in range(9)))]


def delaying(number: int, place: int, **facts: Any) -> dict[str, Any]:
    """The OUTCOME of an operation that has an access told later."""
    told = {"delayTelling": {"place": str(place), "until": LATER.isoformat()}}
    return outcome(number, reads=told, disclosed={}, **facts)


async def filled(address: str) -> None:
    """Details destroyed when due (0, 1), accesses (2 to 21), a crowd, a delay: signed."""
    store = Store(address, 512, SEALING_KEY)
    await store.open()
    for number in (1000, 1001):
        await store.append(intent(number, at=LONG_AGO), Keep("recipients", 1))
    for number in range(10):
        await store.append(intent(number, hub=store.run))
        await store.append(outcome(number, hub=store.run))
    await crowd.keep(store.engine, BATCH.bytes, CROWD)
    root = {"people": 9, "chunk": crowd.CHUNK, "root": crowd.commitment_to(CROWD)}
    await store.append(
        {"kind": "BATCH", "operation": str(BATCH), "at": outcome(0)["at"], "crowd": root}
    )
    await store.append(delaying(20, 3))
    await store.append(delaying(21, 5, outcome="refused"))
    await shred(store, datetime.date(2026, 11, 23))
    async with store.engine.begin() as connection:
        await connection.execute(sa.insert(tables.HOLD), {"idx": 3, "until": UNTIL})
    await Checkpoints(store.engine, SIGNER).grow()
    await store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "log.db"
    asyncio.run(filled(f"sqlite+aiosqlite:///{path}"))
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "log.db"))


def report_of(path: Path) -> Report:
    return asyncio.run(verify(f"sqlite+aiosqlite:///{path}", TRUST))


def altered(path: Path, *statements: str) -> list[str]:
    """What is found once these statements have been run on the store."""
    with closing(sqlite3.connect(path)) as store, store:
        for statement in statements:
            store.execute(statement)
    return [str(found) for found in report_of(path).findings]


def test_it_is_clean_before(copy: Path) -> None:
    report = report_of(copy)
    assert (report.findings, report.notes, report.destroyed) == ([], [], 2)


async def sign(path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{path}", 512, SEALING_KEY)
    await store.open()
    await Checkpoints(store.engine, SIGNER).grow()
    await store.close()


def test_a_record_that_is_logged_once_more_is_found_though_the_hub_signs_it(copy: Path) -> None:
    """Whoever copies it, key and all, could say that an official looked again."""
    again = [
        f"INSERT INTO {table} SELECT 26, {columns} FROM {table} WHERE idx = 3"
        for table, columns in (
            ("leaf", "leaf, key"),
            ("details", "sealed"),
            ("index_record", "kind, at, operation, person, office, purpose, outcome, flags, items"),
            ("index_about", "pseudonym, part, flags, person"),
        )
    ]
    with closing(sqlite3.connect(copy)) as store, store:
        before = store.execute("SELECT note FROM checkpoint").fetchone()[0]
        for statement in [*again, "UPDATE head SET size = 27"]:
            store.execute(statement)
    asyncio.run(sign(copy))
    assert [str(found) for found in report_of(copy).findings] == [
        "altered: record 26: it is a copy of record 3"
    ]
    trust = Trust(TRUST.keys, sealing=TRUST.sealing, since=before)
    report = asyncio.run(verify(f"sqlite+aiosqlite:///{copy}", trust))
    assert [found.place for found in report.findings] == [26]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            f"INSERT INTO log_hold VALUES (5, {UNTIL})",
            ["altered: log_hold 5: nobody is logged to have delayed it"],
        ),
        (
            "UPDATE log_hold SET until = until + 1",
            ["altered: log_hold 3: it is delayed until another time than logged"],
        ),
        ("DELETE FROM log_hold", ["cut: log_hold 3: it was delayed, and the delay is missing"]),
        (
            "UPDATE index_crowd SET pseudonyms = cast(x'00' || substr(pseudonyms, 2) AS blob)",
            [f"altered: index_crowd {BATCH.hex}: they are not whom the record is about"],
        ),
        (
            "UPDATE index_crowd SET first = x'ffffffffffffffffffffffffffffffff'",
            [
                f"altered: index_crowd {BATCH.hex}: "
                "number or ends of a chunk are not those of its pseudonyms"
            ],
        ),
        (
            "DELETE FROM index_crowd",
            [f"cut: index_crowd {BATCH.hex}: whom the record is about is missing"],
        ),
        (
            "INSERT INTO index_crowd SELECT (SELECT operation FROM index_record WHERE idx = 3), "
            "number, first, last, pseudonyms FROM index_crowd",
            [
                f"altered: index_crowd {uuid.UUID(outcome(0)['operation']).hex} 3: "
                "the record is about no crowd"
            ],
        ),
        (
            "INSERT INTO details VALUES (0, zeroblob(60))",
            [
                "unsure: details_key 1: rows of 1 records stand whose details are destroyed, the "
                "first of record 0, and nobody can say whether they are theirs"
            ],
        ),
        (
            "INSERT INTO index_record SELECT 1, kind, at, operation, person, office, purpose, "
            "outcome, flags, items FROM index_record WHERE idx = 3",
            [
                "unsure: details_key 1: rows of 1 records stand whose details are destroyed, the "
                "first of record 1, and nobody can say whether they are theirs"
            ],
        ),
        (
            "UPDATE details_key SET destroyed = 5 WHERE wrapped IS NOT NULL AND years = 5",
            ["altered: details_key 2: it says that a key is destroyed which stands there"],
        ),
        (
            "CREATE TRIGGER forget AFTER INSERT ON index_about BEGIN DELETE FROM index_about; END",
            ["altered: trigger forget: no hub made it"],
        ),
        ("CREATE VIEW kept AS SELECT * FROM leaf", ["altered: view kept: no hub made it"]),
        (
            "INSERT INTO tile VALUES (-1, 0, zeroblob(32))",
            ["altered: tile 0 1: 1 tiles stand beyond the last leaf"],
        ),
    ],
)
def test_what_is_put_beside_the_records_is_found(
    copy: Path, statement: str, found: Sequence[str]
) -> None:
    assert altered(copy, statement) == found


async def begun(path: Path) -> None:
    """A hub that has an operation under way, is killed, and is told by `run` to have been there."""
    store = Store(f"sqlite+aiosqlite:///{path}", 512, SEALING_KEY)
    await store.open()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    await store.append(intent(50, hub="0" * 12, at=now))
    async with store.engine.begin() as connection:
        row = {"id": "0" * 12, "place": "elsewhere 1 1", "beat": 1, "since": 26}
        await connection.execute(sa.insert(tables.RUN), row)
    await Checkpoints(store.engine, SIGNER).grow()
    await store.close()


def test_an_operation_that_nobody_is_to_settle_any_more_is_found(copy: Path) -> None:
    asyncio.run(begun(copy))
    report = report_of(copy)
    assert report.findings == []
    assert report.notes == [
        "1 operations have no OUTCOME yet: hubs are at them, or will settle them"
    ]
    assert altered(copy, "DELETE FROM run") == [
        "cut: record 26: its operation has no OUTCOME, and its hub is none of those that run"
    ]


COLUMNS = [
    column
    for table in (
        *(tables.LEAF, tables.DETAILS, tables.DETAILS_KEY, tables.INDEX_RECORD),
        *(tables.INDEX_ABOUT, tables.INDEX_ITEMS, tables.CROWD, tables.HOLD, tables.TILE),
        *(tables.CHECKPOINT, tables.HEAD),
    )
    for column in table.columns
    if (table.name, column.name) not in {("checkpoint", "at"), ("head", "id")}
]


def test_a_value_of_another_type_in_any_column_is_found_and_stops_nothing(copy: Path) -> None:
    content, refused, seen = copy.read_bytes(), list[str](), list[str]()
    for column in COLUMNS:
        copy.write_bytes(content)
        name, table = f'"{column.name}"', column.table.name
        value = "x'00ff'" if isinstance(column.type, sa.String) else "'text'"
        with closing(sqlite3.connect(copy)) as store:
            try:
                store.execute(
                    f"UPDATE {table} SET {name} = {value} "
                    f"WHERE {name} = (SELECT max({name}) FROM {table})"
                )
                store.commit()
            except sqlite3.DatabaseError:
                refused.append(str(column))
                continue
        report = report_of(copy)
        assert f"{table}: " in str(report.findings[0]), column
        seen.append(str(column))
    assert {"leaf.leaf", "details.sealed", "tile.hashes", "checkpoint.size"} <= set(seen)
    # The database itself keeps nothing else there.
    assert refused == [
        "leaf.idx",
        "details.idx",
        "details_key.id",
        "index_record.idx",
        "log_hold.idx",
    ]


def test_what_is_read_is_what_was_logged_there_or_nothing(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as store, store:
        store.execute(
            "UPDATE details SET sealed = (SELECT sealed FROM details WHERE idx = 5) WHERE idx = 3"
        )

    async def read() -> None:
        store = Store(f"sqlite+aiosqlite:///{copy}", 512, SEALING_KEY)
        try:
            await store.read([3])
        finally:
            await store.close()

    with pytest.raises(LogUnavailable, match=r"^record 3 is not what was logged there: run `hub l"):
        asyncio.run(read())


async def test_on_postgresql_nothing_stands_between_the_tables_and_who_reads_them() -> None:
    async with running() as server:
        await filled(server.url)
        assert (await verify(server.url, TRUST)).findings == []
        engine = create_async_engine(server.url)
        async with engine.begin() as connection:
            for statement in (
                "CREATE RULE hide AS ON DELETE TO index_about DO INSTEAD NOTHING",
                "ALTER TABLE index_record ENABLE ROW LEVEL SECURITY",
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN RETURN NULL; END'",
                "CREATE TRIGGER keep BEFORE INSERT ON index_about EXECUTE FUNCTION keep()",
            ):
                await connection.exec_driver_sql(statement)
        await engine.dispose()
        assert [str(found) for found in (await verify(server.url, TRUST)).findings] == [
            "altered: row security of index_record: no hub made it",
            "altered: rule of index_about: no hub made it",
            "altered: trigger keep: no hub made it",
        ]
