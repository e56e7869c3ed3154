"""Who looked, as Estonia's portals ask for it: the usage service of its data tracker, version 2.

After the usage information protocol 1.6 (e-gov, *Andmejälgija*). It tells purpose, time and
receiver, never what was seen, and only to the person it is about: the token says who that is.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from authz.caller import Caller
from authz.decide import unusable
from authz.purpose import Purpose
from authz.register import Register
from hub.http import Endpoint, presented
from hub.operation import Hub
from hub.querylog.sealing import Keep
from hub.querylog.store import LogUnavailable, Store, Stored
from hub.querylog.tables import INDEX_RECORD
from hub.reading.account import own_pseudonym, page_of_own
from hub.reading.search import READ, Search, connected
from hub.tokens import TokenRefused

MOST = 1000
"""Entries of one answer, and how many there are where nothing is said."""
_NUMBER = re.compile(r"\d{1,9}\Z", re.ASCII)
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class _Refused(Exception):
    """A request that is not answered: the status, a word, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def routes(endpoint: Callable[[Request], Endpoint], system: str) -> Sequence[Route]:
    """The routes of the service; `system` names this hub to those who are told."""

    async def find_usage(request: Request) -> Response:
        try:
            return _answer(await _find_usage(endpoint(request), request, system))
        except _Refused as refusal:
            return _error(refusal)
        except TokenRefused as refusal:
            return _error(_Refused(401, "UNAUTHENTICATED", f"the token is refused: {refusal}"))
        except LogUnavailable:
            return _error(_Refused(503, "LOG_UNAVAILABLE", "the query log does not answer"))

    async def usage_period(request: Request) -> Response:
        try:
            return _answer(await _usage_period(endpoint(request).hub.log.store))
        except LogUnavailable:
            return _error(_Refused(503, "LOG_UNAVAILABLE", "the query log does not answer"))

    async def heartbeat(request: Request) -> Response:
        try:
            await endpoint(request).hub.log.store.check()
        except LogUnavailable:
            return _answer({"status": "ERROR", "message": "the query log does not answer"}, 503)
        return _answer({"status": "OK", "message": "the query log answers"})

    return [
        Route("/v2/findUsage", find_usage),
        Route("/v2/usagePeriod", usage_period),
        Route("/v2/heartbeat", heartbeat),
    ]


async def _find_usage(endpoint: Endpoint, request: Request, system: str) -> dict[str, Any]:
    """Invariant: that it is read is in the query log before, and what is told before it is."""
    hub, caller = endpoint.hub, await endpoint.identity.caller(presented(request))
    given = _parameters(request)
    purpose, own = _own(hub, caller, given)
    search = Search(since=_time(given, "periodStart"), until=_until(given))
    offset, limit = _number(given, "offset", 0), _number(given, "limit", MOST)
    if not 1 <= limit <= MOST:
        raise _Refused(400, "BAD_REQUEST", f"`limit` is a number from 1 to {MOST}")
    about = {
        "person": caller.person,
        "issuer": caller.issuer,
        "purpose": purpose.code,
        "legalBasis": purpose.legal_basis.text,
        "register": hub.register.version,
        "reads": {"findUsage": {name: each for name, each in given.items() if name != "userCode"}},
        "subjects": [own],
    }
    keep = Keep("recipients", purpose.retention)
    await hub.log.event(READ, about, keep)
    total, records = await page_of_own(hub.log.store, own, search, offset, limit)
    places = [found.index for found in records]
    await hub.log.event(READ, {**about, "outcome": "answered", "records": places}, keep)
    usages = [_usage(hub.register, found, system) for found in records]
    return {"totalUsages": total, "usages": usages}


def _own(hub: Hub, caller: Caller, given: Mapping[str, str]) -> tuple[Purpose, str]:
    """The purpose by which the caller reads of themselves, and their pseudonym."""
    today = datetime.datetime.now(datetime.UTC).date()
    purposes = (each for each in hub.register.purposes.values() if each.relation == "self")
    usable = [each for each in purposes if unusable(caller, each, today) is None]
    own = own_pseudonym(caller, hub.log.pseudonyms.of)
    code = given.get("userCode", caller.recipient)
    if not usable or own is None or code != caller.recipient:
        raise _Refused(403, "FORBIDDEN", "only the person of the token is told, of themselves")
    return usable[0], own


def _usage(register: Register, found: Stored, system: str) -> dict[str, Any]:
    details: Mapping[str, Any] = found.details or {}
    purpose = register.purposes.get(details.get("purpose") or "")
    why = (purpose.title if purpose else details.get("purpose"), details.get("legalBasis"))
    return {
        "logtime": details["at"],
        "action": ", ".join(filter(None, why)),
        "receiverCode": details.get("office") or "",
        "receiverSystem": system,
    }


async def _usage_period(store: Store) -> dict[str, Any]:
    async with connected(store.engine) as connection:
        first = await connection.scalar(sa.select(sa.func.min(INDEX_RECORD.c.at)))
    now = datetime.datetime.now(datetime.UTC)
    begun = now if first is None else datetime.datetime.fromtimestamp(first / 1000, datetime.UTC)
    return {"periodStart": begun.isoformat(timespec="seconds")}


def _parameters(request: Request) -> dict[str, str]:
    if not request.headers.get("x-road-userid"):
        raise _Refused(400, "BAD_REQUEST", "the header `X-Road-UserId` is missing")
    given = request.query_params
    if len(given.multi_items()) != len(given):
        raise _Refused(400, "BAD_REQUEST", "a parameter is given twice")
    known = ("userCode", "periodStart", "periodEnd", "offset", "limit")
    return {name: given[name] for name in known if given.get(name)}


def _number(given: Mapping[str, str], name: str, usual: int) -> int:
    if name not in given:
        return usual
    if not _NUMBER.match(given[name]):
        raise _Refused(400, "BAD_REQUEST", f"`{name}` is no number")
    return int(given[name])


def _time(given: Mapping[str, str], name: str) -> datetime.datetime | None:
    """A day or a time; without a zone it is UTC."""
    if name not in given:
        return None
    try:
        at = datetime.datetime.fromisoformat(given[name])
    except ValueError as error:
        message = f"`{name}` is no time: write it as 2026-11-23 or 2026-11-23T09:00:00Z"
        raise _Refused(400, "BAD_REQUEST", message) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)


def _until(given: Mapping[str, str]) -> datetime.datetime | None:
    """Before when; a day is meant with all its hours."""
    at = _time(given, "periodEnd")
    if at is None or "T" in given["periodEnd"]:
        return at
    return at + datetime.timedelta(days=1)


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, _HEADERS)


def _error(refusal: _Refused) -> Response:
    return _answer({"code": refusal.code, "message": refusal.message}, refusal.status)
