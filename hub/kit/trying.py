"""Asks one source one question, and shows what went over the wire and what became of it."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import tables
from sources.adapter import (
    BROKEN,
    Adapter,
    Context,
    Question,
    Record,
    Reply,
    SourceError,
    SourceTimeout,
)
from sources.declaration import Item, Source, Subject
from sources.fault import nearest
from sources.trace import Exchange, listening

CONTEXT = Context("integration", "no law: a test with made-up people", "test", "integration-1")
_MOST_SHOWN = 4_000
_CREDENTIALS = ("authorization", "cookie", "signature", "key", "token", "secret", "password")


class WrongQuestion(Exception):
    """The question names what the source does not have; the text says what it has."""


@dataclass(frozen=True)
class Tried:
    """A question, what went over the wire for it, and how it ended."""

    question: Question
    exchanges: Sequence[Exchange]
    reply: Reply | None
    error: SourceError | None


def items_of(source: Source, names: str | None, subject: Subject) -> tuple[Item, ...]:
    """The items of a comma-separated list, by name or by name within the source; or all.

    Raises WrongQuestion.
    """
    known = {item.name: item for item in source.items if item.subject == subject}
    exists = next(item for item in known.values() if item.is_exists)
    if names is None:
        return tuple(known.values())
    chosen = [exists]
    for name in (part.strip() for part in names.split(",")):
        full = name if name in known else f"{exists.name.removesuffix('.exists')}.{name}"
        if full in known:
            chosen.append(known[full])
            continue
        columns = [item for item in known.values() if item.name.startswith(f"{full}.")]
        if not columns:
            remedy = nearest(full, known)
            raise WrongQuestion(f"`{source.name}` has no item `{name}`: {remedy}")
        chosen += columns
    return tuple({item.name: item for item in chosen}.values())


async def ask(
    adapters: Mapping[str, type[Adapter]],
    source: Source,
    keys: tuple[str, ...],
    items: tuple[Item, ...],
) -> Tried:
    """Ask once, as the hub does: within the deadline."""
    question = Question(items[0].subject, keys, items, CONTEXT)
    adapter = adapters[source.adapter](source)
    try:
        with listening() as heard:
            try:
                async with asyncio.timeout(source.timeout):
                    return Tried(question, heard, await adapter.ask(question), None)
            except SourceError as error:
                return Tried(question, heard, None, error)
            except TimeoutError:
                return Tried(question, heard, None, SourceTimeout("it did not answer in time"))
    finally:
        await adapter.close()


def show(tried: Tried) -> None:
    """Print request, response and the mapped record."""
    for exchange in tried.exchanges:
        print(f"Request\n\n{exchange.line}")
        _print_headers(exchange.headers)
        print(f"\n{_body(exchange.body)}\n\nResponse\n\n{exchange.status}")
        _print_headers(exchange.answer_headers)
        print(f"\n{_body(exchange.answer)}\n")
    if tried.error is not None or tried.reply is None:
        return
    for key in tried.question.keys:
        record = tried.reply.records.get(key)
        if record is None:
            print(f"{key}: the source has no record (absent)")
            continue
        print(f"Record of {key}, as of {record.as_of or 'no date'}")
        tables.show(None, ("Item", "Type", "State", "Value"), _rows(tried.question.items, record))
    for kind, number in tried.reply.breaches.items():
        print(f"breach of contract: {kind} {number}")


def _rows(items: Sequence[Item], record: Record) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for item in items:
        if len(item.path) == 1:
            state, shown = _shown(record.values.get(item.path[0], BROKEN))
            rows.append((item.name, item.type, state, shown))
        elif item.path:
            entries = record.values.get(item.path[0])
            cells = (
                [_shown(row.get(item.path[1], BROKEN)) for row in entries]
                if isinstance(entries, list)
                else [_shown(entries)]
            )
            states = ", ".join(dict.fromkeys(state for state, _ in cells)) or "no rows"
            rows.append((item.name, item.type, states, "; ".join(text for _, text in cells)))
    return rows


def _shown(value: Any) -> tuple[str, str]:
    if value is BROKEN:
        return "broken", ""
    if value is None:
        return "absent", ""
    return "known", value.isoformat() if isinstance(value, datetime.date) else str(value)


def _print_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        hidden = any(word in name.lower() for word in _CREDENTIALS)
        print(f"{name}: {'(not shown)' if hidden else value}")


def _body(body: Any) -> str:
    """A body to read: JSON set out, other text as it is, both cut where they are long."""
    if isinstance(body, bytes):
        try:
            body = json.loads(body)
        except ValueError:
            body = body.decode("utf-8", errors="replace")
    if not isinstance(body, str):
        body = json.dumps(body, indent=2, ensure_ascii=False, default=str)
    return body if len(body) <= _MOST_SHOWN else f"{body[:_MOST_SHOWN]}\n… (cut)"
