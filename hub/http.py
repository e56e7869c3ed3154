"""GraphQL over HTTP: decode the request, choose the status, encode the answer.

After the GraphQL over HTTP specification (draft of the GraphQL Foundation). Nothing of a request
is logged here but its outcome.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import orjson
from graphql import GraphQLError, OperationType
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub import pipeline
from hub.errors import CODES, RequestRefused, error, refused
from hub.gather import Call
from hub.identity import Identity, TokenRefused
from hub.querylog.store import LogUnavailable

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
BODY_SECONDS = 10
"""A body that takes longer to arrive is refused."""

_OPERATIONS = Counter("hub_operations", "Operations by how they ended", ["outcome"])
_SECONDS = Histogram("hub_operation_seconds", "Seconds an operation took")


class Endpoint:
    """The `/graphql` endpoint of a hub."""

    def __init__(self, hub: pipeline.Hub, identity: Identity) -> None:
        self._hub = hub
        self._identity = identity

    async def __call__(self, request: Request) -> Response:
        """Answer one HTTP request."""
        started = time.perf_counter()
        media = _media_type(request.headers.get("accept"))
        if media is None:
            return Response(f"only {GRAPHQL_RESPONSE} and {JSON} are served\n", 406)
        headers: dict[str, str] = {}
        try:
            body, status, outcome = await self._answer(request)
        except TokenRefused as found:
            headers["WWW-Authenticate"] = "Bearer"
            body, status = _failed([error("UNAUTHENTICATED", f"the token is refused: {found}")])
            outcome = "UNAUTHENTICATED"
        except LogUnavailable:
            message = "the query log cannot be written, so nothing is answered"
            body, status = _failed([error("LOG_UNAVAILABLE", message)])
            outcome = "LOG_UNAVAILABLE"
        except _NotGraphQL as found:
            body, _ = _failed([error(found.code, found.message)])
            return self._response(body, found.status, media, found.headers, found.code, started)
        except RequestRefused as found:
            body, status = _failed(found.errors)
            outcome = found.codes[0]
        if media == JSON and status != 401:
            status = 200
        return self._response(body, status, media, headers, outcome, started)

    def _response(
        self,
        body: Mapping[str, Any],
        status: int,
        media: str,
        headers: Mapping[str, str],
        outcome: str,
        started: float,
    ) -> Response:
        _OPERATIONS.labels(outcome).inc()
        _SECONDS.observe(time.perf_counter() - started)
        return Response(
            orjson.dumps(body),
            status,
            {**headers, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
            f"{media}; charset=utf-8",
        )

    async def _answer(self, request: Request) -> tuple[dict[str, Any], int, str]:
        caller = await self._identity.caller(request.headers.get("authorization"))
        if request.method == "GET":
            parameters = _query_parameters(request)
        else:
            parameters = await _body_parameters(request, self._hub.limits.body_bytes)
        asked = _request(request, parameters)
        if request.method == "GET":
            self._check_safe(asked)
        answered = await pipeline.answer(self._hub, caller, asked)
        body: dict[str, Any] = {"data": answered.projected.data}
        if answered.projected.errors:
            body["errors"] = [found.formatted for found in answered.projected.errors]
        if answered.calls:
            body["extensions"] = {"sources": [_call(call) for call in answered.calls]}
        return body, 200, "answered"

    def _check_safe(self, asked: pipeline.Request) -> None:
        """Let GET serve only queries that touch no data item: URLs are kept in too many places."""
        document = self._hub.documents.read(asked.query)
        operation = document.operation(asked.operation_name)
        if operation.operation is not OperationType.QUERY or pipeline.touches_data(
            self._hub, document, operation
        ):
            message = "GET serves only queries that touch no data item"
            raise _NotGraphQL("METHOD_NOT_ALLOWED", message, 405, {"Allow": "POST"})


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


def _failed(errors: list[GraphQLError]) -> tuple[dict[str, Any], int]:
    status = CODES[RequestRefused(errors).codes[0]].status
    return {"errors": [found.formatted for found in errors]}, status


def _call(call: Call) -> dict[str, Any]:
    return {
        "source": call.source,
        "round": call.round,
        "items": call.items,
        "people": call.people,
        "state": call.state,
        "milliseconds": call.milliseconds,
    }


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


async def _body_parameters(request: Request, most: int) -> dict[str, Any]:
    kind, *parameters = (
        part.strip().lower() for part in request.headers.get("content-type", "").split(";")
    )
    charsets = [part.removeprefix("charset=") for part in parameters if part.startswith("charset=")]
    if kind != JSON or any(charset.strip('"') not in ("utf-8", "utf8") for charset in charsets):
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


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _NotGraphQL("BAD_REQUEST", "a JSON object has the same key twice", 400)
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as found:
        raise _NotGraphQL("BAD_REQUEST", "it is not JSON", 400) from found


def _request(request: Request, given: Mapping[str, Any]) -> pipeline.Request:
    query, variables = given.get("query"), given.get("variables")
    name, extensions = given.get("operationName"), given.get("extensions")
    if not isinstance(query, str) or not query:
        raise _NotGraphQL("BAD_REQUEST", "`query` must hold the document, as text", 400)
    if variables is not None and not isinstance(variables, dict):
        raise _NotGraphQL("BAD_REQUEST", "`variables` must be an object", 400)
    if name is not None and not isinstance(name, str):
        raise _NotGraphQL("BAD_REQUEST", "`operationName` must be text", 400)
    if extensions is not None and not isinstance(extensions, dict):
        raise _NotGraphQL("BAD_REQUEST", "`extensions` must be an object", 400)
    on_denied = request.headers.get("hub-on-denied", "refuse")
    if on_denied not in ("refuse", "withhold"):
        raise refused("BAD_REQUEST", "`Hub-On-Denied` is `refuse` or `withhold`")
    return pipeline.Request(
        query=query,
        variables=variables or {},
        operation_name=name or None,
        purpose=request.headers.get("hub-purpose"),
        cases=request.headers.get("hub-case"),
        withhold=on_denied == "withhold",
    )
