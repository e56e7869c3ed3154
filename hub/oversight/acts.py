"""An operation by which people approve, open a break-glass, review or are told, top to bottom.

It reaches no agency. Like any other it is logged before anything is done, and before it is
answered.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from graphql import FieldNode, GraphQLError, GraphQLObjectType, OperationType, VariableNode
from graphql.execution.values import get_argument_values
from strawberry import ID

from authz.decide import Verdict
from authz.purpose import Purpose
from hub.about import About, decide_acts
from hub.acting import Acting, Arguments
from hub.corrections.acts import CORRECTIONS, marked
from hub.documents import variable_values
from hub.errors import RequestRefused, error, refused
from hub.operation import Encode, Hub, Request
from hub.oversight import approvals, notices, uses
from hub.plan import Plan
from hub.population.decision_times import DECISION_TIMES
from hub.population.statistics import POPULATION
from hub.population.worklist import WORKLIST
from hub.project import Reading, project
from hub.querylog.record import Because
from hub.reading.acts import READINGS, told
from schema import oversight as shown
from schema.view import View

MOST_REASON = 1_000
"""Characters of a reason or a note."""
_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}\Z")


async def act(hub: Hub, request: Request, plan: Plan, about: About, encode: Encode) -> bytes:
    """Do what the operation says, and answer. Raises RequestRefused, LogUnavailable."""
    caller, purpose, fields = about.caller, about.purpose, _arguments(hub, request, plan)
    reason = next((str(given["reason"]) for given in fields.values() if "reason" in given), "")
    because = Because(caller, purpose, reason[:MOST_REASON], plan, hub.register.version)
    async with hub.log.entry(because) as entry:
        if request.by_url:
            raise refused("METHOD_NOT_ALLOWED", "GET serves only what touches no data item")
        hub.trusted.check(plan.document, request.sent, caller, purpose)
        people, cases = _about(fields)
        entry.names(people, cases)
        _check_texts(fields)
        usable = _usable(hub, plan, about)
        entry.facts["acts"] = {
            name: given.get("request", given.get("use", given.get("ticket")))
            for name, given in fields.items()
        }
        entry.facts |= told(fields) | marked(fields, hub.schema.catalogue)
        await entry.intend(people, cases, Verdict(frozenset(), ()), ())
        done = {}
        for name, given in fields.items():
            done[name] = await _ACTS[name](
                Acting(hub, about, usable, given, entry, plan, request.variables)
            )
        entry.facts["acts"] = {name: getattr(made, "id", None) for name, made in done.items()}
        view = View.empty(hub.schema.catalogue)
        view.derived |= {
            key: {name} for name, made in done.items() for key in getattr(made, "people", ())
        }
        projected = project(about.shown(), plan, request.variables, Reading(view, about, done))
        body = encode(projected, (), {})
        await entry.outcome(view, (), projected.codes, {}, {})
    return body


def _arguments(hub: Hub, request: Request, plan: Plan) -> dict[str, Arguments]:
    """The fields to act by, with their arguments. Raises RequestRefused.

    A mutation is one act, so that none is done of which another fails.
    """
    graphql, kind = hub.schema.graphql, plan.operation.operation
    if plan.roots or plan.introspects:
        message = "it asks for data items or the schema too: ask in operations of their own"
        raise refused("BAD_REQUEST", message)
    if kind is OperationType.MUTATION and not _is_plain(plan):
        message = "a mutation does one thing, without fragment or directive: send each by itself"
        raise refused("BAD_REQUEST", message)
    variables = variable_values(graphql, plan.operation, request.variables)
    root = _root(hub, plan)
    found: dict[str, Arguments] = {}
    for node in plan.acts:
        _check_hidden(node)
        if node.name.value in found:
            raise refused("BAD_REQUEST", f"`{node.name.value}` stands twice: ask once")
        try:
            found[node.name.value] = get_argument_values(
                root.fields[node.name.value], node, variables
            )
        except GraphQLError as wrong:
            message = f"an argument of `{node.name.value}` is missing or of the wrong type"
            raise refused("BAD_VARIABLES", message) from wrong
    return found


def _check_texts(fields: Mapping[str, Arguments]) -> None:
    """A reason or a note is a text that people read, of some length. Raises RequestRefused."""
    for given in fields.values():
        for name in ("reason", "note"):
            text = str(given.get(name) or "")
            if len(text) > MOST_REASON:
                raise refused("BAD_VARIABLES", f"`{name}` has {MOST_REASON} characters at most")
            if not "".join(text.split()).isprintable():
                raise refused("BAD_VARIABLES", f"`{name}` has characters that nobody can read")


def _check_hidden(node: FieldNode) -> None:
    """Whom a log is searched for stands in no document: documents are kept."""
    for argument in node.arguments or ():
        if argument.name.value == "subject" and not isinstance(argument.value, VariableNode):
            raise refused("BAD_VARIABLES", "give `subject` by a variable, not in the document")


def _is_plain(plan: Plan) -> bool:
    nodes = plan.operation.selection_set.selections
    return len(nodes) == 1 and isinstance(nodes[0], FieldNode) and not nodes[0].directives


def _root(hub: Hub, plan: Plan) -> GraphQLObjectType:
    root = hub.schema.graphql.get_root_type(plan.operation.operation)
    if root is None:
        raise LookupError("the schema has no root for a valid operation")
    return root


def _usable(hub: Hub, plan: Plan, about: About) -> Purpose:
    """The declared purpose, where the caller may act by it. Raises RequestRefused."""
    if about.purpose is None:
        raise refused("PURPOSE_REQUIRED", "`Hub-Purpose` names no known purpose")
    today = datetime.datetime.fromtimestamp(hub.ledger.clock(), datetime.UTC).date()
    decisions = decide_acts(hub.schema, plan, about.caller, about.purpose, today)
    remedies = {each.rule: each.remedy for each in decisions if not each.allowed}
    errors = [error("PURPOSE_DENIED", rule, remedy=remedy) for rule, remedy in remedies.items()]
    if errors:
        raise RequestRefused(errors)
    return about.purpose


def _about(fields: Mapping[str, Arguments]) -> tuple[list[str], list[str]]:
    """The recipients and cases that acts name. Raises RequestRefused for what can be none."""
    people: list[str] = []
    cases: list[str] = []
    for given in fields.values():
        people += [given["recipient"]] if "recipient" in given else given.get("recipients") or []
        people += [given["subject"]] if given.get("subject") is not None else []
        cases += [given["case"]] if given.get("case") is not None else []
    if not all(_KEY.match(key) for key in (*people, *cases)):
        raise refused("BAD_VARIABLES", "what is named is no id of a recipient or a case")
    return people, cases


async def _request_approval(acting: Acting) -> shown.ApprovalRequest:
    given = acting.arguments
    wanted = approvals.Wanted(
        tuple(given.get("recipients") or ()), given.get("case"), given["reason"].strip()
    )
    made = await approvals.request_approval(
        acting.ledger, acting.about.caller, acting.purpose, wanted
    )
    return _request(made)


async def _approve(acting: Acting) -> shown.ApprovalRequest:
    given = acting.arguments
    decided = approvals.Decided(
        request=given["request"],
        recipients=tuple(given.get("recipients") or ()),
        case=given.get("case"),
        granted=given["granted"],
        note=given["note"],
    )
    register = acting.hub.register
    return _request(await approvals.approve(acting.ledger, acting.about.caller, register, decided))


async def _open_break_glass(acting: Acting) -> shown.ReviewedUse:
    given = acting.arguments
    opened = await uses.open_glass(
        acting.ledger,
        acting.about.caller,
        acting.purpose,
        given["recipient"],
        given["reason"].strip(),
    )
    return _use(opened)


def _reviewing(kind: uses.Kind) -> Callable[[Acting], Awaitable[shown.ReviewedUse]]:
    async def review(acting: Acting) -> shown.ReviewedUse:
        given = acting.arguments
        found = uses.Review(given["use"], kind, given["finding"].value, given["note"])
        return _use(await uses.close_review(acting.ledger, acting.about.caller, found))

    return review


async def _waiting(acting: Acting) -> shown.Waiting:
    ledger, caller = acting.ledger, acting.about.caller
    to_decide = await approvals.approvals_to_decide(ledger, caller, acting.hub.register)
    to_review = await uses.uses_to_review(ledger, caller)
    return shown.Waiting(
        approvals=[_request(found) for found in to_decide],
        reviews=[_use(found) for found in to_review],
    )


async def _own_uses(acting: Acting) -> shown.OwnUses:
    ledger, caller = acting.ledger, acting.about.caller
    requests, own = (
        await approvals.own_approvals(ledger, caller),
        await uses.own_uses(ledger, caller),
    )
    return shown.OwnUses(
        approvals=[_request(found) for found in requests],
        uses=[_use(found) for found in own],
        suspended=any(found.overdue and found.kind == "break-glass" for found in own),
    )


async def _notices(acting: Acting) -> list[shown.Notice]:
    return [
        shown.Notice(
            at=_time(found.at),
            purpose=found.purpose,
            title=found.title,
            legal_basis=found.legal_basis,
            office=found.office,
        )
        for found in await notices.notices_for(acting.ledger, acting.about.caller)
    ]


_ACTS: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "requestApproval": _request_approval,
    "approve": _approve,
    "openBreakGlass": _open_break_glass,
    "reviewBreakGlass": _reviewing("break-glass"),
    "reviewUse": _reviewing("use"),
    "waiting": _waiting,
    "ownUses": _own_uses,
    "notices": _notices,
    **READINGS,
    **DECISION_TIMES,
    **POPULATION,
    **WORKLIST,
    **CORRECTIONS,
}


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _maybe(seconds: float | None) -> datetime.datetime | None:
    return None if seconds is None else _time(seconds)


def _request(found: approvals.Approval) -> shown.ApprovalRequest:
    return shown.ApprovalRequest(
        id=ID(found.id),
        purpose=found.purpose,
        person=found.person,
        office=found.office,
        reason=found.reason,
        requested_at=_time(found.at),
        recipients=found.recipients,
        of_case=found.of_case,
        state=shown.ApprovalState(found.state),
        until=_maybe(found.until),
        approver=found.approver,
    )


def _use(found: uses.Use) -> shown.ReviewedUse:
    return shown.ReviewedUse(
        id=ID(found.id),
        break_glass=found.kind == "break-glass",
        purpose=found.purpose,
        person=found.person,
        office=found.office,
        reason=found.reason,
        opened_at=_time(found.at),
        until=_maybe(found.until),
        due=_time(found.due),
        overdue=found.overdue,
        seen=[shown.Sight(at=_time(sight.at), items=list(sight.items)) for sight in found.seen],
        reviewed_at=_maybe(found.closed),
        finding=None if found.finding is None else shown.Finding(found.finding),
        reviewer=found.reviewer,
    )
