"""What people do about values that are wrong, by the fields of the schema."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from strawberry import ID

from authz.caller import Caller
from hub.acting import Acting, Arguments
from hub.corrections import tickets
from hub.corrections.tickets import Marking, Move, Ticket
from hub.errors import refused
from hub.querylog.store import Stored
from hub.reading.account import released_of
from hub.reading.search import Search, find
from schema import corrections as shown
from schema.marked import CorrectionState, WrongBecause
from sources.declaration import Catalogue

SHOWN_DAYS = 90
"""Days for which what was shown to somebody may be marked by them."""


def marked(fields: Mapping[str, Arguments], catalogue: Catalogue) -> dict[str, object]:
    """What is marked or moved, as the records of the operation say it: no note, no value.

    Raises RequestRefused.
    """
    found: dict[str, object] = {}
    given = fields.get("markWrong")
    if given is not None:
        item = catalogue.items.get(given["item"])
        if item is None or item.is_exists:
            raise refused("BAD_VARIABLES", "`item` is no data item of an enabled source")
        found["marks"] = {"item": item.name, "source": item.source, "why": given["why"].value}
    given = fields.get("moveCorrection")
    if given is not None:
        found["moves"] = given["to"].value
    return found


async def _mark_wrong(acting: Acting) -> shown.Correction:
    given, catalogue = acting.arguments, acting.hub.schema.catalogue
    item = catalogue.items[given["item"]]
    if not await _was_shown(acting, given["recipient"], item.name):
        message = f"you were not shown this item of the recipient in the last {SHOWN_DAYS} days"
        raise refused("CORRECTION_REFUSED", message)
    if len(given["note"]) > tickets.MOST_NOTE:
        raise refused("BAD_VARIABLES", f"`note` has {tickets.MOST_NOTE} characters at most")
    marking = Marking(
        given["recipient"], item.source, item.name, given["why"].value, given["note"].strip()
    )
    made = await tickets.file(acting.ledger, acting.about.caller, acting.purpose, marking)
    await acting.hub.marks.refresh()
    return correction(catalogue, made)


async def _was_shown(acting: Acting, recipient: str, item: str) -> bool:
    """Whether the log says that the item was released of the recipient to the caller."""
    caller, log = acting.about.caller, acting.hub.log
    pseudonym = log.pseudonyms.of(recipient)
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=SHOWN_DAYS)
    search = Search(
        person=caller.person,
        subject=bytes.fromhex(pseudonym),
        item=item,
        outcome="answered",
        since=since,
        released=True,
    )
    page = await find(log.store, search, 20)
    return any(
        _is_by(found, caller) and item in released_of(found, pseudonym) for found in page.records
    )


def _is_by(found: Stored, caller: Caller) -> bool:
    details: Mapping[str, Any] = found.details or {}
    actors = [(actor["person"], actor["issuer"]) for actor in details.get("actor", ())]
    return (details.get("person"), details.get("issuer"), actors) == (
        caller.person,
        caller.issuer,
        [(actor.person, actor.issuer) for actor in caller.actors],
    )


async def _withdraw(acting: Acting) -> shown.Correction:
    made = await tickets.withdraw(
        acting.ledger, acting.about.caller, str(acting.arguments["ticket"])
    )
    return await _settled(acting, made)


async def _move(acting: Acting) -> shown.Correction:
    given, caller = acting.arguments, acting.about.caller
    wanted = Move(str(given["ticket"]), given["to"].value, given["reply"], caller.person)
    return await _settled(acting, await tickets.move(acting.ledger, caller, wanted))


async def _settled(acting: Acting, made: Ticket) -> shown.Correction:
    acting.entry.facts["marks"] = {"item": made.item, "source": made.source, "why": made.why}
    await acting.hub.marks.refresh()
    return correction(acting.hub.schema.catalogue, made)


async def _corrections(acting: Acting) -> list[shown.Correction]:
    found = await tickets.open_tickets(acting.ledger, acting.arguments.get("source"))
    catalogue = acting.hub.schema.catalogue
    return [correction(catalogue, each) for each in found[: tickets.MOST_SHOWN]]


async def _own_corrections(acting: Acting) -> list[shown.Correction]:
    found = await tickets.own_tickets(acting.ledger, acting.about.caller)
    return [correction(acting.hub.schema.catalogue, each) for each in found]


def correction(catalogue: Catalogue, ticket: Ticket) -> shown.Correction:
    """A ticket as people are shown it."""
    source = catalogue.sources.get(ticket.source)
    return shown.Correction(
        id=ID(ticket.id),
        source=ticket.source,
        agency=ticket.source if source is None else source.agency,
        item=ticket.item,
        why=WrongBecause(ticket.why),
        state=CorrectionState(ticket.state),
        filed_at=_time(ticket.filed),
        changed_at=_time(ticket.changed),
        reply=ticket.reply,
    )


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


CORRECTIONS: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "markWrong": _mark_wrong,
    "withdrawCorrection": _withdraw,
    "moveCorrection": _move,
    "corrections": _corrections,
    "ownCorrections": _own_corrections,
}
"""What is done by each field."""
