"""What goes over a wire, for the kit to show: nothing is kept unless somebody listens.

The hub itself never listens: what is said here is personal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Exchange:
    """A question as it was sent, and the answer as it came; bodies as bytes, or rows."""

    line: str
    headers: Mapping[str, str]
    body: Any
    status: str
    answer_headers: Mapping[str, str]
    answer: Any


_HEARING: ContextVar[list[Exchange] | None] = ContextVar("hearing", default=None)


@contextlib.contextmanager
def listening() -> Iterator[list[Exchange]]:
    """Every exchange of this task and of those it starts, as they end."""
    heard: list[Exchange] = []
    token = _HEARING.set(heard)
    try:
        yield heard
    finally:
        _HEARING.reset(token)


def tell(exchange: Callable[[], Exchange]) -> None:
    """Say what went over a wire; it is made only where somebody listens."""
    heard = _HEARING.get()
    if heard is not None:
        heard.append(exchange())
