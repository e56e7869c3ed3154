"""How many people a source was asked about in the last 24 hours, where its terms bound that.

Counted by the hour in the store of the query log, so that neither restarts nor replicas, neither
midnight nor another token, begin it anew.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.querylog.store import LogUnavailable
from hub.querylog.tables import SOURCE_USE
from sources.adapter import Context, OverBudget
from sources.declaration import Source
from sources.terms import Budget

HOURS = 24
"""Hours that a question counts; the one under way is one of them."""


class Budgets:
    """Counts people by source, caller and purpose in a store."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    async def take(self, source: Source, context: Context, people: int) -> None:
        """Count these people too, unless they are more than any bound leaves: then count none.

        Raises OverBudget, and LogUnavailable.
        """
        bounds = _bounds(source.terms.budget, context)
        if not bounds:
            return
        hour = int(time.time() // 3600)
        try:
            async with self._engine.connect() as connection:
                await self._count(connection, source.name, bounds, hour, people)
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable("the store of the query log cannot count budgets") from error

    async def _count(
        self,
        connection: AsyncConnection,
        source: str,
        bounds: dict[str, int],
        hour: int,
        people: int,
    ) -> None:
        table, insert = SOURCE_USE, self._insert(SOURCE_USE)
        add = insert.on_conflict_do_update(
            index_elements=["source", "scope", "hour"],
            set_={"people": table.c.people + insert.excluded.people},
        )
        # Always in one order, so that two hubs never wait for each other.
        for scope, most in sorted(bounds.items()):
            row = {"source": source, "scope": scope, "hour": hour, "people": people}
            await connection.execute(add, row)
            counted = sa.select(sa.func.sum(table.c.people)).where(
                table.c.source == source, table.c.scope == scope, table.c.hour > hour - HOURS
            )
            if (await connection.scalar(counted) or 0) > most:
                raise OverBudget(f"the budget of `{scope.split()[0]}` is used up", 3600.0)
        await connection.execute(
            sa.delete(table).where(table.c.source == source, table.c.hour <= hour - HOURS)
        )
        await connection.commit()


def _bounds(budget: Budget, context: Context) -> dict[str, int]:
    """The bounds by what they are of, as the store names it."""
    bounds = {
        "all": budget.all,
        f"caller {context.user}": budget.caller,
        f"purpose {context.purpose}": budget.purpose,
    }
    return {scope: most for scope, most in bounds.items() if most is not None}
