"""The `graphql` adapter: an agency with a GraphQL service of its own.

One document a call, built from the granted items; ids travel in variables only.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field

from sources.adapter import (
    BROKEN,
    ContractBroken,
    Question,
    Reply,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from sources.client import HttpClient
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, http_faults, told_of
from sources.record import Decoder, Records, decoder, without
from sources.table import MISSING, at, item_place, no_cases, read_table

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
            message = f"`{table.variable}` does not carry {'one id' if listed else 'a list'}"
            remedy = "give a list type, like `[ID!]!`, by list, and one like `ID!` by alias"
            place = described(("graphql", "type"))
            faults.append(Fault(source.file, place, message, remedy))
        return faults + no_cases(source) + http_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = GraphqlTable.model_validate(source.adapter_table)
        self.told = told_of(table)
        self.together = table.context.operation is None
        self._limits = source.terms.limits
        self._items = {item.name: item for item in source.items}
        self._formats = replace(table.formats, rows=self._limits.rows)
        self._prepared = functools.lru_cache(maxsize=256)(self._prepare)
        self._client = HttpClient(source, table)

    def _prepare(self, names: tuple[str, ...]) -> tuple[str, Decoder]:
        """The selection of a record, and its decoder."""
        items = [self._items[name] for name in names]
        wires = [".".join(item.wire) for item in items if item.wire]
        own = [place for place in (self._table.key, self._table.as_of) if place]
        return selection(dict.fromkeys((*own, *wires))), decoder(items, self._formats)

    async def ask(self, question: Question) -> Reply:
        """Ask once, with one document for everyone."""
        selected, decode = self._prepared(tuple(item.name for item in question.items))
        content = orjson.dumps(self._document(selected, question.keys))
        answered = await self._client.send(question, self._table.path, content=content)
        answered.check()
        document = answered.json(self._limits.depth)
        records = Records(decode, question.keys)
        if self._table.by == "list":
            self._read_list(document, records)
        else:
            self._read_aliases(document, question.keys, records)
        return records.reply()

    def _document(self, selected: str, keys: Sequence[str]) -> dict[str, Any]:
        """The document and its variables; ids are in these and nowhere else."""
        table = self._table
        *outer, field = table.people.split(".")
        if table.by == "list":
            head = f"$ids: {table.variable}"
            body = f"{field}({table.argument}: $ids) {selected}"
            variables: dict[str, Any] = {"ids": keys}
        else:
            head = ", ".join(f"$k{n}: {table.variable}" for n in range(len(keys)))
            body = " ".join(
                f"p{n}: {field}({table.argument}: $k{n}) {selected}" for n in range(len(keys))
            )
            variables = {f"k{n}": key for n, key in enumerate(keys)}
        for name in reversed(outer):
            body = f"{name} {{ {body} }}"
        return {"query": f"query Hub({head}) {{ {body} }}", "variables": variables}

    def _read_list(self, document: Any, records: Records) -> None:
        _mark(document)
        found = at(document, f"data.{self._table.people}")
        if not isinstance(found, list) or not all(isinstance(raw, Mapping) for raw in found):
            raise _without_data(document, f"`{self._table.people}` of the answer is no list")
        for raw in found:
            self._add(at(raw, self._table.key), raw, records)

    def _read_aliases(self, document: Any, keys: Sequence[str], records: Records) -> None:
        _mark(document)
        outer = self._table.people.rpartition(".")[0]
        found = at(document, f"data.{outer}" if outer else "data")
        if not isinstance(found, Mapping):
            raise _without_data(document, "no data in the answer")
        for number, key in enumerate(keys):
            raw = found.get(f"p{number}", MISSING)
            if isinstance(raw, Mapping):
                said = at(raw, self._table.key)
                self._add(said if said == key else None, raw, records)
            elif raw is not None:
                records.breach(key, "unanswered")

    def _add(self, key: Any, raw: Mapping[str, Any], records: Records) -> None:
        table = self._table
        as_of = at(raw, table.as_of) if table.as_of else None
        own = {place for place in (table.key, table.as_of) if place} - records.wires
        records.add(key, None if as_of in (MISSING, BROKEN) else as_of, without(raw, own))

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.close()


def selection(places: Iterable[str]) -> str:
    """A selection set of dotted fields, each object once: `{ id name { surname } }`."""
    tree: dict[str, Any] = {}
    for place in places:
        branch = tree
        for step in place.split("."):
            branch = branch.setdefault(step, {})
    return _selected(tree)


def _selected(tree: Mapping[str, Any]) -> str:
    parts = (f"{name} {_selected(inner)}" if inner else name for name, inner in tree.items())
    return "{ " + " ".join(parts) + " }"


def _mark(document: Any) -> None:
    """Mark what an error says of: a null that stands for a failure is no "there is none".

    Raises SourceError where an error is of the whole answer.
    """
    errors = at(document, "errors")
    if errors is MISSING or errors is None:
        return
    if not isinstance(errors, list) or not isinstance(document.get("data"), dict):
        raise _without_data(document, "the answer has errors and no data")
    for error in errors:
        path = error.get("path") if isinstance(error, Mapping) else None
        if not isinstance(path, list) or not path:
            raise _without_data(document, "the answer has an error")
        _mark_at(document["data"], path)


def _mark_at(data: Any, path: Sequence[Any]) -> None:
    """Mark the null that an error left at its path, or above it."""
    for step in path:
        try:
            inner = data[step]
        except (KeyError, IndexError, TypeError) as error:
            raise ContractBroken("an error of the answer is of nothing in it") from error
        if inner is None:
            data[step] = BROKEN
            return
        data = inner


_REFUSING = {"UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


def _without_data(document: Any, message: str) -> SourceError:
    """The error of an answer without records: classed by the code that its errors give."""
    errors = at(document, "errors")
    if not isinstance(errors, list) or not errors:
        return ContractBroken(message)
    codes = {at(error, "extensions.code") for error in errors if isinstance(error, Mapping)}
    if {code for code in codes if isinstance(code, str)} & _REFUSING:
        return SourceRefused("the source refused the question with a GraphQL error")
    return SourceUnavailable("the source answered with a GraphQL error")
