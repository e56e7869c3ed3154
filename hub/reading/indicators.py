"""Indicators of misuse: named questions to the index of the log, each with its records.

An indicator proves nothing: it says where somebody has to look. What each is for, and the audits
it comes from, stands in docs/misuse-indicators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.querylog.index import FLAGS
from hub.querylog.tables import INDEX_ABOUT, INDEX_RECORD
from hub.reading.hours import Outside
from hub.reading.search import RELEASED, word

DAY = 24 * 3600 * 1000
"""Milliseconds of a day."""
LONG_DAYS = 31
"""Days over which accesses are not looked up by their time."""
DECIDED_DAYS = 90
"""Days within which a case that was looked at is decided."""
REFUSED_HOURS = 24
"""Hours within which an answer under another purpose follows a refusal."""
MORE_THAN_COLLEAGUES = 3
"""Times as many accesses as the average of the office."""
MANY, OFTEN, WATCHED = 50, 20, 10
"""Accesses of an official; look-ups of one recipient by one official; officials of a recipient."""

Records = sa.Select[tuple[Any, ...]]
_R, _A = INDEX_RECORD.c, INDEX_ABOUT.c


@dataclass(frozen=True, slots=True)
class Scope:
    """What an indicator is computed over. Times are in milliseconds since 1970, UTC.

    `low` and `high` are the places between which the records of that time stand; before `settled`
    are those whose cases should have been decided by now. `officials` are the purposes by which
    officials reach others, `by_case` those that rest on a case. `unreviewed` are operations under a
    break-glass that nobody has found justified yet, `overdue` those whose review is late or found
    it unjustified. `hashes`: whether the database joins by hash, as PostgreSQL does.
    """

    since: int
    until: int
    low: int
    high: int
    settled: int
    officials: tuple[str, ...]
    by_case: tuple[str, ...]
    outside: Outside
    unreviewed: tuple[bytes, ...] = ()
    overdue: tuple[bytes, ...] = ()
    hashes: bool = False


@dataclass(frozen=True, slots=True)
class Indicator:
    """A question, in words and as the records that it finds (`idx`, `person`, `office`)."""

    name: str
    title: str
    records: Callable[[Scope], Records]


@dataclass(frozen=True, slots=True)
class Finding:
    """How many records one person has among those that an indicator found."""

    person: str | None
    office: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """What an indicator found: how many records, and who has most of them."""

    indicator: Indicator
    count: int
    people: tuple[Finding, ...]


async def count(
    connection: AsyncConnection, indicator: Indicator, scope: Scope, most: int = 10
) -> Found:
    """Count an indicator's records, by person."""
    found = indicator.records(scope).subquery()
    number = sa.func.count().label("number")
    query = (
        sa.select(found.c.person, found.c.office, number)
        .group_by(found.c.person, found.c.office)
        .order_by(number.desc(), found.c.person)
    )
    rows = (await connection.execute(query)).all()
    people = tuple(Finding(row.person, row.office, row.number) for row in rows[:most])
    return Found(indicator, sum(row.number for row in rows), people)


def accesses(scope: Scope) -> Records:
    """Every answer to an official in the scope."""
    # Of a long time nearly everything is in: by the index of accesses, which has all it takes.
    long = scope.until - scope.since > LONG_DAYS * DAY
    at = _R.at + sa.literal_column("0") if long else _R.at
    return sa.select(_R.idx, _R.person, _R.office).where(
        at >= scope.since,
        at < scope.until,
        _R.kind == word("OUTCOME"),
        _R.outcome == word("answered"),
        _R.purpose.in_(scope.officials),
    )


def _most_looking(scope: Scope) -> Records:
    each = accesses(scope).subquery()
    number = sa.func.count()
    people = (
        sa.select(
            each.c.person,
            number.label("number"),
            sa.func.avg(number).over(partition_by=each.c.office).label("usual"),
        )
        .group_by(each.c.person, each.c.office)
        .subquery()
    )
    more = sa.select(people.c.person).where(
        people.c.number >= MANY, people.c.number > MORE_THAN_COLLEAGUES * people.c.usual
    )
    return accesses(scope).where(_R.person.in_(more))


def _released(scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    # By the index of what was released, and never by place: it has the groups one after another.
    place = _A.idx + sa.literal_column("0")
    return (_A.part == word(RELEASED), place >= scope.low, place < scope.high)


def _looked_at(scope: Scope, often: int) -> Any:
    """The recipients who were looked at so often or more, which few were: found in one pass."""
    return (
        sa.select(_A.pseudonym)
        .where(*_released(scope))
        .group_by(_A.pseudonym)
        .having(sa.func.count() >= often)
    )


def _often_at_one(scope: Scope) -> Records:
    pairs = (
        sa.select(_A.pseudonym, _A.person)
        .where(
            *_released(scope),
            _A.person.is_not(None),
            _A.pseudonym.in_(_looked_at(scope, OFTEN)),
        )
        .group_by(_A.pseudonym, _A.person)
        .having(sa.func.count() >= OFTEN)
        .subquery()
    )
    return _about(scope, pairs, INDEX_ABOUT.c.person == pairs.c.person)


def _watched(scope: Scope) -> Records:
    watched = (
        sa.select(_A.pseudonym)
        .where(
            *_released(scope),
            _A.person.is_not(None),
            _A.pseudonym.in_(_looked_at(scope, WATCHED)),
        )
        .group_by(_A.pseudonym)
        .having(sa.func.count(_A.person.distinct()) >= WATCHED)
        .subquery()
    )
    return _about(scope, watched)


def _about(scope: Scope, chosen: Any, *also: sa.ColumnElement[bool]) -> Records:
    """The accesses that released something of the pseudonyms chosen."""
    places = (
        sa.select(_A.idx)
        .join(chosen, chosen.c.pseudonym == _A.pseudonym)
        .where(*_released(scope), *also)
    )
    return accesses(scope).where(_R.idx.in_(places))


def _outside_hours(scope: Scope) -> Records:
    return accesses(scope).where(scope.outside.condition(_R.at))


def _flagged(flag: str) -> Callable[[Scope], Records]:
    bit = FLAGS[flag]

    def records(scope: Scope) -> Records:
        return accesses(scope).where(
            _R.flags > sa.literal_column("0"), _R.flags.bitwise_and(bit) == bit
        )

    return records


def _events(part: str) -> Any:
    """The last event of a kind of each case."""
    return (
        sa.select(_A.pseudonym, sa.func.max(_A.idx).label("last"))
        .where(_A.part == word(part), _A.part.not_in([*map(word, ("released", "asked", "case"))]))
        .group_by(_A.pseudonym)
        .subquery()
    )


def _followed(part: str, low: int, high: int) -> sa.Select[Any]:
    """The records of a case, between two places, that an event of the kind followed."""
    event = _events(part)
    of_case = sa.select(_A.idx).where(
        _A.part == word("case"), _A.part != word(RELEASED), _A.idx >= low, _A.idx < high
    )
    return of_case.join(event, (event.c.pseudonym == _A.pseudonym) & (event.c.last > _A.idx))


def _due(scope: Scope) -> sa.ColumnElement[bool]:
    """Those by a case that should have been decided by now."""
    return sa.and_(
        _R.purpose.in_(scope.by_case),
        _R.at + sa.literal_column("0") < scope.until - DECIDED_DAYS * DAY,
    )


def _undecided(scope: Scope) -> sa.Select[Any]:
    """The records of which a case, any of those named, was not decided afterwards.

    What was not decided is looked for, which is little, and not what was.
    """
    of_case = _A.part == word("case"), _A.part != word(RELEASED), _A.idx < scope.settled
    if scope.hashes:
        decided = _events("decided")
        return (
            sa.select(_A.idx)
            .outerjoin(decided, decided.c.pseudonym == _A.pseudonym)
            .where(*of_case, decided.c.last.is_(None) | (decided.c.last < _A.idx))
        )
    still_open = _still_open()
    later = (still_open.c.pseudonym == _A.pseudonym) & (still_open.c.last < _A.idx)
    return sa.select(_A.idx).join(still_open, later).where(*of_case)


def _still_open() -> Any:
    """The cases named after their last decision, by one pass in the order of their index."""

    def last(part: str) -> sa.ColumnElement[int]:
        return sa.func.max(sa.case((_A.part == word(part), _A.idx), else_=-1))

    return (
        sa.select(_A.pseudonym, last("decided").label("last"))
        .where(_A.part != word(RELEASED))
        .group_by(_A.pseudonym)
        .having(last("case") > last("decided"))
        .subquery()
    )


def _without_decision(scope: Scope) -> Records:
    return accesses(scope).where(_due(scope), _R.idx.in_(_undecided(scope)))


def _brief_case(scope: Scope) -> Records:
    return accesses(scope).where(_R.idx.in_(_followed("brief", scope.low, scope.high)))


def _another_purpose(scope: Scope) -> Records:
    refused, of, later, answered = (
        INDEX_RECORD.alias("refused"),
        INDEX_ABOUT.alias("refused_about"),
        INDEX_ABOUT.alias("later"),
        INDEX_RECORD.alias("answered"),
    )
    within = REFUSED_HOURS * DAY // 24
    found = (
        sa.select(later.c.idx)
        .select_from(refused)
        .join(of, of.c.idx == refused.c.idx)
        .join(
            later,
            (later.c.pseudonym == of.c.pseudonym)
            & (later.c.person == of.c.person)
            & (later.c.part == word(RELEASED))
            & (later.c.idx > of.c.idx),
        )
        .join(answered, answered.c.idx == later.c.idx)
        .where(
            refused.c.outcome == word("refused"),
            refused.c.idx >= scope.low,
            refused.c.idx < scope.high,
            of.c.part == word("asked"),
            answered.c.purpose != refused.c.purpose,
            answered.c.at <= refused.c.at + within,
        )
    )
    return accesses(scope).where(_R.idx.in_(found))


def _break_glass(scope: Scope) -> Records:
    return _flagged("breakGlass")(scope)


def _overdue(scope: Scope) -> Records:
    return accesses(scope).where(_R.operation.in_(scope.overdue))


def _unexplained(scope: Scope) -> Records:
    """Accesses by a case that came to nothing, or by a break-glass not found justified."""
    unreviewed = sa.select(_R.idx).where(_R.operation.in_(scope.unreviewed)).correlate(None)
    others = sa.union_all(_followed("brief", scope.low, scope.high), unreviewed).cte()
    # In one list: a database looks it up at once, and not each of several for every access.
    return accesses(scope).where(
        _R.idx.in_(sa.union_all(_undecided(scope), sa.select(others.c.idx))),
        _due(scope) | _R.idx.in_(sa.select(others.c.idx)),
    )


INDICATORS: Mapping[str, Indicator] = {
    each.name: each
    for each in (
        Indicator(
            "most-looking",
            f"officials with {MORE_THAN_COLLEAGUES} times the accesses of their office's average",
            _most_looking,
        ),
        Indicator(
            "often-at-one",
            f"an official looked at the same recipient {OFTEN} times or more",
            _often_at_one,
        ),
        Indicator("watched", f"{WATCHED} officials or more looked at the same recipient", _watched),
        Indicator("outside-hours", "outside working hours", _outside_hours),
        Indicator(
            "without-decision",
            f"the case was not decided after the look-up, in {DECIDED_DAYS} days",
            _without_decision,
        ),
        Indicator("same-surname", "at somebody of the same surname", _flagged("sameSurname")),
        Indicator("same-address", "at somebody of the same address", _flagged("sameAddress")),
        Indicator("same-office", "at somebody of the same office", _flagged("sameOffice")),
        Indicator("brief-case", "by a case opened and closed around the look-up", _brief_case),
        Indicator(
            "another-purpose",
            f"a refusal was followed by another purpose within {REFUSED_HOURS} hours",
            _another_purpose,
        ),
        Indicator("break-glass", "by a break-glass", _break_glass),
        Indicator(
            "break-glass-reviews",
            "by a break-glass whose review is overdue or found it unjustified",
            _overdue,
        ),
        Indicator("unexplained", "no simple reason explains the access", _unexplained),
    )
}
"""Every indicator, by name, in the order they are shown."""


def chosen(names: Sequence[str] | None) -> list[Indicator]:
    """The indicators of these names, all where none is given. Raises KeyError."""
    return [INDICATORS[name] for name in names] if names else list(INDICATORS.values())
