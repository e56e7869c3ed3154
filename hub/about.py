"""What the hub says of itself, without asking any agency: sources, purposes, and decisions."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from authz import purpose as registered
from authz.caller import Caller
from authz.decide import decide, decisions_on, unusable
from authz.register import Register
from hub.documents import Documents, Shown
from hub.errors import RequestRefused, refused
from hub.gather import Gatherer
from hub.plan import Plan, plan_of
from schema.access import Access, ItemDecision, LegalBasis, Purpose, SourceState
from schema.build import HubSchema


@dataclass(frozen=True, slots=True)
class About:
    """The hub as one caller sees it, for the purpose they declared, if any.

    `shown` gives the part of the schema that they may see.
    """

    schema: HubSchema
    shown: Shown
    register: Register
    documents: Documents
    gatherer: Gatherer
    caller: Caller
    purpose: registered.Purpose | None

    def sources(self) -> Iterator[SourceState]:
        """Every enabled source, and how it answered last."""
        for name, source in self.schema.catalogue.sources.items():
            health = self.gatherer.health[name]
            yield SourceState(
                name=name,
                agency=source.agency,
                agency_ko=source.agency_ko,
                description=source.description,
                adapter=source.adapter,
                items=sum(not item.is_exists for item in source.items),
                state=health.state,
                last_answered=health.last_answered,
            )

    def purposes(self) -> Iterator[Purpose]:
        """The purposes open to the caller's roles, with what each may see."""
        for code, purpose in sorted(self.register.purposes.items()):
            if purpose.roles & self.caller.roles:
                yield Purpose(
                    code=code,
                    title=purpose.title,
                    legal_basis=_basis(purpose),
                    roles=sorted(purpose.roles),
                    case_needed=purpose.case_needed,
                    items=list(purpose.allowed_items),
                )

    def access(self, text: str, variables: Any) -> Access:
        """What would be decided for an operation, item by item. Raises GraphQLError."""
        try:
            return self._access(text, variables)
        except RequestRefused as refusal:
            raise refusal.errors[0] from refusal

    def _access(self, text: str, variables: Any) -> Access:
        purpose = self.purpose
        if purpose is None:
            raise refused("PURPOSE_REQUIRED", "`Hub-Purpose` names no known purpose")
        given = {} if variables is None else variables
        if not isinstance(given, Mapping):
            raise refused("BAD_VARIABLES", "`variables` is no object of variables by name")
        document = self.documents.read(text, self.shown)
        plan = plan_of(self.schema, document, None, given)
        today = datetime.datetime.now(datetime.UTC).date()
        verdict = decide(self.caller, purpose, plan.asked, today)
        decisions = (
            *decisions_on(purpose, plan.asked, verdict),
            *decide_acts(self.schema, plan, self.caller, purpose, today),
        )
        return Access(
            allowed=all(decision.allowed for decision in decisions),
            items=[_told(purpose, decision) for decision in decisions],
        )


def decide_acts(
    schema: HubSchema,
    plan: Plan,
    caller: Caller,
    purpose: registered.Purpose,
    today: datetime.date,
) -> Iterator[registered.Decision]:
    """Whether the caller may do, for a purpose, what an operation does: every denial of each act.

    What an act may do to whom is found out when it is done.
    """
    root = schema.graphql.get_root_type(plan.operation.operation)
    refusal = unusable(caller, purpose, today)
    for name in dict.fromkeys(node.name.value for node in plan.acts):
        relations = schema.needs[root.name, name].relations if root is not None else frozenset()
        fits = purpose.relation in relations
        if refusal is not None:
            yield registered.Decision(name, False, *refusal)
        elif fits:
            rule = f"`{purpose.code}` is of the relation `{purpose.relation}`"
            yield registered.Decision(name, True, rule, "")
        if not fits:
            rule = f"`{name}` is not for `{purpose.code}`"
            named = ", ".join(f"`{relation}`" for relation in sorted(relations))
            remedy = f"declare a purpose of the relation {named}"
            yield registered.Decision(name, False, rule, remedy)


def _told(purpose: registered.Purpose, decision: registered.Decision) -> ItemDecision:
    word = "allow" if decision.allowed else "deny"
    return ItemDecision(
        item=decision.item,
        decision="reduce" if decision.transform and decision.allowed else word,
        rule=decision.rule,
        legal_basis=_basis(purpose),
        remedy=decision.remedy,
        use=decision.use,
    )


def _basis(purpose: registered.Purpose) -> LegalBasis:
    return LegalBasis(act=purpose.legal_basis.act, article=purpose.legal_basis.article)
