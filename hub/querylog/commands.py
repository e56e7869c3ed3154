"""What the commands of `hub log` do. Each returns the exit code."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import gc
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub.config import read_settings
from hub.oversight.retention import forget, outdated
from hub.querylog import schema
from hub.querylog.checkpoint import Checkpoints, LogAltered, LogKey
from hub.querylog.engine import engine_of
from hub.querylog.keys import read_keys, verifiers
from hub.querylog.note import LOG, WITNESS, NoteRefused, Signer, Verifier
from hub.querylog.proof import Proof, prove
from hub.querylog.retention import expired, shred
from hub.querylog.sealing import Sealing
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.tree import ProofFails
from hub.querylog.verify import Progress as Told
from hub.querylog.verify import Report, Trust, Unreadable, verify
from hub.querylog.witness import Forked, LogUnreachable, Witness
from sources.fault import Fault, FaultyConfiguration

_SHOWN = 50


@dataclass(frozen=True)
class _Place:
    """A store, and the keys for it: of the settings, of the demo, or as given."""

    store: str
    sealing: bytes | None
    keys: Sequence[LogKey]
    witnesses: Sequence[Verifier]
    signer: Signer | None = None

    @property
    def opening(self) -> bytes:
        """The sealing key. Raises FaultyConfiguration where there is none."""
        if self.sealing is None:
            fault = Fault("hub log", "the sealing key", "is needed", "give `--sealing-key`")
            raise FaultyConfiguration([fault])
        return self.sealing


def _place(options: argparse.Namespace) -> _Place:
    given, witnesses = _given(options)
    if options.config is not None:
        settings = read_settings(options.config).log
        keys = read_keys(settings)
        place = _Place(
            options.store or settings.store,
            keys.sealing,
            (LogKey(keys.signer.verifier), *keys.former),
            keys.witnesses,
            keys.signer,
        )
    else:
        place = _demo(options)
    sealing = options.sealing_key.read_bytes() if options.sealing_key else place.sealing
    return dataclasses.replace(
        place,
        sealing=sealing,
        keys=given or place.keys,
        witnesses=witnesses or place.witnesses,
    )


def _demo(options: argparse.Namespace) -> _Place:
    """The demo's store, or one in a file beside which there are keys as the demo has them."""
    folder = options.folder.resolve()
    url = None if options.store is None else sa.make_url(options.store)
    if url is not None and url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).resolve().parent
    keys, faults = folder / "keys", list[Fault]()
    found = [keys / name for name in ("sealing.key", "signing.key", "verifiers.txt")]
    sealing, signing, lines = (path if path.is_file() else None for path in found)
    known = verifiers("the log's keys", lines, LOG, faults)
    if faults:
        raise FaultyConfiguration(faults)
    return _Place(
        options.store or f"sqlite+aiosqlite:///{folder / 'log.db'}",
        sealing.read_bytes() if sealing else None,
        known,
        (),
        Signer.read(signing.read_text()) if signing else None,
    )


def _given(options: argparse.Namespace) -> tuple[list[LogKey], list[Verifier]]:
    faults: list[Fault] = []
    logs: list[LogKey] = []
    witnesses: list[LogKey] = []
    named = [(text, LOG, logs) for text in options.verifier]
    named += [(text, WITNESS, witnesses) for text in options.witness_verifier]
    for text, kind, into in named:
        if Path(text).is_file():
            into.extend(verifiers(text, Path(text), kind, faults))
            continue
        try:
            into.append(LogKey(Verifier.read(text)))
        except NoteRefused as error:
            faults.append(
                Fault("hub log", f"`{text}`", str(error), "give a key, or a file of keys")
            )
    if faults:
        raise FaultyConfiguration(faults)
    return logs, [found.verifier for found in witnesses]


def _keys(keys: Sequence[LogKey]) -> Sequence[LogKey]:
    if not keys:
        fault = Fault("hub log", "the log's key", "none is known", "give `--verifier`")
        raise FaultyConfiguration([fault])
    return keys


def run_log_verify(options: argparse.Namespace) -> int:
    """Verify a store: 0 clean, 1 altered, 2 unreadable."""
    place = _place(options)
    try:
        since = None if options.since is None else options.since.read_text("utf-8")
        sealing = None if place.sealing is None else Sealing(place.sealing)
        trust = Trust(_keys(place.keys), place.witnesses, sealing, since)
        started = time.perf_counter()
        gc.disable()  # rows are many and hold no circles: looking for some costs a fifth
        with _progress() as bar:
            report = asyncio.run(verify(place.store, trust, bar))
    except (Unreadable, OSError, ValueError) as error:
        print(f"unreadable: {error}", file=sys.stderr)
        return 2
    finally:
        gc.enable()
    if options.json:
        print(json.dumps(_as_json(report), indent=2))
    else:
        _tell(report, time.perf_counter() - started)
    return 1 if report.findings else 0


@contextmanager
def _progress() -> Iterator[Told]:
    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        reading = bar.add_task("records", total=None)

        def told(done: int, of: int) -> None:
            bar.update(reading, completed=done, total=of)

        yield told


def _as_json(report: Report) -> dict[str, object]:
    return {
        "findings": [dataclasses.asdict(found) for found in report.findings],
        "notes": report.notes,
        "records": report.records,
        "checkpoints": report.checkpoints,
        "cosignatures": report.cosignatures,
        "destroyed": report.destroyed,
        "signed": None if report.signed is None else report.signed.size,
    }


def _tell(report: Report, seconds: float) -> None:
    for found in report.findings[:_SHOWN]:
        print(found)
    if len(report.findings) > _SHOWN:
        print(f"… and {len(report.findings) - _SHOWN} more")
    for note in report.notes:
        print(f"note: {note}")
    signed = "nothing" if report.signed is None else f"the first {report.signed.size:,}"
    since = f" from record {report.start} on" if report.start else ""
    print(
        f"{report.records:,} records{since}, {signed} under {report.checkpoints:,} checkpoints"
        f" ({report.cosignatures:,} cosignatures), details of {report.destroyed:,} destroyed"
        f" when due; {seconds:.1f} s"
    )
    count = len(report.findings)
    print("clean" if not count else f"{count} finding{'s' if count > 1 else ''}")


def run_log_prove(options: argparse.Namespace) -> int:
    """Write a proof of a record."""
    place = _place(options)
    try:
        proof = asyncio.run(prove(place.store, Sealing(place.opening), options.place))
    except (NoteRefused, LogUnavailable) as error:
        print(error, file=sys.stderr)
        return 1
    if options.into is None:
        print(proof.text, end="")
    else:
        options.into.write_text(proof.text, "utf-8")
    return 0


def run_log_check_proof(options: argparse.Namespace) -> int:
    """Check a proof, with nothing but it and keys."""
    keys, witnesses = _given(options)
    try:
        proof = Proof.read(options.proof.read_text("utf-8"))
        head, record, by = proof.check(_keys(keys), witnesses)
    except (OSError, UnicodeDecodeError) as error:
        print(f"`{options.proof}` cannot be read: {type(error).__name__}", file=sys.stderr)
        return 2
    except (NoteRefused, ProofFails) as error:
        print(f"the proof does not hold: {error}", file=sys.stderr)
        return 1
    print(json.dumps(record, indent=2, ensure_ascii=False))
    cosigned = f", cosigned by {', '.join(each.name for each in by)}" if by else ""
    print(
        f"the proof holds: this is record {proof.index} of `{head.origin}`, under its signed tree "
        f"of {head.size} records{cosigned}",
        file=sys.stderr,
    )
    return 0


def run_log_witness(options: argparse.Namespace) -> int:
    """Look at a log, once or again and again; 1 for a fork, 2 where it cannot be looked at."""
    keys, _ = _given(options)
    try:
        signer = Signer.read(options.key.read_text())
        if signer.verifier.kind != WITNESS:
            raise NoteRefused("it is no witness's key: make one by `hub log key --witness`")
    except (OSError, NoteRefused) as error:
        print(f"`{options.key}`: {error}", file=sys.stderr)
        return 2
    with httpx.Client(timeout=30) as client:
        address = options.log.rstrip("/")
        witness = Witness(address, _keys(keys), signer, options.state, client)
        while True:
            code = _look(witness)
            if options.every is None or code == 1:
                return code
            time.sleep(options.every)


def _look(witness: Witness) -> int:
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        head, cosigned = witness.look()
    except Forked as error:
        evidence = witness.state.with_name(f"{witness.state.name}.fork")
        evidence.write_text(f"{error}\n", "utf-8")
        print(f"{at} FORKED: {error}\nkept in `{evidence.name}`", file=sys.stderr, flush=True)
        return 1
    except (LogUnreachable, NoteRefused) as error:
        print(f"{at} not cosigned: {error}", file=sys.stderr, flush=True)
        return 2
    print(f"{at} {head.size} records: {'cosigned' if cosigned else 'seen before'}", flush=True)
    return 0


def run_log_key(options: argparse.Namespace) -> int:
    """Make a key; print what verifies by it."""
    try:
        signer = Signer.make(options.name, WITNESS if options.witness else LOG)
        descriptor = os.open(options.into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except (NoteRefused, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"no key was made: {reason}", file=sys.stderr)
        return 2
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{signer.text}\n")
    print(signer.verifier.text)
    return 0


def run_log_migrate(options: argparse.Namespace) -> int:
    """Bring a store to this hub's tables, and records of older hubs into the tree."""
    place = _place(options)

    async def migrate() -> tuple[str | None, str, int]:
        engine = engine_of(place.store)
        try:
            before, after = await schema.upgrade(engine)
        finally:
            await engine.dispose()
        store = Store(place.store, 512, place.opening)
        await store.open()
        try:
            carried = await store.carry()
            if place.signer is not None:
                await Checkpoints(store.engine, place.signer, place.keys).grow()
        finally:
            await store.close()
        return before, after, carried

    try:
        before, after, carried = asyncio.run(migrate())
    except (LogUnavailable, LogAltered, sa.exc.SQLAlchemyError, OSError) as error:
        print(f"the store was not migrated: {error}", file=sys.stderr)
        return 1
    print(f"tables: revision {before or 'none'} before, {after} now")
    print(f"{carried:,} records of older hubs taken into the tree")
    if carried:
        print("run it again when the last older hub has stopped")
    return 0


def run_log_shred(options: argparse.Namespace) -> int:
    """Destroy the details whose term is over."""
    place = _place(options)
    today = datetime.datetime.now(datetime.UTC).date()

    async def work() -> tuple[list[tuple[str, int]], Mapping[str, int]]:
        store = Store(place.store, 512, place.opening)
        await store.open()
        now = datetime.datetime.now(datetime.UTC).timestamp()
        try:
            keys = await (expired if options.dry_run else shred)(store, today)
            return keys, await (outdated if options.dry_run else forget)(store, now)
        finally:
            await store.close()

    try:
        found, oversight = asyncio.run(work())
    except LogUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    for of, count in found:
        print(f"{of}: {count:,} records")
    print(f"{len(found)} keys {'are to be destroyed' if options.dry_run else 'destroyed'}")
    if any(oversight.values()):
        told = ", ".join(f"{count:,} {kind}" for kind, count in oversight.items())
        print(f"{told} of oversight {'are to be deleted' if options.dry_run else 'deleted'}")
    return 0
