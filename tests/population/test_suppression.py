"""Nothing that is withheld can be worked out from what is released, by an audit of its own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.population.suppression import ALL, Cell, margins_of, with_margins, withheld

LEAST = 10


def hide(cells: dict[Cell, int]) -> frozenset[Cell]:
    counts = with_margins(cells)
    small = [cell for cell, people in counts.items() if people < LEAST]
    return withheld(cells, small, LEAST)


def told_exactly(cells: dict[Cell, int], hidden: frozenset[Cell]) -> list[Cell]:
    """The cells not released that linear algebra determines: in floating point, not as the hub.

    Those of nobody are not released either, and so not known.
    """
    groups = [
        sorted({cell[at] for cell in cells}, key=repr) for at in range(len(next(iter(cells))))
    ]
    counts = with_margins(cells)
    every = list(itertools.product(*([*found, ALL] for found in groups)))
    unknown = [cell for cell in every if cell in hidden or not counts.get(cell)]
    place = {cell: at for at, cell in enumerate(unknown)}
    rows = []
    for margin in every:
        for at in (at for at, group in enumerate(margin) if group is ALL):
            row = np.zeros(len(unknown))
            for cell in (
                margin,
                *((*margin[:at], group, *margin[at + 1 :]) for group in groups[at]),
            ):
                if cell in place:
                    row[place[cell]] = -1 if cell is margin else 1
            rows.append(row)
    if not unknown:
        return []
    _, sizes, basis = np.linalg.svd(np.array(rows))
    free = np.abs(basis[int((sizes > 1e-9).sum()) :])
    return [cell for cell in unknown if not len(free) or free[:, place[cell]].max() < 1e-9]


tables = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: st.lists(
        st.one_of(st.integers(0, 12), st.integers(0, 80)),
        min_size=shape[0] * shape[1],
        max_size=shape[0] * shape[1],
    ).map(
        lambda counts: dict(
            zip(itertools.product(range(shape[0]), range(shape[1])), counts, strict=True)
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(tables)
def test_no_withheld_cell_of_a_table_follows_from_its_margins(cells: dict[Cell, int]) -> None:
    cells = {cell: people for cell, people in cells.items() if people}
    counts, hidden = with_margins(cells), hide(cells)
    assert {cell for cell, people in counts.items() if people < LEAST} <= hidden
    if cells:
        assert not {*told_exactly(cells, hidden)} & hidden


@settings(max_examples=100, deadline=None)
@given(tables)
def test_a_margin_withholds_the_same_whether_it_is_asked_for_by_itself_or_not(
    cells: dict[Cell, int],
) -> None:
    cells = {cell: people for cell, people in cells.items() if people}
    rows: dict[Cell, int] = {}
    for cell, people in cells.items():
        rows[cell[:1]] = rows.get(cell[:1], 0) + people
    within = {cell[:1] for cell in hide(cells) if cell[1] is ALL}
    assert within == set(hide(rows))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({("a",): 5, ("b",): 40, ("c",): 30}, {("a",), ("c",)}),
        ({("a",): 5, ("b",): 4, ("c",): 30}, {("a",), ("b",), ("c",)}),
        ({("a",): 5, ("b",): 6, ("c",): 30}, {("a",), ("b",)}),
        ({("a",): 50, ("b",): 40}, set()),
    ],
)
def test_the_smallest_further_cell_is_withheld_until_enough_people_are(
    cells: dict[Cell, int], expected: set[Cell]
) -> None:
    assert hide(cells) == expected


def test_a_bridge_between_two_circles_of_withheld_cells_is_found() -> None:
    # Every row and column has two withheld cells or none, and still (1, 1) would follow.
    cells = dict.fromkeys(itertools.product(range(4), range(4)), 50)
    cells |= {
        (0, 0): 5,
        (0, 1): 6,
        (1, 0): 5,
        (1, 1): 7,
        (2, 2): 5,
        (2, 3): 6,
        (3, 2): 6,
        (3, 3): 5,
    }
    assert not {*told_exactly(cells, hide(cells))} & hide(cells)


def test_every_margin_of_a_cell_is_named_once() -> None:
    assert list(margins_of(("a", "b"))) == [(ALL, ALL), ("a", ALL), (ALL, "b"), ("a", "b")]
