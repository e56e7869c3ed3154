"""Every fault of an agency, over every protocol: the right class, in time, and nothing quoted.

Asked as the hub asks, through its guard, of servers on loopback.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hub.guard import Guard
from sources.adapter import Question, SourceError
from tests.sources.agency import answer
from tests.sources.asking import CONTEXT, HANA, asking
from tests.sources.test_dci import TABLE as DCI
from tests.sources.test_graphql import LIST as GRAPHQL
from tests.sources.test_soap import TABLE as SOAP
from tests.sources.test_xroad import TABLE as XROAD

REST = """
url = "URL"
path = "/query"
keys = "ids"
items = "fields"
records = "records"
key = "id"
"""
TABLES = {"rest": REST, "graphql": GRAPHQL, "xroad": XROAD, "dci": DCI, "soap": SOAP}
TERMS = 'timeout = "400ms"\nretry.times = 0\nlimits.bytes = 1_048_576'
NAME = "김하나"
PERSONAL = f"{HANA} {NAME}".encode()
TEN_MEGABYTES = b'{"records": "' + b"x" * 10_000_000 + b'"}'
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + PERSONAL
FAULTS: dict[str, tuple[bytes | None, str]] = {
    "down": (b"", "SOURCE_UNAVAILABLE"),
    "500": (answer(PERSONAL, "500 Oops"), "SOURCE_UNAVAILABLE"),
    "503": (answer(PERSONAL, "503 Busy"), "SOURCE_UNAVAILABLE"),
    "401": (answer(PERSONAL, "401 No"), "SOURCE_UNAVAILABLE"),
    "ten megabytes": (answer(TEN_MEGABYTES), "SOURCE_CONTRACT"),
    "garbage": (answer(b"\x00\xff<html>" + PERSONAL), "SOURCE_CONTRACT"),
    "nothing": (answer(b""), "SOURCE_CONTRACT"),
    "deep": (answer(b"[" * 100_000), "SOURCE_CONTRACT"),
    "a redirect": (
        answer(b"", "302 Found", Location=f"http://127.0.0.1:1/?id={HANA}"),
        "SOURCE_CONTRACT",
    ),
    "half a body": (HALF, "SOURCE_UNAVAILABLE"),
    "an error in 200": (answer({"error": PERSONAL.decode()}), "SOURCE_CONTRACT"),
    "no HTTP": (PERSONAL + b"\r\n\r\n", "SOURCE_CONTRACT"),
    "a false encoding": (answer(PERSONAL, **{"Content-Encoding": "gzip"}), "SOURCE_CONTRACT"),
    "never": (None, "SOURCE_TIMEOUT"),
}


@pytest.mark.parametrize("adapter", TABLES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_has_its_class_in_time_and_quotes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, adapter: str, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    said, code = FAULTS[fault]
    async with asking(tmp_path, adapter, TABLES[adapter], said, source=TERMS) as agency:
        guard = Guard(agency.source, agency.adapter)
        question = Question("person", (HANA,), agency.source.items[:2], CONTEXT)
        started = time.monotonic()
        with pytest.raises(SourceError) as caught:
            await guard.ask(question)
        took = time.monotonic() - started
        lines = " ".join(asked.line for asked in agency.agency.asked)
    assert caught.value.code == code
    assert took < 1
    for text in (str(caught.value), caplog.text, lines):
        assert HANA not in text
        assert NAME not in text


def dripping(step: float) -> Callable[..., Awaitable[None]]:
    """Answers byte by byte, so that no single read is ever late."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(step)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    return drip


@pytest.mark.parametrize("adapter", TABLES)
async def test_an_answer_that_drips_is_cut_off_at_the_deadline(
    tmp_path: Path, adapter: str
) -> None:
    server = await asyncio.start_server(dripping(0.01), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    table = TABLES[adapter].replace("URL", url)
    async with asking(tmp_path, adapter, table, source=TERMS) as agency:
        guard = Guard(agency.source, agency.adapter)
        question = Question("person", (HANA,), agency.source.items[:2], CONTEXT)
        started = time.monotonic()
        with pytest.raises(SourceError) as caught:
            await guard.ask(question)
    assert caught.value.code == "SOURCE_TIMEOUT"
    assert time.monotonic() - started < 1
    server.close()
