"""What a change of the register exposes or closes, to whom, in plain words.

Differences are found by enumerating every role, purpose and item, not by comparing texts: a new
parent, a lifted prohibition and a new category come out as what they let somebody see.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from authz.condition import Condition
from authz.obligations import lighter
from authz.purpose import Purpose, Validity
from authz.register import Register
from authz.transform import Transform
from hub.purposes import days, limits


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a change of the register does, in plain words."""

    effect: Literal["exposes", "closes"]
    text: str


Seen = tuple[Transform | None, tuple[Condition, ...]]
"""How an item is seen: reduced or whole, and under which conditions only."""


def differences(old: Register, new: Register) -> list[Change]:
    """What the new register exposes that the old does not, and what it closes."""
    changes: list[Change] = []
    for code in sorted(old.purposes.keys() | new.purposes.keys()):
        before, after = old.purposes.get(code), new.purposes.get(code)
        changes += _roles(code, before, after)
        changes += _items(code, before, after)
        changes += _derivations(code, before, after)
        changes += _uses(code, before, after)
        if before is not None and after is not None and before.roles & after.roles:
            changes += _reach(before, after)
            changes += _limits(before, after)
            changes += _demands(before, after)
    return changes


def _roles(code: str, before: Purpose | None, after: Purpose | None) -> Iterator[Change]:
    """Who may newly use a purpose, or no longer may: some open much and name no item."""
    had = before.roles if before is not None else frozenset()
    has = after.roles if after is not None else frozenset()
    for role in sorted(has - had):
        text = f"newly lets {role} use {code}"
        if after is not None:
            text += f", of the relation `{after.relation}`{_PROTECTED * after.protected}"
        yield Change("exposes", text)
    for role in sorted(had - has):
        yield Change("closes", f"no longer lets {role} use {code}")


_PROTECTED = ", which may see where protected people live"


def _items(code: str, before: Purpose | None, after: Purpose | None) -> Iterator[Change]:
    seen, shown = _seen(before), _seen(after)
    for role, item in sorted(seen.keys() | shown.keys()):
        if (role, item) not in seen:
            how = _how(shown[role, item])
            yield Change("exposes", f"newly lets {role} see `{item}`{how} for {code}")
        elif (role, item) not in shown:
            yield Change("closes", f"no longer lets {role} see `{item}` for {code}")
        elif seen[role, item] != shown[role, item]:
            was, now = seen[role, item], shown[role, item]
            narrows = was[0] in (None, now[0]) and set(was[1]) <= set(now[1])
            effect: Literal["exposes", "closes"] = "closes" if narrows else "exposes"
            text = f"lets {role} see `{item}`{_how(now)} for {code}, before{_how(was)}"
            yield Change(effect, text)


def _seen(purpose: Purpose | None) -> dict[tuple[str, str], Seen]:
    """What every role sees for a purpose, and how it is reduced."""
    if purpose is None:
        return {}
    return {
        (role, name): (decision.transform, purpose.conditions.get(name, ()))
        for role in purpose.roles
        for name, decision in purpose.decisions.items()
        if decision.allowed
    }


def _uses(code: str, before: Purpose | None, after: Purpose | None) -> Iterator[Change]:
    """What every role may newly do with an item beside seeing it, or no longer may."""
    had, has = _usable(before), _usable(after)
    for role, item, use in sorted(has - had):
        yield Change("exposes", f"newly lets {role} {use} by `{item}` for {code}")
    for role, item, use in sorted(had - has):
        yield Change("closes", f"no longer lets {role} {use} by `{item}` for {code}")


def _usable(purpose: Purpose | None) -> set[tuple[str, str, str]]:
    """Every use that a role may make of an item beside returning it."""
    if purpose is None:
        return set()
    return {
        (role, item, use)
        for role in purpose.roles
        for use, decisions in purpose.uses.items()
        for item, decision in decisions.items()
        if decision.allowed
    }


def _derivations(code: str, before: Purpose | None, after: Purpose | None) -> Iterator[Change]:
    """Which derived answers every role is newly given by name, or no longer is."""
    had, has = _named(before), _named(after)
    for role, name in sorted(had.keys() | has.keys()):
        was, now = had.get((role, name)), has.get((role, name))
        if was != now:
            exposes = now is True or was is False
            yield Change(
                "exposes" if exposes else "closes",
                f"{_BY_NAME[now]} {role} `{name}` for {code}, before {_BEFORE[was]}",
            )


_BY_NAME = {
    True: "newly gives, whatever of its items may be seen,",
    False: "newly denies",
    None: "leaves to its items whether to give",
}
_BEFORE = {True: "given by name", False: "denied by name", None: "as its items were"}


def _named(purpose: Purpose | None) -> dict[tuple[str, str], bool]:
    """The derived answers that are allowed or prohibited by name, by role."""
    if purpose is None:
        return {}
    return {
        (role, name): decision.allowed
        for role in purpose.roles
        for name, decision in purpose.derivations.items()
    }


def _how(seen: Seen) -> str:
    transform, conditions = seen
    whole = " whole" if transform is None else f" reduced ({transform.text})"
    return "".join((whole, *(f", {condition.text}," for condition in conditions)))


def _reach(before: Purpose, after: Purpose) -> Iterator[Change]:
    """What has become of whom a purpose reaches, beside its items."""
    code = after.code
    if before.relation != after.relation:
        text = f"{code} reaches people by `{after.relation}`, before by `{before.relation}`"
        yield Change("exposes", text)
    if before.jurisdiction != after.jurisdiction:
        effect: Literal["exposes", "closes"] = (
            "exposes" if after.jurisdiction == "none" else "closes"
        )
        text = f"{code} has jurisdiction `{after.jurisdiction}`, before `{before.jurisdiction}`"
        yield Change(effect, text)
    if before.protected != after.protected:
        may = "newly may" if after.protected else "no longer may"
        text = f"{code} {may} see where protected people live"
        yield Change("exposes" if after.protected else "closes", text)
    for programme in sorted(after.programmes - before.programmes):
        yield Change("exposes", f"{code} newly covers the programme `{programme}`")
    for programme in sorted(before.programmes - after.programmes):
        yield Change("closes", f"{code} no longer covers the programme `{programme}`")
    if before.valid != after.valid:
        effect = "closes" if _within(after.valid, before.valid) else "exposes"
        yield Change(effect, f"{code} is valid {days(after.valid)}, before {days(before.valid)}")


def _within(inner: Validity, outer: Validity) -> bool:
    """Whether every day of one is a day of the other."""
    first, last = datetime.date.min, datetime.date.max
    return (inner.since or first) >= (outer.since or first) and (inner.until or last) <= (
        outer.until or last
    )


def _limits(before: Purpose, after: Purpose) -> Iterator[Change]:
    """What has become of how much a purpose reaches."""
    was, now = limits(before), limits(after)
    for key in sorted(was.keys() | now.keys()):
        old, new = (getattr(each.limits, key) for each in (before, after))
        if was.get(key) != now.get(key):
            # No limit is more than any; a bool counts as one.
            less = new is not None and (old is None or new < old)
            text = f"{after.code} is limited: {now.get(key, _UNLIMITED[key])}"
            text += f"; before: {was.get(key, _UNLIMITED[key])}"
            yield Change("closes" if less else "exposes", text)


_UNLIMITED = {
    "subjects_per_operation": "recipients of one operation: any number",
    "subjects_per_day": "recipients of one caller in 24 hours: any number",
    "minutes": "no break-glass",
    "anew": "sources may not be asked again while what was kept serves",
}


def _demands(before: Purpose, after: Purpose) -> Iterator[Change]:
    """What has become of what a purpose demands beside an allow."""
    was, now = before.obligations.demands, after.obligations.demands
    less = lighter(before.obligations, after.obligations)
    for key in sorted(was.keys() | now.keys()):
        if was.get(key) != now.get(key):
            text = f"{after.code} demands {now.get(key, 'no ' + _DEMANDS[key])}"
            text += f", before {was.get(key, 'none')}"
            yield Change("exposes" if key in less else "closes", text)


_DEMANDS = {
    "reason": "reason",
    "second_approver": "approval",
    "notice": "notice to the recipient",
    "review_days": "review",
}
