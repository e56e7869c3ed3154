"""`hub notices`: what recipients wait to be told, counted, or written to a file to be sent."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from hub import tables
from hub.app import read_plans
from hub.config import Settings, read_settings
from hub.oversight.ledger import Ledger
from hub.oversight.notices import Notice, note_exported, notices_to_send
from hub.oversight.seal import Seal, Unsealable
from hub.querylog.quota import Quota
from hub.querylog.record import Log, Pseudonyms
from hub.querylog.store import LogUnavailable, Store


def run_notices(options: argparse.Namespace) -> int:
    """Count the notices that wait, or write them to a file."""
    settings = read_settings(options.config)
    try:
        return asyncio.run(
            _count(settings) if options.export is None else _export(settings, options)
        )
    except (LogUnavailable, Unsealable) as error:
        print(f"the notices cannot be read: {error}", file=sys.stderr)
    except FileExistsError:
        print(f"`{options.export}` is there already: name another file", file=sys.stderr)
    except OSError as error:
        print(f"`{error.filename}`: {error.strerror}", file=sys.stderr)
    return 1


async def _count(settings: Settings) -> int:
    async with opened(settings) as (ledger, _):
        waiting = await notices_to_send(ledger)
    counted: dict[tuple[str, str], list[float]] = {}
    for notice in waiting:
        counted.setdefault((notice.purpose, notice.office or ""), []).append(notice.at)
    rows = [
        (purpose, office, str(len(times)), day(min(times)))
        for (purpose, office), times in sorted(counted.items())
    ]
    tables.show("Notices that wait", ("Purpose", "Office", "Notices", "Oldest"), rows)
    return 0


async def _export(settings: Settings, options: argparse.Namespace) -> int:
    """Invariant: that ids leave is in the query log before they do."""
    async with opened(settings) as (ledger, log):
        waiting = await notices_to_send(ledger)
        subjects = sorted({ledger.pseudonyms.of(notice.recipient or "") for notice in waiting})
        facts = {"operation": str(uuid.uuid4()), "outcome": "exported", "subjects": subjects}
        await log.event("NOTICES", facts)
        _write(options.export, waiting)
        await note_exported(ledger, waiting)
    print(f"{len(waiting)} notices written", file=sys.stderr)
    return 0


def _write(path: Path, notices: Iterable[Notice]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for notice in notices:
            told = {
                "id": notice.id,
                "recipient": notice.recipient,
                "at": datetime.datetime.fromtimestamp(notice.at, datetime.UTC).isoformat(),
                "purpose": notice.purpose,
                "title": notice.title,
                "legalBasis": notice.legal_basis,
                "office": notice.office,
            }
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Ledger, Log]]:
    """The ledger and the log of the settings, open. Raises LogUnavailable."""
    plans = read_plans(settings, environment=False)
    key = settings.log.pseudonym_key.read_bytes()
    pseudonyms = Pseudonyms(key)
    store = Store(settings.log.store, settings.log.batch, settings.log.sealing_key.read_bytes())
    try:
        await store.open()
        ledger = Ledger(store.engine, pseudonyms, Seal(key))
        yield ledger, Log(store, Quota(store.engine), pseudonyms, plans.catalogue)
    finally:
        await store.close()


def day(seconds: float) -> str:
    """The day (UTC) of a time in seconds since 1970."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()
