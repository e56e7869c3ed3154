"""A stand-in that is asked over HTTP: what every such protocol shares.

Each call is recorded before it is answered, whatever the answer; faults are shown on top of what
the protocol says.
"""

import asyncio
import base64
import os
import secrets
import socket
import ssl
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sources.declaration import Source
from sources.simulator.declared.credentials import credentials
from sources.simulator.declared.faults import (
    OF_ANSWERS,
    OVER_HTTP,
    Entry,
    Fault,
    delay,
    read_fault,
)
from sources.simulator.declared.holdings import Holdings
from sources.simulator.declared.said import noted, said
from sources.simulator.declared.stand import Call, RefusedError, filled
from sources.simulator.declared.writing import Writing
from sources.simulator.place import HOST


class Speaker(Protocol):
    """One protocol as an agency speaks it."""

    writing: Writing

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Where it listens, with the methods."""

    async def read(self, request: Request, body: bytes) -> Call:
        """What is asked. Raises RefusedError."""

    def write(self, call: Call, entries: Sequence[Entry]) -> Response:
        """The records as an answer."""

    def failure(self, text: str) -> Response:
        """An answer of success by its status that tells of a failure inside."""


class HttpStand:
    """One agency's service on a port of its own."""

    def __init__(
        self, source: Source, holdings: Holdings, speaker: Speaker, token: str, record: Path
    ) -> None:
        self.source = source
        # Who answers about one person at a time has one record to give.
        single = source.adapter_table.get("single", False)
        self.modes = OVER_HTTP - {"other-person", "duplicate", "reversed"} if single else OVER_HTTP
        self._holdings = holdings
        self._speaker = speaker
        self._token = token
        self._fault = Fault()
        self._path = record
        self._record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        self._issued: set[str] = set()

    async def start(self, port: int = 0) -> Mapping[str, str]:
        """Listen; the environment by which the declaration reaches this."""
        listener = listening(port)
        self._asked = credentials(
            self.source, listener.getsockname()[1], self._token, self._path.parent
        )
        routes = [
            Route(f"{self._asked.prefix}{path}" or "/", self._answer, methods=list(methods))
            for path, methods in self._speaker.paths
        ]
        routes.append(Route("/_simulator/fault", self._set_fault, methods=["POST"]))
        if self._asked.token_path is not None:
            routes.append(Route(self._asked.token_path, self._issue, methods=["POST"]))
        config = uvicorn.Config(
            Starlette(routes=routes),
            http="httptools",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            ssl_context_factory=self._tls if self._asked.tls else None,
        )
        self._server = Server(config)
        self._running = asyncio.create_task(self._server.serve(sockets=[listener]))
        return self._asked.environment

    def _tls(self, _config: uvicorn.Config, _default: object) -> ssl.SSLContext:
        if self._asked.tls is None:
            raise RuntimeError("no TLS was asked for")
        return self._asked.tls

    async def stop(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        await self._running
        os.close(self._record)

    async def show(self, fault: Fault) -> None:
        """Show a fault from now on."""
        self._fault = fault

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far, as recorded."""
        return [orjson.loads(line) for line in self._path.read_bytes().splitlines()]

    async def _set_fault(self, request: Request) -> Response:
        try:
            await self.show(read_fault(orjson.loads(await request.body()), self.modes))
        except ValueError as error:
            return Response(str(error), 400)
        return Response(orjson.dumps({"mode": self._fault.mode, "ms": self._fault.milliseconds}))

    async def _issue(self, request: Request) -> Response:
        """An access token for the declared client (RFC 6749, section 4.4)."""
        declared = self.source.adapter_table["oauth2"]
        named = tuple(
            filled(declared[name], self._asked.environment)
            for name in ("client_id", "client_secret")
        )
        form = dict(parse_qsl((await request.body()).decode()))
        given: tuple[str | None, ...] = (form.get("client_id"), form.get("client_secret"))
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            given = tuple(base64.b64decode(encoded).decode().split(":", 1))
        if given != named or form.get("grant_type") != "client_credentials":
            return Response(b'{"error": "invalid_client"}', 401, media_type="application/json")
        token = secrets.token_urlsafe(24)
        self._issued.add(f"Bearer {token}")
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
        return Response(orjson.dumps(answer), media_type="application/json")

    def _admit(self, request: Request) -> None:
        """Refuse who does not show what the declaration sends. Raises RefusedError."""
        for name, value in self._asked.headers.items():
            if request.headers.get(name) != value:
                raise RefusedError(401, f"send the declared `{name}`")
        if self._asked.token_path and request.headers.get("authorization") not in self._issued:
            raise RefusedError(401, "get a token first")

    def _told(self, request: Request, call: Call) -> dict[str, str]:
        """What the declared headers and the protocol say of why."""
        names = {"legal_basis": "legalBasis"}
        declared = self.source.adapter_table.get("context", {})
        found = {
            names.get(name, name): request.headers[header]
            for name, header in declared.items()
            if header in request.headers
        }
        return {**found, **call.told}

    async def _answer(self, request: Request) -> Response:
        """Answer a call. It is recorded before the answer leaves, whatever its status."""
        fault = self._fault
        call = Call((), ())
        try:
            self._admit(request)
            call = await self._speaker.read(request, await request.body())
            if len(call.keys) > self.source.batch:
                raise RefusedError(413, f"more than {self.source.batch} people asked")
            # A call that hangs has reached the agency too.
            self._write(request, call, 500 if fault.mode == "error" else 200)
        except RefusedError as refusal:
            self._write(request, call, refusal.status)
            return Response(
                orjson.dumps({"type": str(refusal), "message": str(refusal), "detail": ""}),
                refusal.status,
                headers=refusal.headers,
                media_type="application/json",
            )
        await delay(fault)
        if fault.mode in OF_ANSWERS:
            return OF_ANSWERS[fault.mode](self._personal(call))
        if fault.mode == "error-in-200":
            return self._speaker.failure("internal error")
        if fault.mode == "personal-error-in-200":
            return self._speaker.failure(self._personal(call))
        entries = said(self.source, self._holdings, self._speaker.writing, fault, call)
        return self._speaker.write(call, entries)

    def _personal(self, call: Call) -> str:
        """An error's text of the kind that agencies were seen to send: it tells of a person."""
        return f"no unique record of {', '.join(call.keys[:1])} ({PERSONAL}), wages 12345000"

    def _write(self, request: Request, call: Call, status: int) -> None:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        line = noted(call, self._told(request, call), status, f"{request.method} {target}")
        os.write(self._record, line)


PERSONAL = "Hong Gildong"
"""A name that error texts tell: the one that Korean forms use for their examples."""


class Server(uvicorn.Server):
    """A server that leaves the signals to the process's own."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing."""
        yield


def listening(port: int) -> socket.socket:
    """A listener on loopback; 0 takes any free port."""
    return socket.create_server((HOST, port), backlog=512)
