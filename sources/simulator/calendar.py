"""Days and months as small integers, and the one date that the whole model refers to.

A day is counted from 1900-01-01, a month is year x 12 + month - 1, and -1 is "none".
"""

from datetime import date, timedelta
from functools import cache

import numpy as np

from sources.simulator.draw import Ints

REFERENCE = date(2026, 10, 31)
"""The day on which the agencies' books are read; there is no clock in the population."""

ASSESSED_YEAR = 2025
_FIRST = date(1900, 1, 1)
_DAYS = 49_000
NONE = -1


def day(value: date) -> int:
    """The number of a date."""
    return (value - _FIRST).days


TODAY = day(REFERENCE)
THIS_MONTH = REFERENCE.year * 12 + REFERENCE.month - 1
_YMD: Ints = np.array(
    [
        when.year * 10_000 + when.month * 100 + when.day
        for when in (_FIRST + timedelta(days=offset) for offset in range(_DAYS))
    ],
    dtype=np.int64,
)


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
