"""The way of one operation, top to bottom: plan, decide, log, relate, gather, project, log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import OperationDefinitionNode

from authz.caller import Caller
from authz.register import Register
from hub.admission import admit, references
from hub.config import Limits
from hub.documents import Document, Documents, variable_values
from hub.gather import Call, Gatherer
from hub.plan import make_plan, subjects
from hub.project import Projected, Reading, project
from hub.querylog.record import Because, Log
from hub.relate import Relating, lookups, relate
from hub.rounds import layered, wanted
from schema.build import HubSchema
from schema.view import View


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request, and the headers that say why it is made."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None
    purpose: str | None
    cases: str | None
    withhold: bool


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts that an operation goes through."""

    schema: HubSchema
    register: Register
    documents: Documents
    gatherer: Gatherer
    log: Log
    limits: Limits


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer whose OUTCOME is durable, and the calls it took."""

    projected: Projected
    calls: tuple[Call, ...] = ()


def touches_data(hub: Hub, document: Document, operation: OperationDefinitionNode) -> bool:
    """Whether an operation reaches any data item."""
    return bool(make_plan(hub.schema, document, operation).roots)


async def answer(hub: Hub, caller: Caller, request: Request) -> Answered:
    """Answer one operation. Raises RequestRefused, and LogUnavailable: then nothing is released."""
    catalogue = hub.schema.catalogue
    document = hub.documents.read(request.query)
    plan = make_plan(hub.schema, document, document.operation(request.operation_name))
    variables = variable_values(hub.schema.graphql, plan.operation, request.variables)
    reading = Reading(View.empty(catalogue), hub.register, hub.gatherer, caller)
    if not plan.roots:
        return Answered(project(hub.schema, plan, request.variables, reading))

    whom = subjects(plan, hub.schema, variables)
    purpose = hub.register.purposes.get(request.purpose or "")
    cases = references(request.cases)
    because = Because(caller, purpose, cases or whom.cases, plan, hub.register.version)
    async with hub.log.entry(because) as entry:
        admitted = admit(caller, purpose, cases, plan, whom, hub.limits, request.withhold)
        granted = admitted.verdict.granted
        await entry.intend(whom.recipients, granted, lookups(catalogue, admitted.purpose).names)
        relating = Relating(caller, admitted, plan, whom, cases, entry.context)
        relation = await relate(hub.gatherer, catalogue, relating, entry.intend_for)
        wants = wanted(whom.by_root, relation.households, relation.cases, relation.reached, granted)
        await entry.intend_for(wants)
        gathered = await hub.gatherer.rounds(
            layered(catalogue, wants, relation.answers), hub.limits, entry.context
        )
        view = View(
            catalogue=catalogue,
            granted=granted,
            withheld=admitted.withheld,
            answers=relation.answers | gathered.answers,
            households=relation.households,
            reached=frozenset(relation.reached),
            cases=relation.cases,
        )
        projected = project(hub.schema, plan, request.variables, reading.of(view))
        calls = (*relation.calls, *gathered.calls)
        denied, unreached = admitted.verdict.denied, relation.unreached
        await entry.outcome(view.released, denied, calls, projected.codes, unreached)
    return Answered(projected, calls)
