"""What would be decided and asked for an operation, without asking anyone: `hub explain`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from authz.caller import Caller
from authz.decide import decide, decisions_on
from authz.purpose import Decision, Purpose
from hub.about import decide_acts
from hub.admission import Admitted
from hub.app import Plans
from hub.conditions import apart, testing
from hub.config import Limits
from hub.documents import Documents
from hub.links import Slot, links, scheduled
from hub.lookups import lookups
from hub.officials import Officials
from hub.plan import Subjects, plan_of
from hub.projecting.compiled import compiled
from hub.projecting.shape import NotCompiled, conditions
from hub.rounds import Reach, layered, wanted

RECIPIENT = "each recipient named"
APPLICANT = "the applicant of each case named"
MEMBER = "each other member of the household"
CASE = "each case named"
OFFICE = "the caller's office"


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
    document = Documents(plans.schema.graphql, limits).read(text, lambda: plans.schema.graphql)
    plan = plan_of(plans.schema, document, operation_name, {})
    caller = Caller("someone", "someone", purpose.roles, "office", "district", "issuer")
    today = datetime.datetime.now(datetime.UTC).date()
    verdict = decide(caller, purpose, plan.asked, today)
    acts = decide_acts(plans.schema, plan, caller, purpose, today)
    decisions = (*decisions_on(purpose, plan.asked, verdict), *acts)
    steps: list[Step] = []
    needed = lookups(plans.catalogue, purpose, verdict)
    cases, identity = plans.catalogue.cases, plans.catalogue.identity
    if plan.roots and needed.case:
        names = tuple(item.name for item in needed.case)
        steps.append(Step("case", cases, CASE, names))
    if plan.roots and needed.recipient:
        names = tuple(item.name for item in needed.recipient)
        steps.append(Step("household", identity, RECIPIENT, names))
    colleagues = Officials(plans.officials, None).items(purpose)
    if plan.roots and plans.officials and colleagues:
        steps.append(Step("officials", plans.officials.identity, OFFICE, colleagues))
    if plan.roots and needed.receipts:
        names = tuple(item.name for item in needed.receipts)
        steps.append(Step("receipts", cases, RECIPIENT, names))
    named = Subjects(tuple((root, (CASE if root.of_case else RECIPIENT,)) for root in plan.roots))
    admitted, whom = testing(plans.schema, Admitted(purpose, verdict, today), named)
    households = {head: (head, MEMBER) for head in (RECIPIENT, APPLICANT)}
    reach = Reach({RECIPIENT, APPLICANT}, households, {CASE: APPLICANT}, households)
    wants = wanted(whom.by_root, reach, admitted.verdict, limits.cost)
    first, later = apart(plans.catalogue, purpose, wants.items)
    known = {(cases, CASE)} if needed.case else set()
    if needed.recipient:
        known |= {(identity, person) for person in (RECIPIENT, APPLICANT, MEMBER)}
    for asked, when in ((first, ""), (later, ", if a means test so far allows it")):
        before = len(rounds_of([step for step in steps if step.round.startswith("data")]))
        layers = layered(plans.catalogue, asked, known)
        slots = scheduled(layers, links(plans.catalogue, asked, verdict.transforms))
        for number, slot in enumerate(slots, start=before + 1):
            steps += _calls(f"data {number}{when}", slot)
    return Explanation(decisions, tuple(steps))


def code(plans: Plans, limits: Limits, text: str, operation_name: str | None = None) -> str:
    """The code that an operation is compiled to, or why it is executed by graphql-core.

    The variables of its `@skip` and `@include` are taken to be true. Raises RequestRefused.
    """
    document = Documents(plans.schema.graphql, limits).read(text, lambda: plans.schema.graphql)
    plan = plan_of(plans.schema, document, operation_name, {})
    try:
        if not plan.roots:
            raise NotCompiled("it touches no data item")
        flags = dict.fromkeys(conditions(document, plan.operation), True)
        return compiled(plans.schema, plan, flags).source
    except NotCompiled as reason:
        return f"executed by graphql-core because {reason}"


def _calls(name: str, slot: Slot) -> Iterator[Step]:
    """The calls of one round."""
    for ask in slot.asks:
        names = tuple(item.name for item in ask.items)
        yield Step(name, ask.source, " and ".join(ask.keys), names)
    for link in slot.links:
        wanted_names = frozenset().union(*link.wants.values())
        names = tuple(item.name for item in link.items if item.name in wanted_names)
        about = f"each `{link.key.name}` of {' and '.join(link.wants)}"
        yield Step(name, link.source, about, names)


def rounds_of(steps: Sequence[Step]) -> list[str]:
    """The rounds, in order."""
    return list(dict.fromkeys(step.round for step in steps))
