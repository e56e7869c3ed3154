"""What is marked as wrong, as the hub has it at hand: no operation waits for a database for it.

Kept up with the store once a second, so that another replica shows a mark a second late at most.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.corrections.tables import OPEN, TICKETS
from hub.oversight.ledger import Ledger
from hub.querylog.store import LogUnavailable
from schema.marked import CorrectionState, Marked, WrongBecause
from sources.declaration import Source

PAUSE = 1.0
"""Seconds between two looks at the store."""
KEPT_DAYS = 90
"""Days for which an answer may have been kept that a ticket now withdraws."""

_log = logging.getLogger("hub.corrections")


@dataclass(frozen=True, slots=True)
class _Open:
    subject: str
    marked: Marked


class Marks:
    """The open tickets of all recipients, from `open` to `close`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._turn = -1
        self._open: dict[str, _Open] = {}
        self._by_subject: dict[str, dict[str, Marked]] = {}
        self._withdrawn: dict[str, dict[str, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the tickets, and keep up with them. Raises LogUnavailable."""
        await self.refresh()
        self._task = asyncio.create_task(self._keep_up(), name="corrections")

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self.refresh()
            except LogUnavailable as error:
                # Nothing is answered either while the store is away.
                _log.warning("tickets are not read", extra={"error": type(error).__name__})

    async def refresh(self) -> None:
        """Take in what changed in the store. Raises LogUnavailable."""
        chosen = TICKETS.c.turn > self._turn
        if self._turn < 0:
            since = self._ledger.clock() - KEPT_DAYS * 86_400
            chosen = TICKETS.c.state.in_(OPEN) | (TICKETS.c.changed > since)
        async with self._ledger.reading() as connection:
            query = sa.select(TICKETS).where(chosen).order_by(TICKETS.c.turn)
            rows = (await connection.execute(query)).all()
        for row in rows:
            self._take_in(row)

    def _take_in(self, row: Any) -> None:
        self._turn = max(self._turn, row.turn)
        of_source = self._withdrawn.setdefault(row.source, {})
        of_source[row.subject] = max(of_source.get(row.subject, 0.0), row.changed)
        marks = self._by_subject.setdefault(row.subject, {})
        if row.state in OPEN:
            marks[row.id] = Marked(
                item=row.item,
                why=WrongBecause(row.why),
                state=CorrectionState(row.state),
                since=datetime.datetime.fromtimestamp(row.filed, datetime.UTC),
                source=row.source,
            )
        else:
            marks.pop(row.id, None)
        if not marks:
            del self._by_subject[row.subject]

    def of(self, recipients: Iterable[str]) -> Mapping[str, tuple[Marked, ...]]:
        """What is marked as wrong of these recipients, of those of whom anything is."""
        if not self._by_subject:
            return {}
        pseudonym = self._ledger.pseudonyms.of
        found = {key: self._by_subject.get(pseudonym(key)) for key in recipients}
        return {key: tuple(marks.values()) for key, marks in found.items() if marks}

    def withdrawn(self, source: Source, key: str) -> float:
        """Until when (seconds since 1970) answers of a source about this key do not serve again.

        What is found by another source's values is not kept by person: all of it is withdrawn.
        """
        of_source = self._withdrawn.get(source.name)
        if not of_source:
            return 0.0
        if source.found_by is not None:
            return max(of_source.values())
        return of_source.get(self._ledger.pseudonyms.of(key), 0.0)

    async def close(self) -> None:
        """Keep up no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
