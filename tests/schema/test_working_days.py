"""Korean working days and periods, over weekends, holidays, substitutes, months and leap years."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.working_days import is_working_day, last_day, working_days


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "open_"),
    [
        ("2026-11-23", True),  # a Monday
        ("2026-11-21", False),  # a Saturday
        ("2026-11-22", False),  # a Sunday
        ("2026-10-09", False),  # Hangul Day, a Friday
        ("2026-10-05", False),  # substitute for National Foundation Day, which is a Saturday
        ("2026-06-08", True),  # Memorial Day on a Saturday has no substitute
        ("2026-03-02", False),  # substitute for Independence Movement Day, a Sunday
        ("2025-01-27", False),  # a temporary public holiday
        ("2025-05-06", False),  # substitute for two holidays on one day
        ("2026-06-03", False),  # local elections
        ("2026-02-17", False),  # Lunar New Year
        ("2026-09-24", False),  # the day before Chuseok
        ("2024-02-29", True),
    ],
)
def test_offices_are_closed_on_weekends_holidays_and_their_substitutes(
    text: str, open_: bool
) -> None:
    assert is_working_day(day(text)) is open_


@pytest.mark.parametrize(
    ("after", "until", "count"),
    [
        ("2026-11-23", "2026-11-23", 0),
        ("2026-11-24", "2026-11-23", 0),
        ("2026-11-20", "2026-11-22", 0),  # a weekend
        ("2026-11-20", "2026-11-23", 1),
        ("2026-10-02", "2026-10-06", 1),  # holiday, Sunday and substitute in between
        ("2026-09-23", "2026-09-28", 1),  # Chuseok
        ("2026-11-30", "2026-12-01", 1),  # over a month's end
        ("2024-02-28", "2024-03-04", 2),  # the leap day, a holiday, a weekend
        ("2025-02-28", "2025-03-04", 1),  # no leap day, a holiday on a Saturday, its substitute
        ("2025-12-31", "2026-12-31", 245),  # 2026: 261 weekdays, 16 of them holidays
    ],
)
def test_working_days_are_counted_after_the_first_day_up_to_the_last(
    after: str, until: str, count: int
) -> None:
    assert working_days(day(after), day(until)) == count


@pytest.mark.parametrize(
    ("event", "days", "last"),
    [
        ("2026-11-02", 30, "2026-12-02"),
        ("2026-11-12", 30, "2026-12-14"),  # a Saturday moves to Monday
        ("2026-09-05", 30, "2026-10-06"),  # the substitute of 5 October moves on
        ("2026-08-25", 30, "2026-09-28"),  # Chuseok and the weekend after it
        ("2024-01-30", 30, "2024-02-29"),
        ("2025-01-30", 30, "2025-03-04"),  # 1 March, a Sunday, a substitute
    ],
)
def test_a_period_ends_on_a_working_day(event: str, days: int, last: str) -> None:
    assert last_day(day(event), days) == day(last)


DAYS = st.dates(datetime.date(1990, 1, 1), datetime.date(2060, 12, 31))


@given(DAYS, st.integers(0, 700))
def test_the_count_is_that_of_the_days_one_by_one(after: datetime.date, length: int) -> None:
    days = (after + datetime.timedelta(n) for n in range(1, length + 1))
    until = after + datetime.timedelta(length)
    assert working_days(after, until) == sum(map(is_working_day, days))


def test_a_date_of_long_ago_costs_no_more_than_the_holidays_there_have_been() -> None:
    assert working_days(datetime.date(1, 1, 1), day("1948-12-31")) == 508_209
