"""The `rest` adapter: an agency's JSON service that answers batches of people by item names."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Literal, Self

import aiohttp
import httpx
import httpx_aiohttp
import orjson
from pydantic import Field, model_validator

from sources.adapter import (
    ContractBroken,
    Question,
    Record,
    Reply,
    SourceRefused,
    SourceUnavailable,
    expand,
)
from sources.declaration import Source
from sources.fault import Fault
from sources.http import HttpTable, Told, http_faults
from sources.record import Decoder, decoder
from sources.table import Place, no_cases, read_table
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
    paging: Paging | None = None


_GET_BATCH = 100
"""Most ids that one header carries: services refuse longer ones."""
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
    """Asks one REST source; connections are pooled and bounded, redirects are not followed."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[rest]`."""
        table, faults = read_table(source, RestTable)
        return faults if table is None else rest_faults(source, table)

    def __init__(self, source: Source) -> None:
        self._table = table = RestTable.model_validate(source.adapter_table)
        self._limits = source.terms.limits
        self._items = {item.name: item for item in source.items}
        self._formats = table.formats
        self._decoder = functools.lru_cache(maxsize=256)(self._make_decoder)
        self._client = httpx.AsyncClient(
            base_url=expand(table.url),
            headers={name: expand(text) for name, text in table.headers.items()},
            transport=httpx_aiohttp.AiohttpTransport(
                limits=httpx.Limits(
                    max_connections=source.terms.pool.connections,
                    max_keepalive_connections=source.terms.pool.connections,
                ),
                trust_env=False,
            ),
            timeout=None,  # noqa: S113 - the deadline is the round's, kept where all are
            trust_env=False,
        )

    def _make_decoder(self, names: tuple[str, ...]) -> Decoder:
        return decoder([self._items[name] for name in names], self._formats)

    async def ask(self, question: Question) -> Reply:
        """Ask once; a connection that broke under a read is tried once more, as reads are safe."""
        try:
            try:
                content = await self._content(question)
            except httpx.TransportError as error:
                if not _broke(error):
                    raise
                content = await self._content(question)
        except (httpx.DecodingError, aiohttp.ClientResponseError) as error:
            raise ContractBroken("the answer is not HTTP as it should be") from error
        except (httpx.RequestError, aiohttp.ClientError) as error:
            raise SourceUnavailable("the source cannot be reached") from error
        return self._reply(question, content)

    async def _content(self, question: Question) -> bytes:
        """The body of a good answer, read no further than the source may send."""
        response = await self._client.send(self._request(question), stream=True)
        try:
            _check_status(response)
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                most = self._limits.bytes
                if len(content) > most:
                    raise ContractBroken(f"the answer has more than {most} bytes")
            return bytes(content)
        finally:
            await response.aclose()

    def _request(self, question: Question) -> httpx.Request:
        table = self._table
        body = orjson.dumps(
            {
                table.keys: question.keys,
                table.items: [".".join(item.wire) for item in question.items if item.wire],
            }
        )
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= question_headers(table.context, question)
        return self._client.build_request("POST", table.path, content=body, headers=headers)

    def _reply(self, question: Question, content: bytes) -> Reply:
        table = self._table
        try:
            found: Any = orjson.loads(content)
            if table.error is not None and found.get(table.error):
                raise SourceUnavailable("the source answered with an error")
            for step in table.records.split("."):
                found = found[step]
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise ContractBroken(f"no records at `{table.records}` of the answer") from error
        if not isinstance(found, list) or not all(isinstance(raw, Mapping) for raw in found):
            raise ContractBroken(f"`{table.records}` of the answer is no list of records")
        decode = self._decoder(tuple(item.name for item in question.items))
        breaches: dict[str, int] = {}
        records: dict[str, Record] = {}
        asked = set(question.keys)
        for raw in found:
            fields = dict(raw)
            key = fields.pop(table.key, None)
            as_of = fields.pop(table.as_of, None) if table.as_of else None
            if not isinstance(key, str) or key not in asked:
                breaches["other-person"] = breaches.get("other-person", 0) + 1
            elif key in records:
                raise ContractBroken("two records for one person")
            else:
                records[key] = decode.record(fields, as_of, breaches)
        return Reply(records, breaches)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._client.aclose()


def question_headers(context: Told, question: Question) -> dict[str, str]:
    """The declared headers with what the question says of purpose, basis, case and operation."""
    told = question.context
    pairs = (
        (context.purpose, told.purpose),
        (context.legal_basis, told.legal_basis),
        (context.case, told.case),
        (context.operation, told.operation),
    )
    return {name: value for name, value in pairs if name is not None and value}


def _broke(error: httpx.TransportError) -> bool:
    """Whether an open connection broke; the transport's classes say it wrong, their causes right.

    httpx-aiohttp gives `ConnectTimeout` for a refused connection as for one that was closed.
    """
    cause = error.__cause__
    broken = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
    return isinstance(cause, broken) and not isinstance(cause, aiohttp.ClientConnectorError)


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in (429, 503):
        after = response.headers.get("retry-after", "")
        wait = float(after) if after.isdecimal() else None
        raise SourceUnavailable(f"the source answered {status}", wait)
    if status >= 500:
        raise SourceUnavailable(f"the source answered {status}")
    if status >= 400:
        raise SourceRefused(f"the source refused the question with {status}")
    raise ContractBroken(f"the source answered {status}")
