"""What the commands of `hub log` that read do. Each returns the exit code.

Whoever has the keys could read the store without them; whoever reads by them is in the log.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import getpass
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa

from hub import tables
from hub.app import read_plans
from hub.config import Settings, read_settings
from hub.querylog.index import CASE
from hub.querylog.keys import read_keys
from hub.querylog.record import Pseudonyms
from hub.querylog.store import STAFF, LogUnavailable, Store, Stored
from hub.querylog.tables import INDEX_RECORD
from hub.reading.export import COLUMNS, FORMATS, csv_row, items_of
from hub.reading.indicators import INDICATORS, chosen
from hub.reading.report import Report, Reporting
from hub.reading.search import READ, Search, connected, find, milliseconds, places
from sources.fault import Fault, FaultyConfiguration

OUTCOMES = ("decided", "closed", "brief")
"""What may become of a case, as events say it."""
LEAST_REASON = 20
_PAGE = 1000
_SECONDS = 1.0
_MOST = 100_000
BOUNDS: Mapping[str, int] = {
    "same-address": 0,
    "same-office": 0,
    "brief-case": 0,
    "another-purpose": 0,
    "break-glass-reviews": 0,
}
"""The indicators that are a reason to look where nobody says, from one record on."""


@dataclass(frozen=True)
class _Reader:
    """An open store, and who reads it by command."""

    store: Store
    pseudonyms: Pseudonyms
    person: str

    async def note(self, reads: Mapping[str, object], **facts: object) -> int:
        """Make it durable what is read. Raises LogUnavailable."""
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        record = {"kind": READ, "at": at, "hub": self.store.run, "person": self.person}
        return await self.store.append({**record, "reads": reads, **facts}, STAFF)


def run_log_show(options: argparse.Namespace) -> int:
    """Print one record."""

    async def show(reader: _Reader) -> int:
        await reader.note({"show": options.place})
        found = await reader.store.read([options.place])
        if not found:
            print(f"there is no record {options.place}", file=sys.stderr)
            return 1
        if found[0].details is None:
            print(f"the details of record {options.place} are destroyed", file=sys.stderr)
            return 1
        print(json.dumps(found[0].details, indent=2, ensure_ascii=False))
        return 0

    return _run(options, show)


def run_log_find(options: argparse.Namespace) -> int:
    """Print the newest records that fit, the newest last."""
    subject = _subject(options)

    async def search(reader: _Reader) -> int:
        wanted, reads, about = _wanted(reader, options, subject)
        await reader.note({"find": reads}, **about)
        if not 1 <= options.limit <= _MOST:
            print(f"`--limit` is a number from 1 to {_MOST}", file=sys.stderr)
            return 2
        page = await find(reader.store, wanted, options.limit)
        records = list(reversed(page.records))
        await reader.note({"find": reads}, records=[found.index for found in records], **about)
        if options.json or options.follow:
            _print_lines(records, FORMATS["jsonl"], sys.stdout)
        else:
            _print_table(records)
        if options.follow:
            last = records[-1].index if records else -1
            await _follow(reader, wanted, last, FORMATS["jsonl"], sys.stdout)
        return 0

    return _run(options, search)


def run_log_export(options: argparse.Namespace) -> int:
    """Write every record that fits, in order."""
    if len(options.reason.strip()) < LEAST_REASON:
        print(f"say why in {LEAST_REASON} characters or more", file=sys.stderr)
        return 2
    subject = _subject(options)

    async def export(reader: _Reader) -> int:
        wanted, reads, about = _wanted(reader, options, subject)
        told = {"export": {**reads, "format": options.format}}
        await reader.note(told, reason=options.reason.strip(), **about)
        with _into(options.into) as stream:
            if options.format == "csv":
                print(csv_row(list(COLUMNS)), file=stream)
            count, last = 0, -1
            async for page in _pages(reader, wanted, last):
                _print_lines(page, FORMATS[options.format], stream)
                count, last = count + len(page), page[-1].index
            if options.follow:
                await _follow(reader, wanted, last, FORMATS[options.format], stream)
        await reader.note(told, outcome="answered", count=count, **about)
        print(f"{count} records", file=sys.stderr)
        return 0

    try:
        return _run(options, export)
    except OSError as error:
        print(f"`{options.into}` cannot be written: {error.strerror}", file=sys.stderr)
        return 2


def run_log_cases(options: argparse.Namespace) -> int:
    """Log what became of cases: their pseudonyms, and nothing else of them."""
    events, faults = [], []
    for number, line in enumerate(sys.stdin, start=1):
        try:
            told = json.loads(line)
            case, outcome = told["case"], told["outcome"]
        except (ValueError, KeyError, TypeError):
            case = outcome = None
        if isinstance(case, str) and outcome in OUTCOMES:
            events.append((case, outcome))
        else:
            remedy = f'write {{"case": REFERENCE, "outcome": one of {", ".join(OUTCOMES)}}}'
            faults.append(Fault("standard input", f"line {number}", "is no event", remedy))
    if faults:
        raise FaultyConfiguration(faults)

    async def note(reader: _Reader) -> int:
        for case, outcome in events:
            at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            record = {"kind": CASE, "at": at, "hub": reader.store.run, "person": reader.person}
            about = {"outcome": outcome, "casesNamed": [reader.pseudonyms.of(case)]}
            await reader.store.append({**record, **about})
        print(f"{len(events)} events", file=sys.stderr)
        return 0

    return _run(options, note)


def run_log_watch(options: argparse.Namespace) -> int:
    """Compute indicators; 1 where one is over its bound."""
    settings = read_settings(options.config or Path("hub.toml"))
    bounds = _bounds(options)
    register = read_plans(settings, environment=False).register

    async def watch(reader: _Reader) -> int:
        reporting = Reporting(reader.store.engine, register, settings.audit)
        names = options.names or list(INDICATORS)
        await reader.note({"watch": names})
        since, until = (
            None if each is None else milliseconds(each) for each in (options.since, options.until)
        )
        report = await reporting.report(since, until, chosen(names))
        over = [
            found.indicator.name
            for found in report.found
            if found.indicator.name in bounds and found.count > bounds[found.indicator.name]
        ]
        counts = {found.indicator.name: found.count for found in report.found}
        await reader.note({"watch": names}, counts=counts)
        told = {
            "since": report.since,
            "until": report.until,
            "accesses": report.accesses,
            "unexplained": report.unexplained,
            "counts": counts,
            "over": over,
        }
        print(json.dumps(told)) if options.json else _print_report(report, over)
        if over and settings.audit.webhook is not None:
            await _post(settings.audit.webhook, told)
        return 1 if over else 0

    return _run(options, watch)


def _bounds(options: argparse.Namespace) -> dict[str, int]:
    """Up to how many records an indicator is no reason to look. Raises FaultyConfiguration."""
    bounds, faults = dict(BOUNDS), []
    for text in options.over:
        name, _, count = text.partition("=")
        if name in INDICATORS and count.isdecimal():
            bounds[name] = int(count)
        else:
            message = f"`{text}` is none of an indicator's"
            faults.append(Fault("hub log watch", "--over", message, "write NAME=COUNT"))
    for name in options.names or ():
        if name not in INDICATORS:
            remedy = f"name one of {', '.join(INDICATORS)}"
            faults.append(Fault("hub log watch", "--indicator", f"there is no `{name}`", remedy))
    if faults:
        raise FaultyConfiguration(faults)
    return bounds


async def _post(address: str, told: Mapping[str, object]) -> None:
    """Post what was found: counts, and nobody's name."""
    import httpx  # noqa: PLC0415 - needed here only

    try:
        async with httpx.AsyncClient(timeout=10, follow_redirects=False) as client:
            (await client.post(address, json=dict(told))).raise_for_status()
    except httpx.HTTPError as error:
        print(f"the webhook does not answer ({type(error).__name__})", file=sys.stderr)


def _print_report(report: Report, over: list[str]) -> None:
    rows = [
        (
            found.indicator.name,
            str(found.count),
            f"{found.count / report.accesses:.2%}" if report.accesses else "",
            "look" if found.indicator.name in over else "",
            found.indicator.title,
        )
        for found in report.found
    ]
    tables.show(
        f"{report.accesses} accesses of officials",
        ("indicator", "records", "share", "", "finds"),
        rows,
    )


def _subject(options: argparse.Namespace) -> str | None:
    """The id from standard input: a command line is seen by everybody on the machine."""
    return sys.stdin.readline().strip() or None if options.subject else None


def _wanted(
    reader: _Reader, options: argparse.Namespace, subject: str | None
) -> tuple[Search, dict[str, object], dict[str, object]]:
    """The search, how the log says it, and whom it is about."""

    def pseudonym(key: str | None) -> bytes | None:
        return None if key is None else bytes.fromhex(reader.pseudonyms.of(key))

    plain = {name: getattr(options, name) for name in ("person", "office", "purpose", "outcome")}
    plain["item"] = options.item
    times = {name: getattr(options, name) for name in ("since", "until")}
    reads = {name: value for name, value in plain.items() if value is not None}
    reads |= {name: at.isoformat() for name, at in times.items() if at is not None}
    about: dict[str, object] = {}
    if subject is not None:
        about["subjects"] = [reader.pseudonyms.of(subject)]
    if options.case is not None:
        about["casesNamed"] = [reader.pseudonyms.of(options.case)]
    found = Search(**plain, **times, subject=pseudonym(subject), case=pseudonym(options.case))
    return found, reads, about


async def _pages(reader: _Reader, wanted: Search, last: int) -> AsyncIterator[list[Stored]]:
    """The records that fit after a place, in order, but for those about reading by command."""
    while True:
        query = (
            places(wanted)
            .where(INDEX_RECORD.c.idx > last, INDEX_RECORD.c.kind != READ)
            .order_by(INDEX_RECORD.c.idx)
            .limit(_PAGE)
        )
        async with connected(reader.store.engine) as connection:
            found = [row.idx for row in await connection.execute(query)]
        if not found:
            return
        yield await reader.store.read(found)
        last = found[-1]


async def _follow(
    reader: _Reader, wanted: Search, last: int, line: Callable[..., str], stream: TextIO
) -> None:
    while True:
        await asyncio.sleep(_SECONDS)
        async for page in _pages(reader, wanted, last):
            _print_lines(page, line, stream)
            last = page[-1].index


def _print_lines(records: list[Stored], line: Callable[..., str], stream: TextIO) -> None:
    for found in records:
        if found.details is not None:
            print(line(found.index, found.details), file=stream)
    stream.flush()


def _print_table(records: list[Stored]) -> None:
    names = ("place", "at", "kind", "outcome", "person", "office", "purpose", "items")
    rows = []
    for found in records:
        details: Mapping[str, Any] = found.details or {}
        cells = [str(details.get(name) or "") for name in names[1:-1]]
        rows.append((str(found.index), *cells, " ".join(items_of(details))))
    tables.show(None, names, rows, whole=2)


@asynccontextmanager
async def _opened(options: argparse.Namespace) -> AsyncIterator[_Reader]:
    if options.config is not None:
        settings: Settings = read_settings(options.config)
        keys = read_keys(settings.log)
        address, sealing, pseudonym = settings.log.store, keys.sealing, keys.pseudonym
    else:
        folder = options.folder.resolve()
        address = f"sqlite+aiosqlite:///{folder / 'log.db'}"
        sealing, pseudonym = _demo_keys(folder / "keys")
    if options.store is not None:
        address = options.store
    _check_there(address)
    store = Store(address, 1, sealing)
    await store.open()
    try:
        yield _Reader(store, Pseudonyms(pseudonym), f"operator:{getpass.getuser()}")
    finally:
        await store.close()


def _demo_keys(folder: Path) -> tuple[bytes, bytes]:
    """The demo's keys of details and of pseudonyms. Raises FaultyConfiguration."""
    found = [folder / name for name in ("sealing.key", "pseudonym.key")]
    faults = [
        Fault("hub log", "the demo's folder", f"has no `{path.name}`", "give --config or --folder")
        for path in found
        if not path.is_file()
    ]
    if faults:
        raise FaultyConfiguration(faults)
    return found[0].read_bytes(), found[1].read_bytes()


def _check_there(address: str) -> None:
    """Reading makes no new store. Raises FaultyConfiguration."""
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        fault = Fault("hub log", "the store", "is not there", "give --store, --config or --folder")
        raise FaultyConfiguration([fault])


def _run(options: argparse.Namespace, work: Callable[[_Reader], Coroutine[Any, Any, int]]) -> int:
    async def run() -> int:
        async with _opened(options) as reader:
            return await work(reader)

    try:
        return asyncio.run(run())
    except LogUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _into(path: Path | None) -> Any:
    return nullcontext(sys.stdout) if path is None else path.open("x", encoding="utf-8")
