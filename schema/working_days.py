"""Korean working days: Monday to Friday without public holidays, substitute ones included."""

from __future__ import annotations

import datetime
import functools

KOREA = datetime.timezone(datetime.timedelta(hours=9))
"""Korean time; there is no summer time."""

_DAY = datetime.timedelta(days=1)
_FIRST_YEAR = 1949
"""The year of the first decree on public holidays."""


def today() -> datetime.date:
    """The date in Korea."""
    return datetime.datetime.now(KOREA).date()


@functools.cache
def _holidays(year: int) -> frozenset[datetime.date]:
    import holidays  # noqa: PLC0415 - a tenth of a second that most processes need not spend

    return frozenset(holidays.country_holidays("KR", years=year))


def is_working_day(day: datetime.date) -> bool:
    """Whether offices are open."""
    return day.weekday() < 5 and day not in _holidays(day.year)


def working_days(after: datetime.date, until: datetime.date) -> int:
    """How many working days there are after one day, up to and with another; 0 if that is none."""
    length = (until - after).days
    if length <= 0:
        return 0
    weeks, rest = divmod(length, 7)
    weekdays = weeks * 5 + sum((after + n * _DAY).weekday() < 5 for n in range(1, rest + 1))
    years = range(max(after.year, _FIRST_YEAR), until.year + 1)
    closed = (day for year in years for day in _holidays(year))
    return weekdays - sum(after < day <= until and day.weekday() < 5 for day in closed)


def last_day(event: datetime.date, days: int) -> datetime.date:
    """The last day of a period of days that an event starts.

    The day of the event is not counted (Civil Act, Article 157); a last day on a Saturday, Sunday
    or public holiday moves to the next working day (Article 161).
    """
    day = event + days * _DAY
    while not is_working_day(day):
        day += _DAY
    return day
