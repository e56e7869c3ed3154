"""What is left of a value that is released reduced."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.transform import Transform

DAY = datetime.date(1957, 3, 14)


@pytest.mark.parametrize(
    ("transform", "value", "reduced"),
    [
        (Transform(mask=4), "110-22-3456", "*******3456"),
        (Transform(mask=4), "3456", "****"),
        (Transform(mask=4), "1", "*"),
        (Transform(mask=0), "secret", "******"),
        (Transform(band=(0, 100, 1000)), 999, 100),
        (Transform(band=(0, 100, 1000)), 1000, 1000),
        (Transform(band=(0, 100, 1000)), -5, 0),
        (Transform(exists=True), "a diagnosis", "exists"),
        (Transform(district=True), "서울특별시 종로구 샛별로 66, 105동 203호", "서울특별시 종로구"),
        (Transform(year=True), DAY, datetime.date(1957, 1, 1)),
        (Transform(year=True), "1957-03", "1957-01"),
        (Transform(year=True), None, None),
    ],
)
def test_a_value_is_reduced(transform: Transform, value: Any, reduced: Any) -> None:
    assert transform.reduce(value) == reduced


@given(value=st.text(max_size=30), kept=st.integers(0, 8))
def test_a_mask_keeps_the_length_and_no_more_than_the_last_characters(
    value: str, kept: int
) -> None:
    masked = Transform(mask=kept).reduce(value)
    assert len(masked) == len(value)
    assert set(masked[: len(value) - kept if kept < len(value) else len(value)]) <= {"*"}


@given(one=st.integers(), other=st.integers())
def test_a_band_tells_nothing_within_itself(one: int, other: int) -> None:
    steps = (0, 1000, 5000)
    band = Transform(band=steps)
    same = all((one >= step) == (other >= step) for step in steps[1:])
    assert (band.reduce(one) == band.reduce(other)) is same


def test_it_is_said_in_words() -> None:
    assert [
        Transform(mask=2).text,
        Transform(band=(0, 5)).text,
        Transform(year=True).text,
    ] == ["mask 2", "band 0, 5", "year"]
