"""Settles all that needs no fact about the subject: purpose, case named, items, size. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authz.caller import Caller
from authz.decide import Verdict, decide
from authz.purpose import Decision, Purpose
from hub.config import Limits
from hub.errors import RequestRefused, error, refused
from hub.plan import Plan, Subjects
from schema.view import Denial

MOST_CASES = 50
"""Cases that one `Hub-Case` header may name."""
_REFERENCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Admitted:
    """An operation that may go on, for a purpose, with the items granted to it."""

    purpose: Purpose
    verdict: Verdict
    day: datetime.date

    @property
    def withheld(self) -> dict[tuple[str, str | None], Denial]:
        """The denials, by item and use, that the caller asked to see in place of values."""
        return {
            (entry.item, entry.use): Denial(entry.item, entry.rule, entry.remedy, entry.use)
            for entry in self.verdict.denied
        }

    @property
    def transforms(self) -> dict[str, Callable[[Any], Any]]:
        """How the values of the items that are granted reduced are reduced."""
        return {item: transform.reduce for item, transform in self.verdict.transforms.items()}


class Denied(RequestRefused):
    """Items are denied, so the operation is refused: each of them listed."""

    def __init__(self, decisions: tuple[Decision, ...]) -> None:
        super().__init__(
            [
                error(
                    "PURPOSE_DENIED",
                    f"`{entry.item}`: {entry.rule}",
                    item=entry.item,
                    rule=entry.rule,
                    remedy=entry.remedy,
                    **({} if entry.use is None else {"use": entry.use}),
                )
                for entry in decisions
            ]
        )
        self.decisions = decisions


def references(header: str | None) -> tuple[str, ...]:
    """The case references of a `Hub-Case` header. Raises RequestRefused."""
    named = tuple(dict.fromkeys(part.strip() for part in (header or "").split(",") if part.strip()))
    if len(named) > MOST_CASES or not all(_REFERENCE.match(name) for name in named):
        raise refused("BAD_REQUEST", "`Hub-Case` holds no case references, separated by commas")
    return named


@dataclass(frozen=True, slots=True)
class Declared:
    """What a caller declares beside the document, and the day it is declared on."""

    cases: tuple[str, ...]
    reason: str
    withhold: bool
    day: datetime.date
    anew: bool = False


def admit(
    caller: Caller,
    purpose: Purpose | None,
    declared: Declared,
    plan: Plan,
    whom: Subjects,
    limits: Limits,
) -> Admitted:
    """Decide an operation as far as that needs no facts. Raises RequestRefused."""
    if plan.introspects:
        message = "it asks for data items and for the schema: ask in operations of their own"
        raise refused("BAD_REQUEST", message)
    if purpose is None:
        message = "the operation touches data items, and `Hub-Purpose` names no known purpose"
        raise refused("PURPOSE_REQUIRED", message)
    named = sum(len(keys) for _, keys in whom.by_root)
    if named > limits.ids:
        raise refused("TOO_MANY_IDS", f"{named} ids, {limits.ids} are the most")
    cost = sum(root.cost * len(keys) for root, keys in whom.by_root)
    if cost > limits.cost:
        raise refused("TOO_COSTLY", f"it would cost {cost}, {limits.cost} is the most")
    verdict = decide(caller, purpose, plan.asked, declared.day)
    if verdict.denied and not (declared.withhold and verdict.requested):
        raise Denied(verdict.denied)
    if purpose.case_needed and not declared.cases and not whom.cases:
        raise refused("CASE_REQUIRED", f"`{purpose.code}` needs a case in `Hub-Case`")
    # Why a break-glass was needed was said when it was opened.
    least = purpose.obligations.reason if purpose.relation != "break-glass" else None
    if least is not None and len(declared.reason) < least:
        message = f"`{purpose.code}` needs a reason of {least} characters in `Hub-Reason`"
        raise refused("REASON_REQUIRED", message)
    most = purpose.limits.subjects_per_operation
    if most is not None and len(set(whom.recipients)) > most:
        message = f"`{purpose.code}` reaches {most} recipients in one operation and no more"
        raise refused("PURPOSE_LIMIT", message)
    if declared.anew and not purpose.limits.anew:
        message = f"`{purpose.code}` does not let sources be asked anew"
        raise refused("PURPOSE_LIMIT", message, remedy="leave `Hub-Fresh` out")
    return Admitted(purpose, verdict, declared.day)
