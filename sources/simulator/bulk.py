"""The population as agencies deliver it in bulk: the same values that their services answer."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from sources.bulk import PEOPLE
from sources.declaration import Item, Source
from sources.fault import FaultyConfiguration
from sources.reading import read_catalogue
from sources.simulator import labour, resident, tax
from sources.simulator.agency import Agency
from sources.simulator.calendar import REFERENCE
from sources.simulator.draw import Ints
from sources.simulator.identifiers import id_text
from sources.simulator.population import Population
from sources.simulator.registers import REGISTERS

SERVICES: Mapping[str, Agency] = {
    agency.name: agency for agency in (resident.AGENCY, tax.AGENCY, labour.AGENCY)
}
_CHUNK = 50_000
_TYPES = {
    "Won": pa.int64(),
    "Int": pa.int64(),
    "Float": pa.float64(),
    "Boolean": pa.bool_(),
    "Date": pa.date32(),
}
Columns = Mapping[str, Sequence[Any]]


def deliver(population: Path, declarations: Path, into: Path) -> None:
    """Write the deliveries of every agency by hand, each into a folder of its name.

    The manifest of the population is written last: a folder without it is half-made.
    Raises FaultyConfiguration, OSError.
    """
    names = [*SERVICES, *REGISTERS]
    catalogue, faults = read_catalogue(declarations, names, "resident", "benefits")
    if faults:
        raise FaultyConfiguration(faults)
    people = Population(population)
    for name in names:
        source = catalogue.sources[name]
        folder = into / name
        folder.mkdir(parents=True, exist_ok=True)
        for part in (*source.bulk.parts, *source.bulk.apart) if source.bulk is not None else ():
            _write(folder, source, part, people)
    manifest = json.loads((population / "manifest.json").read_text("utf-8"))
    (into / "manifest.json").write_text(json.dumps(manifest) + "\n", "utf-8")


def _write(folder: Path, source: Source, part: str, population: Population) -> None:
    bulk = source.bulk
    if bulk is None:
        raise ValueError(f"`{source.name}` delivers nothing")
    length = 1 if part == PEOPLE else 2
    items = [
        item
        for item in source.items
        if item.subject == "person"
        and len(item.path) == length
        and (length == 1 or item.path[0] == part)
        and (part in bulk.apart or bulk.delivers(item.path))
    ]
    declared = {**bulk.parts, **bulk.apart}[part]
    key = declared.key
    fields = [pa.field(key, pa.string())]
    fields += [pa.field(item.wire[-1], _type(item)) for item in items]
    service, day = SERVICES.get(source.name), REFERENCE
    if service is not None:
        day = datetime.date.fromisoformat(service.as_of_value)
        chunks = _served(service, part, items, population)
    else:
        chunks = _registered(source, part, population)
    path = folder / str(declared.files).replace("{date}", str(day))
    with parquet.ParquetWriter(path, pa.schema(fields)) as writer:
        for keys, columns in chunks:
            made = [keys, *([_value(item, v) for v in columns[item.wire[-1]]] for item in items)]
            arrays = [pa.array(each, field.type) for each, field in zip(made, fields, strict=True)]
            writer.write_table(pa.table(arrays, schema=pa.schema(fields)))


def _type(item: Item) -> Any:
    return pa.string() if item.codes else _TYPES.get(item.type, pa.string())


def _value(item: Item, value: Any) -> Any:
    """A value in the type that files hold, however the agency's service writes it."""
    if value is None:
        return None
    if item.type == "Date":
        return datetime.date.fromisoformat(value)
    return int(value) if item.type in ("Won", "Int") and not item.codes else value


def _served(
    agency: Agency, part: str, items: Sequence[Item], population: Population
) -> Iterator[tuple[list[str], Columns]]:
    known = np.flatnonzero(agency.known(population, _everyone(population)))
    for first in range(0, len(known), _CHUNK):
        rows = known[first : first + _CHUNK]
        keys = id_text(population.take("person.id", rows))
        if part == PEOPLE:
            made = {item.wire[-1]: agency.fields[item.wire[-1]](population, rows) for item in items}
            yield keys, made
        elif items:
            listed = agency.lists[items[0].wire[0]]
            counts, places = listed.entries(population, rows)
            owners = np.repeat(population.take("person.id", rows), counts)
            columns = (item.wire[-1] for item in items)
            yield (
                id_text(owners),
                {name: listed.columns[name](population, places) for name in columns},
            )


def _everyone(population: Population) -> Ints:
    return np.arange(len(population.column("person.id")))


def _registered(
    source: Source, part: str, population: Population
) -> Iterator[tuple[list[str], Columns]]:
    """The rows of the table that the declaration's view of this part is over."""
    adapter = source.adapter_table
    view = adapter["person"] if part == PEOPLE else adapter["lists"][part]
    table = next(each for each in REGISTERS[source.name] if each.name == view["table"])
    for cells in table.chunks(population):
        columns = dict(zip(table.columns, cells, strict=True))
        yield [str(key) for key in columns[view["key"]]], columns
