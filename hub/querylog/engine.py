"""Connections to the database of a store, such that a commit is durable when it returns."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

TIMEOUT = 5.0
"""Seconds after which an append that is not yet durable has failed, and a connection not made."""


def engine_of(address: str, run: str = "") -> AsyncEngine:
    """An engine for the store at an address, whose commits are durable when they return.

    PostgreSQL is told which hub each connection is of.
    """
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url)
        sa.event.listen(engine.sync_engine, "connect", durable_sqlite)
        return engine
    durable = {"synchronous_commit": "on", "lock_timeout": "4000", "jit": "off"}
    named = {"application_name": application_name(run)}
    arguments = {"server_settings": durable | named, "timeout": TIMEOUT}
    return create_async_engine(url, pool_pre_ping=True, connect_args=arguments)


def application_name(run: str) -> str:
    """What PostgreSQL knows a hub's connections by."""
    return f"welfare hub {run}".strip()


def durable_sqlite(connection: Any, _: Any = None) -> None:
    """A commit returns when it is on the disk, and readers do not stop the writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=4000")
    # What an indicator puts aside over ten million records went through a file, as slow again.
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()
