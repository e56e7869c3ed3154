"""One bit flipped in any column of the store is found, and where: on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.querylog import tables
from hub.querylog.checkpoint import Checkpoints, LogKey, cosign
from hub.querylog.note import WITNESS, Note, Signer
from hub.querylog.retention import shred
from hub.querylog.sealing import Keep, Sealing
from hub.querylog.store import Store
from hub.querylog.verify import Division, Report, Trust, verify
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome
from tests.sources.postgres import running

WITNESS_KEY = Signer.make("authority.example/witness", WITNESS)
TRUST = Trust(
    [LogKey(SIGNER.verifier)], witnesses=[WITNESS_KEY.verifier], sealing=Sealing(SEALING_KEY)
)
LONG_AGO = "2020-01-01T00:00:00.000+00:00"


async def filled(address: str) -> None:
    """A store of 305 records, twice signed, once cosigned, with some details destroyed."""
    store = Store(address, 512, SEALING_KEY)
    await store.open()
    checkpoints = Checkpoints(store.engine, SIGNER)
    old = (store.append(intent(n, at=LONG_AGO), Keep("recipients", 1)) for n in range(1000, 1004))
    await asyncio.gather(*old)
    await shred(store, datetime.date(2026, 11, 23))
    await checkpoints.grow()
    for start in (0, 75):
        several = range(start, start + 75)
        await asyncio.gather(
            *(store.append(intent(number)) for number in several),
            *(store.append(outcome(number)) for number in several),
        )
    await checkpoints.grow()
    async with store.engine.connect() as connection:
        query = sa.select(tables.CHECKPOINT.c.note).order_by(tables.CHECKPOINT.c.size.desc())
        note = Note.read(str(await connection.scalar(query.limit(1))))
    line = WITNESS_KEY.line(note.text, 1_800_000_000)
    kept = Note(note.text, (*note.lines, line)).content
    assert await cosign(store.engine, kept, [WITNESS_KEY.verifier]) == 1
    await store.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        address = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('flipped') / 'log.db'}"
        await filled(address)
        yield address
    else:
        async with running() as server:
            await filled(server.url)
            yield server.url


def flipped(value: Any, bit: int) -> Any:
    """The value with one bit flipped; of a text, so that it is still one."""
    if isinstance(value, int):
        return value ^ (1 << bit % 31)
    content = bytearray(value.encode() if isinstance(value, str) else value)
    content[bit // 8 % len(content)] ^= 1 << (bit % (7 if isinstance(value, str) else 8))
    if isinstance(value, str):
        # Neither database keeps NUL in a text.
        return None if 0 in content else content.decode(errors="replace")
    return bytes(content)


async def flip(
    engine: AsyncEngine, column: sa.Column[Any], chance: random.Random
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Flip a bit of a row that is chosen; the row before, and after."""
    table = column.table
    async with engine.connect() as connection:
        rows = (await connection.execute(sa.select(table).where(column.is_not(None)))).all()
    for _ in range(100):
        before = dict(chance.choice(rows)._mapping)
        changed = flipped(before[column.name], chance.randrange(4096))
        if changed is None or changed == before[column.name]:
            continue
        after = {**before, column.name: changed}
        try:
            await put(engine, table, before, after)
        except DBAPIError:
            continue  # the database does not take it: another row has this key
        return before, after
    raise AssertionError("no bit can be flipped")


async def put(engine: AsyncEngine, table: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    same = [column == old[column.name] for column in table.primary_key]
    async with engine.begin() as connection:
        await connection.execute(sa.update(table).where(*same).values(new))


COLUMNS: Sequence[Any] = [
    column
    for table in (
        *(tables.LEAF, tables.DETAILS, tables.DETAILS_KEY, tables.INDEX_RECORD),
        *(tables.INDEX_ABOUT, tables.INDEX_ITEMS, tables.TILE, tables.HEAD),
        *(tables.CHECKPOINT, tables.COSIGNATURE),
    )
    for column in table.columns
    # When a hub signed by its own clock, and the number of the only row, say nothing of the log.
    if (table.name, column.name) not in {("checkpoint", "at"), ("head", "id")}
]


def places(before: dict[str, Any], after: dict[str, Any]) -> set[int]:
    """Where a finding may stand that is located at the row."""
    return {row[name] for row in (before, after) for name in ("idx", "id", "size") if name in row}


async def report(address: str) -> Report:
    return await verify(address, TRUST)


async def test_the_store_is_clean_before(store: str) -> None:
    found = await report(store)
    assert (found.findings, found.destroyed, found.cosignatures) == ([], 4, 1)


async def test_several_processes_read_the_store_at_once(store: str) -> None:
    """On PostgreSQL by the snapshot of the first, whatever is written meanwhile."""
    found = await verify(store, TRUST, division=Division(many=1, step=256))
    assert (found.findings, found.destroyed, found.records) == ([], 4, 305)
    # Of many operations the INTENT is in one range, and the OUTCOME in another.
    assert not [note for note in found.notes if "OUTCOME" in note]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
async def test_a_flipped_bit_is_found_where_it_stands(store: str, column: Any) -> None:
    engine = create_async_engine(store)
    table, chance = column.table, random.Random(str(column))
    try:
        before, after = await flip(engine, column, chance)
        findings = (await report(store)).findings
        await put(engine, table, after, before)
    finally:
        await engine.dispose()
    assert findings, (before[column.name], after[column.name])
    if table is tables.TILE:
        wanted = {f"tile {row['level']}/{row['number']}" for row in (before, after)}
        beyond = f"tile {after['level']}"
        assert {found.where for found in findings} & {*wanted, beyond}
    elif table is tables.INDEX_ITEMS:
        assert {found.where for found in findings} == {"index_items"}
    elif column is not tables.DETAILS_KEY.c.id:
        assert {found.place for found in findings} & places(before, after)
