"""What a stand-in is to the process that runs it, whatever protocol it speaks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sources.declaration import Item, Source
from sources.simulator.declared.faults import Fault


class RefusedError(Exception):
    """A request that is answered with a status of refusal and one line."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True)
class Call:
    """What an agency was asked, and what it was told of the reason.

    `page` is the page of the answer that is wanted, from 1; `envelope` what the protocol around
    puts on the answer; `document` the question itself, where the answer takes its shape from it.
    """

    keys: tuple[str, ...]
    items: tuple[Item, ...]
    told: Mapping[str, str] = field(default_factory=dict)
    page: int = 1
    envelope: Mapping[str, str] = field(default_factory=dict)
    document: Any = None


class Stand(Protocol):
    """A stand-in for one declared agency."""

    source: Source
    modes: frozenset[str]
    """The faults that it can show."""

    async def start(self) -> Mapping[str, str]:
        """Begin to answer; the environment by which the declaration reaches it."""

    async def show(self, fault: Fault) -> None:
        """Show a fault from now on, or with `none` work again."""

    def calls(self) -> list[dict[str, Any]]:
        """Every call so far, oldest first, as the agency itself recorded it."""

    async def stop(self) -> None:
        """Stop answering and leave nothing behind."""


_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def variables(value: Any) -> set[str]:
    """The variables that the texts of a table name."""
    return {name for text in _texts(value) for name in _VARIABLE.findall(text)}


def filled(text: str, environment: Mapping[str, str]) -> str:
    """A text with the values of its variables."""
    return _VARIABLE.sub(lambda match: environment[match[1]], text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def items_by_wire(source: Source) -> dict[str, Item]:
    """The items of people by their names on the wire, a list's column as `LIST.COLUMN`."""
    return {".".join(item.wire): item for item in source.items if item.subject == "person"}
