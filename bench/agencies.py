"""Agencies that cost next to nothing: every `rest` source of a catalogue behind one port.

For measuring what the hub itself adds: each answer takes a given time, and says of everyone asked
about one fixed value for each item asked for. `GET /calls` tells and forgets how often each source
was called.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httptools
import orjson
import uvloop

from sources.declaration import Source
from sources.reading import read_catalogue

VALUES: Mapping[str, Any] = {
    "String": "a word",
    "ID": "a-number",
    "Int": 3,
    "Float": 0.5,
    "Boolean": True,
    "Date": "2026-10-31",
    "Month": "2026-10",
    "Won": 1_200_000,
}
"""What is answered, by an item's type."""


def at(document: Any, place: str) -> Any:
    """What stands at a dotted place."""
    return functools.reduce(lambda inner, key: inner[key], place.split("."), document)


def put(value: Any, place: str) -> Any:
    """A document with a value at a dotted place."""
    return functools.reduce(lambda inner, key: {key: inner}, reversed(place.split(".")), value)


def written(source: Source, type_name: str, codes: Mapping[str, str]) -> Any:
    """A value as the source's declaration has it written."""
    table = source.adapter_table
    value = next(iter(codes)) if codes else VALUES[type_name]
    if type_name in ("Date", "Month") and "-" not in table.get(f"{type_name.lower()}s", "-"):
        return value.replace("-", "")
    return str(value) if type_name == "Won" and table.get("money") == "text" else value


class Agency:
    """What one source answers."""

    def __init__(self, source: Source) -> None:
        self.table = source.adapter_table
        self.values = {
            ".".join(item.wire): written(source, item.type, item.codes)
            for item in source.items
            if item.subject == "person" and item.wire
        }

    def answer(self, body: bytes) -> bytes:
        """The records of the people asked about."""
        asked = orjson.loads(body)
        fields: dict[str, Any] = {}
        for name in at(asked, self.table["items"]):
            key, _, column = name.partition(".")
            if column:
                fields.setdefault(key, [{}])[0][column] = self.values[name]
            else:
                fields[key] = self.values[name]
        as_of = written_date(self.table)
        head = {self.table["as_of"]: as_of} if "as_of" in self.table else {}
        records = [
            {self.table["key"]: one, **head, **fields} for one in at(asked, self.table["keys"])
        ]
        return orjson.dumps(put(records, self.table["records"]))


def written_date(table: Mapping[str, Any]) -> str:
    """The as-of date as the agency writes it."""
    return "20261031" if table.get("dates") == "YYYYMMDD" else "2026-10-31"


class Connection(asyncio.Protocol):
    """One connection: requests in, answers out after the given time."""

    def __init__(self, agencies: Mapping[str, Agency], calls: Counter[str], seconds: float) -> None:
        self.agencies, self.calls, self.seconds = agencies, calls, seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read requests from it."""
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Some more of a request."""
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url, self.body = b"", b""

    def on_url(self, url: bytes) -> None:
        """A part of its address."""
        self.url += url

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Answer it, or tell the calls so far."""
        name = self.url.decode().split("/")[1]
        if name == "calls":
            self.send(orjson.dumps(self.calls))
            self.calls.clear()
            return
        self.calls[name] += 1
        answer = self.agencies[name].answer(self.body)
        asyncio.get_running_loop().call_later(self.seconds, self.send, answer)

    def send(self, body: bytes) -> None:
        """Send an answer."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head % len(body) + body)  # type: ignore[attr-defined]


async def serve(folder: Path, names: list[str], milliseconds: float) -> None:
    """Serve until killed; print the port first."""
    catalogue, faults = read_catalogue(folder, names, names[0], names[0])
    if faults:
        raise SystemExit("\n".join(map(str, faults)))
    agencies = {name: Agency(source) for name, source in catalogue.sources.items()}
    calls: Counter[str] = Counter()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(agencies, calls, milliseconds / 1000), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[3:], float(sys.argv[2])))
