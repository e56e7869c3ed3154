"""`python -m bench.log`: what the query log costs an operation, and how fast it is verified.

The pipeline runs in this process over agencies in memory, 128 operations in flight, in turns with
the real log and with a store that keeps nothing. Only this file can put such a store in: no
setting names one. Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import itertools
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rich.console import Console
from rich.table import Table

from hub.querylog.checkpoint import Checkpoints, LogKey
from hub.querylog.group import Written
from hub.querylog.index import index_of
from hub.querylog.keeper import Keeper
from hub.querylog.leaf import SALT_BYTES, canonical, commitment, leaf
from hub.querylog.record import Pseudonyms
from hub.querylog.sealing import Keep, KeyOf, Sealing, seal
from hub.querylog.store import RECIPIENTS, Store
from hub.querylog.tables import DETAILS_KEY
from hub.querylog.verify import Trust, verify
from tests.hub.memory import CASE, SOURCES, Agency, World, hub_over
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome, pseudonym
from tests.sources.postgres import running

RESULTS = Path("bench/results/log.json")
IN_FLIGHT = 128
PURPOSE = "basic-livelihood.application"
QUERY = """query Income($id: ID!) { recipient(id: $id) {
  identity { name birthDate sex }
  tax { arrears withholdings { payer kind paid withheld } }
  labour { insured }
} }"""
_PERSON = {
    "name": "a name",
    "birthDate": datetime.date(1980, 1, 1),
    "sex": "female",
    "district": "1",
    "householdId": "h-1",
    "safeAddress": False,
    "members": [{"id": "r-1", "safeAddress": False}, {"id": "r-2", "safeAddress": False}],
}
_PAID = {"payer": "an employer", "kind": "wages", "paid": 30_000_000, "withheld": 900_000}
SUBJECT = Pseudonyms(b"key").of("r-1").encode()
RECORDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "resident": {
        key: {**_PERSON, "name": key, "address": key} for key in ("r-1", "r-2", "r-official")
    },
    "tax": {"r-1": {"arrears": 5, "withholdings": [_PAID]}},
    "labour": {"r-1": {"insured": True}},
    "benefits": {"c-1": CASE},
}
EXPECTED = {
    "identity": {"name": "r-1", "birthDate": "1980-01-01", "sex": "female"},
    "tax": {"arrears": 5, "withholdings": [_PAID]},
    "labour": {"insured": True},
}


class NullStore(Store):
    """A store that keeps nothing."""

    async def append(self, record: Mapping[str, Any], keep: Keep = RECIPIENTS) -> int:  # noqa: ARG002
        """Keep nothing."""
        return 0


@contextlib.asynccontextmanager
async def worlds(address: str) -> AsyncIterator[dict[str, World]]:
    """One world with a real log at an address, one without."""
    stores = {"log": Store(address, 512, SEALING_KEY), "null": NullStore(address, 512, SEALING_KEY)}
    for store in stores.values():
        await store.open()
    keeper = Keeper(stores["log"], Checkpoints(stores["log"].engine, SIGNER))
    await keeper.open()

    def world(store: Store) -> World:
        agencies = {name: Agency(RECORDS.get(name, {})) for name in SOURCES}
        return World(hub_over(store, agencies), agencies)

    try:
        yield {name: world(store) for name, store in stores.items()}
    finally:
        await keeper.close()
        for store in stores.values():
            await store.close()


async def rate(world: World, seconds: float) -> tuple[float, float]:
    """Operations a second, so many in flight, and seconds of this process's processor for each."""
    before = sum(os.times()[:2])
    done, end = itertools.count(), time.perf_counter() + seconds

    async def ask() -> None:
        while time.perf_counter() < end:
            found = await world.ask(PURPOSE, QUERY)
            if found["errors"] or found["data"] != {"recipient": EXPECTED}:
                raise RuntimeError(f"another answer was expected: {json.dumps(found)[:2000]}")
            next(done)

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
    for agency in world.agencies.values():
        agency.asked.clear()
    count = next(done)
    return count / (time.perf_counter() - started), (sum(os.times()[:2]) - before) / max(count, 1)


async def cost(name: str, address: str, rounds: int, seconds: float) -> dict[str, Any]:
    """What the log costs an operation, in turns with and without."""
    async with worlds(address) as both:
        for world in both.values():
            await rate(world, 1)
        rates: dict[str, list[tuple[float, float]]] = {"log": [], "null": []}
        for _ in range(rounds):
            for which, world in both.items():
                rates[which].append(await rate(world, seconds))
    log, null = (statistics.median(each[0] for each in rates[which]) for which in ("log", "null"))
    # Where others use the machine too, what the processor was at says more than the wall.
    with_log, without = (
        statistics.median(each[1] for each in rates[which]) * 1e6 for which in ("log", "null")
    )
    return {
        "store": name,
        "with_log": round(log),
        "without": round(null),
        "ratio": round(log / null, 3),
        "processor_us_with_log": round(with_log),
        "processor_us_without": round(without),
        "processor_ratio": round(without / with_log, 3),
        "added_processor_us": round(with_log - without),
    }


async def appends(name: str, address: str, seconds: float) -> dict[str, Any]:
    """Records a second that are made durable, so many in flight."""
    store = Store(address, 512, SEALING_KEY)
    await store.open()
    keeper = Keeper(store, Checkpoints(store.engine, SIGNER))
    await keeper.open()
    numbers, end = itertools.count(), time.perf_counter() + seconds

    async def append() -> None:
        for number in numbers:
            if time.perf_counter() >= end:
                return
            await store.append(intent(number))
            await store.append(outcome(number))

    started = time.perf_counter()
    await asyncio.gather(*(append() for _ in range(IN_FLIGHT)))
    found = (next(numbers) - IN_FLIGHT) * 2 / (time.perf_counter() - started)
    await keeper.close()
    await store.close()
    return {"store": name, "records_a_second": round(found)}


async def filled(address: str, records: int) -> None:
    """A store of so many records, signed; written in great groups."""
    store = Store(address, 1, SEALING_KEY)
    async with worlds(address) as both:
        await both["log"].ask(PURPOSE, QUERY)
        store_of = both["log"].hub.log.store
        as_the_pipelines = [orjson.dumps(each) async for each in store_of.records()]
    await store.open()
    key = AESGCM(await opened_key(store))
    for start in range(len(as_the_pipelines), records, 8192):
        several = range(start, min(start + 8192, records))
        group = [written(key, of_another(as_the_pipelines[n % 2], n // 2)) for n in several]
        await store.into.write(group, {})
    await Checkpoints(store.engine, SIGNER).grow()
    await store.close()


def of_another(record: bytes, number: int) -> dict[str, Any]:
    """The same record of another operation, by another official and about somebody else."""
    found: dict[str, Any] = orjson.loads(
        record.replace(SUBJECT, pseudonym(number).encode()).replace(
            b'"official"', f'"official-{number % 20_000}"'.encode()
        )
    )
    return {**found, "operation": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))}


async def opened_key(store: Store) -> bytes:
    """The only key of details of a store."""
    async with store.engine.connect() as connection:
        row = (await connection.execute(sa.select(DETAILS_KEY))).one()
    return store.sealing.opened(KeyOf(row.period, Keep(row.subjects, row.years)), row.wrapped)


def written(key: AESGCM, record: Mapping[str, Any]) -> Written:
    """A record as the store keeps it, under the key of number 1."""
    details, salt, indexed = canonical(record), os.urandom(SALT_BYTES), index_of(record)
    sealed = seal(key, salt, details)
    return Written(leaf(commitment(salt, details)), 1, sealed, indexed.row, indexed.about)


async def verifying(address: str, records: int) -> dict[str, Any]:
    """Seconds to verify so many records, on the wall and of processors."""
    await filled(address, records)
    started, before = time.perf_counter(), os.times()
    trust = Trust([LogKey(SIGNER.verifier)], sealing=Sealing(SEALING_KEY))
    report = await verify(address, trust)
    if report.findings:
        raise SystemExit(f"not clean: {report.findings[:3]}")
    after = os.times()
    return {
        "records": report.records,
        "seconds": round(time.perf_counter() - started, 1),
        "of_processors": round(sum(after[:4]) - sum(before[:4]), 1),
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    rows, filled = [], []
    with tempfile.TemporaryDirectory(prefix="bench-log-") as folder:

        def file(name: str) -> str:
            return f"sqlite+aiosqlite:///{Path(folder) / name}"

        rows.append(await cost("sqlite", file("cost.db"), options.rounds, options.seconds))
        filled.append(await appends("sqlite", file("append.db"), options.seconds))
        if options.verify_only:
            return {"verify": await verifying(file("verify.db"), options.records)}
        verified = await verifying(file("verify.db"), options.records)
    if not options.sqlite_only:
        async with running() as server:
            rows.append(await cost("postgresql", server.url, options.rounds, options.seconds))
            filled.append(await appends("postgresql", server.url, options.seconds))
    return {"cost": rows, "appends": filled, "verify": verified}


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.log", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--records", type=int, default=1_000_000, help="how many are verified")
    parser.add_argument("--sqlite-only", action="store_true")
    parser.add_argument("--verify-only", action="store_true")
    result = asyncio.run(measure(parser.parse_args()))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    console = Console()
    names = ("with log /s", "without /s", "ratio", "µs with log", "µs without", "ratio", "added µs")
    table = Table("Store", *names, title="128 in flight; µs are of this process's processor")
    for row in result["cost"]:
        table.add_row(*map(str, row.values()))
    console.print(table)
    for row in result["appends"]:
        console.print(f"{row['store']}: {row['records_a_second']:,} records a second")
    verified = result["verify"]
    console.print(
        f"{verified['records']:,} records verified in {verified['seconds']} s, "
        f"{verified['of_processors']} s of processors"
    )


if __name__ == "__main__":
    main()
