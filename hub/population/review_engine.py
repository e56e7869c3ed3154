"""The engines that expressions run on: DuckDB, embedded, or Spark, local or a cluster's.

Both take the same Ibis expressions; they differ in how tables are written and kept, and in nothing
that decides a value.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol


class Engine(Protocol):
    """Runs expressions, and keeps what they give."""

    backend: Any

    def place_of(self, key: Any, places: int) -> Any:
        """One of so many places for a key, as an expression; the same for the same key."""

    def read(self, path: Path) -> Any:
        """A file, or a folder of files, as a table."""

    def bind(self, name: str, path: Path, number: int) -> None:
        """Have a name stand for one part of a table that was written in parts."""

    def compiled(self, table: Any) -> str:
        """An expression as SQL, to be run for one part after the other."""

    def keep(self, name: str, query: str) -> None:
        """Work a query out once, and have the name stand for what it gives."""

    def write_parts(self, tables: Iterable[Any], path: Path) -> None:
        """Write tables as one, in parts by their column `batch`; whole, or not at all."""

    def write(self, query: str, path: Path) -> None:
        """Write what a query gives durably; whole, or not at all."""


class DuckDB:
    """The embedded engine, bounded in memory; what does not fit goes to disk."""

    def __init__(self, spill: Path, memory: str = "3GB", threads: int | None = None) -> None:
        import ibis  # noqa: PLC0415 - heavy, and needed only where populations are read

        spill.mkdir(parents=True, exist_ok=True)
        self.backend = ibis.duckdb.connect(
            threads=threads or os.cpu_count() or 1,
            memory_limit=memory,
            temp_directory=str(spill),
            preserve_insertion_order=False,
            # Steps that rest on one another are worked out one by one: put into one another,
            # as they would be, each is worked out wherever it is read.
            disabled_optimizers="cte_inlining",
        )
        self.backend.raw_sql("SET enable_progress_bar = false")

    def place_of(self, key: Any, places: int) -> Any:
        """By DuckDB's own hash, which Ibis would have go through a text of bits."""
        import ibis  # noqa: PLC0415 - as above

        @ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
            name="hash", signature=(("string",), "uint64")
        )
        def hashed(key: str) -> int:  # type: ignore[empty-body]
            """As DuckDB has it."""

        return (hashed(key) % places).cast("int64")

    def read(self, path: Path) -> Any:
        """A Parquet file, or all in a folder and the folders of its parts."""
        if path.is_file():
            return self.backend.read_parquet(str(path))
        in_parts = any(path.glob("batch=*"))
        wanted = f"{path}/**/*.parquet" if in_parts else f"{path}/*.parquet"
        return self.backend.read_parquet(wanted, hive_partitioning=in_parts)

    def bind(self, name: str, path: Path, number: int) -> None:
        """As a view of the part's files; of any file, without rows, where it has none."""
        files = sorted((path / f"batch={number}").glob("*.parquet"))
        lacks = "" if files else " LIMIT 0"
        files = files or sorted(path.glob("*/*.parquet"))[:1]
        named = ", ".join(f"'{file}'" for file in files)
        self.backend.raw_sql(
            f"CREATE OR REPLACE TEMP VIEW {name} AS "  # noqa: S608 - the review's own files
            f"SELECT * FROM read_parquet([{named}], hive_partitioning = false){lacks}"
        )

    def compiled(self, table: Any) -> str:
        """In DuckDB's SQL, with whole numbers of 64 bits.

        Sums are wider, and would go into Parquet as floats; what does not fit is refused.
        """
        columns = ", ".join(
            f'CAST("{name}" AS BIGINT) AS "{name}"' if kind.is_integer() else f'"{name}"'
            for name, kind in table.schema().items()
        )
        return f"SELECT {columns} FROM ({self.backend.compile(table)})"  # noqa: S608

    def keep(self, name: str, query: str) -> None:
        """As a temporary table."""
        self.backend.raw_sql(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def write_parts(self, tables: Iterable[Any], path: Path) -> None:
        """By DuckDB's partitioned COPY."""
        part = path.with_name(f"{path.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        for table in tables:
            self.backend.raw_sql(
                f"COPY ({self.compiled(table)}) TO '{part}' "
                "(FORMAT parquet, PARTITION_BY (batch), APPEND, COMPRESSION snappy)"
            )
        part.rename(path)

    def write(self, query: str, path: Path) -> None:
        """To one Parquet file."""
        part = path.with_suffix(".part")
        self.backend.raw_sql(f"COPY ({query}) TO '{part}' (FORMAT parquet, COMPRESSION snappy)")
        sync(part)
        part.rename(path)


def sync(path: Path) -> None:
    """Have a file on the disk before it is known by its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
