"""Reasons: long enough, made of words, and not those given before with a word changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.oversight.reasons import alike, lacks, marks

KEY = b"a key"
FIRE = "Neighbours report smoke from the flat; nobody opens, and the person uses a wheelchair."
FALL = "Found unconscious on the stairs by the postwoman; the ambulance needs to know of kin."
KOREAN = "이웃이 연기를 신고함. 문이 열리지 않고 대상자는 휠체어를 사용하여 대피가 어려움."
OTHER_KOREAN = "병원 응급실에서 의식이 없는 상태로 발견되어 가족 연락처를 급히 확인해야 함."


def same(one: str, other: str) -> bool:
    return alike(marks(one, KEY), marks(other, KEY))


@pytest.mark.parametrize(
    "pasted",
    [
        FIRE,
        FIRE.upper(),
        f"  {FIRE.replace(' ', '   ')} ",
        FIRE.replace("smoke", "fire"),
        f"Today: {FIRE}",
        f"{FIRE} Asked on 23 November by the fire brigade of the district.",
        FIRE.replace("; ", ". "),
        FIRE[: len(FIRE) * 2 // 3] + " and so on",
    ],
)
def test_a_reason_pasted_with_little_changed_is_the_same(pasted: str) -> None:
    assert same(FIRE, pasted)


@pytest.mark.parametrize(("one", "other"), [(FIRE, FALL), (KOREAN, OTHER_KOREAN), (FIRE, KOREAN)])
def test_two_emergencies_are_two_reasons(one: str, other: str) -> None:
    assert not same(one, other)


def test_numbers_do_not_make_a_new_reason_and_wide_letters_neither() -> None:
    assert same(
        "Fire at house number 12, the family is inside",
        "Fire at house number 98, the family is inside",
    )
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter != " " else " " for letter in FIRE.lower())
    assert same(FIRE, wide)
    assert same(KOREAN, KOREAN.replace("이웃이", "옆집이"))


@given(st.text(max_size=200), st.text(max_size=200))
def test_likeness_has_no_direction_and_everything_is_like_itself(one: str, other: str) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)


def test_marks_tell_nothing_without_the_key() -> None:
    assert not set(_split(marks(FIRE, b"one"))) & set(_split(marks(FIRE, b"other")))


def _split(joined: bytes) -> list[bytes]:
    return [joined[at : at + 8] for at in range(0, len(joined), 8)]


@pytest.mark.parametrize(
    ("text", "lack"),
    [
        ("", "it has 0 characters without spaces, and 40 are needed"),
        (f"short {' ' * 100}", "it has 5 characters without spaces, and 40 are needed"),
        ("a" * 100, "it repeats itself: say in words what has happened"),
        ("urgent! " * 20, "it repeats itself: say in words what has happened"),
        ("12345 67890 !!!! " * 5, "it is hardly made of letters: say in words what has happened"),
    ],
)
def test_what_is_no_reason_is_told_why(text: str, lack: str) -> None:
    assert lacks(text, 40) == lack


@pytest.mark.parametrize("text", [FIRE, FALL, KOREAN])
def test_a_typed_reason_will_do(text: str) -> None:
    assert lacks(text, 30) is None
