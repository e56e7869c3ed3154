"""The `rest` adapter: an agency's JSON service that answers batches of people by item names."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal

import aiohttp
import httpx
import httpx_aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sources.adapter import (
    ContractBroken,
    Question,
    Record,
    Reply,
    SourceRefused,
    SourceUnavailable,
    expand,
    unset_faults,
)
from sources.declaration import Source
from sources.fault import Fault, shape_faults
from sources.record import Decoder, Formats, decoder


class _Context(BaseModel):
    """The headers in which the agency wants to be told why it is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: str | None = None
    legal_basis: str | None = None
    case: str | None = None
    operation: str | None = None


class _Table(BaseModel):
    """`[rest]` of a declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    path: str = Field(pattern=r"^/")
    method: Literal["POST"] = "POST"
    keys: str
    items: str
    records: str
    error: str | None = None
    key: str
    as_of: str | None = None
    dates: Literal["YYYY-MM-DD", "YYYYMMDD"] = "YYYY-MM-DD"
    months: Literal["YYYY-MM", "YYYYMM"] = "YYYY-MM"
    money: Literal["won", "thousand-won", "text"] = "won"
    connections: int = Field(default=32, ge=1, le=1000)
    most_bytes: int = Field(default=8_388_608, ge=1024)
    headers: dict[str, str] = {}
    context: _Context = _Context()


class RestAdapter:
    """Asks one REST source; connections are pooled and bounded, redirects are not followed."""

    @staticmethod
    def check(source: Source) -> list[Fault]:
        """Every fault of `[rest]`."""
        try:
            table = _Table.model_validate(source.adapter_table)
        except ValidationError as error:
            return shape_faults(source.file, source.places, error, ("rest",))
        faults = [
            Fault(
                source.file,
                source.places.describe(("case", "item")),
                "the `rest` adapter answers for people only",
                "hold cases in a `sql` source",
            )
            for item in source.items
            if item.subject == "case" and item.is_exists
        ]
        texts: dict[tuple[str, ...], str] = {("rest", "url"): table.url}
        for name, text in table.headers.items():
            texts["rest", "headers", name] = text
        return faults + unset_faults(source, texts)

    def __init__(self, source: Source) -> None:
        self._table = table = _Table.model_validate(source.adapter_table)
        self._items = {item.name: item for item in source.items}
        self._formats = Formats(table.dates, table.months, table.money)
        self._decoder = functools.lru_cache(maxsize=256)(self._make_decoder)
        self._client = httpx.AsyncClient(
            base_url=expand(table.url),
            headers={name: expand(text) for name, text in table.headers.items()},
            transport=httpx_aiohttp.AiohttpTransport(
                limits=httpx.Limits(
                    max_connections=table.connections, max_keepalive_connections=table.connections
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
                if len(content) > self._table.most_bytes:
                    most = self._table.most_bytes
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


def question_headers(context: _Context, question: Question) -> dict[str, str]:
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
