"""`hub corrections`: tickets that wait, brought to their sources by a file, and settled."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import getpass
import json
import os
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from hub import tables
from hub.config import Settings, read_settings
from hub.corrections import tickets
from hub.corrections.tickets import Move, Ticket
from hub.errors import RequestRefused
from hub.oversight.command import day, opened
from hub.oversight.seal import Unsealable
from hub.querylog.store import LogUnavailable


def run_corrections(options: argparse.Namespace) -> int:
    """List the tickets that wait, or write those to be brought to a file."""
    settings = read_settings(options.config)
    work = _list(settings, options) if options.export is None else _export(settings, options)
    return _run(work, options)


def run_corrections_settle(options: argparse.Namespace) -> int:
    """Note what a source did about a ticket."""
    return _run(_settle(read_settings(options.config), options), options)


def _run(work: Coroutine[Any, Any, None], options: argparse.Namespace) -> int:
    try:
        asyncio.run(work)
    except (LogUnavailable, Unsealable) as error:
        print(f"the tickets cannot be read: {error}", file=sys.stderr)
        return 1
    except RequestRefused as error:
        print("; ".join(found.message for found in error.errors), file=sys.stderr)
        return 1
    except FileExistsError:
        print(f"`{options.export}` is there already: name another file", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"`{error.filename}`: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _list(settings: Settings, options: argparse.Namespace) -> None:
    async with opened(settings) as (ledger, _):
        found = await tickets.open_tickets(ledger, options.source)
    if options.json:
        for ticket in found:
            print(json.dumps(_told(ticket), ensure_ascii=False))
        return
    rows = [(one.id, one.source, one.item, one.why, one.state, day(one.filed)) for one in found]
    names = ("Ticket", "Source", "Item", "Why", "State", "Since")
    tables.show("Values marked as wrong", names, rows, whole=1)


async def _export(settings: Settings, options: argparse.Namespace) -> None:
    """Invariant: that ids leave is in the query log before they do."""
    async with opened(settings) as (ledger, log):
        waiting = await tickets.to_bring(ledger, options.source)
        subjects = sorted({ledger.pseudonyms.of(ticket.recipient or "") for ticket in waiting})
        told = {"person": _operator(), "outcome": "exported", "subjects": subjects}
        await log.event("CORRECTIONS", {**told, "tickets": [ticket.id for ticket in waiting]})
        _write(options.export, waiting)
        await tickets.bring(ledger, waiting, _operator())
    print(f"{len(waiting)} tickets written", file=sys.stderr)


async def _settle(settings: Settings, options: argparse.Namespace) -> None:
    move = Move(options.ticket, options.did.upper(), options.reply, _operator())
    async with opened(settings) as (ledger, log):
        told = {"person": _operator(), "tickets": [move.ticket], "moves": move.state}
        await log.event("CORRECTIONS", {**told, "outcome": "asked"})
        made = await tickets.move(ledger, None, move)
        await log.event("CORRECTIONS", {**told, "outcome": "moved"})
    print(f"{made.id}: {made.state}", file=sys.stderr)


def _write(path: Path, found: Iterable[Ticket]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for ticket in found:
            told = {**_told(ticket), "recipient": ticket.recipient, "note": ticket.note}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _told(ticket: Ticket) -> dict[str, object]:
    return {
        "ticket": ticket.id,
        "source": ticket.source,
        "item": ticket.item,
        "why": ticket.why,
        "state": ticket.state,
        "filedAt": datetime.datetime.fromtimestamp(ticket.filed, datetime.UTC).isoformat(),
    }


def _operator() -> str:
    return f"operator:{getpass.getuser()}"
