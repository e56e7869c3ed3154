"""What of true figures leaves the hub: the one way out of the engine. Pure.

Each rule stands with its source in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.population.differencing import near_cells
from hub.population.engine import Amounts, Counted, Found, Group
from hub.population.perturbation import KEYS, Noise
from hub.population.question import Filter, Measure, Past, Question
from hub.population.suppression import Cell, margins_of, withheld
from sources.declaration import Catalogue

DOMINANCE = 0.1
"""The p% rule: the others of a total have to add up to this share of the largest, or more
(Hundepool et al., Statistical Disclosure Control, Wiley 2012, chapter 4; K)."""
LARGEST_MOVED = 0.5
"""The part of the largest amount by which a total is moved at most, so that nobody's shows."""
MOST_CELLS = 2_500


@dataclass(frozen=True, slots=True)
class Control:
    """The least people of a cell, and the noise."""

    least: int
    noise: Noise


@dataclass(frozen=True, slots=True)
class Row:
    """A released cell: its groups, its count, and its figures, None where one is withheld."""

    groups: tuple[Group, ...]
    count: int
    figures: tuple[float | None, ...]


def released_count(control: Control, cell: Counted) -> int | None:
    """A count as it is released; None where it is of too few."""
    moved = control.noise.count(cell.people, cell.key)
    return moved if min(moved, cell.people) >= control.least else None


def is_near(
    control: Control, catalogue: Catalogue, where: Filter, past: Sequence[Past], found: Found
) -> bool:
    """Whether a past question was answered about nearly the same people, but is not the same."""
    people = {(): found.whole.people}
    least = control.least
    return bool(near_cells(catalogue, where, (), (), people, past, found.overlaps, least))


def released_table(
    control: Control,
    catalogue: Catalogue,
    question: Question,
    key: str,
    past: Sequence[Past],
    found: Found,
) -> list[Row]:
    """The cells of a table that are released, in the order of their groups."""
    asked, answered = question.tables[key], found.tables[key]
    together = _with_margins(answered.cells)
    people = {groups: cell.people for groups, cell in together.items()}
    near = near_cells(
        catalogue,
        question.where,
        asked.dimensions,
        answered.edges,
        people,
        past,
        found.overlaps,
        control.least,
    )
    few = [
        groups
        for groups, cell in together.items()
        if cell.people and released_count(control, cell) is None
    ]
    finest = {groups: cell.people for groups, cell in answered.cells.items() if cell.people}
    # What past questions withhold comes on top: a table asked again shows no cell that it did not.
    hidden = withheld(finest, few, control.least)
    hidden = withheld(finest, hidden | near, control.least) if near else hidden
    rows = []
    for groups, cell in sorted(answered.cells.items(), key=lambda entry: _order(entry[0])):
        count = released_count(control, cell)
        if count is not None and groups not in hidden:
            figures = tuple(
                _figure(control, measure, answered.amounts[measure].get(groups))
                for measure in asked.measures
            )
            rows.append(Row(groups, count, figures))
    return rows


def _with_margins(cells: Mapping[tuple[Group, ...], Counted]) -> dict[Cell, Counted]:
    found: dict[Cell, Counted] = {}
    for groups, cell in cells.items():
        for margin in margins_of(groups):
            before = found.get(margin, Counted(0, 0))
            people, key = before.people + cell.people, before.key + cell.key
            found[margin] = Counted(people, key % KEYS)
    return found


def _order(groups: tuple[Group, ...]) -> tuple[tuple[bool, int, str], ...]:
    """By group, amounts by size, the people without a value last."""
    return tuple(
        (group is None, group if isinstance(group, int) else 0, str(group)) for group in groups
    )


def _figure(control: Control, measure: Measure, made: Amounts | None) -> float | None:
    """A figure of a released cell; None where it is withheld."""
    if made is None or made.people < control.least:
        return None
    if measure.of == "median":
        return _median(control, measure, made)
    if made.total - made.largest - made.second < DOMINANCE * made.largest:
        return None
    moved = control.noise.share(made.key, f"total {measure.item}")
    total = made.total + moved * LARGEST_MOVED * made.largest
    if measure.of == "total":
        return rounded(total, 3)
    return rounded(total / max(1, control.noise.count(made.people, made.key)), 3)


def _median(control: Control, measure: Measure, made: Amounts) -> float | None:
    """Between the quantiles about the half, as the cell's key says; of twice the least people.

    So that on either side of it there are as many people as make a cell.
    """
    if made.people < 2 * control.least:
        return None
    low, middle, high = made.quantiles
    moved = control.noise.share(made.key, f"median {measure.item}")
    other = high if moved > 0 else low
    return rounded(middle + abs(moved) * (other - middle), 2)


def rounded(amount: float, digits: int) -> float:
    """An amount to so many significant digits."""
    if amount == 0:
        return 0.0
    return round(amount, digits - 1 - math.floor(math.log10(abs(amount))))
