"""Which cells two questions together would tell of few people by: differencing, cell by cell. Pure.

A cell of a new question is compared with every cell that a past one of the team was answered by,
of the same groups or of finer ones. Where fewer people than make a cell are in the one and not in
the other, the two counts would tell of those few (Fraser and Wooton 2005). That nobody is between
them would tell something too, and is the same, unless it follows from the words alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from hub.population.engine import Group, Overlap
from hub.population.question import Filter, Past, same
from hub.population.suppression import ALL, Cell
from sources.declaration import Catalogue, Item


def near_cells(
    catalogue: Catalogue,
    where: Filter,
    dimensions: Sequence[str],
    edges: Sequence[tuple[float, ...]],
    people: Mapping[Cell, int],
    past: Sequence[Past],
    overlaps: Sequence[Overlap],
    least: int,
) -> frozenset[Cell]:
    """The cells of a table, margins and the whole included, that are too near to a past one.

    `people` are the true counts of the cells and margins.
    """
    width = range(len(dimensions))
    shapes = [kept for size in range(len(dimensions) + 1) for kept in combinations(width, size)]
    found = set()
    for kept in shapes:
        for overlap in overlaps:
            places = _places([(dimensions[at], edges[at]) for at in kept], overlap)
            if places is None:
                continue
            for groups, cell, number in _close(
                kept, len(dimensions), places, people, overlap, least
            ):
                own = _filter(catalogue, dimensions, edges, groups)
                other = _filter(catalogue, overlap.dimensions, overlap.edges, cell)
                each = past[number].where
                if not same(("and", where, *own), ("and", each, *other)):
                    found.add(groups)
    return frozenset(found)


def _places(
    wanted: Sequence[tuple[str, tuple[float, ...]]], overlap: Overlap
) -> tuple[int, ...] | None:
    """Where these dimensions stand in a past table; None where it lacks one so divided."""
    divided = list(zip(overlap.dimensions, overlap.edges, strict=True))
    if any(each not in divided for each in wanted):
        return None
    return tuple(divided.index(each) for each in wanted)


def _close(
    kept: tuple[int, ...],
    width: int,
    places: tuple[int, ...],
    people: Mapping[Cell, int],
    overlap: Overlap,
    least: int,
) -> Iterator[tuple[Cell, tuple[Group, ...], int]]:
    """The cells of few people between them: the new one, the past one, and the past question."""
    for cell, chose in overlap.cells.items():
        groups: list[object] = [ALL] * width
        for at, place in zip(kept, places, strict=True):
            groups[at] = cell[place]
        mine = people.get(tuple(groups), 0)
        if mine < least:
            continue
        for number, (theirs, both) in zip(overlap.past, chose, strict=True):
            if theirs >= least and mine + theirs - 2 * both < least:
                yield tuple(groups), cell, number


def _filter(
    catalogue: Catalogue,
    dimensions: Sequence[str],
    edges: Sequence[tuple[float, ...]],
    groups: Cell,
) -> list[Filter]:
    """The filters that choose the people of a cell."""
    return [
        _of_group(catalogue.items[name], of, group)
        for name, of, group in zip(dimensions, edges, groups, strict=True)
        if group is not ALL
    ]


def _of_group(item: Item, edges: Sequence[float], group: Group) -> Filter:
    if group is None:
        return ("not", ("exists", item.name))
    if isinstance(group, str):
        return ("in", item.name, group == "true" if item.type == "Boolean" else group)
    bounds = (None, *edges, None)
    return ("range", item.name, bounds[group], bounds[group + 1])
