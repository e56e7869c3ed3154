"""A real PostgreSQL on loopback that a test may stop and start again."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from sources.simulator import cluster
from sources.simulator.place import HOST, Place


class Postgres:
    """The server of one cluster; it comes back on the port it had."""

    def __init__(self, folder: Path) -> None:
        self._place = Place("server", folder, folder)
        self._data = self._place.directory / "pg"
        self._place.directory.mkdir()
        cluster.create(self._place.directory, self._data)
        self._keeper = (self._place.directory / "keeper").read_text("utf-8")
        self._server: cluster.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address of its database, as SQLAlchemy takes it."""
        return f"postgresql+asyncpg://keeper:{self._keeper}@{HOST}:{self._port}/postgres"

    async def start(self) -> None:
        place = Place("server", self._place.population, self._place.run, self._port)
        self._server = await cluster.start(place, self._data, self._keeper)
        self._port = self._server.port

    def stop(self) -> None:
        if self._server is not None:
            cluster.stop(self._server)
            self._server = None

    async def execute(self, *statements: str) -> None:
        """Run statements over a connection of their own."""
        assert self._server is not None
        connection = await cluster.connect(self._server, self._keeper, "postgres")
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Postgres]:
    """A PostgreSQL with an empty database, for as long as the context lasts."""
    # Not in pytest's own folder: the server's user must be able to pass through.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        postgres = Postgres(Path(folder))
        await postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()
