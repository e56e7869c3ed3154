"""Sources that are found by what other sources say: whom to ask by which keys, and when.

A person's answer holds the key of something of theirs, a parcel's number, say, by which another
source is asked in a later round. Only the values of a granted item are used as keys, and each
round of them is in the log before it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub.config import Limits
from hub.errors import refused
from hub.gather import Ask, Gathered, Gatherer
from hub.querylog.record import Entry
from hub.rounds import Key
from schema.view import Answer, State
from sources.adapter import Context
from sources.declaration import Catalogue, Item

_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,100}\Z")


@dataclass(frozen=True, slots=True)
class Link:
    """A source that is found by an item's values, and what of it is wanted for whom."""

    source: str
    key: Item
    items: tuple[Item, ...]
    wants: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Slot:
    """Asks that need nothing but what is wanted, and links whose keys are then there."""

    asks: tuple[Ask, ...]
    links: tuple[Link, ...]


def links(
    catalogue: Catalogue, wants: Mapping[Key, frozenset[str]], reduced: Collection[str]
) -> tuple[Link, ...]:
    """The links to follow. Pure.

    Invariant: a key is used where its item itself is wanted, granted and released whole.
    """
    found = []
    for source in catalogue.sources.values():
        if source.found_by is None or source.found_by in reduced:
            continue
        names = frozenset(item.name for item in source.items)
        of = {
            key: items & names
            for (subject, key), items in wants.items()
            if subject == "person" and source.found_by in items and items & names
        }
        if of:
            found.append(Link(source.name, catalogue.items[source.found_by], source.items, of))
    return tuple(found)


def scheduled(layers: Sequence[tuple[Ask, ...]], found: Sequence[Link]) -> tuple[Slot, ...]:
    """The rounds, as few as it takes: a link is followed once all who hold its keys are asked."""
    slots: list[Slot] = []
    pending, waiting = list(layers), list(found)
    while pending or waiting:
        later = {ask.source for asks in pending for ask in asks} | {one.source for one in waiting}
        ready = tuple(link for link in waiting if link.key.source not in later)
        slots.append(Slot(pending.pop(0) if pending else (), ready))
        waiting = [link for link in waiting if link not in ready]
    return tuple(slots)


async def follow(
    gatherer: Gatherer,
    slots: Sequence[Slot],
    limits: Limits,
    context: Context,
    entry: Entry,
    number: int = 0,
) -> Gathered:
    """Ask round after round, by the keys that come back too. `number` rounds have been before.

    Raises RequestRefused beyond the limits, and LogUnavailable.
    """
    if len(slots) > limits.rounds:
        message = f"{len(slots)} rounds of questions to the sources, {limits.rounds} the most"
        raise refused("TOO_COSTLY", message)
    gathered = Gathered()
    held: dict[tuple[str, str], tuple[str, ...]] = {}
    for slot in slots:
        for asks, keys in _rounds(slot, gathered.answers, held):
            number += 1
            if number > limits.rounds or len(keys) > limits.ids:
                message = f"what it leads to takes more than {limits.rounds} rounds"
                message += f" or {limits.ids} keys"
                raise refused("TOO_COSTLY", message)
            if keys:
                await entry.intend_keys(keys)
            found = await gatherer.data(number, asks, context)
            gathered.answers |= found.answers
            gathered.calls += found.calls
    return gathered


def _rounds(
    slot: Slot,
    answers: Mapping[tuple[str, str], Answer],
    held: dict[tuple[str, str], tuple[str, ...]],
) -> Iterator[tuple[list[Ask], list[str]]]:
    """The slot's rounds with the keys used: things of which other items are wanted go apart."""
    apart: list[list[Ask]] = [list(slot.asks)] if slot.asks else []
    by_key: list[list[str]] = [[]] if slot.asks else []
    for link in slot.links:
        wanted: dict[str, frozenset[str]] = {}
        for person, names in link.wants.items():
            # Where the key's source is itself found by a key, the person holds what it was asked.
            holders = held.get((link.key.source, person), (person,))
            keys = [key for one in holders for key in _keys(link.key, one, answers)]
            held[link.source, person] = tuple(dict.fromkeys(keys))
            for key in keys:
                wanted[key] = wanted.get(key, frozenset()) | names
        groups: dict[frozenset[str], list[str]] = {}
        for key, names in wanted.items():
            groups.setdefault(names, []).append(key)
        for depth, (names, keys) in enumerate(groups.items()):
            if depth == len(apart):
                apart.append([])
                by_key.append([])
            items = tuple(item for item in link.items if item.name in names)
            apart[depth].append(Ask(link.source, "person", tuple(keys), items))
            by_key[depth] += keys
    yield from zip(apart, by_key, strict=True)


def _keys(item: Item, holder: str, answers: Mapping[tuple[str, str], Answer]) -> Iterator[str]:
    """The values of an item in what its source said of one holder, as far as they can be keys."""
    answer = answers.get((item.source, holder))
    if answer is None or answer.state not in (State.KNOWN, State.STALE):
        return
    value = answer.values.get(item.path[0])
    rows = value if isinstance(value, list) else [{item.path[-1]: value}]
    for row in rows:
        key = row.get(item.path[-1])
        if isinstance(key, str) and _KEY.match(key):
            yield key
