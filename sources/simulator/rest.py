"""An agency's service over HTTP: batches in, the requested items out, every call recorded."""

import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sources.simulator.agency import Agency, UnknownItemError, answer, sort_items
from sources.simulator.faults import (
    RECORD_FAULTS,
    Asked,
    Fault,
    delay,
    huge_body,
    read_fault,
)
from sources.simulator.population import Population

BATCH = 500
"""People a call may ask for."""
_CONTEXT = {
    "purpose": "x-purpose",
    "legalBasis": "x-legal-basis",
    "case": "x-case",
    "operation": "x-request-id",
}


class RefusedError(Exception):
    """A request that is answered with a status of refusal and one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Call:
    """A request as far as it could be read; what could not is empty."""

    ids: list[str]
    items: list[str]


class Service:
    """One agency's service: it holds the open access record and the fault in force."""

    def __init__(self, agency: Agency, population: Population, token: str, record: Path) -> None:
        self._agency = agency
        self._population = population
        self._token = f"Bearer {token}".encode()
        self._fault = Fault()
        self._record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def app(self) -> Starlette:
        """The routes: the agency's own, and the one that sets the fault."""
        return Starlette(
            routes=[
                Route(self._agency.path, self.query, methods=["POST"]),
                Route("/_simulator/fault", self.set_fault, methods=["POST"]),
            ]
        )

    async def set_fault(self, request: Request) -> Response:
        """Put a fault in force."""
        try:
            self._fault = read_fault(orjson.loads(await request.body()))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return _json({"mode": self._fault.mode, "ms": self._fault.milliseconds})

    async def query(self, request: Request) -> Response:
        """Answer a batch. The call is recorded before the answer leaves, whatever its status."""
        fault = self._fault
        call = Call([], [])
        try:
            self._admit(request)
            call = self._read(await request.body())
            self._check(call)
            # A call that hangs has reached the agency too.
            self._write(request, call, 200 if fault.mode != "error" else 500)
        except RefusedError as refusal:
            self._write(request, call, refusal.status)
            return _json({"error": str(refusal)}, refusal.status)
        except UnknownItemError as unknown:
            self._write(request, call, 400)
            return _json({"error": f"unknown item `{unknown}`"}, 400)
        await delay(fault)
        broken = _BROKEN.get(fault.mode)
        return broken() if broken else _json(self._body(fault, call))

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._token):
            raise RefusedError(401, "send the bearer token of this agency")

    def _read(self, body: bytes) -> Call:
        agency = self._agency
        try:
            asked = orjson.loads(body)
            call = Call(_texts(asked[agency.keys]), _texts(asked[agency.items]))
        except (ValueError, TypeError, KeyError) as error:
            raise RefusedError(
                400, f"send JSON with `{agency.keys}` and `{agency.items}`, lists of text"
            ) from error
        return call

    def _check(self, call: Call) -> None:
        if len(call.ids) > BATCH:
            raise RefusedError(413, f"{len(call.ids)} people asked, at most {BATCH} a call")
        sort_items(self._agency, call.items)

    def _write(self, request: Request, call: Call, status: int) -> None:
        entry = {
            "at": datetime.now(UTC).isoformat(),
            "keys": call.ids,
            "items": call.items,
            **{name: request.headers.get(header) for name, header in _CONTEXT.items()},
            "status": status,
        }
        os.write(self._record, orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def _body(self, fault: Fault, call: Call) -> dict[str, Any]:
        agency = self._agency
        records = answer(agency, self._population, call.ids, sort_items(agency, call.items))
        if fault.mode in RECORD_FAULTS:
            asked = Asked(agency, self._population, call.ids, call.items)
            records = RECORD_FAULTS[fault.mode](asked, records)
        body: Any = records
        for name in reversed(agency.records):
            body = {name: body}
        whole: dict[str, Any] = body
        return whole


class _HalfResponse(Response):
    """An answer that promises more than it sends; the server then breaks the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the headers and the first bytes, and no end."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        part = b'{"records": [{"id": "'
        await send({"type": "http.response.body", "body": part, "more_body": True})


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError
    return value


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


_BROKEN: Mapping[str, Callable[[], Response]] = {
    "error": lambda: _json({"error": "internal error"}, 500),
    "garbage": lambda: Response(b"<html><body>\xed\x95\x9c \xff not JSON", media_type="text/html"),
    "huge": lambda: StreamingResponse(huge_body(), media_type="application/json"),
    "redirect": lambda: RedirectResponse("/elsewhere", 302),
    "half-body": _HalfResponse,
    "error-in-200": lambda: _json({"error": {"code": "E-500", "message": "internal error"}}),
}
"""The answers of the faults that leave no records at all."""
