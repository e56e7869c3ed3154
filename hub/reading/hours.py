"""Working hours, as a condition on times that a database works out."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

_HOUR = 3600 * 1000
_DAY = 24 * _HOUR
_THURSDAY = 4
"""The day of the week on which 1970 began, Sunday being 0."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to before when (ms since 1970) a place is ahead of UTC by so many ms."""

    since: int
    until: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Outside:
    """The times that are outside working hours, weekends and holidays included.

    `holidays` are days since 1970, by local date.
    """

    spans: tuple[Span, ...]
    first_hour: int
    last_hour: int
    holidays: tuple[int, ...]

    def condition(self, at: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Whether a time (ms since 1970, UTC) is outside working hours."""
        return sa.or_(
            sa.false(),
            *(
                sa.and_(at >= each.since, at < each.until, self._outside(at, each))
                for each in self.spans
            ),
        )

    def _outside(self, at: sa.ColumnElement[int], span: Span) -> sa.ColumnElement[bool]:
        local = at + span.ahead
        hour = (local // _HOUR) % 24
        day = local // _DAY
        week_day = (day + _THURSDAY) % 7
        return sa.or_(
            hour < self.first_hour,
            hour >= self.last_hour,
            week_day.in_((0, 6)),
            day.in_(self.holidays),
        )


def outside(
    since: int, until: int, *, zone: str, hours: tuple[int, int], country: str | None
) -> Outside:
    """Working hours of a place between two times (ms since 1970).

    `zone` is a name of the IANA time zone database, `country` an ISO 3166-1 code.
    """
    years = {_local(since, zone).year, _local(until, zone).year}
    holidays = _holidays(country, range(min(years), max(years) + 1)) if country else ()
    return Outside(tuple(_spans(since, until, zone)), *hours, tuple(holidays))


def _local(at: int, zone: str) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at / 1000, ZoneInfo(zone))


def _spans(since: int, until: int, zone: str) -> Iterator[Span]:
    """The spans of one offset each, to the hour: clocks change on full hours."""
    start, ahead = since, _ahead(since, zone)
    at = since
    while at < until:
        step = min(at + _DAY, until)
        if _ahead(step, zone) != ahead:
            changed = next(
                each for each in range(at, step + _HOUR, _HOUR) if _ahead(each, zone) != ahead
            )
            changed -= changed % _HOUR
            yield Span(start, changed, ahead)
            start, ahead = changed, _ahead(changed, zone)
        at = step
    yield Span(start, until, ahead)


def _ahead(at: int, zone: str) -> int:
    offset = _local(at, zone).utcoffset() or datetime.timedelta()
    return round(offset.total_seconds() * 1000)


def _holidays(country: str, years: range) -> Iterator[int]:
    from holidays import country_holidays  # noqa: PLC0415 - it takes long to import

    epoch = datetime.date(1970, 1, 1)
    return ((day - epoch).days for day in sorted(country_holidays(country, years=years)))
