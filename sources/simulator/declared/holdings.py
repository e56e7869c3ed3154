"""What a declared agency holds: which keys it knows, and its record of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sources.declaration import Item, Source, Subject
from sources.simulator import sample
from sources.simulator.declared.values import Values
from sources.simulator.draw import Draws, Ints
from sources.simulator.identifiers import id_text
from sources.simulator.population import Population, read_manifest

_KNOWN = 9000
"""People in ten thousand whom an agency knows; it knows the demo's shaped persons in any case."""
_ENTRIES = 64
"""Numbers set aside for the entries of one person's list."""


@dataclass(frozen=True)
class Held:
    """One record: values by an item's key, a list's entries by the list's key."""

    key: str
    values: Mapping[str, Any]


class Holdings:
    """The records of one agency, made when they are asked for; they are always the same."""

    def __init__(self, source: Source, population: Population) -> None:
        manifest = read_manifest(population.directory) or {}
        self.source = source
        self.population = population
        self._draws = Draws(int(manifest.get("seed", 0)))
        self._values = Values(population, int(manifest.get("seed", 0)))
        self._everyone = any("household.id" in item.places for item in source.items)

    def records(self, subject: Subject, keys: Sequence[str], items: Sequence[Item]) -> list[Held]:
        """A record of each key that the agency knows, in the order asked, each key once."""
        keys = list(dict.fromkeys(keys))
        rows = self._rows(subject, keys)
        known = [(key, row) for key, row in zip(keys, rows.tolist(), strict=True) if row >= 0]
        places = np.array([row for _, row in known], dtype=np.int64)
        columns: dict[str, list[Any]] = {}
        lists: dict[str, list[Item]] = {}
        for item in items:
            if len(item.path) == 2:
                lists.setdefault(item.path[0], []).append(item)
            elif item.path:
                columns[item.path[0]] = self._column(subject, item, places)
        for name, parts in lists.items():
            columns[name] = self._entries(name, parts, places)
        return [
            Held(key, {name: column[place] for name, column in columns.items()})
            for place, (key, _) in enumerate(known)
        ]

    def cases(self) -> list[str]:
        """The references of all cases."""
        return list(self._cases)

    def some(self, number: int, subject: Subject = "person") -> list[str]:
        """Keys that the agency knows, the demo's shaped persons first."""
        keys = self._all(subject)[: number * 3]
        rows = self._rows(subject, keys)
        return [key for key, row in zip(keys, rows.tolist(), strict=True) if row >= 0][:number]

    def unknown(self, subject: Subject = "person") -> str:
        """A key in the usual form that the agency does not know."""
        if subject == "case":
            return "2026-11110-999999"
        keys = self._all(subject)
        rows = self._rows(subject, keys)
        strangers = (key for key, row in zip(keys, rows.tolist(), strict=True) if row < 0)
        return next(strangers, "009931-1999999")

    def _all(self, subject: Subject) -> list[str]:
        if subject == "case":
            return list(self._cases)
        return list(id_text(self.population.take("person.id", np.arange(500))))

    def _rows(self, subject: Subject, keys: Sequence[str]) -> Ints:
        """The rows of the keys, -1 for what the agency does not know."""
        if subject == "case":
            return np.array([self._cases.get(key, -1) for key in keys], dtype=np.int64)
        rows = self.population.rows(list(keys))
        if self._everyone:
            return rows
        known = self._draws.chance(f"{self.source.name}.known", rows, _KNOWN)
        return np.where(known | (rows < sample.SHAPED_ROWS), rows, -1)

    @cached_property
    def _cases(self) -> Mapping[str, int]:
        every = np.arange(len(self.population.column("case.applicant")))
        return {key: row for row, key in enumerate(self.population.case_references(every))}

    def _column(self, subject: Subject, item: Item, rows: Ints) -> list[Any]:
        if subject == "person":
            return self._values.of_people(item, rows)
        if item.places[:1] == ("case.reference",):
            return list(self.population.case_references(rows))
        return self._values.of(item, rows)

    def _entries(self, name: str, items: Sequence[Item], rows: Ints) -> list[list[dict[str, Any]]]:
        counts = self._values.lengths(f"{self.source.name}.{name}", rows)
        owners = np.repeat(rows, counts)
        nth = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        places = owners * _ENTRIES + nth
        columns = {item.path[1]: self._values.of(item, places) for item in items}
        entries = [
            {column: values[place] for column, values in columns.items()}
            for place in range(len(places))
        ]
        ends = np.cumsum(counts).tolist()
        return [
            entries[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True)
        ]
