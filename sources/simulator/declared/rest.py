"""A JSON service as `[rest]` of a declaration describes it, alone or behind X-Road."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sources.declaration import Source
from sources.simulator.calendar import REFERENCE
from sources.simulator.declared.document import at, put, within
from sources.simulator.declared.faults import Entry
from sources.simulator.declared.stand import Call, RefusedError, items_by_wire
from sources.simulator.declared.writing import Writing

_PAGE = 40
"""Records of one page, where there are pages."""


class RestSpeaker:
    """Batches or single people in, the requested items out."""

    def __init__(self, source: Source) -> None:
        self._table: Mapping[str, Any] = source.adapter_table
        self._items = items_by_wire(source)
        self._paging: Mapping[str, Any] = self._table.get("paging", {})
        self.writing = Writing.of(self._table)

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The one path, with the method."""
        return [(self._table.get("path", ""), [self._table.get("method", "POST")])]

    async def read(self, request: Request, body: bytes) -> Call:
        """The people and items of a request, and which page of the answer it wants."""
        table = self._table
        try:
            if table.get("method") == "GET":
                keys: Any = request.headers[table["keys"]].split(",")
                names: Any = request.query_params[table["items"]].split(",")
                said: Mapping[str, Any] = request.query_params
            else:
                said = orjson.loads(body)
                keys, names = at(said, table["keys"]), at(said, table["items"])
                keys = [keys] if table.get("single") else keys
            page = self._page(said)
            _check_texts([*keys, *names])
        except (ValueError, TypeError, KeyError) as error:
            raise RefusedError(400, "send the ids and items where they are declared") from error
        names = [name for name in names if name]
        for name in names:
            if name not in self._items:
                raise RefusedError(400, f"unknown item `{name}`")
        return Call(tuple(keys), tuple(self._items[name] for name in names), page=page)

    def _page(self, said: Mapping[str, Any]) -> int:
        """The number of the page asked for, from 1; a cursor says it in its own way."""
        place = self._paging.get("page") or self._paging.get("cursor")
        if place is None:
            return 1
        try:
            asked = at(dict(said), place)
        except KeyError:
            return 1
        return int(str(asked).removeprefix("next-"))

    def write(self, call: Call, entries: Sequence[Entry]) -> Response:
        """The records where the declaration looks for them."""
        table = self._table
        if table.get("single"):
            if not entries and "unknown" in table:
                return _json({"error": "no such person"}, table["unknown"])
            record = self._record(entries[0]) if entries else None
            return _json(within(table["records"], record))
        start = (call.page - 1) * _PAGE
        shown = entries[start : start + _PAGE] if self._paging else entries
        found: Any = [self._record(one) for one in shown]
        body = within(table["records"], found)
        pages = -(-len(entries) // _PAGE) or 1
        if "next" in self._paging:
            following = f"next-{call.page + 1}" if call.page < pages else None
            put(body, self._paging["next"], following)
        elif "pages" in self._paging:
            put(body, self._paging["pages"], pages)
        return _json(body)

    def _record(self, entry: Entry) -> dict[str, Any]:
        record: dict[str, Any] = {}
        if "key" in self._table:
            put(record, self._table["key"], entry.key)
        if "as_of" in self._table:
            put(record, self._table["as_of"], self.writing.day(f"{REFERENCE}"))
        for place, value in entry.fields.items():
            put(record, place, value)
        return record

    def failure(self, text: str) -> Response:
        """No records but an error, where the declaration says that errors stand."""
        place = self._table.get("error", "error")
        return _json(within(place, {"code": "E-500", "message": text}))


class XroadSpeaker(RestSpeaker):
    """The same service behind two security servers, which this one process stands in for."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._client: str = self._table["client"]
        service = "/".join(quote(part, safe="") for part in self._table["service"].split("/"))
        self._path = f"/r1/{service}{self._table.get('path', '')}"

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The service's path at the security server."""
        return [(self._path, [self._table.get("method", "POST")])]

    async def read(self, request: Request, body: bytes) -> Call:
        """A message of the declared client; its headers say for which case, and who asks."""
        if request.headers.get("x-road-client") != quote(self._client, safe="/"):
            raise RefusedError(400, "Client.BadRequest", {"X-Road-Error": "Client.BadRequest"})
        call = await super().read(request, body)
        envelope = {
            "X-Road-Client": request.headers["x-road-client"],
            "X-Road-Service": self._table["service"],
            "X-Road-Id": request.headers.get("x-road-id", ""),
            "X-Road-Request-Id": request.headers.get("x-road-id", ""),
            "X-Road-Request-Hash": hashlib.sha512(body).hexdigest(),
        }
        issue = request.headers.get("x-road-issue")
        told = {"case": unquote(issue)} if issue else {}
        return Call(call.keys, call.items, told, call.page, envelope)

    def write(self, call: Call, entries: Sequence[Entry]) -> Response:
        """The provider's answer in the security server's envelope."""
        response = super().write(call, entries)
        response.headers.update(call.envelope)
        return response


def _check_texts(value: list[Any]) -> None:
    if not all(isinstance(one, str) for one in value):
        raise TypeError


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
