"""A protocol of an integrator's own: their code speaks it, all else of the stand-in is here."""

import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from sources.declaration import Source
from sources.fault import nearest
from sources.simulator.declared.credentials import tls_files
from sources.simulator.declared.faults import OF_RECORDS, OF_TIME, OVER_HTTP, Entry, Fault, delay
from sources.simulator.declared.holdings import Holdings
from sources.simulator.declared.said import noted, said
from sources.simulator.declared.stand import Call, items_by_wire
from sources.simulator.declared.writing import Writing


class Answer(NamedTuple):
    """What to say: records with fields by their wire names, and the fault to say it with.

    Faults of records are in the records already, those of time have passed; what is left is one
    of the speaking's own, or none.
    """

    fault: str
    records: Sequence[Entry]


class Speaking(Protocol):
    """One protocol as an agency speaks it. `modes` are the faults that it shows by itself."""

    modes: frozenset[str]

    async def start(self) -> Mapping[str, str]:
        """Begin to listen; the environment by which the declaration reaches this."""

    async def stop(self) -> None:
        """Stop listening."""


class OwnStand:
    """One agency whose protocol somebody else's code speaks. Raises ValueError."""

    def __init__(
        self,
        source: Source,
        holdings: Holdings,
        speaking: Callable[[Source, "OwnStand"], Speaking],
        directory: Path,
    ) -> None:
        self.source = source
        self._holdings = holdings
        self._writing = Writing.of(source.adapter_table)
        self._fault = Fault()
        self._directory = directory
        self._path = directory / "access.jsonl"
        self._record = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600
        )
        self._speaking = speaking(source, self)
        if unknown := sorted(self._speaking.modes - OVER_HTTP):
            raise ValueError(f"there is no fault `{unknown[0]}`; {nearest(unknown[0], OVER_HTTP)}")
        self.modes = frozenset({*OF_RECORDS, *OF_TIME, *self._speaking.modes})

    async def answer(
        self, keys: Sequence[str], wires: Sequence[str], told: Mapping[str, str] | None = None
    ) -> Answer:
        """Answer a call that was read; `told` is what it said of why. It is recorded first.

        Raises KeyError for an item that is not declared.
        """
        fault, items = self._fault, items_by_wire(self.source)
        call = Call(tuple(keys), tuple(items[wire] for wire in wires), told or {})
        os.write(self._record, noted(call, call.told, 200, ""))
        await delay(fault)
        records = said(self.source, self._holdings, self._writing, fault, call)
        return Answer(fault.mode if fault.mode in self._speaking.modes else "none", records)

    def certified(self) -> tuple[ssl.SSLContext, Mapping[str, str]]:
        """TLS for loopback, and the environment in which the hub trusts it."""
        context, files = tls_files({"authority": "${SSL_CERT_FILE}"}, self._directory)
        assert context is not None  # noqa: S101 - an authority was named
        return context, files

    async def start(self) -> Mapping[str, str]:
        """Begin to answer."""
        return await self._speaking.start()

    async def show(self, fault: Fault) -> None:
        """Show a fault from now on."""
        self._fault = fault

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far, as recorded."""
        return [orjson.loads(line) for line in self._path.read_bytes().splitlines()]

    async def stop(self) -> None:
        """Stop answering."""
        await self._speaking.stop()
        os.close(self._record)
