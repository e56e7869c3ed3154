"""The `sql` adapter: an agency that gives a read-only view of a database instead of a service.

One statement a call, whatever the number of lists: the rows of each list come as JSON beside
their person. Only the granted columns are selected; keys are always bound parameters.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sources import trace
from sources.adapter import (
    ContractBroken,
    Question,
    Reply,
    SourceUnavailable,
    expand,
)
from sources.address import is_loopback
from sources.declaration import Item, Source, Subject
from sources.fault import Fault
from sources.record import Decoder, Formats, Records, decoder
from sources.table import SqlName, column_faults, read_table, variable_faults
from sources.terms import Strict


class Base(Strict):
    """Where the one row of a person or case stands."""

    table: SqlName
    key: SqlName
    as_of: SqlName | None = None


class List(Strict):
    """Where the rows of a list stand."""

    table: SqlName
    key: SqlName
    order: SqlName


class SqlTable(Strict):
    """`[sql]` of a declaration."""

    url: str
    plain: bool = False
    authority: str | None = None
    person: Base
    case: Base | None = None
    lists: dict[str, List] = Field(default_factory=dict)


class SqlAdapter:
    """Asks one SQL source over a bounded pool, on PostgreSQL or SQLite."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[sql]`."""
        table, faults = read_table(source, SqlTable)
        if table is None:
            return faults
        describe = source.places.describe
        for key in source.lists.keys() - table.lists.keys():
            remedy = f"add `[sql.lists.{key}]` with table, key and order"
            faults.append(
                Fault(source.file, describe(("item", key)), "the list has no table", remedy)
            )
        faults += column_faults(source)
        if table.case is None and any(item.subject == "case" for item in source.items):
            remedy = "add `[sql.case]` with table and key"
            faults.append(Fault(source.file, describe(("case",)), "cases have no table", remedy))
        return faults + variable_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = SqlTable.model_validate(source.adapter_table)
        self.told: frozenset[str] = frozenset()
        self.together = True
        self._items = {item.name: item for item in source.items}
        self._prepared = functools.lru_cache(maxsize=256)(self._prepare)
        url = sa.make_url(expand(table.url))
        self._rows_most = source.terms.limits.rows
        pool: dict[str, Any] = {"pool_size": source.terms.pool.connections, "max_overflow": 0}
        secure = _secured(url, table)
        self._postgresql = url.get_backend_name() == "postgresql"
        # A call is one statement, a snapshot by itself: a transaction would be two errands more.
        # SQLite runs in threads anyhow: a question is one errand of a thread, not one a statement.
        self._engine: AsyncEngine | sa.Engine = (
            create_async_engine(url, connect_args=secure, isolation_level="AUTOCOMMIT", **pool)
            if self._postgresql
            else sa.create_engine(url.set(drivername="sqlite"), **pool)
        )

    def _prepare(
        self, subject: Subject, names: tuple[str, ...]
    ) -> tuple[sa.Select[Any], Sequence[tuple[str, Sequence[str]]], Decoder]:
        """The statement, the lists in it with their columns, and the decoder of its rows."""
        items = [self._items[name] for name in names]
        base = self._table.person if subject == "person" else self._table.case
        if base is None:
            raise ContractBroken("the source holds no cases")
        leaves = [item.wire[-1] for item in items if len(item.path) == 1]
        columns: dict[str, list[Item]] = {}
        for item in items:
            if len(item.path) == 2:
                columns.setdefault(item.path[0], []).append(item)
        table = _table_of(base.table, filter(None, (base.key, base.as_of, *leaves)))
        selected: list[sa.ColumnElement[Any]] = [table.c[base.key].label("_key")]
        if base.as_of:
            selected.append(table.c[base.as_of].label("_as_of"))
        selected += [table.c[name].label(name) for name in leaves]
        for key, parts in columns.items():
            rows = self._rows(self._table.lists[key], parts, table, base.key)
            selected.append(rows.label(f"_list_{key}"))
        statement = sa.select(*selected).where(self._is_asked_for(table.c[base.key]))
        shape = [
            (f"_list_{key}", (parts[0].wire[0], *(item.wire[-1] for item in parts)))
            for key, parts in columns.items()
        ]
        return statement, shape, decoder(items, Formats(rows=self._rows_most))

    def _is_asked_for(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """On PostgreSQL one prepared statement serves however many keys there are."""
        if self._postgresql:
            return key == sa.any_(sa.bindparam("keys", type_=postgresql.ARRAY(sa.String)))
        return key.in_(sa.bindparam("keys", expanding=True))

    def _rows(
        self, declared: List, items: Sequence[Item], owner: sa.TableClause, key: str
    ) -> sa.ScalarSelect[Any]:
        """The granted columns of a list as a JSON array of rows, each an array, in order.

        Invariant: the rows are those of the owner in the row beside them, and of nobody else.
        """
        wires = (item.wire[-1] for item in items)
        # An alias, or a list in its owners' own table would be compared with itself.
        rows = _table_of(declared.table, (declared.key, declared.order, *wires)).alias()
        inner = (
            sa.select(*(rows.c[item.wire[-1]].label(f"c{n}") for n, item in enumerate(items)))
            .where(rows.c[declared.key] == owner.c[key])
            .order_by(rows.c[declared.order])
            .limit(sa.literal_column(str(self._rows_most + 1)))
            .correlate(owner)
            .subquery()
        )
        if self._postgresql:
            array, every = sa.func.json_build_array, sa.func.json_agg
        else:
            array, every = sa.func.json_array, sa.func.json_group_array
        row = array(*inner.c)
        if not self._postgresql:
            row = sa.func.json(row)
        return sa.select(every(row, type_=sa.JSON)).scalar_subquery()

    async def ask(self, question: Question) -> Reply:
        """Ask once; where what was kept of the database is of no use, once more: reads are safe."""
        names = tuple(item.name for item in question.items)
        statement, lists, decode = self._prepared(question.subject, names)
        try:
            try:
                rows = await self._fetch(statement, question.keys)
            except DBAPIError as error:
                if not _is_outdated(error):
                    raise
                rows = await self._fetch(statement, question.keys)
        except (SQLAlchemyError, OSError) as error:
            if _lacks_a_name(error):
                raise ContractBroken("the view lacks a declared table or column") from error
            raise SourceUnavailable("the database cannot be reached", passing=True) from error
        records = Records(decode, question.keys)
        for row in rows:
            fields = dict(row)
            key, as_of = str(fields.pop("_key")), fields.pop("_as_of", None)
            for label, (wire, *columns) in lists:
                entries = fields.pop(label) or []
                fields[wire] = [dict(zip(columns, entry, strict=True)) for entry in entries]
            records.add(key, as_of, fields)
        return records.reply()

    async def _fetch(
        self, statement: sa.Select[Any], keys: tuple[str, ...]
    ) -> Sequence[sa.RowMapping]:
        engine = self._engine
        if isinstance(engine, sa.Engine):
            rows: Sequence[sa.RowMapping] = await asyncio.to_thread(
                _fetched, engine, statement, keys
            )
        else:
            async with engine.connect() as connection:
                result = await connection.execute(statement, {"keys": keys})
                rows = result.mappings().all()
        trace.tell(functools.partial(_exchanged, statement, keys, rows))
        return rows

    async def close(self) -> None:
        """Close the pooled connections."""
        if isinstance(self._engine, sa.Engine):
            await asyncio.to_thread(self._engine.dispose)
        else:
            await self._engine.dispose()


def _fetched(
    engine: sa.Engine, statement: sa.Select[Any], keys: tuple[str, ...]
) -> Sequence[sa.RowMapping]:
    with engine.connect() as connection:
        return connection.execute(statement, {"keys": keys}).mappings().all()


def _secured(url: sa.URL, table: SqlTable) -> dict[str, Any]:
    """Verified TLS to a server that is not this machine, unless the network is kept secret."""
    if (
        url.get_backend_name() != "postgresql"
        or table.plain
        or is_loopback(url.host or "localhost")
    ):
        return {}
    authority = expand(table.authority) if table.authority else None
    return {"ssl": ssl.create_default_context(cafile=authority)}


def _exchanged(
    statement: sa.Select[Any], keys: tuple[str, ...], rows: Sequence[sa.RowMapping]
) -> trace.Exchange:
    return trace.Exchange(
        line=str(statement),
        headers={},
        body={"keys": list(keys)},
        status=f"{len(rows)} rows",
        answer_headers={},
        answer=[dict(row) for row in rows],
    )


def _is_outdated(error: DBAPIError) -> bool:
    """Whether a pooled connection turned out dead, or a view is another than when it was prepared.

    SQLAlchemy then drops what it keeps.
    """
    return error.connection_invalidated or isinstance(error, sa.exc.NotSupportedError)


def _lacks_a_name(error: Exception) -> bool:
    """Whether the database knows no such table or column; SQLite has only its general code."""
    if isinstance(error, sa.exc.ProgrammingError):
        return True
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return bool(code == sqlite3.SQLITE_ERROR)


def _table_of(name: str, columns: Iterable[str]) -> sa.TableClause:
    schema, _, plain = name.rpartition(".")
    return sa.table(plain, *map(sa.column, dict.fromkeys(columns)), schema=schema or None)
