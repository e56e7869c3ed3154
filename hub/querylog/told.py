"""What records say of the rest of the store, gathered to be compared with it. Pure."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Told:
    """What a range of records says, or several one after another.

    `shredded` has the records of a destruction by the key destroyed, `crowds` the root over
    whom the records about crowds are about, by operation.
    `delays` are the places of accesses told later, and until when (ms since 1970), by operation;
    None where it was refused. `begun` counts the INTENTs of operations that have no OUTCOME yet,
    `by` has the place of the first and the hub; `ended` are the others.
    """

    shredded: dict[int, dict[str, Any]] = field(default_factory=dict)
    crowds: dict[bytes, str] = field(default_factory=dict)
    delays: dict[bytes, tuple[int, int] | None] = field(default_factory=dict)
    begun: Counter[bytes] = field(default_factory=Counter)
    by: dict[bytes, tuple[int, str | None]] = field(default_factory=dict)
    ended: set[bytes] = field(default_factory=set)

    def hear(self, place: int, operation: bytes | None, record: Mapping[str, Any]) -> None:
        """Take in a record. Raises KeyError, TypeError or ValueError where it is none."""
        kind = record["kind"]
        if kind == "SHREDDED":
            self.shredded[record["key"]] = dict(record)
        if operation is None:
            return
        if kind == "INTENT":
            self.begun[operation] += 1
            self.by.setdefault(operation, (place, record.get("hub")))
        elif kind == "WITHDRAWN":
            self.begun[operation] -= 1
        elif kind == "OUTCOME":
            self.ended.add(operation)
        if "crowd" in record:
            self.crowds[operation] = record["crowd"]["root"]
        if "reads" in record and "delayTelling" in record["reads"]:
            refused = record.get("outcome") == "refused"
            self.delays[operation] = None if refused else _delay(record["reads"]["delayTelling"])

    def join(self, later: Told) -> None:
        """Take in what later records say."""
        self.shredded |= later.shredded
        self.crowds |= later.crowds
        self.delays |= later.delays
        self.begun.update(later.begun)
        self.by = later.by | self.by
        self.ended |= later.ended
        self.settle()
        # An OUTCOME comes after every INTENT of its operation: what is left had none.
        self.ended.clear()

    def settle(self) -> None:
        """Forget the operations that have begun and ended."""
        for operation in self.ended & self.begun.keys():
            del self.begun[operation]
            self.by.pop(operation, None)
            self.ended.remove(operation)


def _delay(given: Mapping[str, str]) -> tuple[int, int]:
    until = datetime.datetime.fromisoformat(given["until"])
    known = until if until.tzinfo is not None else until.replace(tzinfo=datetime.UTC)
    return int(given["place"]), round(known.timestamp() * 1000)
