"""What would be decided and asked for an operation, without asking anyone: `hub explain`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from authz.caller import Caller
from authz.decide import decide, decisions_on
from authz.register import Decision, Purpose
from hub.app import Plans
from hub.config import Limits
from hub.documents import Documents
from hub.links import links, scheduled
from hub.plan import make_plan
from hub.relate import lookups
from hub.rounds import Reach, layered, wanted

RECIPIENT = "each recipient named"
APPLICANT = "the applicant of each case named"
MEMBER = "each other member of the household"
CASE = "each case named"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of one round: which source, about whom, for which items."""

    round: str
    source: str
    about: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision on every item, and the calls in their rounds."""

    decisions: tuple[Decision, ...]
    steps: tuple[Step, ...]


def explain(
    plans: Plans, limits: Limits, purpose: Purpose, text: str, operation_name: str | None = None
) -> Explanation:
    """Explain an operation for a purpose, for a caller who may use it. Raises RequestRefused."""
    document = Documents(plans.schema.graphql, limits).read(text, plans.schema.graphql)
    plan = make_plan(plans.schema, document, document.operation(operation_name))
    caller = Caller("someone", "someone", purpose.roles, "office", "district", "issuer")
    verdict = decide(caller, purpose, plan.asked, datetime.datetime.now(datetime.UTC).date())
    decisions = decisions_on(purpose, plan.asked, verdict)
    steps: list[Step] = []
    needed = lookups(plans.catalogue, purpose, verdict)
    cases, identity = plans.catalogue.cases, plans.catalogue.identity
    if plan.roots and needed.case:
        names = tuple(item.name for item in needed.case)
        steps.append(Step("case", cases, CASE, names))
    if plan.roots and needed.recipient:
        names = tuple(item.name for item in needed.recipient)
        steps.append(Step("household", identity, RECIPIENT, names))
    if plan.roots and needed.receipts:
        names = tuple(item.name for item in needed.receipts)
        steps.append(Step("receipts", cases, RECIPIENT, names))
    by_root = [(root, (CASE if root.of_case else RECIPIENT,)) for root in plan.roots]
    households = {head: (head, MEMBER) for head in (RECIPIENT, APPLICANT)}
    reach = Reach({RECIPIENT, APPLICANT}, households, {CASE: APPLICANT}, households)
    wants = wanted(by_root, reach, verdict, limits.cost)
    known = {(cases, CASE)} if needed.case else set()
    if needed.recipient:
        known |= {(identity, person) for person in (RECIPIENT, APPLICANT, MEMBER)}
    layers = layered(plans.catalogue, wants.items, known)
    found = links(plans.catalogue, wants.items, verdict.transforms)
    for number, slot in enumerate(scheduled(layers, found), start=1):
        for ask in slot.asks:
            names = tuple(item.name for item in ask.items)
            steps.append(Step(f"data {number}", ask.source, " and ".join(ask.keys), names))
        for link in slot.links:
            wanted_names = frozenset().union(*link.wants.values())
            names = tuple(item.name for item in link.items if item.name in wanted_names)
            about = f"each `{link.key.name}` of {' and '.join(link.wants)}"
            steps.append(Step(f"data {number}", link.source, about, names))
    return Explanation(decisions, tuple(steps))


def rounds_of(steps: Sequence[Step]) -> list[str]:
    """The rounds, in order."""
    return list(dict.fromkeys(step.round for step in steps))
