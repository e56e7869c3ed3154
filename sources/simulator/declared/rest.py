"""A JSON service as `[rest]` of a declaration describes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sources.declaration import Source
from sources.simulator.calendar import REFERENCE
from sources.simulator.declared.faults import Entry
from sources.simulator.declared.http import text_of
from sources.simulator.declared.stand import Call, RefusedError, filled, items_by_wire, variables
from sources.simulator.declared.writing import Writing


class RestSpeaker:
    """Batches in, the requested items out."""

    def __init__(self, source: Source, token: str) -> None:
        self._table: Mapping[str, Any] = source.adapter_table
        self._items = items_by_wire(source)
        self._token = token
        self.writing = Writing.of(self._table)

    @property
    def paths(self) -> Sequence[tuple[str, Sequence[str]]]:
        """The one path, with the method."""
        return [(self._table["path"], ["POST"])]

    async def read(self, request: Request, body: bytes) -> Call | Response:
        """The people and items of a request."""
        table = self._table
        for name, text in table.get("headers", {}).items():
            if request.headers.get(name) != _filled(text, self._token):
                raise RefusedError(401, f"send the declared `{name}`")
        try:
            asked = orjson.loads(body)
            keys, names = _texts(asked[table["keys"]]), _texts(asked[table["items"]])
        except (ValueError, TypeError, KeyError) as error:
            message = f"send JSON with `{table['keys']}` and `{table['items']}`, lists of text"
            raise RefusedError(400, message) from error
        for name in names:
            if name not in self._items:
                raise RefusedError(400, f"unknown item `{name}`")
        context = table.get("context", {})
        told = {
            "purpose": text_of(request, context.get("purpose")),
            "legalBasis": text_of(request, context.get("legal_basis")),
            "case": text_of(request, context.get("case")),
            "operation": text_of(request, context.get("operation")),
        }
        return Call(tuple(keys), tuple(self._items[name] for name in names), told)

    def write(self, _call: Call, entries: Sequence[Entry]) -> Response:
        """The records where the declaration looks for them."""
        table = self._table
        as_of = {table["as_of"]: self.writing.day(f"{REFERENCE}")} if "as_of" in table else {}
        body: Any = [{table["key"]: one.key, **as_of, **one.fields} for one in entries]
        for name in reversed(table["records"].split(".")):
            body = {name: body}
        return _json(body)

    def failure(self, text: str) -> Response:
        """No records but an error, where the declaration says that errors stand."""
        return _json({self._table.get("error", "error"): {"code": "E-500", "message": text}})


def _filled(text: str, token: str) -> str:
    return filled(text, dict.fromkeys(variables(text), token))


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError
    return value


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
