"""An agency that gives views of a PostgreSQL, as `[sql]` of a declaration describes them.

The server is a real one, of this agency alone; a fault is a change of the views or of the role,
so that it shows as it would at an agency.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sources.declaration import Item, Source, Subject
from sources.simulator import cluster
from sources.simulator.access import read_statements
from sources.simulator.calendar import REFERENCE
from sources.simulator.database import READER, STATEMENTS, load, set_password
from sources.simulator.declared.credentials import address_variables
from sources.simulator.declared.faults import Fault
from sources.simulator.declared.holdings import Holdings
from sources.simulator.place import HOST, Place
from sources.simulator.population import Population, read_manifest
from sources.simulator.registers import Cells, Table

_TYPES = {"Int": "bigint", "Won": "bigint", "Float": "double precision", "Boolean": "boolean"}


class DatabaseStand:
    """One agency's server."""

    modes = frozenset(
        {
            *("slow", "hang", "error", "half-body", "nobody", "duplicate"),
            *("wrong-type", "missing-item", "personal-error"),
        }
    )

    def __init__(self, source: Source, holdings: Holdings, token: str, place: Place) -> None:
        self.source = source
        self._declared: Mapping[str, Any] = source.adapter_table
        self._holdings = holdings
        self._token = token
        self._place = place
        self._tables = tables(source, holdings)

    async def start(self) -> Mapping[str, str]:
        """Make and load the server where need be, and start it."""
        place = self._place
        data, loaded = place.directory / "pg", place.directory / "loaded.json"
        await cluster.await_free(data)
        identity = self._identity()
        if not loaded.exists() or json.loads(loaded.read_text("utf-8")) != identity:
            loaded.unlink(missing_ok=True)
            cluster.create(place.directory, data)
        self._keeper = (place.directory / "keeper").read_text("utf-8")
        self._server = await cluster.start(place, data, self._keeper)
        if not loaded.exists():
            await load(place, self._server, self._keeper, self._tables.values())
            loaded.write_text(json.dumps(identity), "utf-8")
        await set_password(place.name, self._server, self._keeper, self._token)
        await self.show(Fault())
        # What earlier runs were asked is no call of this one.
        self._before = len(self._read_calls())
        password = quote(self._token, safe="")
        url = f"postgresql+asyncpg://{READER}:{password}@{HOST}:{self._server.port}/{place.name}"
        return dict.fromkeys(address_variables(self.source, "url"), url)

    def _identity(self) -> dict[str, Any]:
        """What the loaded tables depend on."""
        manifest = read_manifest(self._place.population) or {}
        found = {name: manifest.get(name) for name in ("people", "seed", "version")}
        columns = {name: dict(table.columns) for name, table in self._tables.items()}
        return {**found, "tables": columns, "items": [item.name for item in self.source.items]}

    async def stop(self) -> None:
        """Stop the server."""
        await asyncio.to_thread(cluster.stop, self._server)

    def calls(self) -> list[dict[str, Any]]:
        """Every statement of the reader so far, by the server's own log."""
        return self._read_calls()[self._before :]

    def _read_calls(self) -> list[dict[str, Any]]:
        columns = {name: tuple(table.columns) for name, table in self._tables.items()}
        wires = self._wires()
        path = self._place.directory / STATEMENTS
        return [
            {
                # The most rows of a list is a bound number too.
                "keys": [key for key in access.keys if not key.isdecimal()],
                "items": sorted({wires[name] for name in access.items if name in wires}),
                "target": "",
            }
            for access in read_statements(self.source.name, path, columns)
        ]

    def _wires(self) -> dict[str, str]:
        """The items by `table.column`."""
        found = {}
        for item in self.source.items:
            if item.path:
                declared = _declared_table(self._declared, item)
                found[f"{declared['table']}.{item.wire[-1]}"] = ".".join(item.wire)
        return found

    async def show(self, fault: Fault) -> None:
        """Show a fault from now on."""
        connection = await cluster.connect(self._server, self._keeper, self._place.name)
        limit = 0 if fault.mode == "error" else -1
        try:
            await connection.execute(f"ALTER ROLE {READER} CONNECTION LIMIT {limit}")
            for table in self._tables.values():
                await connection.execute(self._view(table, fault))
            if fault.mode == "error":
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"
                await connection.fetch(ended, READER)
        finally:
            await connection.close()

    def _view(self, table: Table, fault: Fault) -> str:
        """The view of a table, whole or in the way of the fault."""
        owner, columns = table.key[0], list(table.columns)
        selected = {name: f'"{name}"' for name in columns}
        values = [name for name in columns if name not in table.key and name != "as_of"]
        where = "true"
        match fault.mode:
            case "slow" | "hang":
                seconds = 86_400 if fault.mode == "hang" else fault.milliseconds / 1000
                where = f"(SELECT pg_sleep({seconds})) IS NOT NULL"
            case "half-body":
                where = "(SELECT pg_terminate_backend(pg_backend_pid()))"
            case "nobody":
                where = "false"
            case "wrong-type":
                selected |= {name: _other_type(table, name) for name in values}
            case "missing-item" if values:
                del selected[values[0]]
            case "personal-error":
                selected |= dict.fromkeys(values, f"(\"{owner}\" || ' 12345000')::int")
        listed = ", ".join(f'{value} AS "{name}"' for name, value in selected.items())
        query = f"SELECT {listed} FROM register.{table.name} WHERE {where}"  # noqa: S608
        if fault.mode == "duplicate" and table.unique:
            first = self._holdings.some(1, _subject_of(self._declared, table))[0]
            query += f" UNION ALL {query} AND \"{owner}\" = '{first}'"
        return (
            f"DROP VIEW IF EXISTS shared.{table.name}; CREATE VIEW shared.{table.name} AS {query}; "
            f"GRANT SELECT ON shared.{table.name} TO {READER}"
        )


def _other_type(table: Table, name: str) -> str:
    """A column's value in a type that it is not declared of."""
    kind = table.columns[name]
    return (
        f"('x' || \"{name}\"::text)"
        if kind in ("bigint", "boolean", "double precision", "date")
        else "1"
    )


def _subject_of(declared: Mapping[str, Any], table: Table) -> Subject:
    return "case" if declared.get("case", {}).get("table") == table.name else "person"


def _declared_table(declared: Mapping[str, Any], item: Item) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        declared["lists"][item.path[0]] if len(item.path) == 2 else declared[item.subject]
    )
    return found


def tables(source: Source, holdings: Holdings) -> dict[str, Table]:
    """The tables that a declaration names, with the rows of what the agency holds."""
    declared, found = source.adapter_table, {}
    subjects: tuple[Subject, ...] = ("person", "case")
    for subject in subjects:
        if subject in declared:
            base = declared[subject]
            items = [one for one in source.items if one.subject == subject and len(one.path) == 1]
            found[base["table"]] = _base_table(base, subject, items, holdings)
    for name, rows in declared.get("lists", {}).items():
        items = [item for item in source.items if item.path[:1] == (name,)]
        found[rows["table"]] = _list_table(rows, name, items, holdings)
    return found


def _kind(item: Item) -> str:
    if item.codes:
        return "text"
    return "date" if item.type == "Date" else _TYPES.get(item.type, "text")


def _base_table(
    base: Mapping[str, str], subject: Subject, items: Sequence[Item], holdings: Holdings
) -> Table:
    columns = {base["key"]: "text"}
    if "as_of" in base:
        columns[base["as_of"]] = "date"
    columns |= {item.wire[-1]: _kind(item) for item in items}

    def chunks(_: Population) -> Iterator[list[Cells]]:
        for keys in holdings.every_key(subject):
            held = holdings.records(subject, keys, items)
            cells: dict[str, Cells] = {base["key"]: [one.key for one in held]}
            if "as_of" in base:
                cells[base["as_of"]] = [REFERENCE.isoformat()] * len(held)
            for item in items:
                cells[item.wire[-1]] = [one.values[item.path[0]] for one in held]
            yield [cells[name] for name in columns]

    return Table(base["table"], columns, (base["key"],), chunks, unique=True)


def _list_table(
    rows: Mapping[str, str], name: str, items: Sequence[Item], holdings: Holdings
) -> Table:
    columns = {rows["key"]: "text", rows["order"]: "text"}
    columns |= {item.wire[-1]: _kind(item) for item in items}

    def chunks(_: Population) -> Iterator[list[Cells]]:
        for keys in holdings.every_key():
            cells: dict[str, list[Any]] = {column: [] for column in columns}
            for one in holdings.records("person", keys, items):
                for number, entry in enumerate(one.values[name]):
                    row = {rows["order"]: f"{number:04}", rows["key"]: one.key}
                    row |= {item.wire[-1]: entry[item.path[1]] for item in items}
                    for column in columns:
                        cells[column].append(row[column])
            yield [cells[column] for column in columns]

    return Table(rows["table"], columns, (rows["key"],), chunks)
