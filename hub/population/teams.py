"""What teams have asked and kept, in the store of the query log: for budgets and differencing.

A team is an office. No figure stands here, and nothing of any person: filters compare by groups.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import sqlalchemy as sa

from authz.caller import Caller
from hub.errors import refused
from hub.oversight.ledger import Ledger
from hub.population.question import EVERYONE, WHOLE, Past, Question, Spec, read, written
from hub.querylog.tables import METADATA

DAY = 24 * 3600
MOST_PAST = 300
"""Different past filters that a question is compared with: the latest ones."""
MOST_SAVED = 200
MOST_NAME, MOST_QUERY = 80, 10_000

QUESTIONS = sa.Table(
    "population_question",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("team", sa.String(255), nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("where", sa.Text, nullable=False),
    sa.Column("tables", sa.Text, nullable=False),
    sa.Column("empty", sa.Boolean, nullable=False),
    sa.Index("population_question_team", "team", "at"),
)
"""Questions by team: the filter, and what the cells of its tables are, as JSON."""

SAVED = sa.Table(
    "population_saved",
    METADATA,
    sa.Column("team", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(MOST_NAME), primary_key=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Questions that a team keeps by name."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A saved question."""

    name: str
    query: str
    person: str
    at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Teams:
    """The questions of teams, of which each may ask `per_day` in any 24 hours."""

    ledger: Ledger
    per_day: int

    async def begin(self, caller: Caller, question: Question) -> tuple[str, list[Past]]:
        """Note a question before it is answered; its id, and what the team asked before.

        Of two questions that are asked at once, the later one is compared with the other.
        Raises RequestRefused beyond the budget, and LogUnavailable.
        """
        made, now, team = str(uuid.uuid4()), self.ledger.clock(), str(caller.office)
        columns = QUESTIONS.c
        mine = columns.team == team
        latest = (
            sa.select(columns.where, columns.tables, sa.func.max(columns.at).label("last"))
            .where(mine & ~columns.empty)
            .group_by(columns.where, columns.tables)
            .order_by(sa.desc("last"))
            .limit(MOST_PAST)
        )
        today = sa.select(sa.func.count()).where(mine & (columns.at > now - DAY))
        row = {
            "id": made,
            "team": team,
            "person": caller.person,
            "at": now,
            "where": written(question.where),
            "tables": json.dumps(
                sorted({table.spec for table in question.tables.values()}, key=repr)
            ),
            "empty": False,
        }
        async with self.ledger.changing() as connection:
            if (await connection.scalar(today) or 0) >= self.per_day:
                message = f"a team asks {self.per_day} questions in 24 hours and no more"
                raise refused("QUESTION_BUDGET", message)
            past = (await connection.execute(latest)).all()
            await connection.execute(sa.insert(QUESTIONS).values(row))
        found = [Past(read(each.where), _specs(each.tables)) for each in past]
        # How many people there are altogether is no secret.
        return made, [Past(EVERYONE, (WHOLE,)), *found]

    async def forget(self, question: str) -> None:
        """Note that no figure was released: no question is compared with it, but it was asked."""
        async with self.ledger.changing() as connection:
            await connection.execute(
                sa.update(QUESTIONS).where(QUESTIONS.c.id == question).values(empty=True)
            )

    async def save(self, caller: Caller, name: str, query: str) -> Kept:
        """Keep a question for the caller's team. Raises RequestRefused."""
        if not name or len(name) > MOST_NAME or len(query) > MOST_QUERY:
            message = f"a name has 1 to {MOST_NAME} characters, a question {MOST_QUERY} at most"
            raise refused("BAD_VARIABLES", message)
        at, team = self.ledger.clock(), str(caller.office)
        mine = SAVED.c.team == team
        row = {"team": team, "name": name, "query": query, "person": caller.person, "at": at}
        async with self.ledger.changing() as connection:
            await connection.execute(sa.delete(SAVED).where(mine & (SAVED.c.name == name)))
            number = sa.select(sa.func.count()).where(mine)
            if (await connection.scalar(number) or 0) >= MOST_SAVED:
                raise refused("BAD_VARIABLES", f"a team keeps {MOST_SAVED} questions and no more")
            await connection.execute(sa.insert(SAVED).values(row))
        return Kept(name, query, caller.person, _time(at))

    async def saved(self, caller: Caller) -> Sequence[Kept]:
        """The questions of the caller's team, by name."""
        chosen = sa.select(SAVED).where(SAVED.c.team == str(caller.office)).order_by(SAVED.c.name)
        async with self.ledger.reading() as connection:
            rows = (await connection.execute(chosen)).all()
        return [Kept(row.name, row.query, row.person, _time(row.at)) for row in rows]


def _specs(text: str) -> tuple[Spec, ...]:
    """The tables of a past question, with their margins: cells add up to those, nearly.

    How many people it was about was told in any case.
    """
    found = [WHOLE]
    for names, steps in json.loads(text):
        for size in range(1, len(names) + 1):
            found += [(kept, steps) for kept in combinations(names, size)]
    return tuple(dict.fromkeys(found))


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
