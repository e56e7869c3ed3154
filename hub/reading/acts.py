"""What auditors, and recipients, read of the query log, by the fields of the schema.

Whoever reads is logged like anyone else: what is searched for before it is searched, and which
records were shown before they are.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from strawberry import ID

from hub.acting import Acting, Arguments
from hub.errors import refused
from hub.querylog.note import NoteRefused
from hub.querylog.proof import Proof, proof_from
from hub.querylog.sealing import NotOpened
from hub.querylog.store import LogUnavailable, Store, Stored
from hub.reading.account import MOST_DAYS, delay, own_accesses, own_pseudonym, released_of
from hub.reading.indicators import INDICATORS, Found, chosen
from hub.reading.report import Report, Reporting
from hub.reading.search import MOST, Page, Search, cursor, find, milliseconds, read_cursor
from schema import audit as shown

LEAST_REASON = 20
"""Characters of the reason for telling somebody later."""
_PERSONAL = frozenset({"subject", "case", "recipient", "reason", "note"})
"""Arguments that stand in a record as pseudonyms, or in a place of their own."""


def told(fields: Mapping[str, Arguments]) -> dict[str, object]:
    """What is read, as the records of the operation say it."""
    reads = {name: _plain(given) for name, given in fields.items() if name in READINGS}
    return {"reads": reads} if reads else {}


def _plain(given: Arguments) -> dict[str, object]:
    return {
        name: _text(value)
        for name, value in given.items()
        if name not in _PERSONAL and value is not None
    }


def _text(value: Any) -> object:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    return [_text(each) for each in value] if isinstance(value, list) else value


async def _accesses(acting: Acting) -> shown.LogPage:
    number, before = first(acting), read_cursor(_given(acting, "after"))
    search = await _search(acting)
    page = await find(acting.hub.log.store, search, number, before)
    acting.entry.facts["records"] = [found.index for found in page.records]
    proofs = await _proofs(acting.hub.log.store, page) if _given(acting, "proofs") else {}
    return _page(page, {place: proof.text for place, proof in proofs.items()})


async def _proofs(store: Store, page: Page) -> dict[int, Proof]:
    """Proofs of the records of a page, of those that the signed tree has. Raises LogUnavailable."""
    found = {}
    try:
        async with store.engine.connect() as connection:
            for record in page.records:
                try:
                    place = record.index
                    found[place] = await proof_from(connection, store.sealing, place)
                except NoteRefused:
                    continue
    except (SQLAlchemyError, OSError, NotOpened) as error:
        raise LogUnavailable("the query log cannot be read") from error
    return found


def first(acting: Acting) -> int:
    """How many records a page is to have. Raises RequestRefused."""
    wanted = int(acting.arguments["first"])
    if not 1 <= wanted <= MOST:
        raise refused("BAD_VARIABLES", f"`first` is a number from 1 to {MOST}")
    return wanted


def _given(acting: Acting, name: str) -> Any:
    return acting.arguments.get(name)


async def _search(acting: Acting) -> Search:
    def pseudonym(name: str) -> bytes | None:
        key = _given(acting, name)
        return None if key is None else bytes.fromhex(acting.hub.log.pseudonyms.of(key))

    name, found = _given(acting, "indicator"), None
    if name is not None:
        _check_indicators([name])
        found = await reporting(acting).records(
            name, _time(acting, "since"), _time(acting, "until")
        )
    return Search(
        person=_given(acting, "person"),
        office=_given(acting, "office"),
        purpose=_given(acting, "purpose"),
        subject=pseudonym("subject"),
        case=pseudonym("case"),
        item=_given(acting, "item"),
        outcome=_given(acting, "outcome"),
        since=_given(acting, "since"),
        until=_given(acting, "until"),
        found=found,
        at_large=found is not None,
    )


def reporting(acting: Acting) -> Reporting:
    """What indicators are computed over."""
    hub = acting.hub
    return Reporting(hub.log.store.engine, hub.register, hub.audit)


def _check_indicators(names: Iterable[str]) -> None:
    for name in names:
        if name not in INDICATORS:
            known = ", ".join(INDICATORS)
            raise refused("BAD_VARIABLES", "there is no such indicator", remedy=f"one of {known}")


def _time(acting: Acting, name: str) -> int | None:
    at = _given(acting, name)
    return None if at is None else milliseconds(at)


async def _misuse(acting: Acting) -> shown.MisuseReport:
    names = _given(acting, "names")
    _check_indicators(names or ())
    report = await reporting(acting).report(
        _time(acting, "since"), _time(acting, "until"), chosen(names)
    )
    acting.entry.facts["counts"] = {each.indicator.name: each.count for each in report.found}
    return shown.MisuseReport(
        since=_at(report.since),
        until=_at(report.until),
        accesses=report.accesses,
        unexplained=report.unexplained,
        indicators=[_indicator(report, each) for each in report.found],
    )


def _indicator(report: Report, found: Found) -> shown.MisuseIndicator:
    name = found.indicator.name
    since, until = (_at(each).isoformat() for each in (report.since, report.until))
    return shown.MisuseIndicator(
        name=name,
        title=found.indicator.title,
        count=found.count,
        share=found.count / report.accesses if report.accesses else None,
        lookers=[
            shown.Looker(person=each.person, office=each.office, count=each.count)
            for each in found.people
        ],
        query=(
            f'{{ accesses(indicator: "{name}", since: "{since}", until: "{until}") '
            "{ next records { place at person office purpose subjects } } }"
        ),
    )


def _at(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


def _page(page: Page, proofs: Mapping[int, str]) -> shown.LogPage:
    return shown.LogPage(
        records=[
            record_of(found, found.details, proofs.get(found.index))
            for found in page.records
            if found.details
        ],
        next=cursor(page.before),
    )


def record_of(found: Stored, details: Mapping[str, Any], proof: str | None) -> shown.LogRecord:
    """A record as auditors are shown it."""
    operation = details.get("operation")
    return shown.LogRecord(
        place=ID(str(found.index)),
        kind=details["kind"],
        at=datetime.datetime.fromisoformat(details["at"]),
        operation=None if operation is None else ID(operation),
        outcome=details.get("outcome"),
        person=details.get("person"),
        actors=[actor["person"] for actor in details.get("actor", ())],
        roles=list(details.get("roles", ())),
        office=details.get("office"),
        purpose=details.get("purpose"),
        legal_basis=details.get("legalBasis"),
        reason=details.get("reason"),
        cases=list(details.get("cases", ())),
        subjects=list(details.get("subjects", ())),
        requested=list(details.get("requested", ())),
        disclosed=[
            shown.Disclosure(source=source, items=group["items"], subjects=group["subjects"])
            for source, groups in details.get("disclosed", {}).items()
            for group in groups
        ],
        denied=[
            shown.Refusal(item=entry["item"], rule=entry["rule"])
            for entry in details.get("denied", ())
        ],
        errors=list(details.get("errors", ())),
        flagged=[
            shown.Flagged(subject=entry["subject"], flags=list(entry["flags"]))
            for entry in details.get("flags", ())
        ],
        leaf=base64.b64encode(found.leaf).decode(),
        proof=proof,
    )


async def _own_accesses(acting: Acting) -> shown.OwnAccesses:
    number, before = first(acting), read_cursor(_given(acting, "after"))
    own = own_pseudonym(acting.about.caller, acting.hub.log.pseudonyms.of)
    if own is None:
        return shown.OwnAccesses(accesses=[], next=None)
    search = Search(since=_given(acting, "since"), until=_given(acting, "until"))
    page = await own_accesses(acting.hub.log.store, own, search, number, before)
    acting.entry.facts["records"] = [found.index for found in page.records]
    proofs = await _proofs(acting.hub.log.store, page)
    return shown.OwnAccesses(
        accesses=[
            _own_access(acting, found, own, proofs.get(found.index)) for found in page.records
        ],
        next=cursor(page.before),
    )


def _own_access(acting: Acting, found: Stored, own: str, proof: Proof | None) -> shown.OwnAccess:
    details: Mapping[str, Any] = found.details or {}
    purpose = acting.hub.register.purposes.get(details.get("purpose") or "")
    return shown.OwnAccess(
        at=datetime.datetime.fromisoformat(details["at"]),
        office=details.get("office"),
        official=details.get("person") if acting.hub.audit.show_official else None,
        purpose=details.get("purpose"),
        title=None if purpose is None else purpose.title,
        legal_basis=details.get("legalBasis"),
        items=list(released_of(found, own)),
        break_glass=bool(details.get("breakGlass")),
        place=ID(str(found.index)),
        leaf=base64.b64encode(found.leaf).decode(),
        receipt=None if proof is None else proof.receipt,
    )


async def _delay_telling(acting: Acting) -> shown.Delay:
    given, store = acting.arguments, acting.hub.log.store
    now, until = datetime.datetime.now(datetime.UTC), given["until"]
    until = until if until.tzinfo is not None else until.replace(tzinfo=datetime.UTC)
    if len(given["reason"].strip()) < LEAST_REASON:
        raise refused("REASON_REQUIRED", f"say why, in {LEAST_REASON} characters or more")
    if until > now + datetime.timedelta(days=MOST_DAYS):
        raise refused("BAD_VARIABLES", f"`until` is {MOST_DAYS} days from now at most")
    place = given["place"]
    if not place.isdecimal() or len(place) > 18 or not await store.read([int(place)]):
        raise refused("BAD_VARIABLES", "`place` is that of no record")
    await delay(store, int(place), until)
    return shown.Delay(place=ID(place), until=until)


READINGS: Mapping[str, Callable[[Acting], Awaitable[Any]]] = {
    "accesses": _accesses,
    "misuseIndicators": _misuse,
    "ownAccesses": _own_accesses,
    "delayTelling": _delay_telling,
}
"""What is done by each field."""
