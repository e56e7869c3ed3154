"""The facts that a decision rests on: the case, its household, the recipients' districts.

They are looked up in the registers of cases and of identity and nowhere else, in rounds of their
own, each announced to the log before it asks. What they say stays here but for the answer: who
is reached, and which people make up whose household.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from authz.caller import Caller
from authz.condition import Known
from authz.household import judge_child
from authz.judge import (
    CaseFacts,
    Paid,
    Receipts,
    RecipientFacts,
    conceals,
    judge_case,
    judge_receipts,
    judge_recipient,
    known_of,
)
from authz.office import judge_colleagues
from hub.admission import Admitted
from hub.errors import refused
from hub.gather import Ask, Gathered, Gatherer
from hub.likeness import Likeness, flags
from hub.lookups import Lookups, case_facts, likeness_of, recipient_facts, value_of
from hub.officials import Officials
from hub.oversight.allowances import Allowances, approvals
from hub.plan import Subjects
from hub.querylog.record import Entry
from hub.rounds import Reach
from schema.view import Answer, State
from sources.adapter import BROKEN, Context
from sources.declaration import Catalogue, Item

_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}\Z")


@dataclass
class Relation:
    """Who is reached, whose household is whose, and which cases give a reason.

    `households` are those that may be shown, `assessed` those over which derived answers may be
    worked out. `known` are the people whom the identity register was found to know and the cases
    that there are, without values. `concealed` are those whose whereabouts are kept from the
    purpose. `unreached` holds the rule for each who is not reached; it goes to the log and to no
    answer.
    `facts` are what conditions rest on, of everyone reached or assessed. `likeness` is what of
    people is compared, for the log to flag. `context` is what agencies are told from now on.
    """

    context: Context
    reached: set[str] = field(default_factory=set)
    households: dict[str, tuple[str, ...]] = field(default_factory=dict)
    assessed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, str], Answer] = field(default_factory=dict)
    concealed: set[str] = field(default_factory=set)
    unreached: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Known] = field(default_factory=dict)
    likeness: dict[str, Likeness] = field(default_factory=dict)

    @property
    def reach(self) -> Reach:
        """Who is reached."""
        return Reach(self.reached, self.households, self.cases, self.assessed)


@dataclass(frozen=True)
class Relating:
    """What relating an operation starts from; `named_cases` are those of the `Hub-Case` header.

    `needed` is what has to be looked up.
    """

    caller: Caller
    admitted: Admitted
    needed: Lookups
    subjects: Subjects
    named_cases: tuple[str, ...]
    allowed: Allowances
    officials: Officials


async def relate(
    gatherer: Gatherer, catalogue: Catalogue, relating: Relating, entry: Entry
) -> Relation:
    """Look up what the remaining rules rest on, and settle them.

    Raises RequestRefused where a named case gives no reason, or a register cannot be asked.
    """
    relation = Relation(entry.context(()))
    caller, purpose = relating.caller, relating.admitted.purpose
    needed = relating.needed
    cases: list[CaseFacts] = []
    if needed.case:
        cases = await _cases(gatherer, catalogue, relating, needed.case, relation, entry)
    applicants = [relation.cases[key] for key in relating.subjects.cases if key in relation.cases]
    asked = tuple(dict.fromkeys((*relating.subjects.recipients, *applicants)))
    facts: Mapping[str, RecipientFacts] = {}
    if needed.recipient and asked:
        own = caller.residents if purpose.relation == "household" else needed.lookers(caller)
        people = tuple(dict.fromkeys((*asked, *own)))
        # Whoever looks has been named in the first INTENT, apart from those it is about.
        await entry.intend_for(asked if needed.likeness else people)
        facts = await _recipients(gatherer, catalogue, needed, people, relation, entry)
    colleagues = await relating.officials.colleagues(caller, purpose, relation.context)
    rules = {key: _judge(relating, key, facts, cases) for key in asked}
    closed = {key: judge_colleagues(key, facts.get(key), colleagues) for key in asked}
    if any((*rules.values(), *closed.values())):
        # Read for whoever is out of reach, so that time tells no colleague from anybody else.
        approved = await approvals(relating.allowed, caller, purpose)
        opened = {key for key in asked if approved.covers(key, facts.get(key), cases)}
        if not opened.isdisjoint(key for key, rule in closed.items() if rule is not None):
            entry.facts["approvals"] = approved.requests
        closed |= dict.fromkeys(opened)
    for key in asked:
        _settle(relation, key, rules[key] or closed[key])
        if key not in caller.recipients and conceals(purpose, facts.get(key)):
            relation.concealed.add(key)
    alike, glasses = relation.likeness, relating.allowed.opened
    entry.flag(flags(asked, alike, caller.residents, colleagues or (), glasses))
    if needed.receipts and relation.reached:
        await _receipts(gatherer, catalogue, relating, needed.receipts, relation, entry)
    for reference, applicant in list(relation.cases.items()):
        if reference in relating.subjects.cases and applicant not in relation.reached:
            _settle(relation, reference, "its applicant is out of reach")
            del relation.cases[reference]
    _open_households(catalogue.identity, relating, facts, relation)
    # They are of as many as live in all the households: worked out where a condition rests on them.
    for key, of in facts.items() if purpose.conditions else ():
        relation.facts |= known_of(key, of, cases, relating.admitted.day)
    return relation


def _judge(
    relating: Relating, key: str, facts: Mapping[str, RecipientFacts], cases: Sequence[CaseFacts]
) -> str | None:
    """Why the caller may not reach a recipient, by these facts; None where they may."""
    caller, purpose = relating.caller, relating.admitted.purpose
    if purpose.relation == "household":
        today = datetime.datetime.now(datetime.UTC).date()
        return judge_child(caller, key, facts.get(key), facts.get(caller.recipient or ""), today)
    opened = relating.allowed.opened
    return judge_recipient(caller, purpose, key, facts.get(key), cases, opened)


def _settle(relation: Relation, key: str, rule: str | None) -> None:
    if rule is None:
        relation.reached.add(key)
    else:
        relation.reached.discard(key)
        relation.unreached[key] = rule


async def _cases(
    gatherer: Gatherer,
    catalogue: Catalogue,
    relating: Relating,
    items: tuple[Item, ...],
    relation: Relation,
    entry: Entry,
) -> list[CaseFacts]:
    """Look up every case named; those that give a reason, the rest refused or unreached."""
    purpose = relating.admitted.purpose
    named = tuple(dict.fromkeys((*relating.named_cases, *relating.subjects.cases)))
    keys = tuple(key for key in named if _KEY.match(key))
    gathered = Gathered()
    if keys:
        ask = Ask(catalogue.cases, "case", keys, items)
        gathered = await gatherer.round("case", [ask], relation.context)
        entry.calls += gathered.calls
        _require(gathered, items)
    found: list[CaseFacts] = []
    for reference in named:
        answer = gathered.answers.get((catalogue.cases, reference))
        facts = case_facts(catalogue, reference, answer)
        rule = judge_case(relating.caller, purpose, facts)
        if rule is None and facts is not None and facts.applicant is not None:
            found.append(facts)
            relation.cases[reference] = facts.applicant
            if answer is not None:
                relation.known[catalogue.cases, reference] = answer._replace(values={})
        else:
            relation.unreached[reference] = rule or "the case names no household"
    entry.cases = tuple(relation.cases)
    relation.context = entry.context(entry.cases)
    if not relation.unreached.keys().isdisjoint(relating.named_cases):
        # Why, and which of them, goes to the log alone: who goes through references learns nothing.
        entry.leaves(relation.unreached)
        raise refused("CASE_REFUSED", "a case named in `Hub-Case` gives no reason to look")
    return found


async def _recipients(
    gatherer: Gatherer,
    catalogue: Catalogue,
    needed: Lookups,
    keys: tuple[str, ...],
    relation: Relation,
    entry: Entry,
) -> dict[str, RecipientFacts]:
    """Look up households and districts, and what the log flags, in one call.

    In the place of an id that can be nobody's goes a key that is nobody's, so that the answer to
    it is the same as to one that is unknown, the calls that were made included.
    """
    items = tuple({each.name: each for each in (*needed.recipient, *needed.likeness)}.values())
    sent = {key: key if _KEY.match(key) else f"nobody-{n}" for n, key in enumerate(keys)}
    ask = Ask(catalogue.identity, "person", tuple(sent.values()), items)
    gathered = await gatherer.round("household", [ask], relation.context)
    entry.calls += gathered.calls
    _require(gathered, needed.recipient)
    facts = {}
    for key, asked in sent.items():
        answer = gathered.answers[catalogue.identity, asked]
        if answer.state is State.KNOWN and asked == key:
            relation.known[catalogue.identity, key] = answer._replace(values={})
            facts[key] = recipient_facts(catalogue, answer)
            relation.likeness[key] = likeness_of(needed.likeness, answer)
    return facts


async def _receipts(
    gatherer: Gatherer,
    catalogue: Catalogue,
    relating: Relating,
    items: tuple[Item, ...],
    relation: Relation,
    entry: Entry,
) -> None:
    """Look up the receipts of those still reached, and keep those that the survey concerns."""
    keys = tuple(sorted(relation.reached))
    ask = Ask(catalogue.cases, "person", keys, items)
    gathered = await gatherer.round("receipts", [ask], relation.context)
    entry.calls += gathered.calls
    _require(gathered, items)
    purpose = relating.admitted.purpose
    for key in keys:
        answer = gathered.answers[catalogue.cases, key]
        rows = answer.values.get(items[0].path[0]) or ()
        paid = tuple(Paid(*(value_of(item, row) for item in items)) for row in rows)
        month = answer.as_of.strftime("%Y-%m") if answer.as_of is not None else None
        _settle(relation, key, judge_receipts(relating.caller, purpose, Receipts(paid, month)))


def _require(gathered: Gathered, items: Iterable[Item]) -> None:
    """Refuse where a look-up failed: a rule that cannot be evaluated denies."""
    paths = {item.path[0]: item for item in items}
    for (source, _), answer in gathered.answers.items():
        if answer.failure is not None:
            raise refused(
                answer.failure.code,
                f"`{source}` could not be asked for what the rules of access rest on",
                source=source,
                retryAfter=math.ceil(answer.failure.retry_after or 5),
            )
        for key, item in paths.items():
            value = answer.values.get(key)
            rows = value if isinstance(value, list) else ()
            if value is BROKEN or any(BROKEN in row.values() for row in rows):
                raise refused(
                    "SOURCE_CONTRACT",
                    f"`{source}` answered otherwise than it declares, and access rests on it",
                    source=source,
                    item=item.name,
                )


def _open_households(
    identity: str,
    relating: Relating,
    facts: Mapping[str, RecipientFacts],
    relation: Relation,
) -> None:
    """Reach the members of the households that the operation may open, and of no others.

    Over a household that it may assess only, answers are worked out, and no member is reached.
    """
    verdict = relating.admitted.verdict
    for root, keys in relating.subjects.by_root:
        opens = bool(root.leads) and root.leads <= verdict.granted
        if not opens and verdict.assessing.isdisjoint(each.name for each in root.derived):
            continue
        heads = [relation.cases.get(key) for key in keys] if root.of_case else keys
        for head in heads:
            if head is None or head not in relation.reached or head not in facts:
                continue
            members = facts[head].members or ()
            for member in (head, *members):
                relation.assessed[member] = members
                if opens:
                    relation.households[member] = members
                    relation.reached.add(member)
                relation.known.setdefault((identity, member), relation.known[identity, head])
                if head in relation.concealed:
                    relation.concealed.add(member)
