"""Whether somebody may read the record of a child of theirs. Pure; what is not known denies."""

from __future__ import annotations

import datetime

from authz.caller import Caller
from authz.judge import RecipientFacts

MAJORITY = 14
"""Years up to which legal representatives ask for a child's record in the child's place.

Personal Information Protection Act, Article 38(2) (K).
"""
_PARENTS = ("head", "spouse")
_CHILD = "child"


def judge_child(
    caller: Caller,
    recipient: str,
    facts: RecipientFacts | None,
    own: RecipientFacts | None,
    today: datetime.date,
) -> str | None:
    """Why the caller may not read a record of their household; None where they may.

    They may read their own, and as head or the head's spouse that of a child of the head's which
    is younger than `MAJORITY`. `own` are the facts of the caller.
    """
    if all(each == recipient for each in caller.recipients):
        return None
    if caller.recipient is None or any(each != caller.recipient for each in caller.recipients):
        return "somebody acts for the caller"
    if facts is None or own is None or facts.household is None:
        return "no such recipient"
    if facts.household != own.household or caller.recipient not in (facts.members or ()):
        return "not of the caller's household"
    if facts.relation != _CHILD or own.relation not in _PARENTS:
        return "no child of the caller's"
    if facts.birth is None or _birthday(facts.birth, MAJORITY) <= today:
        return f"not younger than {MAJORITY}"
    return None


def _birthday(birth: datetime.date, years: int) -> datetime.date:
    """The day of so many years; of 29 February, the day after 28 February where there is none."""
    try:
        return birth.replace(year=birth.year + years)
    except ValueError:
        return datetime.date(birth.year + years, 3, 1)
