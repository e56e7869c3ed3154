"""Who may be reached: pure functions from facts about the subject to the rule that keeps them out.

The facts are what the registers of cases and of identity say, and nothing that the caller does. A
rule that cannot be evaluated denies.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from authz.caller import Caller
from authz.condition import Known
from authz.purpose import BY_CASE, Purpose


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """A case as the case register holds it; `official` is who is in charge, where that counts."""

    reference: str
    programme: str | None
    household: str | None
    applicant: str | None
    office: str | None
    state: str | None
    official: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """One benefit receipt: programme, office, month (`YYYY-MM`) and state."""

    programme: str | None
    office: str | None
    month: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """What the identity register says of a recipient, as far as the rules of access rest on it.

    `members` is None where the register does not know them: nobody, then, is known not to be one.
    `protected` is set unless it is known of all the household that no address is kept safe.
    `relation`, to the head of the household, and `birth` are looked up where they count.
    `births` are the dates of birth of the members, where the register tells them.
    """

    household: str | None
    district: str | None
    members: tuple[str, ...] | None
    protected: bool = False
    relation: str | None = None
    birth: datetime.date | None = None
    births: Mapping[str, datetime.date | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipts:
    """What a recipient was paid, and the month (`YYYY-MM`) up to which that is known."""

    paid: tuple[Paid, ...]
    month: str | None


def judge_case(caller: Caller, purpose: Purpose, facts: CaseFacts | None) -> str | None:
    """Why a case gives the caller no reason to look; None where it does.

    A case of another office and a case that does not exist are the same answer.
    """
    if facts is None or facts.office is None or facts.office != caller.office:
        return "there is no such case at the caller's office"
    if facts.state != "open":
        return "the case is not open"
    if facts.programme not in purpose.programmes:
        return f"the case is of a programme that `{purpose.code}` does not cover"
    if facts.household is None or facts.applicant is None:
        return "the case names no household"
    if purpose.relation == "assigned" and facts.official != caller.person:
        return "the case is in the charge of another official"
    return None


def judge_recipient(
    caller: Caller,
    purpose: Purpose,
    recipient: str,
    facts: RecipientFacts | None,
    cases: Iterable[CaseFacts],
    opened: Collection[str] = (),
) -> str | None:
    """Why the caller may not reach a recipient; None where they may, as far as these facts tell.

    Where the purpose rests on receipts, `judge_receipts` has to agree too. `opened` are those for
    whom the caller has a break-glass. `judge_child` decides for the relation `household`.
    """
    if purpose.relation == "self":
        own = all(each == recipient for each in caller.recipients)
        return None if own else "not the caller's own record"
    if facts is None:
        return "no such recipient"
    if facts.household is None or facts.members is None:
        return "no household is known"
    if not {None, recipient, *facts.members}.isdisjoint(caller.recipients):
        return "the caller's own household"
    if purpose.jurisdiction == "district" and (
        facts.district is None or facts.district != caller.district
    ):
        return "outside the caller's district"
    if purpose.relation in BY_CASE:
        households: Collection[str | None] = {case.household for case in cases}
        return None if facts.household in households else "no case concerns the household"
    if purpose.relation == "break-glass":
        return None if recipient in opened else "no break-glass is open"
    return None if purpose.relation == "receipt" else "the purpose reaches no person"


def conceals(purpose: Purpose, facts: RecipientFacts | None) -> bool:
    """Whether the whereabouts of a recipient, and of their household, are kept from a purpose."""
    if purpose.relation == "self":
        return False
    return facts is not None and facts.protected and not purpose.protected


def known_of(
    recipient: str, facts: RecipientFacts, cases: Iterable[CaseFacts], today: datetime.date
) -> dict[str, Known]:
    """What conditions rest on, of a recipient and of everyone in the household."""
    concerning = [case for case in cases if case.household == facts.household]
    programmes = frozenset(case.programme for case in concerning if case.programme is not None)
    # A case whose stage is not known makes the stage unknown, whatever that of another is.
    stages = frozenset(case.stage or "" for case in concerning)
    births = {**facts.births, recipient: facts.birth}
    return {
        key: Known(programmes, stages, _age(births.get(key), today))
        for key in (recipient, *(facts.members or ()))
    }


def _age(born: datetime.date | None, today: datetime.date) -> int | None:
    """Full years on a day; who is born on 29 February has a birthday on 1 March of other years."""
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def judge_receipts(caller: Caller, purpose: Purpose, receipts: Receipts) -> str | None:
    """Why receipts give no reason to look; None where the caller's office pays one now."""
    for paid in receipts.paid:
        if (
            paid.state == "paid"
            and paid.programme in purpose.programmes
            and paid.office is not None
            and paid.office == caller.office
            and paid.month is not None
            and receipts.month is not None
            and paid.month >= receipts.month
        ):
            return None
    return "receives nothing under survey"
