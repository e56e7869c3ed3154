"""What the agencies hold of people, read from the simulator beside the hub: the values to look for.

Values are as GraphQL writes them, so that an answer can be searched for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any

from sources.declaration import Catalogue, Item
from sources.simulator import labour, resident, tax
from sources.simulator.agency import Agency, answer, sort_items
from sources.simulator.population import Population
from sources.simulator.registers import REGISTERS

SERVICES: dict[str, Agency] = {
    agency.name: agency for agency in (resident.AGENCY, tax.AGENCY, labour.AGENCY)
}


def wire_name(item: Item, catalogue: Catalogue) -> str:
    """How the agency's own record of accesses writes the item."""
    table = catalogue.sources[item.source].adapter_table
    if catalogue.sources[item.source].adapter == "rest":
        return ".".join(item.wire)
    if len(item.path) == 2:
        return f"{table['lists'][item.path[0]]['table']}.{item.wire[-1]}"
    return f"{table[item.subject]['table']}.{item.wire[-1]}"


class Truth:
    """The values that agencies hold."""

    def __init__(self, population: Population, catalogue: Catalogue) -> None:
        self._population = population
        self._catalogue = catalogue
        self.names = tuple(catalogue.items)
        self.values = cache(self._values)

    @cached_property
    def _tables(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """The rows of every register's table by the first column of its key."""
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for table in (table for tables in REGISTERS.values() for table in tables):
            rows: dict[str, list[dict[str, Any]]] = {}
            for chunk in table.chunks(self._population):
                for cells in zip(*chunk, strict=True):
                    row = dict(zip(table.columns, cells, strict=True))
                    rows.setdefault(row[table.key[0]], []).append(row)
            found[table.name] = rows
        return found

    def _values(self, name: str, key: str) -> tuple[Any, ...]:
        """Every value of an item that its agency holds of a person or a case, absent ones too."""
        item = self._catalogue.items[name]
        if item.is_exists:
            return ()
        wire = wire_name(item, self._catalogue)
        if item.source not in SERVICES:
            table, _, column = wire.partition(".")
            rows = self._tables[table].get(key, [])
            return tuple(_written(item, row[column]) for row in rows)
        agency = SERVICES[item.source]
        if self._population.rows([key])[0] < 0:
            return ()
        records = answer(agency, self._population, [key], sort_items(agency, [wire]))
        held: list[Any] = []
        for record in records:
            if len(item.path) == 2:
                held += [row[item.wire[-1]] for row in record[item.wire[0]]]
            else:
                held.append(record[wire])
        return tuple(_written(item, value) for value in held)

    def distinctive(self, names: Iterable[str], keys: Iterable[str]) -> set[Any]:
        """The values of items of these people that could be nothing else where they are found."""
        people = tuple(keys)
        values = (value for name in names for key in people for value in self.values(name, key))
        return {value for value in values if _is_distinctive(value)}


def _is_distinctive(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int):
        return value >= 100_000
    text = str(value)
    foreign = not text.isascii() and len(text) >= 2
    return foreign or (len(text) >= 8 and any(letter.isdigit() for letter in text))


def _written(item: Item, value: Any) -> Any:
    """A value as the agency writes it, as GraphQL writes it."""
    if value is None:
        return None
    value = item.codes.get(str(value), value) if item.codes else value
    if item.type == "Boolean":
        return value in (True, "true")
    if item.type in ("Won", "Int"):
        return int(value)
    if item.type == "Float":
        return float(value)
    digits = str(value)
    if item.type == "Date" and digits.isdigit():
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    if item.type == "Month" and digits.isdigit():
        return f"{digits[:4]}-{digits[4:]}"
    return digits
