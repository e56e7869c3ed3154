"""The `file` adapter: an agency that delivers Parquet or CSV files, of which the newest is read.

Reading is DuckDB's, off the event loop; the date in a file's name is what its data is of.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sources.adapter import Question, Reply, SourceRefused, expand, unset
from sources.declaration import Source
from sources.fault import Fault
from sources.table import SqlName, Written, column_faults, no_cases, read_table, variable_faults
from sources.terms import Seconds, Strict

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


class FileAdapter:
    """Reads one agency's deliveries."""

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
        self._table = FileTable.model_validate(source.adapter_table)

    async def ask(self, question: Question) -> Reply:
        """Ask once."""
        raise SourceRefused(f"`{question.items[0].source}` cannot be asked yet")

    async def close(self) -> None:
        """Nothing is open between questions."""
