"""The `file` adapter: an agency that delivers Parquet or CSV files, of which the newest is read.

Reading is DuckDB's, off the event loop; the date in a file's name is what its data is of.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sources.adapter import ContractBroken, Question, Reply, SourceUnavailable, expand, unset
from sources.declaration import Item, Source
from sources.fault import Fault
from sources.record import Decoder, Records, decoder
from sources.table import SqlName, Written, column_faults, no_cases, read_table, variable_faults
from sources.terms import Seconds, Strict

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_THREADS = 4
"""Most deliveries read at the same time: reading takes the processor, not the wire."""
_MEMORY = "512MB"
"""Most memory that reading deliveries takes, of all agencies together."""
_WRITTEN = {"YYYY-MM-DD": "%Y-%m-%d", "YYYYMMDD": "%Y%m%d"}
_FILES = re.compile(r"[\w.-]*\{date\}[\w.-]*\Z")


def _files(value: str) -> str:
    if _FILES.match(value) is None:
        raise ValueError(f"`{value}` names no deliveries; write it like `people-{{date}}.parquet`")
    return value


Files = Annotated[str, AfterValidator(_files)]
"""The names of an agency's deliveries, `{date}` where the date stands."""


class People(Strict):
    """The deliveries with one row a person."""

    files: Files
    key: SqlName


class Rows(Strict):
    """The deliveries with the rows of a list."""

    files: Files
    key: SqlName
    order: SqlName


class FileTable(Written):
    """`[file]` of a declaration."""

    folder: str
    format: Literal["parquet", "csv"] = "parquet"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    date: Literal["YYYY-MM-DD", "YYYYMMDD"] = "YYYY-MM-DD"
    oldest: Seconds | None = None
    person: People
    lists: dict[str, Rows] = Field(default_factory=dict)


class Reader:
    """The one DuckDB that reads every agency's deliveries: one for each would take memory only."""

    def __init__(self) -> None:
        self.database: DuckDBPyConnection | None = None
        self._folders = Counter[str]()
        self._lock = threading.Lock()

    def join(self, folder: Path) -> None:
        """Let deliveries in a folder be read."""
        with self._lock:
            if not self._folders[str(folder)]:
                self.database = None  # What may be read is locked as soon as it is opened.
            self._folders[str(folder)] += 1

    def leave(self, folder: Path) -> None:
        """No longer let it be read. Cursors taken go on until they are closed."""
        with self._lock:
            self._folders[str(folder)] -= 1
            if not self._folders[str(folder)]:
                del self._folders[str(folder)]
                self.database = None

    def open(self) -> DuckDBPyConnection:
        """The database, opened at the first question: it is heavy."""
        with self._lock:
            if self.database is None:
                self.database = self._opened()
            return self.database

    def _opened(self) -> DuckDBPyConnection:
        import duckdb  # noqa: PLC0415 - only where a delivery is read

        # Whoever asks reads by itself: more threads take more memory than time.
        database = duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY})
        # Invariant: nothing is read but deliveries, and nothing is written or fetched.
        database.execute("SET autoinstall_known_extensions = false")
        database.execute("SET temp_directory = ''")
        database.execute("SET allowed_directories = $folders", {"folders": list(self._folders)})
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        return database


READER = Reader()


class FileAdapter:
    """Reads one agency's deliveries, on threads of its own."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[file]`."""
        table, faults = read_table(source, FileTable)
        if table is None:
            return faults
        describe = source.places.describe
        for key in source.lists.keys() - table.lists.keys():
            remedy = f"add `[file.lists.{key}]` with files, key and order"
            place = describe(("item", key))
            faults.append(Fault(source.file, place, "the list has no files", remedy))
        if not unset(table.folder) and not Path(expand(table.folder)).is_dir():
            message = "the environment has no folder there"
            place = describe(("file", "folder"))
            faults.append(Fault(source.file, place, message, "correct its path"))
        faults += column_faults(source)
        return faults + no_cases(source) + variable_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = FileTable.model_validate(source.adapter_table)
        self._folder = Path(expand(table.folder)).resolve()
        self.told: frozenset[str] = frozenset()
        self._items = {item.name: item for item in source.items}
        self._rows = source.terms.limits.rows
        formats = replace(table.formats, rows=self._rows)
        self._formats = replace(formats, numbers="text") if table.format == "csv" else formats
        self._decoder = functools.lru_cache(maxsize=256)(self._make_decoder)
        threads = min(source.terms.pool.connections, _THREADS)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"file-{source.name}")
        READER.join(self._folder)

    def _make_decoder(self, names: tuple[str, ...]) -> Decoder:
        return decoder([self._items[name] for name in names], self._formats)

    async def ask(self, question: Question) -> Reply:
        """Ask once; a question given up is given up in DuckDB too."""
        loop = asyncio.get_running_loop()
        database = READER.database
        if database is None:
            database = await loop.run_in_executor(self._pool, READER.open)
        cursor = database.cursor()
        reading = loop.run_in_executor(self._pool, self._read, cursor, question)
        try:
            return await reading
        except asyncio.CancelledError:
            cursor.interrupt()
            raise

    def _read(self, cursor: DuckDBPyConnection, question: Question) -> Reply:
        """Read what is asked from the newest delivery. Raises SourceError."""
        import duckdb  # noqa: PLC0415 - only where a source delivers files

        lists: dict[str, list[Item]] = {}
        for item in question.items:
            if len(item.path) == 2:
                lists.setdefault(item.path[0], []).append(item)
        try:
            day = self._delivered([self._table.person, *(self._table.lists[key] for key in lists)])
            leaves = [item.wire[-1] for item in question.items if len(item.path) == 1]
            people = self._select(cursor, self._table.person, leaves, day, question.keys)
            rows = {
                key: self._grouped(cursor, self._table.lists[key], items, day, question.keys)
                for key, items in lists.items()
            }
        except duckdb.InterruptException as error:
            raise SourceUnavailable("the question was given up") from error
        except duckdb.BinderException as error:
            raise ContractBroken("the delivery lacks a declared column") from error
        except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
            raise SourceUnavailable("the delivery cannot be read") from error
        except duckdb.Error as error:
            raise ContractBroken("the delivery is not as it is declared") from error
        finally:
            cursor.close()
        records = Records(self._decoder(tuple(item.name for item in question.items)), question.keys)
        for key, *values in people:
            raw: dict[str, Any] = dict(zip(leaves, values, strict=True))
            raw |= {lists[name][0].wire[0]: found.get(key, []) for name, found in rows.items()}
            records.add(key, None, raw)
        reply = records.reply()
        dated = {key: record._replace(as_of=day) for key, record in reply.records.items()}
        return reply._replace(records=dated)

    def _delivered(self, deliveries: Sequence[People | Rows]) -> datetime.date:
        """The newest date of which all of these were delivered. Raises SourceUnavailable."""
        names = [entry.name for entry in os.scandir(self._folder) if entry.is_file()]
        today = datetime.datetime.now(datetime.UTC).date()
        dated = [set(self._dates(delivery.files, names)) for delivery in deliveries]
        # Tomorrow is today already in some places of the world.
        days = {day for day in set.intersection(*dated) if day <= today + datetime.timedelta(1)}
        if not days:
            raise SourceUnavailable("there is no whole delivery")
        newest = max(days)
        oldest = self._table.oldest
        if oldest is not None and (today - newest).total_seconds() > oldest:
            raise SourceUnavailable("the newest delivery is too old")
        return newest

    def _dates(self, files: str, names: Iterable[str]) -> Iterable[datetime.date]:
        before, after = files.split("{date}")
        for name in names:
            text = name.removeprefix(before).removesuffix(after)
            if name == before + text + after:
                with contextlib.suppress(ValueError):  # A name like it, of something else.
                    yield datetime.datetime.strptime(text, _WRITTEN[self._table.date]).date()  # noqa: DTZ007

    def _select(
        self,
        cursor: DuckDBPyConnection,
        declared: People | Rows,
        columns: Sequence[str],
        day: datetime.date,
        keys: Sequence[str],
    ) -> list[tuple[Any, ...]]:
        """The rows of these people, each with its key first; only these columns are read."""
        file = self._folder / declared.files.replace(
            "{date}", day.strftime(_WRITTEN[self._table.date])
        )
        read = "read_parquet($file)"
        bound: dict[str, Any] = {"file": str(file), "keys": list(keys)}
        if self._table.format == "csv":
            read = "read_csv($file, header = true, all_varchar = true, delim = $delimiter)"
            bound["delimiter"] = self._table.delimiter
        key = f'CAST("{declared.key}" AS VARCHAR)'
        named = "".join(f', "{column}"' for column in columns)
        order = ""
        if isinstance(declared, Rows):
            ordered = f'ORDER BY "{declared.order}"'
            bound["rows"] = self._rows + 1
            order = f"QUALIFY row_number() OVER (PARTITION BY {key} {ordered}) <= $rows {ordered}"
        # Invariant: names are plain identifiers, by the declaration's check; all else is bound.
        statement = (
            f"SELECT {key}{named} FROM {read} "  # noqa: S608
            f"WHERE {key} IN (SELECT unnest($keys)) {order}"
        )
        found: list[tuple[Any, ...]] = cursor.execute(statement, bound).fetchall()
        return found

    def _grouped(
        self,
        cursor: DuckDBPyConnection,
        declared: Rows,
        items: Sequence[Item],
        day: datetime.date,
        keys: Sequence[str],
    ) -> dict[str, list[dict[str, Any]]]:
        columns = [item.wire[-1] for item in items]
        grouped: dict[str, list[dict[str, Any]]] = {}
        for key, *values in self._select(cursor, declared, columns, day, keys):
            grouped.setdefault(key, []).append(dict(zip(columns, values, strict=True)))
        return grouped

    async def close(self) -> None:
        """Stop the threads once what they read is read."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        READER.leave(self._folder)
