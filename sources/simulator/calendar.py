"""Days and months as small integers, and the one date that the whole model refers to.

A day is counted from 1900-01-01, a month is year x 12 + month - 1, and -1 is "none".
"""

from datetime import date
from functools import cache

import numpy as np

from sources.simulator.draw import Ints

REFERENCE = date(2026, 10, 31)
"""The day on which the agencies' books are read; there is no clock in the population."""

ASSESSED_YEAR = 2025
_FIRST = date(1900, 1, 1)
_END = "2035-01-01"
NONE = -1


def day(value: date) -> int:
    """The number of a date."""
    return (value - _FIRST).days


TODAY = day(REFERENCE)
THIS_MONTH = REFERENCE.year * 12 + REFERENCE.month - 1


def _all_days() -> Ints:
    """Every day of the table as an integer YYYYMMDD."""
    days = np.arange(_FIRST.isoformat(), _END, dtype="datetime64[D]")
    months = days.astype("datetime64[M]")
    month = months.astype(np.int64) + 1970 * 12
    table: Ints = month // 12 * 10_000 + (month % 12 + 1) * 100 + 1
    table += (days - months).astype(np.int64)
    return table


_YMD = _all_days()


def ymd(days: Ints) -> Ints:
    """Day numbers as integers YYYYMMDD."""
    return _YMD[days]


def ages(birth: Ints) -> Ints:
    """Whole years reached on the reference date."""
    return (int(_YMD[TODAY]) - _YMD[birth]) // 10_000


def month_of(days: Ints) -> Ints:
    """Month numbers of day numbers."""
    return _YMD[days] // 10_000 * 12 + _YMD[days] // 100 % 100 - 1


@cache
def _iso() -> list[str | None]:
    text: list[str | None] = [
        f"{value // 10_000:04}-{value // 100 % 100:02}-{value % 100:02}" for value in _YMD.tolist()
    ]
    # NONE is the last place of the list, seen from the end.
    return [*text, None]


@cache
def _compact() -> list[str | None]:
    return [*(str(value) for value in _YMD.tolist()), None]


def iso_dates(days: Ints) -> list[str | None]:
    """`YYYY-MM-DD`, or None."""
    table = _iso()
    return [table[number] for number in days.tolist()]


def compact_dates(days: Ints) -> list[str | None]:
    """`YYYYMMDD`, or None."""
    table = _compact()
    return [table[number] for number in days.tolist()]


def iso_months(months: Ints) -> list[str]:
    """`YYYY-MM`."""
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in months.tolist()]


def compact_months(months: Ints) -> list[str]:
    """`YYYYMM`."""
    return [f"{number // 12:04}{number % 12 + 1:02}" for number in months.tolist()]
