"""How a test or a tool looks into a stand-in and breaks it: an HTTP door beside the agency's own.

An agency has no such door. What it tells (who is known, what is held) is the stand-in's own word,
made without the wire, so that what arrived at the hub can be compared with it.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sources.simulator.declared.faults import Fault, read_fault
from sources.simulator.declared.holdings import Holdings
from sources.simulator.declared.http import PERSONAL
from sources.simulator.declared.stand import Stand


class Control:
    """The doors of all stand-ins of a process, each under its source's name."""

    def __init__(self, stands: Mapping[str, tuple[Stand, Holdings]], usual: Fault) -> None:
        self._stands = stands
        self._usual = usual

    def app(self) -> Starlette:
        """The routes."""
        return Starlette(
            routes=[
                Route("/{name}/fault", self.fault, methods=["POST"]),
                Route("/{name}/about", self.about),
                Route("/{name}/calls", self.calls),
                Route("/{name}/held", self.held, methods=["POST"]),
            ]
        )

    async def fault(self, request: Request) -> Response:
        """Put a fault in force."""
        stand, _ = self._of(request)
        try:
            fault = read_fault(orjson.loads(await request.body()), stand.modes)
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        await stand.show(self._usual if fault.mode == "none" else fault)
        return _json({"mode": fault.mode, "ms": fault.milliseconds})

    async def about(self, request: Request) -> Response:
        """People and cases whom the agency knows and does not know, and the faults it can show."""
        stand, holdings = self._of(request)
        subjects = {item.subject for item in stand.source.items}
        return _json(
            {
                "faults": sorted(stand.modes),
                "known": {subject: holdings.some(200, subject) for subject in subjects},
                "unknown": {subject: holdings.unknown(subject) for subject in subjects},
                "personal": [PERSONAL],
            }
        )

    async def calls(self, request: Request) -> Response:
        """The calls since a number of them."""
        stand, _ = self._of(request)
        return _json(stand.calls()[int(request.query_params.get("after", "0")) :])

    async def held(self, request: Request) -> Response:
        """What the agency holds of the keys, in the hub's own types, by item names."""
        stand, holdings = self._of(request)
        asked = orjson.loads(await request.body())
        names = {item.name: item for item in stand.source.items}
        items = [names[name] for name in asked["items"]]
        records = holdings.records(asked["subject"], asked["keys"], items)
        return _json({one.key: one.values for one in records})

    def _of(self, request: Request) -> tuple[Stand, Holdings]:
        return self._stands[request.path_params["name"]]


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
