"""Computes indicators of misuse over a time, with what they need of the ledger of reviews."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authz.purpose import BY_CASE
from authz.register import Register
from hub.config import Audit
from hub.oversight.tables import SIGHTS, USES
from hub.querylog.tables import INDEX_RECORD
from hub.reading import indicators
from hub.reading.hours import outside
from hub.reading.indicators import DAY, DECIDED_DAYS, Found, Indicator, Records, Scope
from hub.reading.search import connected, over_everything

DAYS = 365
"""Days over which indicators are computed where nobody says."""
_OFFICIALS = BY_CASE | {"receipt", "break-glass"}


@dataclass(frozen=True, slots=True)
class Report:
    """What indicators found between two times (ms since 1970)."""

    since: int
    until: int
    accesses: int
    found: tuple[Found, ...]

    @property
    def unexplained(self) -> float | None:
        """The share of accesses that no simple reason explains, where that was computed."""
        for each in self.found:
            if each.indicator.name == "unexplained" and self.accesses:
                return each.count / self.accesses
        return None


@dataclass(frozen=True, slots=True)
class Reporting:
    """Over which store, by which register and working hours indicators are computed."""

    engine: AsyncEngine
    register: Register
    audit: Audit

    async def report(
        self, since: int | None, until: int | None, chosen: Sequence[Indicator]
    ) -> Report:
        """Compute indicators. Raises LogUnavailable."""
        async with connected(self.engine) as connection:
            scope = await self.scope(connection, since, until)
            every = indicators.accesses(scope).subquery()
            total = await connection.scalar(sa.select(sa.func.count()).select_from(every)) or 0
        found = []
        for each in chosen:
            async with connected(self.engine) as connection:
                await over_everything(connection)
                found.append(await indicators.count(connection, each, scope))
        return Report(scope.since, scope.until, total, tuple(found))

    async def records(
        self, name: str, since: int | None, until: int | None
    ) -> sa.Select[tuple[int]]:
        """The places in the tree of an indicator's records. Raises LogUnavailable."""
        async with connected(self.engine) as connection:
            scope = await self.scope(connection, since, until)
        found: Records = indicators.INDICATORS[name].records(scope)
        return sa.select(found.subquery().c.idx)

    async def scope(
        self, connection: AsyncConnection, since: int | None, until: int | None
    ) -> Scope:
        """What there is between two times: the last year where nothing is said."""
        end = round(time.time() * 1000) + 1 if until is None else until
        start = end - DAYS * DAY if since is None else since
        at, place, due = INDEX_RECORD.c.at, INDEX_RECORD.c.idx, end - DECIDED_DAYS * DAY
        low = sa.select(place).where(at >= start).order_by(at).limit(1)
        high = sa.select(place).where(at < end).order_by(at.desc()).limit(1)
        # The last of a whole day: were a clock ahead of the others, one record alone would mislead.
        day = sa.select(sa.func.max(place + sa.literal_column("0"))).where(
            at >= due - DAY, at < due
        )
        first, last = await connection.scalar(low), await connection.scalar(high)
        settled = await connection.scalar(day)
        unreviewed, overdue = await _reviews(connection)
        return Scope(
            since=start,
            until=end,
            low=(first or 0) - _SLACK,
            high=(last or 0) + _SLACK,
            settled=(last or 0 if settled is None else settled) + _SLACK,
            officials=self._purposes(_OFFICIALS),
            by_case=self._purposes(BY_CASE),
            outside=outside(
                start,
                end,
                zone=self.audit.zone,
                hours=(self.audit.from_hour, self.audit.until_hour),
                country=self.audit.holidays,
            ),
            unreviewed=unreviewed,
            overdue=overdue,
            hashes=connection.dialect.name == "postgresql",
        )

    def _purposes(self, relations: Collection[str]) -> tuple[str, ...]:
        every = self.register.purposes.items()
        return tuple(code for code, purpose in every if purpose.relation in relations)


_SLACK = 10_000
"""Places by which records of replicas whose clocks differ may stand before one another."""


async def _reviews(connection: AsyncConnection) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The operations under break-glasses not found justified, and those of overdue reviews too."""
    late = USES.c.closed.is_(None) & (USES.c.due < time.time())
    query = (
        sa.select(SIGHTS.c.operation, (late | (USES.c.finding == "UNJUSTIFIED")).label("overdue"))
        .join(USES, USES.c.id == SIGHTS.c.use)
        .where(USES.c.kind == "break-glass", USES.c.finding.is_distinct_from("JUSTIFIED"))
    )
    rows = (await connection.execute(query)).all()
    found = {uuid.UUID(row.operation).bytes: bool(row.overdue) for row in rows}
    return tuple(found), tuple(key for key, late in found.items() if late)
