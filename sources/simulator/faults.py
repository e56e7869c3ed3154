"""Faults that a service can be told to show, so that the hub's behaviour can be seen.

A fault stays until another is set. Each is one way in which real services break.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sources.simulator.agency import Agency, answer, sort_items
from sources.simulator.population import Population

MODES = (
    "none",
    "slow",
    "error",
    "garbage",
    "hang",
    "extra-item",
    "other-person",
    "wrong-type",
    "duplicate",
    "huge",
    "redirect",
    "half-body",
    "error-in-200",
)
HUGE_BYTES = 64 << 20
_FOREVER = 86_400


@dataclass(frozen=True)
class Fault:
    """A mode of `MODES`; `milliseconds` is the delay of `slow`."""

    mode: str = "none"
    milliseconds: int = 500


def read_fault(body: Any) -> Fault:
    """The fault that a request sets. Raises ValueError saying what is allowed."""
    if not isinstance(body, dict) or body.get("mode") not in MODES:
        raise ValueError(f"give `mode` as one of {', '.join(MODES)}")
    milliseconds = body.get("ms", 500)
    if not isinstance(milliseconds, int) or not 0 <= milliseconds <= 600_000:
        raise ValueError("give `ms` as a whole number, 0 to 600000")
    return Fault(body["mode"], milliseconds)


async def delay(fault: Fault) -> None:
    """Wait as long as the fault says: not at all, some time, or for good."""
    if fault.mode == "slow":
        await asyncio.sleep(fault.milliseconds / 1000)
    elif fault.mode == "hang":
        await asyncio.sleep(_FOREVER)


@dataclass(frozen=True)
class Asked:
    """What a record fault may draw on: the agency, its people and the request."""

    agency: Agency
    population: Population
    ids: list[str]
    items: list[str]


Records = list[dict[str, Any]]


def _extra_item(asked: Asked, records: Records) -> Records:
    spare = next((name for name in asked.agency.fields if name not in asked.items), "unasked")
    return [record | {spare: "unasked"} for record in records]


def _other_person(asked: Asked, records: Records) -> Records:
    asked_for = set(asked.population.rows(asked.ids).tolist())
    agency, population = asked.agency, asked.population
    for row in range(len(asked.ids) + 50):
        if row not in asked_for:
            # The identifier is written by the index of identifiers, as in any answer.
            number = int(population.column("person.id")[row])
            person = f"{number // 10_000_000:06}-{number % 10_000_000:07}"
            other = answer(agency, population, [person], sort_items(agency, asked.items))
            if other:
                return records + other
    return records


def _wrong_type(asked: Asked, records: Records) -> Records:
    keys = (asked.agency.key, asked.agency.as_of)
    return [
        {name: value if name in keys else _other_type(value) for name, value in record.items()}
        for record in records
    ]


def _other_type(value: Any) -> Any:
    if isinstance(value, list):
        return (
            "list"
            if not value
            else [{name: _other_type(one) for name, one in entry.items()} for entry in value]
        )
    return {"value": value}


def _duplicate(_: Asked, records: Records) -> Records:
    return records + records[:1]


RECORD_FAULTS: Mapping[str, Callable[[Asked, Records], Records]] = {
    "extra-item": _extra_item,
    "other-person": _other_person,
    "wrong-type": _wrong_type,
    "duplicate": _duplicate,
}


async def huge_body() -> AsyncIterator[bytes]:
    """An answer far larger than any batch can be, made piece by piece."""
    yield b'{"filler": "'
    piece = b"x" * (1 << 18)
    for _ in range(HUGE_BYTES // len(piece)):
        yield piece
    yield b'"}'
