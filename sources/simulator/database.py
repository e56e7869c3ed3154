"""An agency that gives a database: tables loaded once, read-only views for the hub, a log."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from sources.simulator import cluster
from sources.simulator.place import HOST, Place
from sources.simulator.population import Population, read_manifest
from sources.simulator.registers import REGISTERS, Cells, Table

READER = "hub_reader"
STATEMENTS = "pg/log/statements.json"
"""The server's statement log, within the agency's directory."""


async def serve_database(
    place: Place, token: str, stop: asyncio.Event, tell_ready: Callable[[str, Path], None]
) -> None:
    """Start, load if need be, say ready, and stop the server when told to.

    Raises RuntimeError when the server does not start or ends by itself.
    """
    data, loaded = place.directory / "pg", place.directory / "loaded.json"
    await cluster.await_free(data)
    identity = _identity(place.population)
    if not loaded.exists() or json.loads(loaded.read_text("utf-8")) != identity:
        loaded.unlink(missing_ok=True)
        cluster.create(place.directory, data)
    keeper = (place.directory / "keeper").read_text("utf-8")
    server = await cluster.start(place, data, keeper)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, cluster.hold, server)
    loop.add_signal_handler(signal.SIGUSR2, cluster.resume, server)
    try:
        if not loaded.exists():
            await load(place, server, keeper, REGISTERS[place.name])
            loaded.write_text(json.dumps(identity), "utf-8")
        await set_password(place.name, server, keeper, token)
        password = quote(token, safe="")
        url = f"postgresql+asyncpg://{READER}:{password}@{HOST}:{server.port}/{place.name}"
        tell_ready(url, place.directory / STATEMENTS)
        while not stop.is_set():
            if server.process.poll() is not None:
                raise RuntimeError(
                    f"PostgreSQL of `{place.name}` ended; see {place.directory / 'postgres.log'}"
                )
            try:
                await asyncio.wait_for(stop.wait(), 0.5)
            except TimeoutError:
                continue
    except asyncpg.PostgresError as error:
        raise RuntimeError(f"PostgreSQL of `{place.name}` refused: {error}") from error
    finally:
        cluster.stop(server)


def _identity(population: Path) -> dict[str, Any]:
    """What the loaded tables depend on."""
    manifest = read_manifest(population) or {}
    return {name: manifest.get(name) for name in ("people", "seed", "version", "reference_date")}


async def load(place: Place, server: cluster.Server, keeper: str, tables: Iterable[Table]) -> None:
    """Make the database, its tables and views, and the role that may read the views."""
    connection = await cluster.connect(server, keeper, "postgres")
    await connection.execute(f'CREATE DATABASE "{place.name}"')
    await connection.execute(f"CREATE ROLE {READER} LOGIN")
    for setting in (
        "default_transaction_read_only = on",
        "search_path = shared",
        "log_statement = 'all'",
    ):
        await connection.execute(f"ALTER ROLE {READER} SET {setting}")
    await connection.execute(f'REVOKE ALL ON DATABASE "{place.name}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{place.name}" TO {READER}')
    await connection.close()
    connection = await cluster.connect(server, keeper, place.name)
    population = Population(place.population)
    try:
        await connection.execute(
            f"REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA register; "
            f"CREATE SCHEMA shared; GRANT USAGE ON SCHEMA shared TO {READER}"
        )
        for table in tables:
            await _load_table(connection, population, table)
        await connection.execute("ANALYZE; CHECKPOINT")
    finally:
        await connection.close()


async def _load_table(
    connection: "asyncpg.Connection[Any]", population: Population, table: Table
) -> None:
    """One table by COPY, in the transaction that makes it: then it needs no write-ahead log."""
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    async with connection.transaction():
        await connection.execute(f"CREATE TABLE register.{table.name} ({columns})")
        await connection.copy_to_table(
            table.name,
            schema_name="register",
            columns=list(table.columns),
            source=_copy_text(population, table),
        )
        index = "UNIQUE INDEX" if table.unique else "INDEX"
        await connection.execute(
            # The names come from this package's tables, never from a request.
            f"CREATE {index} ON register.{table.name} ({', '.join(table.key)}); "  # noqa: S608
            f"CREATE VIEW shared.{table.name} AS SELECT {', '.join(table.columns)} "
            f"FROM register.{table.name}; GRANT SELECT ON shared.{table.name} TO {READER}"
        )


async def _copy_text(population: Population, table: Table) -> AsyncIterator[bytes]:
    """The rows in PostgreSQL's text format; no value holds a character that needs escaping."""
    total = 0
    for columns in table.chunks(population):
        total += len(columns[0])
        lines = zip(*map(_texts, columns), strict=True)
        yield "".join(["\t".join(line) + "\n" for line in lines]).encode()
        print(f"\rloading {table.name}: {total} rows", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _texts(cells: Cells) -> list[str]:
    return ["\\N" if cell is None else str(cell) for cell in cells]


async def set_password(name: str, server: cluster.Server, keeper: str, token: str) -> None:
    """The reader's password is the token of this start."""
    connection = await cluster.connect(server, keeper, name)
    statement = await connection.fetchval(
        f"SELECT format('ALTER ROLE {READER} PASSWORD %L', $1::text)", token
    )
    await connection.execute(statement)
    await connection.close()
