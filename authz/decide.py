"""Who may see what: pure functions from a caller, a purpose and items to decisions with reasons.

They settle all that needs no fact about the subject; `authz/judge.py` settles the rest. A rule that
cannot be evaluated denies.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from authz.caller import Caller
from authz.purpose import ALONE, BY_CASE, OF_NOBODY, USES, Decision, Purpose
from authz.transform import Transform


@dataclass(frozen=True)
class Inputs:
    """The items a derived answer is worked out from: of the person asked about, and of others.

    `leads` are the items that lead to the others.
    """

    own: frozenset[str]
    others: frozenset[str] = frozenset()
    leads: frozenset[str] = frozenset()

    @cached_property
    def items(self) -> tuple[str, ...]:
        """Every item once, in order."""
        return tuple(sorted(self.own | self.others | self.leads))


@dataclass(frozen=True)
class Asked:
    """The items an operation asks for: of those it names, of others of their households, of cases.

    `leads` are the items that lead to the members of a household. `derived` are the derived
    answers it asks for.
    """

    own: tuple[str, ...]
    others: tuple[str, ...]
    case: tuple[str, ...]
    leads: tuple[str, ...] = ()
    derived: Mapping[str, Inputs] = field(default_factory=dict)

    @cached_property
    def items(self) -> tuple[str, ...]:
        """Every item once, in order."""
        return tuple(dict.fromkeys((*self.own, *self.others, *self.case)))

    @cached_property
    def every(self) -> tuple[str, ...]:
        """Every item, and every derived answer by its name."""
        return (*self.items, *self.derived)

    @cached_property
    def item_set(self) -> frozenset[str]:
        """The same as a set."""
        return frozenset(self.items)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operation may request, and what it may not, with reasons.

    `granted` is what it may return. `derivable` is what each derived answer may be worked out
    from, `assessing` those that may be worked out over a household.
    """

    granted: frozenset[str]
    denied: tuple[Decision, ...]
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    derivable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    assessing: frozenset[str] = frozenset()

    @property
    def requested(self) -> frozenset[str]:
        """All that may be requested, to be returned or to be worked with."""
        return self.granted.union(*self.derivable.values())


def decide(caller: Caller, purpose: Purpose, asked: Asked, today: datetime.date) -> Verdict:
    """Decide every item of an operation, without any fact about the subject.

    Every item is decided by itself; that its source may be known to have a record is an item of
    its own (`exists`), without which no other of the source is granted.
    """
    refusal = _refusal(caller, purpose, today)
    if refusal is not None:
        rule, remedy = refusal
        return Verdict(
            frozenset(),
            tuple(Decision(name, False, rule, remedy) for name in asked.every),
        )
    returned = _decide_returned(purpose, asked)
    if not asked.derived:
        return returned
    denied = [*returned.denied]
    derivable: dict[str, frozenset[str]] = {}
    for name, inputs in asked.derived.items():
        usable, refused = _decide_derived(purpose, name, inputs)
        # One that rests on nothing, as of a programme that there is not, is denied nothing.
        if usable or not refused:
            derivable[name] = usable
        denied += refused
    assessing = frozenset(
        name
        for name, usable in derivable.items()
        if asked.derived[name].leads and asked.derived[name].leads <= usable
    )
    return replace(returned, denied=tuple(denied), derivable=derivable, assessing=assessing)


def decisions_on(purpose: Purpose, asked: Asked, verdict: Verdict) -> tuple[Decision, ...]:
    """The decision on every item and derived answer asked for, whichever it is.

    An item is decided apart for each use, and what a derived answer lacks is told for each of them.
    """
    decided: dict[tuple[str, str | None], Decision] = {
        (item, None): purpose.decisions[item] for item in asked.items
    }
    denied = {(decision.item, decision.use): decision for decision in verdict.denied}
    lacking = {use for _, use in denied}
    for name in asked.derived:
        if name in USES:
            usable = verdict.derivable.get(name, frozenset())
            decided |= {(item, name): purpose.uses[name][item] for item in usable}
        else:
            remedy = f"leave `{name}` out, or ask under a purpose that allows it"
            whole = name not in lacking
            by_items = Decision(name, whole, "as its items are decided", "" if whole else remedy)
            decided[name, None] = purpose.derivations.get(name, by_items)
    return tuple((decided | denied).values())


def _decide_derived(
    purpose: Purpose, name: str, inputs: Inputs
) -> tuple[frozenset[str], tuple[Decision, ...]]:
    """What a derived answer may be worked out from, and what it may not.

    Invariant: what the purpose prohibits is of no use to any derived answer; what it does not
    allow, or not whole, is of use only to one that it allows by name.
    """
    if name in USES:
        return _decide_used(purpose, name, inputs)
    named = purpose.derivations.get(name)
    if named is not None and not named.allowed:
        return frozenset(), (named,)
    if named is not None:
        usable = {item for item in inputs.items if item not in purpose.prohibited}
    else:
        whole = purpose.open_items - purpose.transforms.keys()
        others = inputs.leads | (inputs.others - inputs.own)
        hidden = others if purpose.relation in ALONE else frozenset()
        usable = {item for item in inputs.items if item in whole and item not in hidden}
    usable = {item for item in usable if purpose.exists[item] in usable}
    return frozenset(usable), tuple(
        _unusable(purpose, name, item) for item in inputs.items if item not in usable
    )


def _decide_used(
    purpose: Purpose, use: str, inputs: Inputs
) -> tuple[frozenset[str], tuple[Decision, ...]]:
    """What rows may be chosen, sorted or counted by, where there may be known to be a record."""
    denied: dict[str, Decision] = {}
    for item in inputs.items:
        exists = purpose.decisions[purpose.exists[item]]
        if not exists.allowed:
            rule = exists.rule if exists.item == item else f"`{exists.item}` is denied"
            denied[item] = Decision(item, False, rule, f"do not {use} by `{item}`", use=use)
        elif exists.item != item and not purpose.uses[use][item].allowed:
            denied[item] = purpose.uses[use][item]
    return frozenset(inputs.items) - denied.keys(), tuple(denied.values())


def _unusable(purpose: Purpose, name: str, item: str) -> Decision:
    decision = purpose.decisions[item]
    rule = f"`{purpose.code}` does not allow `{name}` by name"
    if not decision.allowed:
        rule = decision.rule
    elif decision.transform is not None:
        rule = f"{decision.rule}; to work with it, `{name}` has to be allowed by name"
    remedy = f"leave `{name}` out, or ask under a purpose that allows it"
    return Decision(item, False, rule, remedy, use=name)


def _decide_returned(purpose: Purpose, asked: Asked) -> Verdict:
    """Decide the items that are to be returned."""
    if purpose.relation in BY_CASE:
        return _decide_by_items(purpose, asked)
    decisions = [purpose.decisions[item] for item in asked.items]
    denied = [decision for decision in decisions if not decision.allowed]
    if purpose.relation in ALONE:
        # Without the items that lead to others, nothing else is asked of them.
        of_others = {*asked.others} - ({*asked.own} if asked.leads else set())
        of_others |= {*asked.leads, *asked.case}
        rule = f"`{purpose.code}` {ALONE[purpose.relation]}"
        denied += [
            Decision(
                item,
                False,
                rule,
                "leave cases and the members of the household out",
            )
            for item in asked.items
            if item in of_others and purpose.decisions[item].allowed
        ]
    elif purpose.relation == "receipt":
        rule = f"`{purpose.code}` rests on no case"
        denied += [
            Decision(item, False, rule, "leave `case` out")
            for item in asked.case
            if purpose.decisions[item].allowed
        ]
    refused = {decision.item for decision in denied}
    for item in asked.items:
        exists = purpose.exists[item]
        if exists in refused and item not in refused:
            denied.append(_unknown(purpose, item))
    refused |= {decision.item for decision in denied}
    granted = frozenset(asked.items) - refused
    return Verdict(granted, tuple(denied), _transforms(purpose, granted))


def _decide_by_items(purpose: Purpose, asked: Asked) -> Verdict:
    """Decide by the items alone, by sets: only what is denied is looked at one by one."""
    granted = asked.item_set & purpose.open_items
    if len(granted) == len(asked.item_set):
        return Verdict(asked.item_set, (), _transforms(purpose, granted))
    closed = [purpose.decisions[item] for item in asked.items if item not in granted]
    denied = [decision for decision in closed if not decision.allowed]
    denied += [_unknown(purpose, decision.item) for decision in closed if decision.allowed]
    return Verdict(granted, tuple(denied), _transforms(purpose, granted))


def _unknown(purpose: Purpose, item: str) -> Decision:
    """The denial of an item of whose source it may not be known whether it has a record."""
    return Decision(item, False, f"`{purpose.exists[item]}` is denied", f"leave `{item}` out")


def _transforms(purpose: Purpose, granted: frozenset[str]) -> dict[str, Transform]:
    return {item: how for item, how in purpose.transforms.items() if item in granted}


def _refusal(caller: Caller, purpose: Purpose, today: datetime.date) -> tuple[str, str] | None:
    """The rule by which the caller may not use the purpose on anyone at all, and the remedy."""
    if purpose.relation in OF_NOBODY and caller.roles & purpose.roles:
        return f"`{purpose.code}` reaches no person", "ask under a purpose that does"
    return unusable(caller, purpose, today)


def unusable(caller: Caller, purpose: Purpose, today: datetime.date) -> tuple[str, str] | None:
    """The rule by which the caller may not use the purpose at all, and the remedy."""
    if not caller.roles & purpose.roles:
        roles = ", ".join(sorted(purpose.roles)) or "nobody"
        return f"`{purpose.code}` is for {roles}", "ask under a purpose of your own role"
    if invalid := purpose.valid.refuses(today):
        return f"`{purpose.code}` {invalid}", "ask under a purpose that is valid"
    if None in caller.recipients:
        rule = "the token does not say who the caller is as a resident"
        return rule, "have the identity provider send the claim, so that own records are refused"
    if purpose.relation in ("self", "household"):
        return None
    if caller.office is None or (purpose.jurisdiction == "district" and caller.district is None):
        rule = "the token does not say the caller's office and district"
        return rule, "have the identity provider send both claims"
    return None
