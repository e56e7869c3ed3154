"""What a declared agency holds: which keys it knows, and its record of each."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
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
from sources.simulator.registers import REGISTERS

_KNOWN = 9000
"""People in ten thousand whom an agency knows; it knows the demo's shaped persons in any case."""
_CHUNK = 10_000
_ENTRIES = 64
"""Numbers set aside for the entries of one person's list."""


@dataclass(frozen=True)
class Held:
    """One record: values by an item's key, a list's entries by the list's key."""

    key: str
    values: Mapping[str, Any]


class Holdings:
    """The records of one agency, made when they are asked for; they are always the same."""

    def __init__(
        self, source: Source, population: Population, finder: Source | None = None
    ) -> None:
        manifest = read_manifest(population.directory) or {}
        self.source = source
        self.population = population
        self._finder = finder
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
        if self._finder is not None:
            return "00000-99999999"
        if subject == "case":
            return "2026-11110-999999"
        keys = self._all(subject)
        rows = self._rows(subject, keys)
        strangers = (key for key, row in zip(keys, rows.tolist(), strict=True) if row < 0)
        return next(strangers, "009931-1999999")

    def _all(self, subject: Subject) -> list[str]:
        if subject == "case":
            return list(self._cases)
        if self._finder is not None:
            return self.found_keys[:1000]
        return list(id_text(self.population.take("person.id", np.arange(500))))

    def _rows(self, subject: Subject, keys: Sequence[str]) -> Ints:
        """The rows of the keys, -1 for what the agency does not know."""
        if subject == "case":
            return np.array([self._cases.get(key, -1) for key in keys], dtype=np.int64)
        if self._finder is not None:
            return self._found_rows(keys)
        rows = self.population.rows(list(keys))
        if self._everyone:
            return rows
        known = self._draws.chance(f"{self.source.name}.known", rows, _KNOWN)
        return np.where(known | (rows < sample.SHAPED_ROWS), rows, -1)

    def _found_rows(self, keys: Sequence[str]) -> Ints:
        """A number for each key that another agency may have given, whatever it is of."""
        numbers = np.array([zlib.crc32(key.encode()) for key in keys], dtype=np.int64)
        known = self._draws.chance(f"{self.source.name}.known", numbers, _KNOWN)
        strange = np.array([key == self.unknown() for key in keys], dtype=np.bool_)
        return np.where(known & ~strange, numbers, -1)

    def every_key(self, subject: Subject = "person") -> Iterator[list[str]]:
        """Every key that there may be, in chunks of bounded size."""
        if subject == "case":
            yield self.cases()
            return
        if self._finder is not None:
            yield self.found_keys
            return
        total = len(self.population.column("person.id"))
        for first in range(0, total, _CHUNK):
            rows = np.arange(first, min(first + _CHUNK, total))
            yield list(id_text(self.population.take("person.id", rows)))

    @cached_property
    def found_keys(self) -> list[str]:
        """The values of the item that this agency's records are found by."""
        finder, name = self._finder, self.source.found_by
        if finder is None or name is None:
            return []
        item = next(one for one in finder.items if one.name == name)
        if finder.name in REGISTERS and len(item.path) == 2:
            return self._registered(finder, item)
        holdings = Holdings(finder, self.population)
        found: dict[str, None] = {}
        for keys in holdings.every_key():
            for one in holdings.records("person", keys, [item]):
                value = one.values[item.path[0]]
                rows = [value] if len(item.path) == 1 else [row[item.path[1]] for row in value]
                found |= dict.fromkeys(row for row in rows if row)
        return list(found)

    def _registered(self, finder: Source, item: Item) -> list[str]:
        """The values of a column of an agency that is written by hand."""
        declared = finder.adapter_table["lists"][item.path[0]]["table"]
        table = next(one for one in REGISTERS[finder.name] if one.name == declared)
        place = list(table.columns).index(item.wire[-1])
        chunks = table.chunks(self.population)
        return list(dict.fromkeys(str(cell) for chunk in chunks for cell in chunk[place]))

    @cached_property
    def _cases(self) -> Mapping[str, int]:
        every = np.arange(len(self.population.column("case.applicant")))
        return {key: row for row, key in enumerate(self.population.case_references(every))}

    def _column(self, subject: Subject, item: Item, rows: Ints) -> list[Any]:
        if subject == "person" and self._finder is None:
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
