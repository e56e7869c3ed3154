"""Who works at the caller's office, as residents: what the forbid of colleagues rests on.

The register of officials is asked about offices and never about a recipient, so that it neither
learns who is asked about nor tells, by being asked, that somebody is there. Where none is
configured the forbid is not in force, and the start of the hub says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from authz.caller import Caller
from authz.purpose import Purpose
from hub.errors import refused
from hub.gather import Ask, Gatherer
from schema.oversight import OFFICIALS
from schema.view import State
from sources.adapter import BROKEN, Context
from sources.declaration import Catalogue, Item
from sources.fault import Fault
from sources.reading import read_catalogue

PLACE = "office.officials.id"
"""The place that the declaration gives the ids of an office's officials."""
SECONDS = 60
"""Seconds for which an answer about an office is reused."""


def read_officials(folder: Path, name: str) -> tuple[Catalogue, list[Fault]]:
    """The declaration of the register of officials, with every fault of it."""
    catalogue, faults = read_catalogue(folder, [name], name, name)
    if not faults and catalogue.held_by(name, PLACE) is None:
        message = f"no column of a list counts as `{PLACE}`"
        remedy = "declare the list of an office's officials, with their ids as recipients"
        faults.append(Fault(f"{name}.toml", "the file", message, remedy))
    return catalogue, faults


class Officials:
    """The register of officials, or that there is none."""

    def __init__(
        self,
        catalogue: Catalogue | None,
        gatherer: Gatherer | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gatherer = gatherer
        self._source = "" if catalogue is None else catalogue.identity
        self._item = None if catalogue is None else catalogue.held_by(self._source, PLACE)
        self._clock = clock
        self._kept: dict[str, tuple[float, frozenset[str] | None]] = {}

    def items(self, purpose: Purpose) -> tuple[str, ...]:
        """The names of what is looked up for a purpose."""
        applies = self._item is not None and purpose.relation in OFFICIALS
        return (self._item.name,) if self._item is not None and applies else ()

    async def colleagues(
        self, caller: Caller, purpose: Purpose, context: Context
    ) -> frozenset[str] | None:
        """Everybody at the caller's office; None where that cannot be told.

        Nobody, where the rule is not in force. Raises RequestRefused where the register fails.
        """
        if not self.items(purpose) or self._item is None or self._gatherer is None:
            return frozenset()
        if caller.office is None:
            return None
        at, known = self._kept.get(caller.office, (0.0, None))
        if caller.office in self._kept and self._clock() - at < SECONDS:
            return known
        found = await self._ask(self._gatherer, self._item, caller.office, context)
        self._kept[caller.office] = (self._clock(), found)
        return found

    async def _ask(
        self, gatherer: Gatherer, item: Item, office: str, context: Context
    ) -> frozenset[str] | None:
        ask = Ask(self._source, "person", (office,), (item,))
        answer = (await gatherer.round("officials", [ask], context)).answers[self._source, office]
        if answer.failure is not None:
            message = "the register of officials could not be asked, and access rests on it"
            retry = answer.failure.retry_after or 5
            raise refused(answer.failure.code, message, retryAfter=retry)
        if answer.state is not State.KNOWN:
            return None
        rows = answer.values.get(item.path[0], BROKEN)
        if rows is BROKEN or any(row.get(item.path[-1], BROKEN) is BROKEN for row in rows or ()):
            message = "the register of officials answered otherwise than it declares"
            raise refused("SOURCE_CONTRACT", message)
        found = frozenset(row[item.path[-1]] for row in rows or ())
        return None if None in found else found

    async def close(self) -> None:
        """Close the register's adapter."""
        if self._gatherer is not None:
            await self._gatherer.close()
