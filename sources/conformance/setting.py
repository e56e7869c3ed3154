"""What a check works with: a source, its adapter, a stand-in and its door, and what was said."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from sources.adapter import Adapter, Context, Question, Reply, SourceError, SourceTimeout
from sources.declaration import Item, Source, Subject

CONTEXT = Context("conformance", "no law: a test", "2026-11110-000001", "operation-0")


class Failed(Exception):
    """A check does not hold; the text says what was seen, and nothing of a person."""


class NotApplicable(Exception):
    """A check says nothing of this source; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """How a question ended: a reply or an error, and the seconds it took."""

    reply: Reply | None
    error: SourceError | None
    seconds: float


@dataclass(frozen=True)
class Sent:
    """A call as the agency recorded it."""

    keys: tuple[str, ...]
    items: frozenset[str]
    told: Mapping[str, str | None]
    target: str
    page: int = 1


class Said(logging.Handler):
    """Everything that was logged meanwhile, at the level at which a hub logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with the extras that a structured log shows too."""
        extras = {name: value for name, value in record.__dict__.items() if name not in _USUAL}
        self.lines.append(f"{record.getMessage()} {extras} {record.exc_text or ''}")


_USUAL = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)


_OF_VALUES = frozenset({"wrong-type", "missing-item"})
"""What is missing of one item may be of the wrong type in another."""
_UNASKED = Outcome(None, None, 0.0)


@dataclass
class Setting:
    """One source under examination.

    `about` has keys that the agency knows and does not know, by subject, and texts that only a
    person's data has. `first` is how a first question ended, before any fault.
    """

    source: Source
    adapter: Adapter
    control: str
    about: Mapping[str, Any]
    client: httpx.AsyncClient
    first: Outcome = _UNASKED
    said: Said = field(default_factory=Said)
    errors: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)

    @property
    def subject(self) -> Subject:
        """What most checks ask about: people, where the source has them."""
        return "person" if "person" in self.about["known"] else "case"

    def items(self, subject: Subject | None = None) -> tuple[Item, ...]:
        """Every item of a subject, `exists` included."""
        subject = subject or self.subject
        return tuple(item for item in self.source.items if item.subject == subject)

    def known(self, number: int, subject: Subject | None = None) -> tuple[str, ...]:
        """Keys that the agency knows, as many as there are up to a number."""
        return tuple(self.about["known"][subject or self.subject][:number])

    def unknown(self, subject: Subject | None = None) -> str:
        """A key that the agency does not know."""
        return str(self.about["unknown"][subject or self.subject])

    def batch(self, number: int) -> tuple[str, ...]:
        """Known keys that one call may ask about."""
        return self.known(min(number, self.source.batch))

    async def ask(
        self,
        keys: Sequence[str],
        items: Sequence[Item],
        context: Context = CONTEXT,
        subject: Subject | None = None,
        patience: float = 1.0,
    ) -> Outcome:
        """Ask as the hub does: within the source's deadline, or some times that.

        Raises Failed for an error that is no SourceError.
        """
        question = Question(subject or self.subject, tuple(keys), tuple(items), context)
        started = time.perf_counter()
        reply: Reply | None = None
        failure: SourceError | None = None
        try:
            async with asyncio.timeout(self.source.timeout * patience):
                reply = await self.adapter.ask(question)
        except TimeoutError:
            failure = SourceTimeout("the source did not answer in time")
        except SourceError as error:
            failure = error
            self.errors.append(str(error))
        except Exception as error:
            self.errors.append(str(error))
            raise Failed(
                f"the adapter raised {type(error).__qualname__}, which is no SourceError"
            ) from error
        return Outcome(reply, failure, time.perf_counter() - started)

    async def reply(
        self, keys: Sequence[str], items: Sequence[Item], subject: Subject | None = None
    ) -> Reply:
        """Ask where nothing may fail, nor break a contract in a new way. Raises Failed."""
        outcome = await self.ask(keys, items, subject=subject)
        if outcome.reply is None:
            raise Failed(f"a question was answered with `{outcome.error}`")
        if new := outcome.reply.breaches.keys() - self.usual:
            raise Failed(f"the contract was broken: {', '.join(sorted(new))}")
        return outcome.reply

    @property
    def usual(self) -> frozenset[str]:
        """The breaches that the agency always shows: told once, by the checks of what it gives."""
        found = frozenset() if self.first.reply is None else frozenset(self.first.reply.breaches)
        return found | _OF_VALUES if found & _OF_VALUES else found

    async def fault(self, mode: str, milliseconds: int = 500) -> None:
        """Have the stand-in break in a way. Raises NotApplicable where it has no such way."""
        if mode != "none" and mode not in self.about["faults"]:
            raise NotApplicable(f"a stand-in asked by `{self.source.adapter}` cannot break so")
        body = {"mode": mode, "ms": milliseconds}
        (await self.client.post(f"{self.control}/fault", json=body)).raise_for_status()

    async def sent(self) -> list[Sent]:
        """The calls since this was asked last."""
        response = await self.client.get(
            f"{self.control}/calls", params={"after": len(self.targets)}
        )
        found = [
            Sent(
                tuple(entry["keys"]),
                frozenset(entry["items"]),
                {name: entry.get(name) for name in ("purpose", "legalBasis", "case", "operation")},
                entry.get("target", ""),
                entry.get("page", 1),
            )
            for entry in response.json()
        ]
        self.targets += [one.target for one in found]
        return found

    async def held(
        self, keys: Sequence[str], items: Sequence[Item], subject: Subject | None = None
    ) -> dict[str, dict[str, Any]]:
        """What the agency holds of the keys, in the hub's own types: codes are the agency's."""
        body = {
            "subject": subject or self.subject,
            "keys": list(keys),
            "items": [item.name for item in items if item.path],
        }
        response = await self.client.post(f"{self.control}/held", json=body)
        found: dict[str, dict[str, Any]] = response.raise_for_status().json()
        return found


def told(breaches: Mapping[str, int]) -> str:
    """Breaches by kind, in words."""
    return ", ".join(f"{kind} {number}" for kind, number in sorted(breaches.items()))
