"""Checks of what becomes of good answers: values, absence, order, dates."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sources.adapter import BROKEN
from sources.conformance.setting import Failed, Setting, told
from sources.declaration import Item

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "String": str,
    "ID": str,
    "Month": str,
    "Int": int,
    "Won": int,
    "Float": (float, int),
    "Boolean": bool,
    "Date": datetime.date,
}


async def answers_at_all(setting: Setting) -> None:
    """People whom the agency knows have records, within the deadline."""
    first = setting.first
    if first.error is not None:
        raise Failed(str(first.error))
    if first.reply is not None and not first.reply.records:
        raise Failed("those whom the agency knows have no record")


def breaks_nothing(*kinds: str) -> Callable[[Setting], Awaitable[None]]:
    """A check that a good answer has no breach of these kinds."""

    async def check(setting: Setting) -> None:
        found = {} if setting.first.reply is None else setting.first.reply.breaches
        broken = {kind: found[kind] for kind in kinds if kind in found}
        if broken:
            people = len(setting.batch(3))
            raise Failed(f"in an answer about {people}: {told(broken)}")

    return check


async def gives_values_as_the_agency_holds_them(setting: Setting) -> None:
    """Every value has its type, and is what the agency holds: units, dates and money included."""
    for subject in setting.about["known"]:
        items = setting.items(subject)
        keys = setting.known(min(setting.source.batch, 100), subject)
        reply = await setting.reply(keys, items, subject)
        held = await setting.held(keys, items, subject)
        lists = {item.path[0] for item in items if len(item.path) == 2}
        for key in keys:
            record = reply.records.get(key)
            if record is None:
                raise Failed("a person whom the agency knows has no record")
            for item in items:
                if len(item.path) == 1:
                    _compare(item, record.values.get(item.path[0], BROKEN), held[key][item.path[0]])
            for name in lists:
                columns = [item for item in items if item.path[:1] == (name,) and item.path[1:]]
                _compare_rows(columns, record.values.get(name, BROKEN), held[key][name])


def _compare_rows(columns: Sequence[Item], found: Any, meant: Sequence[Mapping[str, Any]]) -> None:
    """The rows are those that the agency holds, in whatever order it declares them to be."""
    first = columns[0]
    if not isinstance(found, list) or len(found) != len(meant):
        raise Failed(f"`{first.name}`: the list does not have the rows that the agency holds")
    expected = [
        {item.path[1]: _expected(item, row[item.path[1]]) for item in columns} for row in meant
    ]
    for row in found:
        if row in expected:
            expected.remove(row)
            continue
        for item in columns:
            near = expected[0][item.path[1]]
            _compare(item, row.get(item.path[1], BROKEN), near, decoded=True)
        raise Failed(f"`{first.name}`: a row is not as the agency holds it")


def _compare(item: Item, found: Any, meant: Any, *, decoded: bool = False) -> None:
    """Values are personal even where they are made: what is told is the item and the type."""
    expected = meant if decoded else _expected(item, meant)
    if expected is None and found is None:
        return
    if found is BROKEN or (expected is not None and not isinstance(found, _TYPES[item.type])):
        raise Failed(f"`{item.name}` is {type(found).__name__.lstrip('_')}, declared {item.type}")
    if found != expected:
        what = "what the agency has none of" if expected is None else "another value than it holds"
        raise Failed(f"`{item.name}` gives {what} (declared {item.type})")


def _expected(item: Item, meant: Any) -> Any:
    if meant is None:
        return None
    if item.codes:
        word = item.codes[meant]
        return word == "true" if item.type == "Boolean" else word
    return datetime.date.fromisoformat(meant) if item.type == "Date" else meant


async def tells_none_from_unknown(setting: Setting) -> None:
    """A person unknown to the agency has no record, beside others who have theirs."""
    unknown, items = setting.unknown(), setting.items()
    if (await setting.reply([unknown], items)).records:
        raise Failed("a person whom the agency does not know has a record")
    if setting.source.batch == 1:
        return
    keys = (*setting.batch(2)[: setting.source.batch - 1], unknown)
    records = (await setting.reply(keys, items)).records
    if set(records) != set(keys) - {unknown}:
        raise Failed("with an unknown person in a batch, the others' records are not as they were")


async def gives_each_person_their_own(setting: Setting) -> None:
    """The order of the answer, and of the question, changes nothing."""
    keys, items = setting.batch(20), setting.items()
    straight = (await setting.reply(keys, items)).records
    if (await setting.reply(tuple(reversed(keys)), items)).records != straight:
        raise Failed("asking in another order gives other records")
    if setting.usual or "reversed" not in setting.about["faults"]:
        return
    await setting.fault("reversed")
    try:
        turned = (await setting.reply(keys, items)).records
    finally:
        await setting.fault("none")
    if turned != straight:
        raise Failed("an answer in another order gives people others' records")


async def says_of_when_it_is(setting: Setting) -> None:
    """Each record says the date that it is of."""
    reply = await setting.reply(setting.batch(3), setting.items()[:2])
    if any(record.as_of is None for record in reply.records.values()):
        raise Failed("records carry no date; declare where the agency says it (`as_of`)")


async def names_the_agency_in_korean(setting: Setting) -> None:
    """The agency has its name in Korean too."""
    if not setting.source.agency_ko:
        raise Failed("the agency has no name in Korean (`agency_ko`)")
