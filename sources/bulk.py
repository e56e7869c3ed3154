"""`[bulk]` of a declaration: that an agency also delivers all it holds at once, dated, and how.

A delivery is a set of Parquet or CSV files with the date in their names, or views of a database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sources.terms import Seconds, Strict

PEOPLE = ""
"""The part of a delivery with one row a person; the other parts are lists, by their names."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?\Z")
_FILES = re.compile(r"[\w.-]*\{date\}[\w.-]*\Z")


def _column(value: str) -> str:
    if _NAME.match(value) is None:
        raise ValueError(f"`{value}` is no plain name; use letters, digits and underscores")
    return value


def _files(value: str) -> str:
    if _FILES.match(value) is None:
        raise ValueError(f"`{value}` names no deliveries; write it like `people-{{date}}.parquet`")
    return value


Column = Annotated[str, AfterValidator(_column)]


class Part(Strict):
    """The files, or the view, of one part of a delivery, and the column of the person's id."""

    files: Annotated[str, AfterValidator(_files)] | None = None
    view: Column | None = None
    key: Column

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.files is None) == (self.view is None):
            raise ValueError("it is delivered in one way; give `files` or a `view`")
        return self


class Bulk(Strict):
    """`[bulk]`: where deliveries lie, how they are written, and what makes one bad.

    `items` are those delivered, by their names within the source; all where none is named. Of a
    good delivery at most `unmatched` of the people are unknown to the register of identity, and it
    has changed against the last one by at most `drift` (shares: of rows, of nulls in a column).
    `apart` are lists that are delivered by themselves: a delivery is whole without them.
    """

    folder: str | None = None
    database: str | None = None
    as_of: Column | None = None
    format: Literal["parquet", "csv"] = "parquet"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    date: Literal["YYYY-MM-DD", "YYYYMMDD"] = "YYYY-MM-DD"
    dates: Literal["YYYY-MM-DD", "YYYYMMDD"] = "YYYY-MM-DD"
    months: Literal["YYYY-MM", "YYYYMM"] = "YYYY-MM"
    money: Literal["won", "thousand-won"] = "won"
    empty: Literal["text", "absent"] = "absent"
    oldest: Seconds | None = None
    items: tuple[str, ...] = ()
    unmatched: float = Field(default=0.01, ge=0, le=1)
    drift: float = Field(default=0.2, ge=0)
    person: Part
    lists: Mapping[str, Part] = Field(default_factory=dict)
    apart: Mapping[str, Part] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_its_place(self) -> Self:
        every = (*self.parts.values(), *self.apart.values())
        views = [part.view is not None for part in every]
        if any(views) and not all(views):
            raise ValueError("some parts are files and some are views; deliver all in one way")
        if all(views) and (self.database is None or self.as_of is None):
            raise ValueError("views are of a database; give `database` and the column `as_of`")
        if not any(views) and self.folder is None:
            raise ValueError("files lie in a folder; give `folder`")
        return self

    @property
    def parts(self) -> Mapping[str, Part]:
        """Every part of a delivery: that of people under `PEOPLE`, lists by their names."""
        return {PEOPLE: self.person, **self.lists}

    def delivers(self, path: tuple[str, ...]) -> bool:
        """Whether the item with this path within its source is delivered."""
        part = path[0] if len(path) == 2 else PEOPLE
        return part in self.parts and (not self.items or ".".join(path) in self.items)

    def faults(self, paths: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Where, what and remedy of what fits none of the items, given as path to name on wire."""
        lists = {path.split(".")[0] for path in paths if "." in path}
        for key, named in (("lists", self.lists), ("apart", self.apart)):
            for name in sorted(named.keys() - lists):
                yield (key, name), f"there is no list `{name}`", "name a list that is declared"
        for name in self.items:
            if name not in paths:
                yield (("items",), f"there is no item `{name}`", "write `item` or `list.column`")
        for path, wire in paths.items():
            if self.delivers(tuple(path.split("."))) and _NAME.match(wire) is None:
                message = f"`{path}` is no column: its name there is `{wire}`"
                yield (("items",), message, "name the items delivered, without it")
