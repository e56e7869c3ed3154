"""The ways in which a stand-in can be told to break, each as a real agency was seen to.

A fault stays until another is set. Faults of records change what an agency says of people; the
others change how it says it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

_FOREVER = 86_400
_HUGE_BYTES = 64 << 20
_DEEP = 20_000
RETRY_AFTER = 2
"""Seconds that a busy agency asks callers to wait."""


@dataclass(frozen=True)
class Fault:
    """A mode; `milliseconds` is the delay of `slow`."""

    mode: str = "none"
    milliseconds: int = 500


def read_fault(body: Any, modes: frozenset[str]) -> Fault:
    """The fault that a request sets. Raises ValueError saying what is allowed."""
    if not isinstance(body, dict) or body.get("mode") not in modes | {"none"}:
        raise ValueError(f"give `mode` as one of none, {', '.join(sorted(modes))}")
    milliseconds = body.get("ms", 500)
    if type(milliseconds) is not int or not 0 <= milliseconds <= 600_000:
        raise ValueError("give `ms` as a whole number, 0 to 600000")
    return Fault(body["mode"], milliseconds)


def usual_fault(text: str) -> Fault:
    """The fault of a command line: a mode, or `slow:MILLISECONDS`. Raises ValueError."""
    mode, _, milliseconds = text.partition(":")
    if milliseconds and not milliseconds.isdecimal():
        raise ValueError(f"`{text}` is no fault; write it like `slow:3000`")
    return read_fault({"mode": mode, "ms": int(milliseconds or 500)}, OVER_HTTP)


async def delay(fault: Fault) -> None:
    """Wait as long as the fault says: not at all, some time, or for good."""
    if fault.mode == "slow":
        await asyncio.sleep(fault.milliseconds / 1000)
    elif fault.mode == "hang":
        await asyncio.sleep(_FOREVER)


@dataclass
class Entry:
    """One record on its way out: whose it is, and its fields as they go on the wire."""

    key: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Spoiler:
    """What a record fault may draw on: an item and a person that were not asked for."""

    spare_item: str
    other: Callable[[], Entry | None]


Entries = list[Entry]


def _extra_item(spoiler: Spoiler, entries: Entries) -> Entries:
    return [Entry(one.key, one.fields | {spoiler.spare_item: "unasked"}) for one in entries]


def _missing_item(_: Spoiler, entries: Entries) -> Entries:
    return [Entry(one.key, dict(list(one.fields.items())[1:])) for one in entries]


def _other_person(spoiler: Spoiler, entries: Entries) -> Entries:
    other = spoiler.other()
    return [*entries, other] if other else entries


def _instead(spoiler: Spoiler, entries: Entries) -> Entries:
    other = spoiler.other()
    return [other] if other and entries else entries


def _wrong_type(_: Spoiler, entries: Entries) -> Entries:
    return [
        Entry(one.key, {name: _other_type(value) for name, value in one.fields.items()})
        for one in entries
    ]


def _other_type(value: Any) -> Any:
    if isinstance(value, list):
        return [{name: _other_type(one) for name, one in row.items()} for row in value] or "list"
    return {"value": value}


def _duplicate(_: Spoiler, entries: Entries) -> Entries:
    return entries + entries[:1]


def _reversed(_: Spoiler, entries: Entries) -> Entries:
    return entries[::-1]


def _nobody(_: Spoiler, _entries: Entries) -> Entries:
    return []


OF_RECORDS: Mapping[str, Callable[[Spoiler, Entries], Entries]] = {
    "extra-item": _extra_item,
    "missing-item": _missing_item,
    "other-person": _other_person,
    "other-person-only": _instead,
    "wrong-type": _wrong_type,
    "duplicate": _duplicate,
    "reversed": _reversed,
    "nobody": _nobody,
}
"""Faults of what is said of people; any protocol that carries records can show them."""


class _HalfResponse(Response):
    """An answer that promises more than it sends; the server then breaks the connection."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the headers and the first bytes, and no end."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        part = b'{"records": [{"id": "'
        await send({"type": "http.response.body", "body": part, "more_body": True})


async def _huge() -> AsyncIterator[bytes]:
    yield b'{"filler": "'
    piece = b"x" * (1 << 18)
    for _ in range(_HUGE_BYTES // len(piece)):
        yield piece
    yield b'"}'


def _error(status: int, text: str, **headers: str) -> Response:
    return Response(
        f'{{"error": "{text}"}}', status, headers=headers, media_type="application/json"
    )


def _deep() -> Response:
    return Response(b"[" * _DEEP + b"]" * _DEEP, media_type="application/json")


OF_ANSWERS: Mapping[str, Callable[[str], Response]] = {
    "error": lambda _: _error(500, "internal error"),
    "busy": lambda _: _error(429, "too many calls", **{"Retry-After": str(RETRY_AFTER)}),
    "refused": lambda _: _error(403, "not for this client"),
    "garbage": lambda _: Response(b"<html>\xed\x95\x9c \xff no records", media_type="text/html"),
    "huge": lambda _: StreamingResponse(_huge(), media_type="application/json"),
    "deep": lambda _: _deep(),
    "redirect": lambda _: RedirectResponse("/elsewhere", 302),
    "half-body": lambda _: _HalfResponse(),
    "personal-error": lambda text: _error(500, text),
    "personal-refusal": lambda text: _error(400, text),
}
"""Faults of HTTP itself, by what they answer; those that tell of a person are given the text."""

OF_TIME = frozenset({"slow", "hang"})
OVER_HTTP = frozenset({*OF_RECORDS, *OF_ANSWERS, *OF_TIME, "error-in-200", "personal-error-in-200"})
"""Every fault of an agency that is asked over HTTP."""
