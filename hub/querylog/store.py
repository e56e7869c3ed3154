"""Where records are kept: one append-only table, through SQLAlchemy, committed in groups.

An append returns only when its record is durable. Whatever was waiting when a commit ends goes
into the next one, so that many operations share the cost of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

METADATA = sa.MetaData()
RECORDS = sa.Table(
    "record",
    METADATA,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("operation", sa.String(36), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""`body` is the record as JSON; the columns beside it repeat what it is looked up by."""

TIMEOUT = 5.0
"""Seconds after which an append that is not yet durable has failed."""


class LogUnavailable(Exception):
    """A record could not be made durable: nothing may be asked or released."""


class Store:
    """An append-only store of records at a SQLAlchemy address.

    A record whose append was told to have failed, and which was committed after all, is followed
    by one of the kind WITHDRAWN: nothing was asked or released on its strength.
    """

    def __init__(self, address: str, batch: int) -> None:
        url = sa.make_url(address)
        self.engine: AsyncEngine = create_async_engine(url, pool_pre_ping=True)
        if url.get_backend_name() == "sqlite":
            sa.event.listen(self.engine.sync_engine, "connect", _durable_sqlite)
        self._batch = batch
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make the table where it is not there yet, and start the writer.

        Raises LogUnavailable.
        """
        try:
            async with self.engine.begin() as connection:
                await connection.run_sync(METADATA.create_all)
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("the store of the query log cannot be opened") from error
        self._writer = asyncio.create_task(self._write(), name="query log writer")

    async def append(self, record: dict[str, Any]) -> None:
        """Make a record durable. Raises LogUnavailable."""
        if self._writer is None or self._writer.done():
            raise LogUnavailable("the writer of the query log has stopped")
        durable = self._put(record)
        try:
            async with asyncio.timeout(TIMEOUT):
                await durable
        except TimeoutError as error:
            raise LogUnavailable("the query log did not commit in time") from error

    def _put(self, record: dict[str, Any]) -> asyncio.Future[None]:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        row = {
            "operation": record["operation"],
            "kind": record["kind"],
            "at": record["at"],
            "body": orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode(),
        }
        self._waiting.append((row, durable))
        self._wake.set()
        return durable

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
                group = [entry for entry in group if not entry[1].done()]
                if group:
                    await self._commit(group)
            if self._closing:
                return

    async def _commit(self, group: Sequence[tuple[dict[str, Any], asyncio.Future[None]]]) -> None:
        failure: LogUnavailable | None = None
        try:
            async with asyncio.timeout(2 * TIMEOUT), self.engine.begin() as connection:
                await connection.execute(sa.insert(RECORDS), [row for row, _ in group])
        except Exception as error:  # noqa: BLE001 - the writer outlives whatever a driver raises
            failure = LogUnavailable("the query log cannot be written")
            failure.__cause__ = error
        for row, durable in group:
            if durable.done():
                if failure is None:
                    withdrawn = {"operation": row["operation"], "at": row["at"]}
                    self._put({**withdrawn, "kind": "WITHDRAWN", "of": row["kind"]})
            elif failure is None:
                durable.set_result(None)
            else:
                durable.set_exception(failure)

    async def check(self) -> None:
        """Raise LogUnavailable where the store does not answer."""
        try:
            async with asyncio.timeout(TIMEOUT), self.engine.connect() as connection:
                await connection.execute(sa.select(sa.literal(1)))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise LogUnavailable("the store of the query log does not answer") from error

    async def records(self) -> AsyncIterator[dict[str, Any]]:
        """Every record, in order."""
        async with self.engine.connect() as connection:
            rows = await connection.stream(sa.select(RECORDS.c.body).order_by(RECORDS.c.seq))
            async for row in rows:
                yield orjson.loads(row.body)

    async def close(self) -> None:
        """Commit what waits, then close."""
        if self._writer is not None:
            self._closing = True
            self._wake.set()
            await asyncio.wait([self._writer], timeout=TIMEOUT)
            self._writer.cancel()
        await self.engine.dispose()


def _durable_sqlite(connection: Any, _: Any) -> None:
    """A commit returns when it is on the disk, and readers do not stop the writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=4000")
    cursor.close()
