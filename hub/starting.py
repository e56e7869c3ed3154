"""Says why the application does not start, or does not end well: in one line, without a trace."""

from __future__ import annotations

import logging
import sys

from starlette.types import Message, Send

from hub.querylog.store import LogUnavailable

_log = logging.getLogger("hub.starting")
_FAILED = {"lifespan.startup.failed": "start", "lifespan.shutdown.failed": "end well"}


def plainly(send: Send) -> Send:
    """What the application tells its server (ASGI lifespan), a failure in our own words.

    Starlette has the server log the whole trace, with places of this machine and values in it.
    """

    async def sent(message: Message) -> None:
        did = _FAILED.get(message["type"])
        if did is not None:
            error = sys.exception()
            known = isinstance(error, LogUnavailable)
            why = f": {error}" if known else ""
            _log.error("the hub does not %s%s", did, why, exc_info=None if known else error)
            message = {**message, "message": ""}
        await send(message)

    return sent
