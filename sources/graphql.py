"""The `graphql` adapter: an agency with a GraphQL service of its own.

One document a call, built from the granted items; ids travel in variables only.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sources.adapter import Question, Reply, SourceRefused
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, http_faults
from sources.table import item_place, no_cases, read_table

_NAMES = re.compile(r"[_A-Za-z][_0-9A-Za-z]*(\.[_A-Za-z][_0-9A-Za-z]*)*\Z")
_TYPE = re.compile(r"\[?[_A-Za-z][_0-9A-Za-z]*!?\]?!?\Z")


def _names(value: str) -> str:
    if _NAMES.match(value) is None:
        raise ValueError(f"`{value}` is no name of GraphQL; write fields as `registry.people`")
    return value


def _type(value: str) -> str:
    if _TYPE.match(value) is None:
        raise ValueError(f"`{value}` is no type of GraphQL; write it like `[ID!]!`")
    return value


Names = Annotated[str, AfterValidator(_names)]


class GraphqlTable(HttpTable):
    """`[graphql]` of a declaration."""

    path: str = Field(default="/graphql", pattern=r"^(/|$)")
    people: Names
    by: Literal["list", "alias"] = "list"
    argument: Names
    type: Annotated[str, AfterValidator(_type)] | None = None
    key: Names
    as_of: Names | None = None

    @property
    def variable(self) -> str:
        """The type of the variables that carry ids."""
        return self.type or ("[ID!]!" if self.by == "list" else "ID!")


class GraphqlAdapter:
    """Asks one GraphQL source."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[graphql]`."""
        table, faults = read_table(source, GraphqlTable)
        if table is None:
            return faults
        described = source.places.describe
        faults += [
            Fault(
                source.file,
                described(item_place(item)),
                f"`{'.'.join(item.wire)}` is no field of GraphQL",
                "correct its `wire`",
            )
            for item in source.items
            if item.wire and not all(map(_NAMES.match, item.wire))
        ]
        listed = table.variable.startswith("[")
        if listed != (table.by == "list"):
            message = f"`{table.variable}` does not carry {'a list' if not listed else 'one id'}"
            place = described(("graphql", "type"))
            faults.append(Fault(source.file, place, message, 'as `by = "list"` needs a list type'))
        return faults + no_cases(source) + http_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = GraphqlTable.model_validate(source.adapter_table)

    async def ask(self, question: Question) -> Reply:
        """Ask once."""
        raise SourceRefused(f"`{question.items[0].source}` cannot be asked yet")

    async def close(self) -> None:
        """Close the pooled connections."""
