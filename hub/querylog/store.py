"""Where records are kept: the leaves of one tree, in SQLite or PostgreSQL, committed in groups.

An append returns only when its record is durable and has its place in the tree. Whatever was
waiting when a commit ends goes into the next one, so that many operations share the cost of one.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import secrets
import sqlite3
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.querylog import schema
from hub.querylog.engine import TIMEOUT, durable_sqlite, engine_of
from hub.querylog.group import PostgresWriter, SqliteWriter, Writer, Written
from hub.querylog.index import Row, index_of
from hub.querylog.leaf import SALT_BYTES, canonical, commitment, leaf
from hub.querylog.sealing import Keep, KeyOf, NotOpened, Sealing, seal, unseal
from hub.querylog.tables import DETAILS, DETAILS_KEY, FIRST_RECORD, HEAD, LEAF

RECIPIENTS = Keep("recipients")
STAFF = Keep("staff")


class LogUnavailable(Exception):
    """A record could not be made durable: nothing may be asked or released."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record read back: its place in the tree, its leaf, its details unless destroyed."""

    index: int
    leaf: bytes
    details: dict[str, Any] | None


@dataclass(slots=True)
class _Waiting:
    written: Written
    items: tuple[str, ...]
    keep: Keep
    durable: asyncio.Future[int]


class Store:
    """An append-only store of records at a SQLAlchemy address.

    A record whose append was told to have failed, and which was committed after all, is followed
    by one of the kind WITHDRAWN: nothing was asked or released on its strength.
    """

    def __init__(self, address: str, batch: int, sealing_key: bytes) -> None:
        self.run = secrets.token_hex(6)
        """Names this hub among those that write to the store."""
        self.engine: AsyncEngine = engine_of(address, self.run)
        self.into: Writer = _writer_of(self.engine)
        self.sealing = Sealing(sealing_key)
        self._keys: dict[KeyOf, tuple[int, AESGCM]] = {}
        self._making: dict[KeyOf, asyncio.Task[tuple[int, AESGCM]]] = {}
        self._items: set[int] = set()
        self._batch = batch
        self._size = 0
        self._doubtful: list[_Waiting] = []
        self._waiting: list[_Waiting] = []
        self._owed: list[tuple[Mapping[str, Any], Keep]] = []
        self._under_way: dict[bytes, int] = {}
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make the tables where there are none yet, and start the writer.

        Raises LogUnavailable.
        """
        try:
            await schema.prepare(self.engine)
            async with self.engine.connect() as connection:
                self._size = await connection.scalar(sa.select(HEAD.c.size)) or 0
        except schema.WrongSchema as error:
            raise LogUnavailable(str(error)) from error
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("the store of the query log cannot be opened") from error
        self._writer = asyncio.create_task(self._write(), name="query log writer")

    async def append(self, record: Mapping[str, Any], keep: Keep = RECIPIENTS) -> int:
        """Make a record durable; its place in the tree. Raises LogUnavailable.

        The record has `kind` and `at`, most have `operation`; see `hub/querylog/index.py`.
        """
        if self._writer is None or self._writer.done():
            raise LogUnavailable("the writer of the query log has stopped")
        of = KeyOf(record["at"][:10], keep)
        key = self._keys.get(of)
        if key is None:
            making = self._making.get(of)
            if making is None or making.done():
                making = self._making[of] = asyncio.create_task(self._key(of))
            try:
                key = await asyncio.wait_for(asyncio.shield(making), TIMEOUT)
            except TimeoutError as error:
                raise LogUnavailable("the query log gave no key in time") from error
        durable = self._put(record, keep, key)
        late = asyncio.get_running_loop().call_later(TIMEOUT, _too_late, durable)
        try:
            return await durable
        finally:
            late.cancel()

    def _put(
        self, record: Mapping[str, Any], keep: Keep, key: tuple[int, AESGCM]
    ) -> asyncio.Future[int]:
        entry = self._written(record, keep, key)
        self._waiting.append(entry)
        self._wake.set()
        return entry.durable

    def _written(self, record: Mapping[str, Any], keep: Keep, key: tuple[int, AESGCM]) -> _Waiting:
        durable: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        details, salt = canonical(record), os.urandom(SALT_BYTES)
        indexed = index_of(record)
        written = Written(
            leaf(commitment(salt, details)),
            key[0],
            seal(key[1], salt, details),
            indexed.row,
            indexed.about,
        )
        return _Waiting(written, indexed.items, keep, durable)

    def owe(self, record: Mapping[str, Any], keep: Keep) -> None:
        """Have a record appended by `settle`, since nothing can be now."""
        self._owed.append((record, keep))

    async def settle(self) -> None:
        """Append what is owed. Raises LogUnavailable."""
        while self._owed:
            await self.append(*self._owed[0])
            self._owed.pop(0)

    async def _key(self, of: KeyOf) -> tuple[int, AESGCM]:
        """The key of details for a day and class, made where there is none yet."""
        insert = (postgresql if self.engine.dialect.name == "postgresql" else sqlite).insert
        columns = DETAILS_KEY.c
        chosen = (
            (columns.period == of.period)
            & (columns.subjects == of.keep.subjects)
            & (columns.years == of.keep.years)
        )
        made = {
            "period": of.period,
            "subjects": of.keep.subjects,
            "years": of.keep.years,
            "wrapped": self.sealing.make(of),
        }
        try:
            async with self.engine.begin() as connection:
                await connection.execute(insert(DETAILS_KEY).values(made).on_conflict_do_nothing())
                query = sa.select(columns.id, columns.wrapped).where(chosen)
                row = (await connection.execute(query)).one()
            if row.wrapped is None:
                raise LogUnavailable(f"the key of details of {of.text} is destroyed")
            key = self._keys[of] = (row.id, self.sealing.unwrap(of, row.wrapped))
        except (SQLAlchemyError, OSError, NotOpened) as error:
            raise LogUnavailable("the query log cannot be written") from error
        return key

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                group, self._waiting = (
                    self._waiting[: self._batch],
                    self._waiting[self._batch :],
                )
                # A record that nobody waits for any more was told to have failed.
                group = [entry for entry in group if not entry.durable.done()]
                if group:
                    await self._commit(group)
            if self._closing:
                return

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        try:
            async with asyncio.timeout(2 * TIMEOUT):
                await self._withdraw_doubtful()
                named = self._new_items(group)
                first = await self.into.write([entry.written for entry in group], named)
        except Exception as error:  # noqa: BLE001 - the writer outlives whatever a driver raises
            self._doubtful += group
            for entry in group:
                if not entry.durable.done():
                    failure = LogUnavailable("the query log cannot be written")
                    failure.__cause__ = error
                    entry.durable.set_exception(failure)
            return
        self._size = first + len(group)
        self._items |= named.keys()
        for place, entry in enumerate(group, start=first):
            if entry.durable.done():
                self._withdraw(entry)
            else:
                entry.durable.set_result(place)
                self._follow(entry.written.row, place)

    def _follow(self, row: Row, place: int) -> None:
        if row.operation is not None and row.kind == "INTENT":
            self._under_way.setdefault(row.operation, place)
        elif row.operation is not None and row.kind == "OUTCOME":
            self._under_way.pop(row.operation, None)

    @property
    def since(self) -> int:
        """The place of the first INTENT of this hub whose operation has no OUTCOME yet.

        Where there is none, the place of whatever comes next.
        """
        return min(self._under_way.values(), default=self._size)

    def _new_items(self, group: Sequence[_Waiting]) -> dict[int, tuple[str, ...]]:
        """The sets of items that this hub has not yet seen written."""
        return {
            entry.written.row.items: entry.items
            for entry in group
            if entry.written.row.items is not None and entry.written.row.items not in self._items
        }

    async def _withdraw_doubtful(self) -> None:
        """Withdraw what was committed though its commit was told to have failed."""
        if not self._doubtful:
            return
        leaves = {entry.written.leaf: entry for entry in self._doubtful}
        async with self.engine.connect() as connection:
            query = sa.select(LEAF.c.leaf).where(LEAF.c.idx >= self._size)
            found = [row.leaf for row in await connection.execute(query)]
        for content in found:
            if bytes(content) in leaves:
                self._withdraw(leaves[bytes(content)])
        self._doubtful = []

    def _withdraw(self, entry: _Waiting) -> None:
        row = entry.written.row
        of = next(of for of, key in self._keys.items() if key[0] == entry.written.key)
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        record = {"kind": "WITHDRAWN", "of": row.kind, "at": at, "hub": self.run}
        if row.operation is not None:
            record["operation"] = str(uuid.UUID(bytes=row.operation))
        self._put(record, entry.keep, self._keys[of])

    async def check(self) -> None:
        """Raise LogUnavailable where the store does not answer."""
        try:
            async with asyncio.timeout(TIMEOUT), self.engine.connect() as connection:
                await connection.execute(sa.select(sa.literal(1)))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise LogUnavailable("the store of the query log does not answer") from error

    async def records(self) -> AsyncIterator[dict[str, Any]]:
        """The details of every record that are not destroyed, in order. Raises LogUnavailable."""
        async for found in self.stored():
            if found.details is not None:
                yield found.details

    async def stored(self, since: int = 0, until: int | None = None) -> AsyncIterator[Stored]:
        """The records from one place in the tree to before another, in order.

        Raises LogUnavailable where the store cannot be read or does not open.
        """
        chosen = LEAF.c.idx >= since
        if until is not None:
            chosen &= LEAF.c.idx < until
        async for found in self._read(chosen):
            yield found

    async def read(self, places: Sequence[int]) -> list[Stored]:
        """The records at these places in the tree, in its order. Raises LogUnavailable."""
        return [found async for found in self._read(LEAF.c.idx.in_(places))]

    async def _read(self, chosen: Any) -> AsyncIterator[Stored]:
        query = (
            sa.select(LEAF.c.idx, LEAF.c.leaf, LEAF.c.key, DETAILS.c.sealed)
            .select_from(LEAF.outerjoin(DETAILS, DETAILS.c.idx == LEAF.c.idx))
            .where(chosen)
            .order_by(LEAF.c.idx)
        )
        try:
            async with self.engine.connect() as connection:
                keys = await opened_keys(connection, self.sealing)
                async for row in await connection.stream(query):
                    key = keys.get(row.key)
                    if row.sealed is None or key is None:
                        yield Stored(row.idx, row.leaf, None)
                    else:
                        salt, details = unseal(key, row.sealed)
                        if leaf(commitment(salt, details)) != row.leaf:
                            raise NotOpened(f"record {row.idx} is not what was logged there")
                        yield Stored(row.idx, row.leaf, orjson.loads(details))
        except NotOpened as error:
            raise LogUnavailable(f"{error}: run `hub log verify`") from error
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("the query log cannot be read") from error

    async def carry(self) -> int:
        """Take records of hubs before the tree into it; how many. Raises LogUnavailable."""
        carried = 0
        query = sa.select(FIRST_RECORD.c.seq, FIRST_RECORD.c.body).order_by(FIRST_RECORD.c.seq)
        try:
            while True:
                async with self.engine.connect() as connection:
                    rows = (await connection.execute(query.limit(1000))).all()
                if not rows:
                    return carried
                waiting = [await self._legacy(orjson.loads(row.body)) for row in rows]
                written = [entry.written for entry in waiting]
                await self.into.write(written, self._new_items(waiting), rows[-1].seq)
                carried += len(rows)
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
            raise LogUnavailable("the query log cannot be written") from error

    async def _legacy(self, record: dict[str, Any]) -> _Waiting:
        of = KeyOf(record["at"][:10], RECIPIENTS)
        # Nobody had signed it before: whoever may write to the store could have put it there.
        marked = {**record, "carried": self.run}
        return self._written(marked, RECIPIENTS, self._keys.get(of) or await self._key(of))

    async def close(self) -> None:
        """Commit what waits, then close."""
        if self._writer is not None:
            making = [task for task in self._making.values() if not task.done()]
            if making:
                await asyncio.wait(making, timeout=TIMEOUT)
                await asyncio.sleep(0)  # so that those who waited for a key stand in line
            self._closing = True
            self._wake.set()
            await asyncio.wait([self._writer], timeout=TIMEOUT)
            self._writer.cancel()
        await self.into.close()
        await self.engine.dispose()


def _too_late(durable: asyncio.Future[int]) -> None:
    if not durable.done():
        durable.set_exception(LogUnavailable("the query log did not commit in time"))


async def opened_keys(connection: AsyncConnection, sealing: Sealing) -> dict[int, AESGCM]:
    """The keys of details that are not destroyed, by number. Raises NotOpened."""
    keys = {}
    for row in await connection.execute(sa.select(DETAILS_KEY)):
        if row.wrapped is not None:
            of = KeyOf(row.period, Keep(row.subjects, row.years))
            keys[row.id] = sealing.unwrap(of, row.wrapped)
    return keys


def _writer_of(engine: AsyncEngine) -> Writer:
    """What writes into the store of an engine."""
    if engine.dialect.name == "postgresql":
        return PostgresWriter(engine)
    found: Any = engine.dialect.create_connect_args(engine.url)
    arguments, options = found

    def make() -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(*arguments, **options)
        durable_sqlite(connection)
        return connection

    return SqliteWriter(make)
