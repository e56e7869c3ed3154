"""A small HTTP agency on loopback that answers byte for byte what a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request as it came over the wire."""

    line: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Agency:
    """What the agency answers next, and all it was asked.

    `answers` are used in order, the last for good; an empty one closes the connection unanswered,
    and with None no answer ever comes. `respond` and `respond_to`, where given, make
    them from the body that was asked with, and from all that was asked.
    `requests_per_connection` is after how many it closes, without a word of it in its answer.
    """

    answers: list[bytes | None]
    requests_per_connection: int = 1_000
    respond: Callable[[Any], bytes] | None = None
    respond_to: Callable[[Asked], bytes] | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._serve(reader, writer)
        finally:  # also where the test ends while it waits
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self.requests_per_connection):
            self.asked.append(await _read(reader))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if self.respond is not None:
                answer = self.respond(self.asked[-1].body)
            if self.respond_to is not None:
                answer = self.respond_to(self.asked[-1])
            if answer is None:
                await reader.read()
            if not answer:
                break
            writer.write(answer)
            await writer.drain()
            if b"Content-Length: 999999" in answer:
                break


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (entry.partition(": ") for entry in rest)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    kind = headers.get("content-type", "")
    return Asked(line, headers, json.loads(body) if "json" in kind else body)


@contextlib.asynccontextmanager
async def serving(agency: Agency, tls: ssl.SSLContext | None = None) -> AsyncIterator[Agency]:
    """Serve the agency on a free port of loopback, over TLS where that is given."""
    server = await asyncio.start_server(agency.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    agency.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield agency
    finally:
        server.close()


def answer(body: Any, status: str = "200 OK", **headers: str) -> bytes:
    """An HTTP answer; bytes are sent as they are, all else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {"Content-Length": str(len(content)), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in said.items()), "", ""]
    return "\r\n".join(lines).encode() + content
