"""The log as others verify it, under `/log`: checkpoint, tiles and entry bundles (C2SP tlog-tiles).

All of it is public: leaves are salted commitments. Details need the purpose `audit`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.querylog.checkpoint import cosign, signed, tile
from hub.querylog.note import NoteRefused, Verifier
from hub.querylog.tables import CHECKPOINT, LEAF
from hub.querylog.tree import WIDTH

MOST_BYTES = 16_384
"""Of a cosigned checkpoint."""
_PATH = re.compile(r"(?:x\d{3}/)*\d{3}(?:\.p/(?P<width>[1-9]\d{0,2}))?\Z", re.ASCII)
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
_FRESH = {"Cache-Control": "no-cache"}
_NONE = PlainTextResponse("there is no such thing in the log, or not yet\n", 404, _FRESH)


def routes(
    engine: Callable[[Request], AsyncEngine], witnesses: Sequence[Verifier]
) -> Sequence[Route]:
    """The routes of the log in the store that `engine` gives."""
    log = _Log(engine, witnesses)
    return [
        Route("/log/checkpoint", _answered(log.checkpoint)),
        Route("/log/checkpoint/cosigned", _answered(log.checkpoint)),
        Route("/log/cosignatures", _answered(log.cosignatures), methods=["POST"]),
        Route("/log/tile/entries/{path:path}", _answered(log.entries)),
        Route("/log/tile/{level:int}/{path:path}", _answered(log.hashes)),
    ]


@dataclass(frozen=True)
class _Log:
    engine: Callable[[Request], AsyncEngine]
    witnesses: Sequence[Verifier]

    async def checkpoint(self, request: Request) -> Response:
        async with self.engine(request).connect() as connection:
            found = await signed(connection, cosigned=request.url.path.endswith("/cosigned"))
        if found is None:
            return _NONE
        return PlainTextResponse(found, headers=_FRESH)

    async def hashes(self, request: Request) -> Response:
        place, level = _place(request.path_params["path"]), request.path_params["level"]
        if place is None or level > 63:
            return _NONE
        number, width = place
        async with self.engine(request).connect() as connection:
            found = await tile(connection, level, number)
        if len(found) < width:
            return _NONE
        return Response(b"".join(found[:width]), 200, _KEPT, "application/octet-stream")

    async def entries(self, request: Request) -> Response:
        place = _place(request.path_params["path"])
        if place is None:
            return _NONE
        number, width = place
        async with self.engine(request).connect() as connection:
            found = await _entries(connection, number * WIDTH, number * WIDTH + width)
        if found is None:
            return _NONE
        return Response(found, 200, _KEPT, "application/octet-stream")

    async def cosignatures(self, request: Request) -> Response:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    return PlainTextResponse("a checkpoint is smaller\n", 413)
            kept = await cosign(self.engine(request), body.decode(), self.witnesses)
        except (NoteRefused, UnicodeDecodeError) as error:
            return PlainTextResponse(f"{error}\n", 400)
        except ClientDisconnect:
            return PlainTextResponse("the client went away\n", 400)
        if not kept:
            return PlainTextResponse("no witness that is known cosigned it\n", 403)
        return PlainTextResponse(f"{kept}\n")


_Answer = Callable[[Request], Awaitable[Response]]


def _answered(answer: _Answer) -> _Answer:
    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except (SQLAlchemyError, OSError):
            return PlainTextResponse("the store of the query log does not answer\n", 503)

    return answered


def _place(path: str) -> tuple[int, int] | None:
    """Number and width that a tile's path names; None where it names none."""
    found = _PATH.match(path)
    if found is None:
        return None
    width = int(found["width"] or WIDTH)
    if found["width"] and width >= WIDTH:
        return None
    digits = path.partition(".p/")[0].replace("x", "").replace("/", "")
    number = int(digits)
    # One tile has one path: no leading group of zeroes.
    if (len(digits) > 3 and number < 10 ** (len(digits) - 3)) or number >= 1 << 55:
        return None
    return number, width


async def _entries(connection: AsyncConnection, start: int, end: int) -> bytes | None:
    """The leaves as an entry bundle; None where not all of them are under a checkpoint."""
    size = await connection.scalar(sa.select(sa.func.max(CHECKPOINT.c.size))) or 0
    if end > size:
        return None
    query = sa.select(LEAF.c.leaf).where(LEAF.c.idx >= start, LEAF.c.idx < end)
    leaves = (await connection.execute(query.order_by(LEAF.c.idx))).scalars().all()
    if len(leaves) != end - start:
        return None
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
