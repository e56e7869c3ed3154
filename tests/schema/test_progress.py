"""How far an application has come: stage, working days, last day by law, who acts next."""

from __future__ import annotations

import datetime
import re

import pytest

from schema.law import law
from schema.progress import Actor, Filed, Progress, Stage, Timeliness, progress

APPLIED = datetime.date(2026, 8, 25)  # 30 days: 24 September, Chuseok, so 28 September
TODAY = datetime.date(2026, 9, 10)


def on(today: str, **filed: object) -> Progress:
    given = {"status": "investigating", "applied": APPLIED, **filed}
    return progress(Filed(**given), law().applications, datetime.date.fromisoformat(today))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("today", "timeliness"),
    [
        ("2026-09-28", Timeliness.IN_TIME),
        ("2026-09-29", Timeliness.LATE_UNLESS_EXTENDED),
        ("2026-10-26", Timeliness.LATE_UNLESS_EXTENDED),
        ("2026-10-27", Timeliness.LATE),
    ],
)
def test_it_is_late_after_30_days_unless_extended_and_after_60_in_any_case(
    today: str, timeliness: Timeliness
) -> None:
    found = on(today)
    assert (found.due, found.due_if_extended) == (
        datetime.date(2026, 9, 28),
        datetime.date(2026, 10, 26),  # day 60 is Saturday, 24 October
    )
    assert found.timeliness is timeliness
    assert found.next_to_act is Actor.OFFICE


@pytest.mark.parametrize(
    ("extended", "today", "due", "timeliness"),
    [
        (True, "2026-09-29", datetime.date(2026, 10, 26), Timeliness.IN_TIME),
        (True, "2026-10-27", datetime.date(2026, 10, 26), Timeliness.LATE),
        (False, "2026-09-29", datetime.date(2026, 9, 28), Timeliness.LATE),
    ],
)
def test_an_extension_that_is_known_of_settles_it(
    extended: bool, today: str, due: datetime.date, timeliness: Timeliness
) -> None:
    found = on(today, extended=extended)
    assert (found.due, found.timeliness) == (due, timeliness)


def test_the_days_that_have_passed_are_working_days() -> None:
    assert on("2026-09-28").working_days == 22  # 24 weekdays, two of them Chuseok's


def test_a_decision_stops_the_count() -> None:
    found = on(
        "2026-11-23", status="decided", decided=datetime.date(2026, 9, 28), outcome="granted"
    )
    assert (found.stage, found.working_days, found.timeliness) == (
        Stage.DECIDED,
        22,
        Timeliness.IN_TIME,
    )
    assert found.next_to_act is Actor.NOBODY
    assert found.object_until is None


@pytest.mark.parametrize(
    ("today", "actor"), [("2026-12-28", Actor.RECIPIENT), ("2026-12-29", Actor.NOBODY)]
)
def test_a_refusal_can_be_objected_to_for_90_days(today: str, actor: Actor) -> None:
    found = on(today, status="decided", decided=datetime.date(2026, 9, 28), outcome="refused")
    assert found.object_until == datetime.date(2026, 12, 28)  # day 90 is Sunday, 27 December
    assert found.next_to_act is actor
    assert "2026-12-28" in found.explanation.ko
    assert "2026-12-28" in found.explanation.en


def test_what_is_withdrawn_has_no_last_day() -> None:
    found = on("2026-11-23", status="withdrawn")
    assert (found.due, found.working_days, found.next_to_act) == (None, None, Actor.NOBODY)


@pytest.mark.parametrize(
    "filed",
    [
        {"applied": None},
        {"applied": datetime.date(2026, 9, 11)},
        {"status": "decided", "decided": None},
        {"status": "decided", "decided": datetime.date(2026, 9, 11)},
        {"status": "decided", "decided": datetime.date(2026, 8, 24)},
        {"applied": datetime.date.max},
    ],
)
def test_nothing_is_worked_out_from_dates_that_lack_or_cannot_be(filed: dict[str, object]) -> None:
    found = on("2026-09-10", **filed)
    assert (found.working_days, found.due, found.due_if_extended) == (None, None, None)
    assert found.timeliness is Timeliness.UNKNOWN
    assert found.next_to_act is Actor.UNKNOWN


@pytest.mark.parametrize("status", [None, "Decided", "lost"])
def test_a_word_that_is_no_stage_is_unknown(status: str | None) -> None:
    found = on("2026-09-10", status=status)
    assert (found.stage, found.next_to_act) == (Stage.UNKNOWN, Actor.UNKNOWN)
    assert found.due is None


def test_each_situation_is_said_in_plain_words_without_blanks_left() -> None:
    decided = datetime.date(2026, 9, 1)
    said = [
        on("2026-09-10", status="received"),
        on("2026-09-10"),
        on("2026-12-10"),
        on("2026-09-10", status="decided", decided=decided, outcome="granted"),
        on("2026-09-10", status="decided", decided=decided, outcome="refused"),
        on("2026-09-10", status="decided", decided=decided),
        on("2026-09-10", status="withdrawn"),
        on("2026-09-10", status="lost"),
    ]
    assert len({found.explanation.en for found in said}) == 8
    for found in said:
        assert not re.search(r"None|[{}]", found.explanation.en + found.explanation.ko)
        assert re.search("[가-힣]", found.explanation.ko)


def test_the_words_name_day_count_and_last_day() -> None:
    assert on("2026-09-10", status="received").explanation.en == (
        "Your application of 2026-08-25 has been received. The office will look into it next."
        " 12 working days have passed. It has to tell you its decision by 2026-09-28, or by"
        " 2026-10-26 where it has told you why it takes longer."
    )
