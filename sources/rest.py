"""The `rest` adapter: an agency's JSON service, asked by item names for people or for one."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import orjson
from pydantic import Field, model_validator

from sources.adapter import (
    ContractBroken,
    Question,
    Reply,
    SourceUnavailable,
)
from sources.client import JSON, Answered, HttpClient
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, http_faults, told_of
from sources.record import Decoder, Records, decoder, without
from sources.table import MISSING, Place, at, no_cases, put, read_table
from sources.terms import Strict


class Paging(Strict):
    """How an answer in several pages is read: by a cursor that it gives, or by numbers."""

    next: Place | None = None
    cursor: Place | None = None
    page: Place | None = None
    pages: Place | None = None
    most: int = Field(default=20, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = tuple(key for key in ("next", "cursor", "page", "pages") if getattr(self, key))
        if given not in (("next", "cursor"), ("page", "pages")):
            raise ValueError("pages have no one way; give `next` and `cursor`, or `page`, `pages`")
        return self


class RestTable(HttpTable):
    """`[rest]` of a declaration."""

    path: str = Field(default="", pattern=r"^(/|$)")
    method: Literal["POST", "GET"] = "POST"
    single: bool = False
    keys: Place
    items: Place
    records: Place
    key: Place | None = None
    as_of: Place | None = None
    unknown: int | None = Field(default=None, ge=400, le=499)
    error: Place | None = None
    whole: bool = False
    paging: Paging | None = None


_GET_BATCH = 100
"""Most ids that one header carries: services refuse longer ones."""
_IN_HEADER = re.compile(r"[!-+\--~]+\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z")


def rest_faults(source: Source, table: RestTable) -> list[Fault]:
    """Every fault of a table whose shape is good."""
    describe, faults = source.places.describe, []

    def fault(key: str, message: str, remedy: str) -> None:
        place = describe((source.adapter, key))
        faults.append(Fault(source.file, place, message, remedy))

    if table.single and source.batch != 1:
        place = describe(("source", "batch"))
        message = f"an agency that is asked for one person at a time has no batch of {source.batch}"
        faults.append(Fault(source.file, place, message, "set `batch = 1`"))
    if not table.single and table.key is None:
        fault("key", "`key` is missing", "say under which key a record has the person's id")
    if not table.single and table.unknown is not None:
        fault("unknown", "a status says nothing of one person of many", "remove it")
    if table.method == "GET":
        if _HEADER.match(table.keys) is None:
            fault("keys", f"`{table.keys}` is no header", "ids go in a header, never in an address")
        if source.batch > _GET_BATCH:
            message = f"a header carries {_GET_BATCH} ids at most"
            faults.append(
                Fault(source.file, describe(("source", "batch")), message, "set a smaller `batch`")
            )
        if table.paging is not None and table.paging.cursor is not None:
            fault("paging", "a cursor could tell of a person in an address", "page by number")
    return faults + no_cases(source) + http_faults(source, table)


class RestAdapter:
    """Asks one REST source; `evidence` are the headers that prove an exchange."""

    table: ClassVar[type[RestTable]] = RestTable
    evidence: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[rest]`."""
        table, faults = read_table(source, RestTable)
        return faults if table is None else rest_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = self.table.model_validate(source.adapter_table)
        self._path = table.path
        self.told = told_of(table)
        self.together = table.context.operation is None
        self._limits = source.terms.limits
        self._items = {item.name: item for item in source.items}
        rows = self._limits.rows
        self._formats = replace(self._table.formats, rows=rows, whole=table.whole)
        self._decoder = functools.lru_cache(maxsize=256)(self._make_decoder)
        self._client = HttpClient(source, self._table)

    def _make_decoder(self, names: tuple[str, ...]) -> Decoder:
        return decoder([self._items[name] for name in names], self._formats)

    async def ask(self, question: Question) -> Reply:
        """Ask once, and for the further pages of the answer."""
        paging = self._table.paging
        records = Records(self._decoder(tuple(item.name for item in question.items)), question.keys)
        page: Mapping[str, Any] | None = {paging.page: 1} if paging and paging.page else {}
        evidence: dict[str, str] = {}
        for number in range(1, (paging.most if paging else 1) + 1):
            answered = await self._send(question, page or {})
            for name in self.evidence:
                told = (evidence.get(name), answered.headers.get(name))
                evidence[name] = ",".join(filter(None, told))
            if answered.status == self._table.unknown:
                break
            self._check(answered)
            document = answered.json(self._limits.depth)
            self._read(question, document, records)
            page = self._next(document, number)
            if page is None:
                break
        else:
            raise ContractBroken("the answer has more pages than are read")
        return records.reply(evidence)

    async def _send(self, question: Question, page: Mapping[str, Any]) -> Answered:
        table, path = self._table, self._path
        enveloped = self._envelope(question)
        wires = [".".join(item.wire) for item in question.items if item.wire]
        keys = question.keys[0] if table.single else question.keys
        if table.method == "GET":
            ids = {"Accept": JSON["Accept"], table.keys: _header(question.keys)}
            parameters = {table.items: ",".join(wires)} | {key: str(page[key]) for key in page}
            return await self._client.send(
                question, path, method="GET", headers=ids | enveloped, parameters=parameters
            )
        body: dict[str, Any] = {}
        for place, value in {table.keys: keys, table.items: wires, **page}.items():
            put(body, place, value)
        content = orjson.dumps(body)
        return await self._client.send(question, path, content=content, headers=JSON | enveloped)

    def _envelope(self, question: Question) -> dict[str, str]:  # noqa: ARG002 - X-Road's does
        """The headers of the protocol around: none, in plain HTTP."""
        return {}

    def _check(self, answered: Answered) -> None:
        """Raise SourceError where the answer is none."""
        answered.check()

    def _read(self, question: Question, document: Any, records: Records) -> None:
        table = self._table
        if table.error is not None and at(document, table.error) not in (MISSING, None, False, ""):
            raise SourceUnavailable("the source answered with an error")
        found = at(document, table.records)
        if found is MISSING:
            raise ContractBroken(f"no records at `{table.records}` of the answer")
        if table.single:
            found = [] if found is None else [found]
        if not isinstance(found, list) or not all(isinstance(raw, Mapping) for raw in found):
            raise ContractBroken(f"`{table.records}` of the answer is no list of records")
        own = {place for place in (table.key, table.as_of) if place} - records.wires
        for raw in found:
            key = question.keys[0] if table.key is None else at(raw, table.key)
            as_of = at(raw, table.as_of) if table.as_of else None
            records.add(key, None if as_of is MISSING else as_of, without(raw, own))

    def _next(self, document: Any, number: int) -> Mapping[str, Any] | None:
        """What the question for the next page says of it; None after the last."""
        paging = self._table.paging
        if paging is None:
            return None
        if paging.next and paging.cursor:
            cursor = at(document, paging.next)
            return {paging.cursor: cursor} if cursor not in (MISSING, None, "", False) else None
        pages = at(document, paging.pages or "")
        if type(pages) is not int:
            raise ContractBroken("the answer does not say how many pages there are")
        return {paging.page or "": number + 1} if number < pages else None

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.close()


def _header(keys: Sequence[str]) -> str:
    """Ids as a header carries them. Raises ContractBroken for one that a header cannot carry."""
    if not all(_IN_HEADER.match(key) for key in keys):
        raise ContractBroken("an id has characters that no header carries")
    return ",".join(keys)
