"""Asks for what waited for a means test, once that could be made on everything else."""

from __future__ import annotations

from dataclasses import dataclass

from hub.admission import Admitted
from hub.conditions import Settled, settle_waiting
from hub.links import follow, links, scheduled
from hub.operation import Hub
from hub.querylog.record import Entry
from hub.relate import Relation
from hub.rounds import layered
from schema.view import View


@dataclass(frozen=True, slots=True)
class Asking:
    """An operation that has items waiting."""

    hub: Hub
    admitted: Admitted
    relation: Relation
    entry: Entry
    withhold: bool


async def ask_waiting(asking: Asking, settled: Settled, view: View) -> None:
    """Settle the conditions that waited, ask for what they leave, and complete the view.

    Raises RequestRefused where one does not hold, and LogUnavailable.
    """
    hub, relation, entry = asking.hub, asking.relation, asking.entry
    purpose, day = asking.admitted.purpose, asking.admitted.day
    found = settle_waiting(view, purpose, settled, relation.facts, day)
    found.refuse(view.granted, withhold=asking.withhold)
    view.unmet = found.unmet
    if not found.wants:
        return
    await entry.intend_waiting(found.wants)
    layers = layered(view.catalogue, found.wants, relation.known)
    slots = scheduled(layers, links(view.catalogue, found.wants, view.transforms))
    before = len({call.round for call in entry.calls if call.round.startswith("data")})
    gathered = await follow(hub.gatherer, slots, hub.limits, relation.context, entry, before)
    entry.calls += gathered.calls
    view.later = gathered.answers
