"""A thousand random questions, answered with control and without, and what can be worked out."""

from __future__ import annotations

import pytest

from tests.population.reconstruction import (
    LEAST,
    Asked,
    People,
    answers,
    attack,
    control,
    make,
    questions,
)


@pytest.fixture(scope="module")
def people() -> People:
    return make(1_200, 1)


@pytest.fixture(scope="module")
def asked(people: People) -> list[Asked]:
    return questions(people, 1_000, 2)


def test_without_control_a_thousand_questions_tell_everything(
    people: People, asked: list[Asked]
) -> None:
    assert attack(people, asked, answers(people, asked, None)).exact == 1.0


def test_with_control_they_tell_of_small_groups_little_more_than_is_known_of_all(
    people: People, asked: list[Asked]
) -> None:
    found = answers(people, asked, control())
    recovered = attack(people, asked, found)
    assert all(count is None or count >= LEAST for count in found)
    assert recovered.exact < recovered.blind + 0.25
    assert recovered.right < recovered.guessing + 0.02


def test_what_a_team_may_ask_in_a_day_tells_less(people: People) -> None:
    asked = questions(people, 100, 3)
    recovered = attack(people, asked, answers(people, asked, control()))
    assert recovered.exact < recovered.blind + 0.1
