"""Filters are read strictly, and known again in other words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import RequestRefused
from hub.population.question import Filter, filter_of, read, same, written
from sources.declaration import Catalogue
from sources.reading import read_catalogue

SOURCES = Path("sources/catalogue")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    enabled = ["resident", "tax", "labour", "property", "benefits"]
    found, faults = read_catalogue(SOURCES, enabled, "resident", "benefits")
    assert faults == []
    return found


def test_a_filter_is_read_with_all_that_it_says(catalogue: Catalogue) -> None:
    given_ = {
        "resident_sex": {"eq": "female"},
        "benefits_receipts": {"programme": {"in": ["basic-pension"]}, "state": {"ne": "held"}},
        "or": [
            {"tax_earnedIncome": {"between": {"from": 6_000_000, "until": 12_000_000}}},
            {"not": {"tax_earnedIncome": {"exists": True}}},
        ],
    }
    assert filter_of(catalogue, given_) == (
        "and",
        ("in", "resident.sex", "female"),
        (
            "some",
            "benefits.receipts",
            ("in", "benefits.receipts.programme", "basic-pension"),
            ("not", ("in", "benefits.receipts.state", "held")),
        ),
        (
            "or",
            ("range", "tax.earnedIncome", 6e6, 12e6),
            ("not", ("exists", "tax.earnedIncome")),
        ),
    )


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"tax_earnedIncome": {"ge": 12_345_678}},
            "`tax.earnedIncome` is compared by the edges of its groups only",
        ),
        (
            {"resident_province": {"eq": "829020-1705151"}},
            "a value that `resident.province` is compared with is no name of a group",
        ),
        (
            {"or": [{"resident_sex": {"eq": "male"}}] * 61},
            "the filter has more than 60 comparisons",
        ),
    ],
)
def test_a_filter_that_could_pin_a_person_is_refused(
    catalogue: Catalogue, where: dict[str, object], message: str
) -> None:
    with pytest.raises(RequestRefused) as refusal:
        filter_of(catalogue, where)
    assert refusal.value.codes == ["UNSAFE_FILTER"]
    assert refusal.value.errors[0].message == message


A: Filter = ("in", "a", "x")
B: Filter = ("range", "b", 1.0, 5.0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("and", A, B), ("and", B, A), True),
        (("not", ("not", A)), A, True),
        (("not", ("or", A, B)), ("and", ("not", A), ("not", B)), True),
        (("and", ("range", "b", 1.0, None), ("range", "b", None, 5.0)), B, True),
        (("or", ("in", "a", "x"), ("in", "a", "y")), ("in", "a", "x", "y"), True),
        (("or", ("range", "b", 1.0, 3.0), ("range", "b", 3.0, 5.0)), B, True),
        (("and", A, ("exists", "a")), A, True),
        (("or", A, ("not", ("exists", "a"))), A, False),
        (("range", "b", 1.0, 5.0), ("range", "b", 1.0, 6.0), False),
        (A, ("not", A), False),
        (("some", "l", A, B), ("some", "l", B, A), True),
        (("some", "l", A), ("some", "l", A, B), False),
    ],
)
def test_filters_are_the_same_where_they_choose_alike(
    one: Filter, other: Filter, expected: bool
) -> None:
    assert same(one, other) is expected
    assert same(other, one) is expected


@given(
    st.recursive(
        st.sampled_from([A, B, ("exists", "c"), ("some", "l", A)]),
        lambda inner: st.one_of(
            st.tuples(st.just("not"), inner),
            st.lists(inner, max_size=3).map(lambda parts: ("and", *parts)),
            st.lists(inner, max_size=3).map(lambda parts: ("or", *parts)),
        ),
        max_leaves=6,
    )
)
def test_what_is_written_is_read_again(where: Filter) -> None:
    assert read(written(where)) == where
    assert same(where, ("not", ("not", where)))
