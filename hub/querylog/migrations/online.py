"""Indexes of great tables, made and dropped while hubs write: on PostgreSQL, concurrently."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from alembic import op


@contextlib.contextmanager
def beside_writers() -> Iterator[None]:
    """Within, `make_index` and `drop_index` keep no hub from writing; what was broken off goes on.

    What was done in the revision before is committed: let nothing come before it.
    """
    if not _online():
        yield
        return
    with op.get_context().autocommit_block():
        # It waits for every transaction that has begun before.
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")


def make_index(name: str, table: str, columns: Sequence[str], chosen: str | None = None) -> None:
    """Make an index, of the rows chosen; one that was left unfinished is made anew."""
    where = None if chosen is None else sa.text(chosen)
    drop_index(name, table)
    op.create_index(
        name,
        table,
        list(columns),
        sqlite_where=where,
        postgresql_where=where,
        postgresql_concurrently=_online(),
    )


def drop_index(name: str, table: str) -> None:
    """Drop an index where it is there."""
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=_online())


def _online() -> bool:
    """Whether hubs may be writing, to a database that can make an index beside them."""
    context = op.get_context()
    config = context.config
    online = config is not None and bool(config.attributes.get("online"))
    return online and context.dialect.name == "postgresql"
