"""What a record is found by, derived from its details alone, so that it can be checked. Pure."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

FLAGS: Mapping[str, int] = {
    "sameSurname": 1,
    "sameAddress": 2,
    "sameOffice": 4,
    "breakGlass": 8,
}
"""What is found of a subject while relating and may only be logged as a flag: bits of `flags`."""

CASE = "CASE"
"""The kind of the event that a case was `decided`, `closed`, or closed again soon (`brief`)."""
_PSEUDONYM = re.compile(r"[0-9a-f]{32}\Z")
_UNDER_WAY = frozenset({"INTENT", "WITHDRAWN"})


class Row(NamedTuple):
    """A row of `index_record`, without its place in the tree."""

    kind: str
    at: int
    operation: bytes | None
    person: str | None
    office: str | None
    purpose: str | None
    outcome: str | None
    flags: int
    items: int | None


class About(NamedTuple):
    """A row of `index_about`, without its place in the tree.

    `part` is `released` (of this subject something was), `asked` (the subject was named or might
    be asked about, and nothing was released) or `case`; of a case's event, what became of the case.
    """

    pseudonym: bytes
    part: str
    flags: int
    person: str | None


@dataclass(frozen=True, slots=True)
class Indexed:
    """The rows of a record's index, and the set of items that its row names."""

    row: Row
    about: tuple[About, ...]
    items: tuple[str, ...]


def index_of(details: Mapping[str, Any]) -> Indexed:
    """The index of a record's details. An INTENT is found by its operation and its time only.

    The items are those released, or those requested where none was. Raises KeyError, TypeError or
    ValueError where the details are none of a record.
    """
    kind, at = details["kind"], milliseconds(details["at"])
    operation = details.get("operation")
    identity = None if operation is None else bytes.fromhex(operation.replace("-", ""))
    if kind in _UNDER_WAY:
        return Indexed(Row(kind, at, identity, None, None, None, None, 0, None), (), ())
    person = details.get("person")
    flags = {entry["subject"]: _bits(tuple(entry["flags"])) for entry in details.get("flags", ())}
    released, items = _released(details)
    of_case = details["outcome"] if kind == CASE else "case"
    parts = dict.fromkeys(details.get("casesNamed", ()), of_case)
    parts |= dict.fromkeys(details.get("subjects", ()), "asked")
    parts |= dict.fromkeys(released, "released")
    about = tuple(
        About(bytes.fromhex(pseudonym), part, flags.get(pseudonym, 0), person)
        for pseudonym, part in sorted(parts.items())
    )
    named = items or tuple(sorted(details.get("requested", ())))
    every = 0
    for bits in flags.values():
        every |= bits
    row = Row(
        kind,
        at,
        identity,
        person,
        details.get("office"),
        details.get("purpose"),
        details.get("outcome"),
        every,
        set_of(named) if named else None,
    )
    return Indexed(row, about, named)


def _released(details: Mapping[str, Any]) -> tuple[set[str], tuple[str, ...]]:
    """The pseudonyms of whom something was released, and the items released."""
    cases, subjects, items = details.get("cases", ()), set[str](), set[str]()
    for groups in details.get("disclosed", {}).values():
        for group in groups:
            items.update(group["items"])
            subjects.update(group["subjects"])
    for keys in details.get("derived", {}).values():
        subjects.update(keys)
    return {key for key in subjects.difference(cases) if _PSEUDONYM.match(key)}, tuple(
        sorted(items)
    )


@lru_cache(maxsize=4096)
def set_of(items: tuple[str, ...]) -> int:
    """The number of a set of items, sorted: the first 63 bits of the SHA-256 of their names."""
    digest = hashlib.sha256("\n".join(items).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _bits(names: Iterable[str]) -> int:
    found = 0
    for name in names:
        found |= FLAGS[name]
    return found


def milliseconds(text: str) -> int:
    """The time in a record as the index has it. Raises ValueError."""
    at = datetime.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return round(at.timestamp() * 1000)
