"""The way of one operation, top to bottom: plan, decide, log, relate, gather, project, log."""

from __future__ import annotations

import datetime
from functools import partial

from graphql import OperationType

from authz.caller import Caller
from hub.about import About
from hub.admission import Declared, admit, references
from hub.conditions import narrow, testing
from hub.documents import variable_values
from hub.errors import refused
from hub.links import follow, links, scheduled
from hub.lookups import lookups
from hub.operation import Encode, Hub, Request
from hub.oversight.acts import act
from hub.oversight.allowances import Released, allowances, meet
from hub.plan import Plan, plan_of, subjects
from hub.project import Reading, project
from hub.querylog.record import Because, reduced
from hub.relate import Relating, relate
from hub.rounds import layered
from hub.waiting import Asking, ask_waiting
from schema.view import View


async def answer(hub: Hub, caller: Caller, request: Request, encode: Encode) -> bytes:
    """Answer one operation. Raises RequestRefused, and LogUnavailable: then nothing is released."""
    catalogue, limits = hub.schema.catalogue, hub.limits
    shown = partial(hub.visibility.to, caller, request.purpose)
    document = hub.documents.read(hub.trusted.text(request.sent), shown)
    plan = plan_of(hub.schema, document, request.operation_name, request.variables)
    purpose = hub.register.purposes.get(request.purpose or "")
    about = About(hub.schema, shown, hub.register, hub.documents, hub.gatherer, caller, purpose)
    if plan.acts:
        return await act(hub, request, plan, about, encode)
    _check_method(request, plan)
    if not plan.roots:
        hub.trusted.check_hash(document, request.sent)
        variable_values(shown(), plan.operation, request.variables)
        reading = Reading(View.empty(catalogue), about)
        return encode(project(shown(), plan, request.variables, reading), (), {})

    because = Because(caller, purpose, request.reason, plan, hub.register.version, request.anew)
    async with hub.log.entry(because) as entry:
        if request.by_url:
            raise refused("METHOD_NOT_ALLOWED", "GET serves only what touches no data item")
        hub.trusted.check(document, request.sent, caller, purpose)
        variables = variable_values(hub.schema.graphql, plan.operation, request.variables)
        whom, cases = subjects(plan, hub.schema, variables), references(request.cases)
        entry.names(whom.recipients, (*cases, *whom.cases))
        declared = Declared(cases, request.reason, request.withhold, _today(), request.anew)
        admitted = admit(caller, purpose, declared, plan, whom, limits)
        await entry.count(whom.recipients, admitted.purpose.limits.subjects_per_day)
        allowed = await allowances(hub.ledger, caller, admitted.purpose, whom, cases)
        entry.facts |= allowed.told
        admitted, tested = testing(hub.schema, admitted, whom)
        verdict = admitted.verdict
        needed = lookups(catalogue, admitted.purpose, verdict)
        looked_up = (*needed.names, *hub.officials.items(admitted.purpose))
        await entry.intend(
            whom.recipients, (*cases, *whom.cases), verdict, looked_up, needed.lookers(caller)
        )
        relating = Relating(caller, admitted, needed, tested, cases, allowed, hub.officials)
        relation = await relate(hub.gatherer, catalogue, relating, entry)
        wants, concealed, settled = narrow(catalogue, admitted, whom, relation, limits.cost)
        if settled.waiting:
            wants, concealed, settled = narrow(catalogue, admitted, tested, relation, limits.cost)
        settled.refuse(verdict.granted, withhold=request.withhold)
        await entry.intend_for(wants.people)
        layers = layered(catalogue, settled.wants, relation.known)
        slots = scheduled(layers, links(catalogue, settled.wants, verdict.transforms))
        gathered = await follow(hub.gatherer, slots, limits, relation.context, entry)
        entry.calls += gathered.calls
        view = View(
            catalogue=catalogue,
            granted=verdict.granted,
            withheld=admitted.withheld,
            transforms=admitted.transforms,
            answers=relation.known | gathered.answers | concealed.answers(),
            households=relation.households,
            reached=frozenset(relation.reached),
            cases=relation.cases,
            known=relation.known.keys(),
            derivable=verdict.derivable,
            unmet=settled.unmet,
            waiting={key: names for (_, key), names in settled.waiting.items()},
            assessed=relation.assessed,
            marked=hub.marks.of(relation.reached),
        )
        if settled.waiting:
            await ask_waiting(
                Asking(hub, admitted, relation, entry, request.withhold), settled, view
            )
        projected = hub.projections.project(
            plan, request.variables, variables, Reading(view, about)
        )
        body = encode(projected, concealed.shown(entry.calls), reduced(verdict))
        await meet(allowed, about, Released(entry.operation, request.reason, view))
        codes, unreached = projected.codes, relation.unreached
        await entry.outcome(view, verdict.denied, codes, unreached, concealed.by_person)
    return body


def _check_method(request: Request, plan: Plan) -> None:
    """Raise RequestRefused for a mutation in a URL, though it ask for nothing but its own name."""
    if request.by_url and plan.operation.operation is not OperationType.QUERY:
        raise refused("METHOD_NOT_ALLOWED", "GET serves queries only, and none that touch data")


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
