"""Which cells of a table are withheld: the small ones, and those that would give them away. Pure.

After Hundepool et al., Statistical Disclosure Control (Wiley, 2012), chapter 4: a minimum of
people a cell (primary suppression), and further cells withheld so that no withheld one can be
worked out from the margins (secondary suppression). A table is protected together with all of its
margins, and each margin as it would be if it were asked for by itself: tables of one question
and another then withhold the same. That holds for tables of two dimensions, which are the widest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

Cell = tuple[Any, ...]
"""The groups of a cell, in the order of the dimensions; `ALL` where it is a margin."""
Line = tuple[Cell, ...]
"""A margin, first, and the cells that add up to it."""


class _All:
    def __repr__(self) -> str:
        return "ALL"


ALL = _All()
"""In the place of a group: people of every group."""


def with_margins(cells: Mapping[Cell, int]) -> dict[Cell, int]:
    """The cells, and every margin of them down to the whole."""
    found: dict[Cell, int] = defaultdict(int)
    for cell, people in cells.items():
        for margin in margins_of(cell):
            found[margin] += people
    return dict(found)


def margins_of(cell: Cell) -> Iterator[Cell]:
    """The cell and every margin it counts in."""
    for size in range(len(cell) + 1):
        for kept in combinations(range(len(cell)), size):
            yield tuple(group if at in kept else ALL for at, group in enumerate(cell))


def withheld(cells: Mapping[Cell, int], small: Iterable[Cell], least: int) -> frozenset[Cell]:
    """The cells and margins of a table that are not released.

    `cells` are the true counts of the finest cells; `small` are those, margins included, that
    are withheld by themselves. What is withheld on a line whose margin is released adds up to
    `least` people or more, so that the people of withheld cells are no small group either. A cell
    of nobody is held to be known while other cells can be withheld; it is not released, and looks
    like one that is withheld.
    """
    counts = with_margins(cells)
    hidden = {cell for cell in small if counts.get(cell)}
    if not counts:
        return frozenset()
    width = len(next(iter(counts)))
    for size in range(1, width + 1):
        for kept in combinations(range(width), size):
            part = {cell: n for cell, n in counts.items() if _within(cell, kept)}
            _close(part, hidden, kept, least)
    return frozenset(hidden)


def _within(cell: Cell, kept: tuple[int, ...]) -> bool:
    return all(group is ALL or at in kept for at, group in enumerate(cell))


def _close(
    counts: Mapping[Cell, int], hidden: set[Cell], kept: tuple[int, ...], least: int
) -> None:
    """Withhold further cells of the finest of these until none can be worked out."""
    lines = tuple(_lines(counts, kept))
    while True:
        added = [
            chosen for line in lines if (chosen := _wanting(line, counts, hidden, kept, least))
        ]
        if not added:
            told = _told(lines, hidden)
            added = [
                chosen
                for line in lines
                if not told.isdisjoint(line) and (chosen := _smallest(line, counts, hidden, kept))
            ][:1]
        if not added:
            return
        hidden.update(added)


def _lines(counts: Mapping[Cell, int], kept: tuple[int, ...]) -> Iterator[Line]:
    for at in kept:
        lines: dict[Cell, list[Cell]] = defaultdict(list)
        for cell in counts:
            if cell[at] is not ALL:
                lines[(*cell[:at], ALL, *cell[at + 1 :])].append(cell)
        yield from ((margin, *cells) for margin, cells in lines.items())


def _wanting(
    line: Line, counts: Mapping[Cell, int], hidden: set[Cell], kept: tuple[int, ...], least: int
) -> Cell | None:
    """The next cell to withhold on a line that tells one of its cells, or of too few people."""
    found = [cell for cell in line if cell in hidden]
    if not found:
        return None
    few = line[0] not in hidden and sum(counts[cell] for cell in found) < least
    return _smallest(line, counts, hidden, kept) if few or len(found) == 1 else None


def _smallest(
    line: Line, counts: Mapping[Cell, int], hidden: set[Cell], kept: tuple[int, ...]
) -> Cell | None:
    """The released cell of fewest people; a margin is settled by its own table, and stays."""
    finest = [
        cell
        for cell in line[1:]
        if cell not in hidden and counts[cell] and all(cell[at] is not ALL for at in kept)
    ]
    return min(finest, key=lambda cell: (counts[cell], repr(cell)), default=None)


def _told(lines: Iterable[Line], hidden: set[Cell]) -> frozenset[Cell]:
    """The withheld cells that the released ones determine: by elimination, exactly.

    A cell is told where the equations of the lines have a combination with it alone.
    """
    rows: list[dict[Cell, Fraction]] = []
    for line in lines:
        row = {cell: Fraction(-1 if at == 0 else 1) for at, cell in enumerate(line)}
        row = {cell: factor for cell, factor in row.items() if cell in hidden}
        for pivot in rows:
            _eliminate(row, pivot)
        if row:
            for other in rows:
                _eliminate(other, row)
            rows.append(row)
    return frozenset(next(iter(row)) for row in rows if len(row) == 1)


def _eliminate(row: dict[Cell, Fraction], pivot: Mapping[Cell, Fraction]) -> None:
    """Take the first cell of `pivot` out of `row`."""
    first = next(iter(pivot))
    factor = row.get(first)
    if factor is None or row is pivot:
        return
    factor /= pivot[first]
    for cell, value in pivot.items():
        left = row.get(cell, Fraction(0)) - factor * value
        if left:
            row[cell] = left
        else:
            row.pop(cell, None)
