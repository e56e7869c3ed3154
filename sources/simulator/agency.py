"""What an agency with a service is: its items by wire name, and how it answers a batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sources.simulator.draw import Ints, Mask
from sources.simulator.population import Population

Values = Callable[[Population, Ints], list[Any]]
"""The wire values of one item at some places of the population."""


class UnknownItemError(ValueError):
    """The request names an item that the agency does not have."""


@dataclass(frozen=True)
class ListItem:
    """An item that is a list: where a person's entries are, and their columns."""

    entries: Callable[[Population, Ints], tuple[Ints, Ints]]
    columns: Mapping[str, Values]


@dataclass(frozen=True)
class Agency:
    """A service: its wire format and its items. `known` tells whom the agency knows.

    `rows` finds what keys stand for, -1 for nothing: people by their ids, unless it says otherwise.
    """

    name: str
    path: str
    keys: str
    items: str
    records: tuple[str, ...]
    key: str
    as_of: str
    as_of_value: str
    known: Callable[[Population, Ints], Mask]
    fields: Mapping[str, Values]
    lists: Mapping[str, ListItem]
    rows: Callable[[Population, Sequence[str]], Ints] = lambda population, ids: population.rows(
        list(ids)
    )

    def item_names(self) -> list[str]:
        """Every item that can be asked, list columns as `LIST.COLUMN`."""
        columns = [
            f"{name}.{column}" for name, part in self.lists.items() for column in part.columns
        ]
        return [*self.fields, *columns]


@dataclass(frozen=True)
class Wanted:
    """The items of a request, sorted into plain ones and columns of lists."""

    fields: list[str] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=dict)


def sort_items(agency: Agency, items: Sequence[str]) -> Wanted:
    """Check the requested names. Raises UnknownItemError with the name."""
    wanted = Wanted()
    for item in items:
        name, _, column = item.partition(".")
        if item in agency.fields:
            wanted.fields.append(item)
        elif column and name in agency.lists and column in agency.lists[name].columns:
            wanted.lists.setdefault(name, []).append(column)
        else:
            raise UnknownItemError(item)
    return wanted


def answer(
    agency: Agency, population: Population, ids: Sequence[str], wanted: Wanted
) -> list[dict[str, Any]]:
    """A record for each person the agency knows, in the order asked, each once."""
    ids = list(dict.fromkeys(ids))
    found = agency.rows(population, ids)
    here = found >= 0
    here[here] = agency.known(population, found[here])
    rows = found[here]
    records: list[dict[str, Any]] = [
        {agency.key: person, agency.as_of: agency.as_of_value}
        for person, kept in zip(ids, here.tolist(), strict=True)
        if kept
    ]
    for name in wanted.fields:
        for record, value in zip(records, agency.fields[name](population, rows), strict=True):
            record[name] = value
    for name, columns in wanted.lists.items():
        lists = _lists(agency.lists[name], population, rows, columns)
        for record, entries in zip(records, lists, strict=True):
            record[name] = entries
    return records


def _lists(
    item: ListItem, population: Population, rows: Ints, columns: list[str]
) -> Iterator[list[dict[str, Any]]]:
    """Each person's list, cut out of the entries of all of them."""
    counts, places = item.entries(population, rows)
    values = [item.columns[column](population, places) for column in columns]
    entries = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    end = 0
    for count in counts.tolist():
        yield entries[end : end + count]
        end += count


def whole(column: str) -> Values:
    """Numbers as they are; -1 is not known."""
    return lambda population, at: [
        None if value < 0 else value for value in population.take(column, at).tolist()
    ]


def word(column: str, words: Sequence[str]) -> Values:
    """A word for each code; -1 is not known."""
    table = [*words, None]
    return lambda population, at: [table[code] for code in population.take(column, at).tolist()]


def made(column: str, make: Callable[[int], str]) -> Values:
    """Text made from a number."""
    return lambda population, at: [make(value) for value in population.take(column, at).tolist()]


def turned(column: str, turn: Callable[[Ints], list[Any]]) -> Values:
    """A column turned into wire values as a whole: dates, months."""
    return lambda population, at: turn(population.take(column, at))


def listed(table: str, columns: Mapping[str, Values]) -> ListItem:
    """The rows of a list table."""
    return ListItem(lambda population, rows: population.entries(table, rows), columns)


def flagged(column: str) -> Callable[[Population, Ints], Mask]:
    """Whom a column of 0 and 1 marks."""
    return lambda population, rows: population.take(column, rows) == 1


def everyone(_: Population, rows: Ints) -> Mask:
    """All people of the population."""
    return np.ones(len(rows), dtype=np.bool_)
