"""A key server on loopback: an issuer's key set, as many of them as a test rotates through."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class KeyServer:
    """What it answers, how often it was asked; with `gate` shut it answers when that opens.

    `pages` are answered at their paths, all else then with 404; without any, every path has the
    keys. `asked` holds the paths asked for.
    """

    content: bytes
    status: str = "200 OK"
    fetched: int = 0
    url: str = ""
    gate: asyncio.Event | None = None
    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, keys: Any) -> None:
        self.content = json.dumps(keys).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Also of who asked nothing, or is cut off at the gate when the test ends.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await self._answer(reader, writer)
            finally:
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split()[1].decode()
        self.fetched += 1
        self.asked.append(path)
        if self.gate is not None:
            await self.gate.wait()
        status, content = self.status, self.content
        if self.pages:
            content = json.dumps(self.pages.get(path)).encode()
            status = status if path in self.pages else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{head}Location: {self.url}\r\nConnection: close\r\n\r\n".encode())
        writer.write(content)
        await writer.drain()


@contextlib.asynccontextmanager
async def serving(keys: Any) -> AsyncIterator[KeyServer]:
    """Serve the key set on a free port."""
    keyserver = KeyServer(json.dumps(keys).encode())
    server = await asyncio.start_server(keyserver.serve, "127.0.0.1", 0)
    keyserver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    try:
        yield keyserver
    finally:
        server.close()
