"""A question about a population: whom it counts, by which groups, with which figures. Pure.

A filter is a tree of comparisons by groups: by their edges and values and by nothing finer. It is
read strictly, kept as plain JSON, and two filters are the same where they choose alike, in
whatever words they are put.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub.errors import refused
from schema.statistics import field_name
from sources.declaration import Catalogue, Item

Filter = tuple[Any, ...]
"""One of `("and"|"or", filters…)`, `("not", filter)`, `("exists", item)`, `("in", item, values…)`,
`("range", item, from, until)` with None for no bound, and `("some", list, filters…)`: one row of
the list is as all of the filters say."""
EVERYONE: Filter = ("and",)
Figure = Literal["total", "mean", "median"]
MOST_PARTS = 60
"""Comparisons that one filter may have."""
MOST_TEXT = 60
_LONG_NUMBER = re.compile(r"\d{6}")
_MOST_CASES = 50_000


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of an item's amounts."""

    item: str
    of: Figure


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A table: people by the groups of `dimensions`, of each the measures.

    `steps`: into how many ranges the bands of a distribution are put together; None for no
    distribution.
    """

    dimensions: tuple[str, ...]
    measures: tuple[Measure, ...] = ()
    steps: int | None = None

    @property
    def spec(self) -> Spec:
        """What its cells are."""
        return tuple(sorted(self.dimensions)), self.steps


Spec = tuple[tuple[str, ...], int | None]
"""What the cells of a table are: its dimensions in order, and the steps of a distribution."""
WHOLE: Spec = ((), None)


@dataclass(frozen=True, slots=True)
class Past:
    """A past question of the team: whom it chose, and what the cells were that answered it."""

    where: Filter
    tables: tuple[Spec, ...] = (WHOLE,)


@dataclass(frozen=True, slots=True)
class Question:
    """Whom is asked about, and the tables by the keys under which they are answered."""

    where: Filter
    as_of: datetime.date | None
    tables: Mapping[str, Breakdown]

    @property
    def filtered(self) -> frozenset[str]:
        """The items that people are chosen by."""
        return frozenset(items_of(self.where))

    @property
    def counted(self) -> frozenset[str]:
        """The items that people are grouped and amounts worked out by."""
        return frozenset(
            name
            for table in self.tables.values()
            for name in (*table.dimensions, *(measure.item for measure in table.measures))
        )


def items_of(where: Filter) -> Iterator[str]:
    """Every item a filter looks at."""
    if where[0] in ("and", "or", "not"):
        for part in where[1:]:
            yield from items_of(part)
    elif where[0] == "some":
        for part in where[2:]:
            yield from items_of(part)
    else:
        yield where[1]


def written(where: Filter) -> str:
    """A filter as text, to be kept: `read` gives it again."""
    return json.dumps(where, separators=(",", ":"), ensure_ascii=False)


def read(text: str) -> Filter:
    """A filter that was `written`."""

    def of(value: Any) -> Any:
        return tuple(of(each) for each in value) if isinstance(value, list) else value

    found: Filter = of(json.loads(text))
    return found


def filter_of(catalogue: Catalogue, given: Mapping[str, Any] | None) -> Filter:
    """The filter that an argument `where` stands for. Raises RequestRefused."""
    found = _all_of({field_name(item): item for item in catalogue.items.values()}, given or {})
    if sum(1 for _ in items_of(found)) > MOST_PARTS:
        raise refused("UNSAFE_FILTER", f"the filter has more than {MOST_PARTS} comparisons")
    return found


def _all_of(items: Mapping[str, Item], given: Mapping[str, Any]) -> Filter:
    parts: list[Filter] = []
    for name, value in given.items():
        if value is None:
            continue
        if name in ("and", "or"):
            parts.append((name, *(_all_of(items, each) for each in value)))
        elif name == "not":
            parts.append(("not", _all_of(items, value)))
        elif name in items:
            parts.append(_compared(items[name], value))
        else:
            rows = [
                _compared(items[f"{name}_{column}"], how)
                for column, how in value.items()
                if how is not None
            ]
            parts.append(("some", name.replace("_", "."), *rows))
    return parts[0] if len(parts) == 1 else ("and", *parts)


def _compared(item: Item, how: Mapping[str, Any]) -> Filter:
    """One comparison: what is given has to hold, all of it."""
    parts: list[Filter] = []
    for name, value in how.items():
        if value is None:
            continue
        match name:
            case "exists":
                known = ("exists", item.name)
                parts.append(known if value else ("not", known))
            case "eq":
                parts.append(("in", item.name, _word(item, value)))
            case "ne":
                parts.append(("not", ("in", item.name, _word(item, value))))
            case "in":
                parts.append(("in", item.name, *sorted({_word(item, each) for each in value})))
            case "ge":
                parts.append(("range", item.name, _edge(item, value), None))
            case "lt":
                parts.append(("range", item.name, None, _edge(item, value)))
            case _:
                low, high = _edge(item, value["from"]), _edge(item, value["until"])
                parts.append(("range", item.name, low, high))
    return parts[0] if len(parts) == 1 else ("and", *parts)


def _word(item: Item, value: Any) -> Any:
    """Invariant: no number that could be somebody's stands in a filter."""
    if isinstance(value, bool):
        return value
    if len(str(value)) > MOST_TEXT or _LONG_NUMBER.search(str(value)):
        message = f"a value that `{item.name}` is compared with is no name of a group"
        raise refused("UNSAFE_FILTER", message, remedy="name groups, never anything of a person")
    return str(value)


def _edge(item: Item, value: float) -> float:
    edges = item.group.edges if item.group is not None else ()
    if value not in edges:
        named = ", ".join(f"{edge:.0f}" for edge in edges)
        message = f"`{item.name}` is compared by the edges of its groups only"
        raise refused("UNSAFE_FILTER", message, remedy=f"use one of {named}")
    return float(value)


def same(one: Filter, other: Filter) -> bool:
    """Whether two filters choose the same people, whoever the people are.

    Each item they look at can be in so many states only; all combinations are gone through where
    they are no more than fifty thousand. Else, or where rows of lists are looked at in other
    words, they are the same only if they are written the same.
    """
    if one == other:
        return True
    states: dict[str, list[Any]] = {}
    for name, part in itertools.chain(_looks(one), _looks(other)):
        states.setdefault(name, [None])
        states[name] += [each for each in _states(part) if each not in states[name]]
    number = 1
    for found in states.values():
        number *= len(found)
    if number > _MOST_CASES:
        return False
    names = list(states)
    return all(
        _holds(one, dict(zip(names, case, strict=True)))
        == _holds(other, dict(zip(names, case, strict=True)))
        for case in itertools.product(*states.values())
    )


def _looks(where: Filter) -> Iterator[tuple[str, Filter]]:
    """What a filter looks at, each comparison under the name of what it compares."""
    if where[0] in ("and", "or", "not"):
        for part in where[1:]:
            yield from _looks(part)
    else:
        yield (written(_ordered(where)) if where[0] == "some" else where[1]), where


def _ordered(some: Filter) -> Filter:
    return (*some[:2], *sorted(some[2:], key=written))


def _states(part: Filter) -> Sequence[Any]:
    """The values between which a comparison tells a difference, beside there being none."""
    match part[0]:
        case "in":
            return (*part[2:], "another")
        case "range":
            edges = [edge for edge in part[2:] if edge is not None]
            return (*edges, *(edge - 0.5 for edge in edges))
        case _:
            return ("another",)


def _holds(where: Filter, case: Mapping[str, Any]) -> bool:
    """Whether a filter holds in a state of everything it looks at."""
    match where[0]:
        case "and":
            return all(_holds(part, case) for part in where[1:])
        case "or":
            return any(_holds(part, case) for part in where[1:])
        case "not":
            return not _holds(where[1], case)
        case "some":
            return case[written(_ordered(where))] is not None
    value = case[where[1]]
    if value is None:
        return False
    match where[0]:
        case "in":
            return value in where[2:]
        case "range":
            # A word in the place of an amount stands for one that no comparison names.
            amount = float("-inf") if isinstance(value, str) else value
            low, high = where[2:]
            return (low is None or amount >= low) and (high is None or amount < high)
        case _:
            return True
