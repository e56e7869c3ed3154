"""Structured logs on standard error: one JSON object a line, with nothing personal in it."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import orjson

_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_QUIET = ("uvicorn.access", "aiohttp", "httpx", "sqlalchemy")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _USUAL}
        if record.exc_info and record.exc_info[0] is not None:
            # The type and the place only: an exception's text may hold somebody's data.
            line["error"] = record.exc_info[0].__qualname__
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            if trace is not None:
                line["where"] = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        return orjson.dumps(line, default=str).decode()


def set_up(level: int = logging.INFO) -> None:
    """Send every log of the level or above to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
