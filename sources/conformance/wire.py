"""Checks of what goes on the wire: whom and what an agency is asked, how often, and why."""

from __future__ import annotations

import asyncio
import math

from sources.conformance.setting import CONTEXT, Failed, NotApplicable, Sent, Setting
from sources.declaration import Item

_PATIENCE = 5
"""A hundred operations at once may take so many deadlines: machines that run tests are busy."""


async def asks_only_what_is_granted(setting: Setting) -> None:
    """The request names exactly the granted items: one, some, a column of a list, all."""
    await setting.sent()
    for items in _selections(setting):
        await setting.reply(setting.batch(3), items)
        asked = frozenset().union(*(one.items for one in await _some_sent(setting)))
        granted = {".".join(item.wire) for item in items if item.path}
        if asked - granted:
            raise Failed(f"asked for more than was granted: {_names(asked - granted)}")
        if granted - asked:
            raise Failed(f"did not ask for what was granted: {_names(granted - asked)}")


async def asks_only_about_whom_it_is_told(setting: Setting) -> None:
    """The request names exactly the people of the question."""
    await setting.sent()
    for number in (1, 3, 20):
        keys = setting.batch(number)
        await setting.reply(keys, setting.items()[:2])
        asked = [key for one in await _some_sent(setting) for key in one.keys]
        if set(asked) - set(keys):
            raise Failed(f"asked about {len(set(asked) - set(keys))} people of no question")
        if set(keys) - set(asked):
            raise Failed(f"did not ask about {len(set(keys) - set(asked))} of {len(keys)} people")


async def asks_once_a_batch(setting: Setting) -> None:
    """A full batch, with every item, is one call."""
    await setting.sent()
    keys = setting.batch(setting.source.batch)
    await setting.reply(keys, setting.items())
    calls = [one for one in await _some_sent(setting) if one.page == 1]
    most = max(1, math.ceil(len(keys) / setting.source.batch))
    if len(calls) > most:
        raise Failed(f"{len(calls)} calls for one batch of {len(keys)}")


async def says_why_it_asks(setting: Setting) -> None:
    """The agency is told the purpose, the legal basis, the case and the operation."""
    await setting.sent()
    await setting.ask(setting.batch(1), setting.items()[:2])
    if setting.source.adapter in ("sql", "file"):
        raise NotApplicable(f"`{setting.source.adapter}` has no place to say why")
    expected = {
        "purpose": CONTEXT.purpose,
        "legalBasis": CONTEXT.legal_basis,
        "case": CONTEXT.case,
        "operation": CONTEXT.operation,
    }
    for call in await _some_sent(setting):
        lacking = [name for name, value in expected.items() if not _same(call.told[name], value)]
        if lacking:
            raise Failed(f"is not told {', '.join(lacking)}")


async def keeps_people_out_of_addresses(setting: Setting) -> None:
    """No key stands in an address, which proxies and servers log."""
    await setting.sent()
    keys = (*setting.batch(3), setting.unknown())
    await setting.ask(keys[: setting.source.batch], setting.items())
    for call in await _some_sent(setting):
        if any(key in call.target or key.replace("-", "") in call.target for key in keys):
            raise Failed("a person's id stands in the address of a request")


async def keeps_operations_apart(setting: Setting) -> None:
    """A hundred operations at the same time: each is asked and answered for itself."""
    await setting.sent()
    keys = setting.known(100)
    items = setting.items()
    contexts = [CONTEXT._replace(operation=f"operation-{number}") for number in range(100)]
    people = [keys[number % len(keys)] for number in range(100)]
    outcomes = await asyncio.gather(
        *(
            setting.ask([key], items, context, patience=_PATIENCE)
            for key, context in zip(people, contexts, strict=True)
        )
    )
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if failed:
        raise Failed(f"{len(failed)} of 100 operations at once failed: {failed[0]}")
    for key, outcome in zip(people, outcomes, strict=True):
        if outcome.reply is None or set(outcome.reply.records) != {key}:
            raise Failed("an operation was given another's records")
    calls = await setting.sent()
    about = {(one.told["operation"], one.keys) for one in calls if one.told["operation"]}
    mixed = about - {(one.operation, (key,)) for one, key in zip(contexts, people, strict=True)}
    if mixed:
        raise Failed(f"{len(mixed)} calls were made in another operation's name")


def _selections(setting: Setting) -> list[tuple[Item, ...]]:
    exists, *items = setting.items()
    singles = [item for item in items if len(item.path) == 1]
    columns = [item for item in items if len(item.path) == 2]
    chosen = [singles[:1], singles[1:4], columns[:1], singles[:1] + columns[-1:], items]
    return [(exists, *selection) for selection in chosen if selection]


async def _some_sent(setting: Setting) -> list[Sent]:
    calls = await setting.sent()
    if not calls:
        raise NotApplicable("what is read there leaves no record of a request")
    return calls


def _same(said: str | None, meant: str) -> bool:
    return said is not None and meant in said


def _names(names: frozenset[str] | set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)[:5])
