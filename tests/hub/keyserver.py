"""A key server on loopback: an issuer's key set, as many of them as a test rotates through."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass
class KeyServer:
    """What it answers, how often it was asked; with `gate` shut it answers when that opens."""

    content: bytes
    status: str = "200 OK"
    fetched: int = 0
    url: str = ""
    gate: asyncio.Event | None = None

    def publish(self, keys: Any) -> None:
        self.content = json.dumps(keys).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.fetched += 1
        if self.gate is not None:
            await self.gate.wait()
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.content)}\r\n"
        writer.write(f"{head}Location: {self.url}\r\nConnection: close\r\n\r\n".encode())
        writer.write(self.content)
        await writer.drain()
        writer.close()


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
