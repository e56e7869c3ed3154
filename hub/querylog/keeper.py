"""What a hub does for the log beside appending: sign, tell that it lives, settle what others left.

A hub that was killed leaves INTENTs without OUTCOME. Each is given one by another hub, or by the
same one after its start: all that was granted may have been disclosed.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import socket
import time
from typing import Any

import sqlalchemy as sa
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from hub.querylog.checkpoint import Checkpoints, LogAltered
from hub.querylog.engine import application_name
from hub.querylog.sealing import Keep
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.tables import DETAILS_KEY, INDEX_RECORD, LEAF, RUN

PAUSE = 0.4
"""Seconds between two looks at what is to be signed."""
SILENT = 10.0
"""Seconds without a beat after which a hub has ended, by the clock of whoever looks on."""
LATE = 10.0
"""Seconds after which a hub that cannot sign is not ready."""
_BEATS = 1.0

_log = logging.getLogger("hub.querylog")
_SIGNED = Gauge("hub_log_signed", "Leaves of the query log under a signed checkpoint")
_ALTERED = Gauge("hub_log_altered", "1 while the store does not have what was signed")


class Keeper:
    """Keeps the log of one hub, from `open` to `close`."""

    def __init__(self, store: Store, checkpoints: Checkpoints) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._beat = 0
        self._next_beat = 0.0
        self._heard: dict[str, tuple[int, float]] = {}
        self._grown = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Settle what a hub of this machine left that has ended; start. Raises LogUnavailable."""
        try:
            await self._tell()
            await self._settle()
            await self._checkpoints.grow()
        except LogAltered as error:
            _ALTERED.set(1)
            raise LogUnavailable(f"{error}: run `hub log verify`") from error
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("the store of the query log cannot be opened") from error
        self._task = asyncio.create_task(self._keep(), name="query log keeper")

    async def check(self) -> None:
        """Raise LogUnavailable where the store does not answer, or has not been signed for long."""
        await self._store.check()
        if time.monotonic() - self._grown > LATE:
            raise LogUnavailable("the query log has not been signed for a while")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self._turn()
            except LogAltered as error:
                _ALTERED.set(1)
                _log.critical("the query log was altered: %s", error)
            except Exception as error:  # noqa: BLE001 - it is tried again, whatever a driver raises
                # `/readyz` says so when it has been too long.
                _log.warning("the query log is not signed", extra={"error": type(error).__name__})

    async def _turn(self) -> None:
        async with asyncio.timeout(30):
            _SIGNED.set(await self._checkpoints.grow())
            self._grown = time.monotonic()
            _ALTERED.set(0)
            await self._store.settle()
            if time.monotonic() >= self._next_beat:
                await self._tell()
                await self._settle()

    async def _tell(self) -> None:
        """Tell the others that this hub lives, and from where on it may have work under way."""
        self._beat += 1
        self._next_beat = time.monotonic() + _BEATS
        values = {"place": _place(), "beat": self._beat, "since": self._store.since}
        async with self._store.engine.begin() as connection:
            told = sa.update(RUN).where(RUN.c.id == self._store.run).values(values)
            if (await connection.execute(told)).rowcount == 0:
                await connection.execute(sa.insert(RUN).values(id=self._store.run, **values))

    async def _settle(self) -> None:
        """Give an OUTCOME to whatever hubs left under way that have ended."""
        async with self._store.engine.connect() as connection:
            runs = (await connection.execute(sa.select(RUN))).all()
        now = time.monotonic()
        for run in runs:
            if run.id == self._store.run:
                continue
            beat, since = self._heard.get(run.id, (-1, now))
            if run.beat != beat:
                self._heard[run.id] = (run.beat, now)
                since = now
            silent = now - since >= SILENT
            if (silent or _ended(run.place)) and not await self._is_writing(run.id, silent):
                if await self._take_over(run):
                    await self._settle_run(run)
                self._heard.pop(run.id, None)

    async def _is_writing(self, run: str, silent: bool) -> bool:
        """Whether PostgreSQL is still at something that a hub sent before it ended.

        A statement goes on when who sent it was killed: its records may yet come. Of a hub that
        is silent only, connections that do nothing may stay for long.
        """
        if self._store.engine.dialect.name != "postgresql":
            return False
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name"
        if silent:
            query += " AND state <> 'idle'"
        async with self._store.engine.connect() as connection:
            return bool(await connection.scalar(sa.text(query), {"name": application_name(run)}))

    async def _take_over(self, run: Any) -> bool:
        """Whether this hub is the one to settle what another left; should it end, it is another.

        Two that did it at once would each write an OUTCOME.
        """
        unchanged = (RUN.c.id == run.id, RUN.c.place == run.place, RUN.c.beat == run.beat)
        taking = sa.update(RUN).where(*unchanged).values(place=_place())
        async with self._store.engine.begin() as connection:
            return (await connection.execute(taking)).rowcount == 1

    async def _settle_run(self, run: Any) -> None:
        settled = 0
        for operation in await self._left(run.since):
            intents = [
                found.details
                for found in await self._store.read(operation)
                if found.details is not None
            ]
            if intents and intents[0].get("hub") == run.id:
                await self._store.append(
                    _outcome(intents, self._store.run), await self._kept(operation[0])
                )
                settled += 1
        async with self._store.engine.begin() as connection:
            await connection.execute(sa.delete(RUN).where(RUN.c.id == run.id))
        if settled:
            _log.warning("operations of a hub that ended were settled", extra={"number": settled})

    async def _left(self, since: int) -> list[list[int]]:
        """The places of the INTENTs, by operation, that have no OUTCOME.

        Where every INTENT was withdrawn, nothing was asked.
        """
        ended, columns = INDEX_RECORD.alias(), INDEX_RECORD.c
        query = sa.select(columns.operation, columns.idx, columns.kind).where(
            INDEX_RECORD.c.idx >= since,
            INDEX_RECORD.c.kind.in_(("INTENT", "WITHDRAWN")),
            ~sa.exists().where(
                ended.c.operation == INDEX_RECORD.c.operation, ended.c.kind == "OUTCOME"
            ),
        )
        found: dict[bytes, list[int]] = {}
        withdrawn: dict[bytes, int] = {}
        async with self._store.engine.connect() as connection:
            for row in await connection.execute(query.order_by(INDEX_RECORD.c.idx)):
                operation = bytes(row.operation)
                if row.kind == "INTENT":
                    found.setdefault(operation, []).append(row.idx)
                else:
                    withdrawn[operation] = withdrawn.get(operation, 0) + 1
        return [places for key, places in found.items() if len(places) > withdrawn.get(key, 0)]

    async def _kept(self, place: int) -> Keep:
        """How long the details of a record are kept."""
        query = sa.select(DETAILS_KEY.c.subjects, DETAILS_KEY.c.years).where(
            DETAILS_KEY.c.id == sa.select(LEAF.c.key).where(LEAF.c.idx == place).scalar_subquery()
        )
        async with self._store.engine.connect() as connection:
            row = (await connection.execute(query)).one()
        return Keep(row.subjects, row.years)

    async def close(self) -> None:
        """Sign what is left, and tell that this hub has ended."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(5):
                # What is owed by a hub that leaves its row is settled by another.
                await self._store.settle()
                await self._checkpoints.grow()
                async with self._store.engine.begin() as connection:
                    await connection.execute(sa.delete(RUN).where(RUN.c.id == self._store.run))
        except (SQLAlchemyError, OSError, LogAltered, LogUnavailable, TimeoutError) as error:
            _log.warning("the query log is not signed", extra={"error": type(error).__name__})


def _outcome(intents: list[dict[str, Any]], hub: str) -> dict[str, Any]:
    """The OUTCOME of an operation whose hub ended: all that was granted may have been disclosed."""
    first = intents[0]
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    asked = {
        key: value for key, value in first.items() if key not in ("hub", "durationMicroseconds")
    }
    subjects = dict.fromkeys(subject for intent in intents for subject in intent["subjects"])
    return {
        **asked,
        "kind": "OUTCOME",
        "at": at,
        "hub": hub,
        "outcome": "unknown",
        "subjects": list(subjects),
        "mayBeDisclosed": first["granted"],
    }


def _place() -> str:
    """Where this process runs, so that another on the same machine sees when it has ended."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def _started(process: int) -> str:
    """When a process started, as the machine counts it; `?` where that is not told."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:  # noqa: PTH123 - no folder
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return "?"


def _ended(place: str) -> bool:
    """Whether a process was of this machine and is known to have ended."""
    host, process, started = place.split(" ")
    if host != socket.gethostname() or started == "?":
        return False
    return _started(int(process)) != started
