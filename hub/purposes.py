"""The register for people and programs: `hub purposes` lists it and shows a purpose whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from authz.purpose import Decision, Purpose, Relation, Validity
from authz.register import Register
from hub import tables

REACHES: Mapping[Relation, str] = {
    "case": "the household of an open case of the caller's office, of these programmes",
    "assigned": "the same of `case`, where the caller is the official in charge",
    "receipt": "recipients whom the caller's office paid one of these programmes last",
    "self": "the caller's own record",
    "household": "the caller's own record, and of children under 14 whose household they head",
    "break-glass": "one recipient, for whom the caller has broken the glass",
    "oversight": "nobody: it approves and reviews what others do",
    "audit": "nobody: it reads the query log",
    "population": "nobody: it counts in statistics",
    "none": "nobody",
}
"""Whom a caller reaches by a relation, in words."""


def print_list(register: Register) -> None:
    """The purposes as a table; items are counted without `exists`, as `hub check` counts them."""
    tables.show(
        None,
        ("Code", "Title", "Law", "Roles", "Relation", "Items"),
        [
            (
                code,
                purpose.title,
                purpose.legal_basis.text,
                ", ".join(sorted(purpose.roles)) or "through its children",
                purpose.relation,
                str(sum(not name.endswith(".exists") for name in purpose.allowed_items)),
            )
            for code, purpose in sorted(register.purposes.items())
        ],
    )


def print_purpose(purpose: Purpose) -> None:
    """One purpose: its terms in plain words, then every item with what may be done and by what."""
    print(f"{purpose.code}: {purpose.title}")
    for name, told in _terms(purpose):
        print(f"{name}: {told}")
    tables.show(
        None,
        ("Item", "Returned", "Also used to", "Rule"),
        [
            (item, _returned(purpose, decision), ", ".join(used), "; ".join(_rules(decision, used)))
            for item, decision, used in _decided(purpose)
        ],
    )


def _terms(purpose: Purpose) -> Iterator[tuple[str, str]]:
    """What holds for the purpose as a whole: by what name, and in words."""
    sourced = "" if purpose.legal_basis.mark == "S" else " (to be checked)"
    yield "law", purpose.legal_basis.text + sourced
    if purpose.parent is not None:
        yield "inherits from", purpose.parent
    yield "roles", ", ".join(sorted(purpose.roles)) or "none; used by its children"
    yield "reaches", f"{REACHES[purpose.relation]} (`{purpose.relation}`)"
    if purpose.programmes:
        yield "programmes", ", ".join(sorted(purpose.programmes))
    within = {"district": "who lives in the caller's district", "none": "no limit by district"}
    yield "jurisdiction", within[purpose.jurisdiction]
    may = "may be seen" if purpose.protected else "kept, with all that leads there"
    yield "where protected people live", may
    yield "valid", days(purpose.valid)
    yield "limits", "; ".join(limits(purpose).values()) or "none"
    yield "demands", "; ".join(purpose.obligations.demands.values()) or "nothing"
    yield "log", f"details of its operations are kept for {purpose.retention} years"
    for condition, items in _conditions(purpose).items():
        yield condition, ", ".join(f"`{item}`" for item in items)


def days(valid: Validity) -> str:
    """On which days a purpose may be used."""
    named = (("from", valid.since), ("until", valid.until))
    return " ".join(f"{word} {day}" for word, day in named if day is not None) or "always"


def limits(purpose: Purpose) -> dict[str, str]:
    """What limits a purpose, in words by key."""
    told, found = purpose.limits, dict[str, str]()
    if told.subjects_per_operation is not None:
        found["subjects_per_operation"] = (
            f"recipients of one operation: {told.subjects_per_operation} at most"
        )
    if told.subjects_per_day is not None:
        found["subjects_per_day"] = (
            "recipients of one caller in 24 hours, under all purposes:"
            f" {told.subjects_per_day} at most"
        )
    if purpose.relation == "break-glass":
        found["minutes"] = f"open for {told.minutes} minutes"
    if told.anew:
        found["anew"] = "sources may be asked again though what was kept would serve"
    return found


def _conditions(purpose: Purpose) -> dict[str, list[str]]:
    """The items that may be asked for under a condition only, by the condition in words."""
    found: dict[str, list[str]] = {}
    for item, conditions in sorted(purpose.conditions.items()):
        if purpose.decisions[item].allowed:
            for condition in conditions:
                found.setdefault(condition.text, []).append(item)
    return found


def _decided(purpose: Purpose) -> Iterator[tuple[str, Decision, dict[str, str]]]:
    """Every item and derived answer, what is decided, and the rule of each use it has besides."""
    for item, decision in sorted({**purpose.decisions, **purpose.derivations}.items()):
        used = {
            use: decisions[item].rule
            for use, decisions in purpose.uses.items()
            if item in decisions and decisions[item].allowed
        }
        yield item, decision, used


def _returned(purpose: Purpose, decision: Decision) -> str:
    if not decision.allowed:
        return "no"
    if decision.item in purpose.derivations:
        return "derived answer"
    whole = "whole" if decision.transform is None else f"reduced ({decision.transform.text})"
    return f"{whole}, on condition" if purpose.conditions.get(decision.item) else whole


def _rules(decision: Decision, used: Mapping[str, str]) -> Iterator[str]:
    """The rule of an item, and those of its uses where it is not returned."""
    yield decision.rule
    if not decision.allowed:
        yield from used.values()


def register_json(register: Register) -> dict[str, object]:
    """The register for programs."""
    purposes = [purpose_json(each) for _, each in sorted(register.purposes.items())]
    return {"version": register.version, "purposes": purposes}


def purpose_json(purpose: Purpose) -> dict[str, object]:
    """A purpose for programs: its terms, and what is decided for every item by which rule."""
    return {
        "code": purpose.code,
        "title": purpose.title,
        "parent": purpose.parent,
        "legalBasis": purpose.legal_basis.model_dump(),
        "roles": sorted(purpose.roles),
        "relation": purpose.relation,
        "programmes": sorted(purpose.programmes),
        "jurisdiction": purpose.jurisdiction,
        "protected": purpose.protected,
        "valid": purpose.valid.model_dump(mode="json"),
        "limits": purpose.limits.model_dump(),
        "obligations": purpose.obligations.model_dump(),
        "retention": purpose.retention,
        "items": [
            {
                "item": item,
                "returned": _reduced(decision) if decision.allowed else None,
                "rule": decision.rule,
                "conditions": [each.text for each in purpose.conditions.get(item, ())],
                "uses": used,
            }
            for item, decision, used in _decided(purpose)
            if item not in purpose.derivations
        ],
        "derivations": {
            name: {"allowed": decision.allowed, "rule": decision.rule}
            for name, decision in sorted(purpose.derivations.items())
        },
    }


def _reduced(decision: Decision) -> str:
    return "whole" if decision.transform is None else decision.transform.text
