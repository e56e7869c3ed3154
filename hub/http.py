"""GraphQL over HTTP: decode the request, choose the status, encode the answer.

After the GraphQL over HTTP specification (draft of the GraphQL Foundation). Nothing of a request
is logged here but its outcome.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import orjson
from graphql import GraphQLError
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.errors import CODES, RequestRefused, codes, error, refused
from hub.gather import Call
from hub.identity import Identity, Presented
from hub.operation import Hub
from hub.operation import Request as Asked
from hub.pipeline import answer
from hub.project import Projected
from hub.querylog.store import LogUnavailable
from hub.tokens import TokenRefused
from hub.trusted import Sent

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}\Z")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
MOST_REASON = 1_000
"""Characters of a reason that are kept."""
BODY_SECONDS = 10
"""A body that takes longer to arrive is refused."""

_log = logging.getLogger("hub.http")
STATUS_SHOWN = frozenset(
    {"UNAUTHENTICATED", "BAD_REQUEST", "DOCUMENT_TOO_LARGE", "METHOD_NOT_ALLOWED", "INTERNAL"}
)
"""What is no GraphQL answer has its own status in plain JSON too; all others have 200."""

_OPERATIONS = Counter("hub_operations", "Operations by how they ended", ["outcome"])
_SECONDS = Histogram("hub_operation_seconds", "Seconds an operation took")


class Endpoint:
    """The `/graphql` endpoint of a hub."""

    def __init__(self, hub: Hub, identity: Identity) -> None:
        self.hub = hub
        self.identity = identity

    async def __call__(self, request: Request) -> Response:
        """Answer one HTTP request."""
        started = time.perf_counter()
        said = _headers(request)
        media = _media_type(said.get("accept"))
        if media is None:
            return Response(f"only {GRAPHQL_RESPONSE} and {JSON} are served\n", 406)
        headers: dict[str, str] = {}
        try:
            body, status, outcome = await self._answer(request, said), 200, "answered"
        except TokenRefused as found:
            headers["WWW-Authenticate"] = self.identity.challenge(found, said.get("authorization"))
            refusal = [error("UNAUTHENTICATED", f"the token is refused: {found}")]
            body, status, outcome = _failed(refusal)
        except LogUnavailable:
            message = "the query log cannot be written, so nothing is answered"
            body, status, outcome = _failed([error("LOG_UNAVAILABLE", message)])
        except _NotGraphQL as found:
            body, _, outcome = _failed([error(found.code, found.message)])
            status, headers = found.status, found.headers
        except RequestRefused as found:
            body, status, outcome = _failed(found.errors)
            if status == 405:
                headers["Allow"] = "POST"
        except Exception as found:  # noqa: BLE001 - the last resort, so that nothing leaks
            # The hub's own fault: what it says may be personal, so that only its kind is told.
            _log.exception("operation failed", exc_info=found)
            body, status, outcome = _failed([error("INTERNAL", "the hub failed to answer")])
        if media == JSON and outcome not in STATUS_SHOWN:
            status = 200
        _ended(outcome).inc()
        _SECONDS.observe(time.perf_counter() - started)
        headers |= {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(body, status, headers, f"{media}; charset=utf-8")

    async def _answer(self, request: Request, said: Mapping[str, str]) -> bytes:
        caller = await self.identity.caller(presented(request))
        if request.method == "HEAD":
            raise _NotGraphQL("METHOD_NOT_ALLOWED", "send GET or POST", 405, {"Allow": "GET, POST"})
        if request.method == "GET":
            parameters = _query_parameters(request)
        else:
            kind = said.get("content-type", "")
            parameters = await _body_parameters(request, kind, self.hub.limits.body_bytes)
        _check_once(request)
        asked = _request(said, parameters, by_url=request.method == "GET")
        return await answer(self.hub, caller, asked, _encode)


class _NotGraphQL(Exception):
    """A request that is none of GraphQL over HTTP; the status is the same for all media types."""

    def __init__(
        self, code: str, message: str, status: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


_ended = lru_cache(_OPERATIONS.labels)


def _headers(request: Request) -> dict[str, str]:
    """The headers by their names in small letters; of one that is sent twice, the first."""
    sent = reversed(request.scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in sent}


def _check_once(request: Request) -> None:
    """Raise RequestRefused where one of the hub's own headers says two things."""
    own = [name for name, _ in request.scope["headers"] if name.startswith(b"hub-")]
    if len(own) > len(set(own)):
        raise refused("BAD_REQUEST", "a header of the hub's (`Hub-…`) is sent twice")


def presented(request: Request) -> Presented:
    """What a request says of who makes it. Raises TokenRefused."""
    headers = request.scope["headers"]
    sent = [value for name, value in headers if name == b"authorization"]
    if len(sent) > 1:
        raise TokenRefused("`Authorization` is sent more than once")
    return Presented(
        authorization=sent[0].decode("latin-1") if sent else None,
        proofs=tuple(value.decode("latin-1") for name, value in headers if name == b"dpop"),
        method=request.method,
        address=None if request.client is None else request.client.host,
    )


def _failed(errors: list[GraphQLError]) -> tuple[bytes, int, str]:
    """The body without data, its status, and the code it is counted under."""
    code = codes(errors)[0]
    body = orjson.dumps({"errors": [found.formatted for found in errors]})
    return body, CODES[code].status, code


def _encode(projected: Projected, calls: Sequence[Call], reduced: Mapping[str, str]) -> bytes:
    body: dict[str, Any] = {"data": projected.data}
    if projected.errors:
        body["errors"] = [found.formatted for found in projected.errors]
    if calls:
        body["extensions"] = {"sources": [_call(call) for call in calls]}
    if reduced:
        body.setdefault("extensions", {})["reduced"] = reduced
    return orjson.dumps(body)


def _call(call: Call) -> dict[str, Any]:
    return {
        "source": call.source,
        "round": call.round,
        "items": call.items,
        "people": call.people,
        "state": call.state,
        "milliseconds": call.milliseconds,
    }


@lru_cache(maxsize=256)
def _media_type(accept: str | None) -> str | None:
    """The media type to answer in: the one the client weighs most, None where it takes neither."""
    if not accept:
        return JSON
    best: tuple[float, str] | None = None
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        served = GRAPHQL_RESPONSE if kind == GRAPHQL_RESPONSE else JSON
        if kind not in (GRAPHQL_RESPONSE, JSON, "*/*", "application/*"):
            continue
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
            elif parameter.startswith("charset=") and parameter[8:].strip('"') != "utf-8":
                weight = 0.0
        if weight > 0 and (best is None or weight > best[0]):
            best = (weight, served)
    return best[1] if best else None


def _query_parameters(request: Request) -> dict[str, Any]:
    given = request.query_params
    if len(given.multi_items()) != len(given):
        raise _NotGraphQL("BAD_REQUEST", "a parameter is given twice", 400)
    found: dict[str, Any] = dict(given)
    for name in ("variables", "extensions"):
        if found.get(name):
            found[name] = _json(found[name])
    return found


@lru_cache(maxsize=256)
def _is_json(content_type: str) -> bool:
    """Whether a body is said to be JSON in UTF-8."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part.removeprefix("charset=") for part in parameters if part.startswith("charset=")]
    return kind == JSON and all(charset.strip('"') in ("utf-8", "utf8") for charset in charsets)


async def _body_parameters(request: Request, content_type: str, most: int) -> dict[str, Any]:
    if not _is_json(content_type):
        message = f"the body must be `{JSON}` in UTF-8, as `Content-Type` says"
        raise _NotGraphQL("BAD_REQUEST", message, 415)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    message = f"the body has more than {most} bytes"
                    raise _NotGraphQL("DOCUMENT_TOO_LARGE", message, 413, {"Connection": "close"})
    except TimeoutError as found:
        raise _NotGraphQL("BAD_REQUEST", "the body did not arrive in time", 408) from found
    except ClientDisconnect as found:
        raise _NotGraphQL("BAD_REQUEST", "the client went away", 400) from found
    try:
        text = body.decode()
    except UnicodeDecodeError as found:
        raise _NotGraphQL("BAD_REQUEST", "the body is not UTF-8", 400) from found
    parsed = _json(text)
    if not isinstance(parsed, dict):
        raise _NotGraphQL("BAD_REQUEST", "the body is no JSON object; batches are not served", 400)
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotGraphQL("BAD_REQUEST", "a JSON object has the same key twice", 400)
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _json(text: str) -> Any:
    try:
        parsed = _DECODER.decode(text)
        if _SURROGATE.search(text):
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as found:
        raise _NotGraphQL("BAD_REQUEST", "it is not JSON of Unicode text", 400) from found
    return parsed


def _hash(extensions: Mapping[str, Any]) -> str | None:
    """The hash of a persisted document, where one is sent (version 1 of Apollo's protocol)."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(found, str) or not _SHA256.match(found) or persisted.get("version", 1) != 1:
        message = "`persistedQuery` holds `version`, which is 1, and `sha256Hash`"
        raise _NotGraphQL("BAD_REQUEST", message, 400)
    return found.lower()


def _request(headers: Mapping[str, str], given: Mapping[str, Any], *, by_url: bool) -> Asked:
    query, variables = given.get("query"), given.get("variables")
    name, extensions = given.get("operationName"), given.get("extensions")
    if variables is not None and not isinstance(variables, dict):
        raise _NotGraphQL("BAD_REQUEST", "`variables` must be an object", 400)
    if name is not None and not isinstance(name, str):
        raise _NotGraphQL("BAD_REQUEST", "`operationName` must be text", 400)
    if extensions is not None and not isinstance(extensions, dict):
        raise _NotGraphQL("BAD_REQUEST", "`extensions` must be an object", 400)
    sha256 = _hash(extensions or {})
    if not isinstance(query, str | None) or not (query or sha256):
        raise _NotGraphQL("BAD_REQUEST", "`query` must hold the document, as text", 400)
    on_denied = headers.get("hub-on-denied", "refuse")
    if on_denied not in ("refuse", "withhold"):
        raise refused("BAD_REQUEST", "`Hub-On-Denied` is `refuse` or `withhold`")
    fresh = headers.get("hub-fresh")
    if fresh not in (None, "now"):
        raise refused("BAD_REQUEST", "`Hub-Fresh` is `now`, or left out")
    return Asked(
        sent=Sent(query or None, sha256),
        variables=variables or {},
        operation_name=name or None,
        purpose=headers.get("hub-purpose"),
        cases=headers.get("hub-case"),
        reason=unquote(headers.get("hub-reason", "")).strip()[:MOST_REASON],
        withhold=on_denied == "withhold",
        by_url=by_url,
        anew=fresh == "now",
    )
