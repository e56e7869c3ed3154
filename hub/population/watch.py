"""Who watches a question that is being answered: how far it is, and whether it was given up."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field


class GivenUp(Exception):
    """Nobody waits for the answer any more."""


@dataclass
class Watch:
    """How many of a question's parts are counted. `waits`: somebody looks again later."""

    waits: bool = False
    parts: int = 1
    done: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def step(self) -> None:
        """Count a part. Raises GivenUp."""
        if self.stopped.is_set():
            raise GivenUp
        self.done += 1

    @property
    def progress(self) -> float:
        """From 0 to 1, by parts and not by people."""
        return min(1.0, self.done / self.parts)


WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)
"""Whoever watches the operation under way."""
