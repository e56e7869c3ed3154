"""Checks of what becomes of bad answers: each fault, and the class that the hub gives it.

The ways are those of the attack catalogue's part on agencies: more items, another person, wrong
types, too much, garbage, a redirect, half a body, success with an error inside, slowness, and
error texts that tell of a person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sources.adapter import (
    BROKEN,
    ContractBroken,
    Reply,
    SourceError,
    SourceTimeout,
)
from sources.conformance.setting import Failed, Outcome, Setting, told
from sources.declaration import Item

Check = Callable[[Setting], Awaitable[None]]
_GRACE = 1.0
"""Seconds that an adapter has to let go once the deadline has passed."""


def fails_as(mode: str, *classes: type[SourceError]) -> Check:
    """A check that a fault makes the call fail, as one of these classes and no other."""

    async def check(setting: Setting) -> None:
        outcome = await _broken(setting, mode)
        names = " or ".join(one.__name__ for one in classes)
        if outcome.error is None:
            raise Failed(f"was taken for an answer: {_given(outcome)}; is to be {names}")
        if not isinstance(outcome.error, classes):
            raise Failed(f"gave {type(outcome.error).__name__}; is to be {names}")
        if mode == "busy" and outcome.error.retry_after is None:
            raise Failed("does not tell after how long the agency may be asked again")
        await _recovers(setting)

    check.__doc__ = f"The fault `{mode}` fails as {' or '.join(one.__name__ for one in classes)}."
    return check


async def drops_what_was_not_asked(setting: Setting) -> None:
    """An item that nobody asked for is dropped and counted; the others are kept."""
    items = setting.items()[:3]
    outcome = await _broken(setting, "extra-item", items)
    reply = _reply(outcome)
    allowed = {item.path[0] for item in items if item.path}
    for record in reply.records.values():
        if extra := set(record.values) - allowed:
            raise Failed(f"{len(extra)} items that nobody asked for were kept")
        if any(value is BROKEN for value in record.values.values()):
            raise Failed("what was asked for was lost with what was not")
    # The DCI interfaces have no way to ask for some of a record's attributes.
    if setting.source.adapter != "dci":
        _counted(reply, "extra-item")
    await _recovers(setting)


async def drops_other_people(setting: Setting) -> None:
    """The record of somebody whom nobody asked about is dropped and counted."""
    keys = setting.batch(2)
    reply = _reply(await _broken(setting, "other-person"))
    if set(reply.records) - set(keys):
        raise Failed("the record of a person nobody asked about was kept")
    if set(reply.records) != set(keys):
        raise Failed("the records of those asked about were lost with the other's")
    _counted(reply, "other-person")
    await _recovers(setting)


async def takes_another_for_no_answer(setting: Setting) -> None:
    """An answer about another person only is counted, or the hub takes it for "no record"."""
    outcome = await _broken(setting, "other-person-only")
    if outcome.error is not None:
        _of(outcome, ContractBroken)
    else:
        reply = _reply(outcome)
        if reply.records:
            raise Failed("the record of another was taken for that of a person asked about")
        _counted(reply, "other-person")
    await _recovers(setting)


def breaks_values(mode: str) -> Check:
    """A check that values spoilt in a way are known to be broken, never zero and never none."""

    async def check(setting: Setting) -> None:
        outcome = await _broken(setting, mode, number=20)
        if outcome.error is not None:
            _of(outcome, ContractBroken)
        else:
            reply = _reply(outcome)
            values = (value for one in reply.records.values() for value in one.values.values())
            if not any(map(_is_broken, values)):
                raise Failed(f"spoilt values were taken as they came: {told(reply.breaches)}")
            # A list that lacks is a list of the wrong type.
            _counted(reply, mode, "wrong-type")
        await _recovers(setting)

    check.__doc__ = f"With the fault `{mode}` values are unavailable, and counted."
    return check


async def takes_no_duplicates(setting: Setting) -> None:
    """Of two records of one person neither is believed, and the others' are kept."""
    keys = setting.batch(2)
    outcome = await _broken(setting, "duplicate")
    if outcome.error is not None:
        _of(outcome, ContractBroken)
    else:
        reply = _reply(outcome)
        if keys[0] in reply.records or keys[0] not in reply.broken:
            raise Failed("one of two records of a person was taken for theirs")
        if set(reply.records) != set(keys[1:]):
            raise Failed("the records of the others were lost with theirs")
        _counted(reply, "duplicate")
    await _recovers(setting)


async def keeps_the_deadline(setting: Setting) -> None:
    """A slow agency is left at the deadline, and asked again afterwards."""
    late = setting.source.timeout + 3
    try:
        await setting.fault("slow", int(late * 1000))
        outcome = await setting.ask(setting.batch(2), setting.items())
    finally:
        await setting.fault("none")
    if outcome.error is None:
        raise Failed(f"waited {outcome.seconds:.1f} s, the deadline is {setting.source.timeout} s")
    if not isinstance(outcome.error, SourceTimeout):
        raise Failed(f"gave {type(outcome.error).__name__} at the deadline")
    if outcome.seconds > setting.source.timeout + _GRACE:
        raise Failed(f"let go {outcome.seconds - setting.source.timeout:.1f} s after the deadline")
    await _recovers(setting)


async def says_nothing_personal(setting: Setting) -> None:
    """Errors, logs and addresses tell of no person, whatever the agency's error text tells."""
    for mode in setting.about["faults"]:
        if mode in ("slow", "hang", "huge", "reversed"):
            continue
        await setting.fault(mode)
        await setting.ask(setting.batch(3), setting.items())
    await setting.fault("none")
    await setting.sent()
    asked = {*setting.known(200), setting.unknown()}
    words = {*asked, *(key.replace("-", "") for key in asked), *setting.about["personal"]}
    words |= await _telling_values(setting)
    for where, texts in (
        ("an error's text", setting.errors),
        ("a line of the log", setting.said.lines),
        ("the address of a request", setting.targets),
    ):
        if any(word in text for text in texts for word in words):
            raise Failed(f"{where} tells of a person")


async def _telling_values(setting: Setting) -> set[str]:
    """Texts of the people asked about that are long enough not to occur by chance."""
    keys = setting.batch(3)
    held = await setting.held(keys, setting.items())
    values = (value for record in held.values() for value in record.values())
    return {value for value in values if isinstance(value, str) and len(value.encode()) > 8}


def _is_broken(value: object) -> bool:
    if isinstance(value, list):
        return any(column is BROKEN for row in value for column in row.values())
    return value is BROKEN


async def _broken(
    setting: Setting, mode: str, items: Sequence[Item] | None = None, number: int = 2
) -> Outcome:
    """Ask while the agency breaks in a way; it works again afterwards."""
    asked = setting.items() if items is None else items
    await setting.fault(mode)
    try:
        return await setting.ask(setting.batch(number), asked)
    finally:
        await setting.fault("none")


async def _recovers(setting: Setting) -> None:
    for _ in range(2):
        outcome = await setting.ask(setting.batch(2), setting.items())
        if outcome.reply is not None and not outcome.reply.breaches.keys() - setting.usual:
            return
    raise Failed("and cannot be asked any more when the agency works again")


def _reply(outcome: Outcome) -> Reply:
    if outcome.reply is None:
        raise Failed(f"the whole answer was lost: {type(outcome.error).__name__}")
    return outcome.reply


def _of(outcome: Outcome, kind: type[SourceError]) -> None:
    if outcome.error is None:
        raise Failed(f"was taken for an answer: {_given(outcome)}; is to be {kind.__name__}")
    if not isinstance(outcome.error, kind):
        raise Failed(f"gave {type(outcome.error).__name__}; is to be {kind.__name__}")


def _given(outcome: Outcome) -> str:
    records = len(outcome.reply.records) if outcome.reply else 0
    return f"{records} records" if records else "nobody has a record"


def _counted(reply: Reply, *kinds: str) -> None:
    if not reply.breaches.keys() & set(kinds):
        raise Failed(f"no breach `{kinds[0]}` was counted")
