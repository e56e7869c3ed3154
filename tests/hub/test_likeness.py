"""What a recipient has in common with whoever looks is flagged, and nothing else is."""

from __future__ import annotations

import pytest

from hub.likeness import Likeness, flags, likeness


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("김은윤", "김철수", True),
        ("김은윤", "이은윤", False),
        ("남궁민", "남궁은윤", True),
        ("남궁민", "남은윤", False),
        ("남궁", "남은윤", True),
        ("KIM Minsu", "Kim Jisoo", True),
        ("KIM Minsu", "Lee Minsu", False),
        ("", "", False),
        (None, "김철수", False),
    ],
)
def test_surnames_are_compared(one: str | None, other: str | None, same: bool) -> None:
    known = {"r": likeness(one, None), "own": likeness(other, None)}
    assert flags(["r"], known, ["own"], (), ()) == ({"r": ["sameSurname"]} if same else {})


def test_addresses_are_compared_whole_but_for_spaces() -> None:
    known = {
        "r": Likeness(None, likeness(None, "1  Main  Street").address),
        "next door": likeness(None, "2 Main Street"),
        "own": likeness(None, "1 MAIN street "),
    }
    assert flags(["r", "next door"], known, ["own"], (), ()) == {"r": ["sameAddress"]}


def test_colleagues_and_those_opened_in_an_emergency_are_flagged_without_any_fact() -> None:
    found = flags(["a", "b", "c"], {}, ["own"], {"a"}, {"a", "b"})
    assert found == {"a": ["sameOffice", "breakGlass"], "b": ["breakGlass"]}


def test_everybody_behind_a_request_is_compared() -> None:
    known = {"r": likeness("박은윤", None), "first": likeness("김", None)}
    known["second"] = likeness("박철수", None)
    assert flags(["r"], known, ["first", "second"], (), ()) == {"r": ["sameSurname"]}
