"""The facts that a decision rests on: the case, its household, the recipients' districts.

They are looked up in the registers of cases and of identity and nowhere else, in rounds of their
own, each announced to the log before it asks. What they say stays here but for the answer: who
is reached, and which people make up whose household.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from authz.caller import Caller
from authz.decide import CaseFacts, Paid, RecipientFacts, judge_case, judge_recipient
from authz.register import Purpose
from hub.admission import Admitted
from hub.errors import RequestRefused, error, refused
from hub.gather import Ask, Call, Gathered, Gatherer
from hub.plan import Plan, Subjects
from schema.view import Answer, State
from sources.adapter import BROKEN, Context
from sources.declaration import Catalogue, Item

Intend = Callable[[Iterable[str]], Awaitable[None]]
CASE_PLACES = (
    "case.programme",
    "case.household",
    "case.applicant",
    "case.office",
    "case.state",
)
RECIPIENT_PLACES = ("household.id", "identity.district", "household.members.id")
RECEIPT_PLACES = (
    "benefits.receipts.programme",
    "benefits.receipts.office",
    "benefits.receipts.month",
    "benefits.receipts.state",
)
_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}\Z")


@dataclass
class Relation:
    """Who is reached, whose household is whose, and what the case register said.

    `answers` are of the cases, with what was granted of them beside what was looked up, and, with
    no values, of the people whom the identity register was found to know. `unreached` holds the
    rule for each who is not reached; it goes to the log and to no answer.
    """

    reached: set[str] = field(default_factory=set)
    households: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Lookups:
    """Which items of which register the rules of access rest on, for one purpose."""

    case: tuple[Item, ...]
    recipient: tuple[Item, ...]
    receipts: tuple[Item, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The items' names."""
        return tuple(item.name for item in (*self.case, *self.recipient, *self.receipts))


def lookups(catalogue: Catalogue, purpose: Purpose) -> Lookups:
    """What has to be looked up before a purpose reaches anyone.

    Invariant: case facts come from the case register and household facts from the identity
    register, whatever other source claims the same places.
    """

    def held(source: str, places: Sequence[str]) -> tuple[Item, ...]:
        found = (catalogue.held_by(source, place) for place in places)
        return tuple(item for item in found if item is not None)

    related = purpose.relation in ("case", "receipt")
    return Lookups(
        case=held(catalogue.cases, CASE_PLACES) if purpose.relation == "case" else (),
        recipient=held(catalogue.identity, RECIPIENT_PLACES) if related else (),
        receipts=held(catalogue.cases, RECEIPT_PLACES) if purpose.relation == "receipt" else (),
    )


@dataclass(frozen=True)
class Relating:
    """What relating an operation starts from."""

    caller: Caller
    admitted: Admitted
    plan: Plan
    subjects: Subjects
    named_cases: tuple[str, ...]
    context: Context


async def relate(
    gatherer: Gatherer, catalogue: Catalogue, relating: Relating, intend: Intend
) -> Relation:
    """Look up what the remaining rules rest on, and settle them.

    Raises RequestRefused where a named case gives no reason, or a register cannot be asked.
    """
    relation = Relation()
    caller, purpose = relating.caller, relating.admitted.purpose
    needed = lookups(catalogue, purpose)
    recipients = [key for key in relating.subjects.recipients if _KEY.match(key)]
    relation.unreached = {
        key: "malformed" for key in relating.subjects.recipients if not _KEY.match(key)
    }
    cases: list[CaseFacts] = []
    if purpose.relation == "case":
        cases = await _cases(gatherer, catalogue, relating, needed, relation)
    applicants = [relation.cases[key] for key in relating.subjects.cases if key in relation.cases]
    asked = tuple(dict.fromkeys((*recipients, *applicants)))
    facts: Mapping[str, RecipientFacts] = {}
    if needed.recipient and asked:
        await intend(asked)
        facts = await _recipients(gatherer, catalogue, relating, needed, asked, relation)
    for key in asked:
        rule = judge_recipient(caller, purpose, key, facts.get(key), cases)
        if rule is None:
            relation.reached.add(key)
        else:
            relation.unreached[key] = rule
    _open_households(catalogue.identity, relating, facts, relation)
    return relation


async def _cases(
    gatherer: Gatherer,
    catalogue: Catalogue,
    relating: Relating,
    needed: Lookups,
    relation: Relation,
) -> list[CaseFacts]:
    """Look up every case named; those that give a reason, the rest refused or unreached."""
    asked_of_cases = [catalogue.items[name] for name in relating.plan.asked.case]
    granted = [item for item in asked_of_cases if item.name in relating.admitted.verdict.granted]
    items = tuple({item.name: item for item in (*needed.case, *granted)}.values())
    named = (*relating.named_cases, *relating.subjects.cases)
    keys = tuple(key for key in dict.fromkeys(named) if _KEY.match(key))
    gathered = Gathered()
    if keys:
        ask = Ask(catalogue.cases, "case", keys, items)
        gathered = await gatherer.round("case", [ask], relating.context)
        relation.calls += gathered.calls
        _require(gathered, items)
    found: list[CaseFacts] = []
    errors = []
    for reference in dict.fromkeys(named):
        answer = gathered.answers.get((catalogue.cases, reference))
        facts = _case_facts(catalogue, reference, answer)
        rule = judge_case(relating.caller, relating.admitted.purpose, facts)
        if rule is None and facts is not None and facts.applicant is not None:
            found.append(facts)
            relation.cases[reference] = facts.applicant
            if answer is not None:
                relation.answers[catalogue.cases, reference] = answer
        elif reference in relating.named_cases:
            errors.append(error("CASE_REFUSED", f"a case named in `Hub-Case`: {rule}"))
    if errors:
        raise RequestRefused(errors)
    return found


def _case_facts(catalogue: Catalogue, reference: str, answer: Answer | None) -> CaseFacts | None:
    if answer is None or answer.state is not State.KNOWN:
        return None

    def at(place: str) -> str | None:
        item = catalogue.held_by(catalogue.cases, place)
        return answer.values.get(item.path[0]) if item is not None else None

    return CaseFacts(
        reference=reference,
        programme=at("case.programme"),
        household=at("case.household"),
        applicant=at("case.applicant"),
        office=at("case.office"),
        state=at("case.state"),
    )


async def _recipients(
    gatherer: Gatherer,
    catalogue: Catalogue,
    relating: Relating,
    needed: Lookups,
    keys: tuple[str, ...],
    relation: Relation,
) -> dict[str, RecipientFacts]:
    """Look up the households and districts, and the receipts where the purpose rests on them."""
    asks = [Ask(catalogue.identity, "person", keys, needed.recipient)]
    if needed.receipts:
        asks.append(Ask(catalogue.cases, "person", keys, needed.receipts))
    gathered = await gatherer.round("household", asks, relating.context)
    relation.calls += gathered.calls
    _require(gathered, (*needed.recipient, *needed.receipts))
    facts = {}
    for key in keys:
        answer = gathered.answers[catalogue.identity, key]
        if answer.state is State.KNOWN:
            relation.answers[catalogue.identity, key] = replace(answer, values={})
            receipts = gathered.answers.get((catalogue.cases, key))
            facts[key] = _recipient_facts(catalogue, answer, receipts)
    return facts


def _recipient_facts(
    catalogue: Catalogue, answer: Answer, receipts: Answer | None
) -> RecipientFacts:
    def row(source: str, place: str, values: Mapping[str, str | None]) -> str | None:
        item = catalogue.held_by(source, place)
        return values.get(item.path[-1]) if item is not None else None

    member = catalogue.held_by(catalogue.identity, "household.members.id")
    rows = (answer.values.get(member.path[0]) or ()) if member is not None else ()
    paid: list[Paid] = []
    programme = catalogue.held_by(catalogue.cases, "benefits.receipts.programme")
    if receipts is not None and programme is not None:
        paid = [
            Paid(*(row(catalogue.cases, place, entry) for place in RECEIPT_PLACES))
            for entry in receipts.values.get(programme.path[0]) or ()
        ]
    as_of = receipts.as_of if receipts is not None else None
    return RecipientFacts(
        household=row(catalogue.identity, "household.id", answer.values),
        district=row(catalogue.identity, "identity.district", answer.values),
        members=tuple(entry[member.path[-1]] for entry in rows) if member is not None else (),
        receipts=tuple(paid),
        receipts_month=as_of.strftime("%Y-%m") if as_of is not None else None,
    )


def _require(gathered: Gathered, items: Iterable[Item]) -> None:
    """Refuse where a look-up failed: a rule that cannot be evaluated denies."""
    paths = {(item.source, item.path[0]): item for item in items if item.path}
    for (source, _), answer in gathered.answers.items():
        if answer.failure is not None:
            raise refused(
                answer.failure.code,
                f"`{source}` could not be asked for what the rules of access rest on",
                source=source,
                retryAfter=answer.failure.retry_after or 5,
            )
        for (of, key), item in paths.items():
            value = answer.values.get(key) if of == source else None
            rows = value if isinstance(value, list) else ()
            if value is BROKEN or any(BROKEN in row.values() for row in rows):
                raise refused(
                    "SOURCE_CONTRACT",
                    f"`{source}` answered otherwise than it declares, and access rests on it",
                    source=source,
                    item=item.name,
                )


def _open_households(
    identity: str, relating: Relating, facts: Mapping[str, RecipientFacts], relation: Relation
) -> None:
    """Reach the members of the households that the operation opens, and of no others."""
    for root, keys in relating.subjects.by_root:
        if not root.members:
            continue
        heads = [relation.cases.get(key) for key in keys] if root.case else list(keys)
        for head in heads:
            if head is None or head not in relation.reached or head not in facts:
                continue
            members = facts[head].members
            relation.households[head] = members
            for member in members:
                relation.households[member] = members
                relation.answers.setdefault((identity, member), relation.answers[identity, head])
                relation.reached.add(member)
