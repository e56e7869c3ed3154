"""`python -m bench.misuse`: what indicators of misuse cost over a year of many accesses.

Fills the index of a store of its own, by SQL, as many officials looking at many recipients would,
and computes every indicator over it. Machines are noisy: read the seconds of processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from hub.config import Audit
from hub.querylog.store import Store
from hub.querylog.tables import INDEX_ABOUT, INDEX_RECORD
from hub.reading import search
from hub.reading.indicators import INDICATORS
from hub.reading.report import Reporting
from tests.reading.test_indicators import REGISTER
from tests.sources.postgres import Postgres, running

RESULTS = Path("bench/results/misuse.json")
YEAR = 365 * 86_400_000
EVENTS = 2_400_000
"""Of three million cases: most were decided, one of a hundred was opened and closed at once."""


def statements(dialect: str, records: int, start: int) -> list[str]:
    """What fills the index with a year of records, as a database says it."""
    if dialect == "sqlite":
        counted = (
            "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {})"
        )
        counted += " SELECT i FROM n) AS n"
        number, anything = "cast('{}' || printf('%015x', {}) AS BLOB)", "randomblob(16)"
        famous = "x'00112233445566778899aabbccddeeff'"
    else:
        counted = "generate_series(0::bigint, {} - 1) AS n(i)"
        number = "convert_to('{}' || lpad(to_hex({}), 15, '0'), 'UTF8')"
        anything = "decode(md5(i::text), 'hex')"
        famous = r"'\x00112233445566778899aabbccddeeff'"
    recipient = number.format("0", "idx * 48271 % 4000037 * 26544357")
    case, decided = (number.format("c", f"idx * {step} % 3000017") for step in (48271, 5))
    return [
        # Officials come and go by a number that runs through them all; so do recipients and cases.
        f"""
        INSERT INTO index_record
        SELECT i, 'OUTCOME', {start} + i * {YEAR} / {records}, {anything},
            'official-' || (i * 7919 % 20000), 'office-' || (i * 7919 % 20000 / 20),
            CASE WHEN i % 1000 = 3 THEN 'glass' WHEN i % 3 > 0 THEN 'livelihood' ELSE 'pension' END,
            CASE WHEN i % 47 = 5 THEN 'refused' ELSE 'answered' END,
            CASE WHEN i % 50 = 7 THEN 1 WHEN i % 5000 = 8 THEN 2 WHEN i % 1000 = 3 THEN 8 ELSE 0
            END, i % 400
        FROM {counted.format(records)}
        """,
        f"""
        INSERT INTO index_about
        SELECT idx, {recipient},
            CASE WHEN outcome = 'answered' THEN 'released' ELSE 'asked' END, flags, person
        FROM index_record
        UNION ALL
        SELECT idx, {case}, 'case', 0, person FROM index_record WHERE purpose <> 'glass'
        """,
        # One official returns to a neighbour, and many look at somebody famous.
        f"""
        UPDATE index_about SET pseudonym = {famous}
        WHERE part = 'released' AND (person = 'official-7' AND idx % 3 = 0 OR idx % 20011 = 1)
        """,
        f"""
        INSERT INTO index_record
        SELECT {records} + i, 'CASE', {start + YEAR}, NULL, NULL, NULL, NULL,
            CASE WHEN i % 100 > 0 THEN 'decided' ELSE 'brief' END, 0, NULL
        FROM {counted.format(EVENTS)}
        """,
        f"""
        INSERT INTO index_about
        SELECT idx, {decided}, outcome, 0, NULL FROM index_record WHERE kind = 'CASE'
        """,
    ]


async def fill(store: Store, records: int, until: int) -> None:
    """Write the index of so many records, the last year's, without its own indexes at first."""
    indexes = (*INDEX_RECORD.indexes, *INDEX_ABOUT.indexes)
    async with store.engine.begin() as connection:
        for index in indexes:
            await connection.execute(sa.schema.DropIndex(index))
        for statement in statements(store.engine.dialect.name, records, until - YEAR):
            await connection.exec_driver_sql(statement)
        for index in indexes:
            await connection.execute(sa.schema.CreateIndex(index))
        await connection.execute(sa.text("ANALYZE"))


async def measure(
    address: str, records: int, server: Postgres | None = None
) -> list[dict[str, Any]]:
    """Seconds, on the wall and of this process's processor, for each indicator by itself."""
    store, until = Store(address, 1, bytes(32)), round(time.time() * 1000)
    await store.open()
    await fill(store, records, until)
    if server is not None:
        await server.execute("VACUUM ANALYZE")
    # What takes too long is to be told too.
    search.SECONDS = 3600
    reporting, rows = Reporting(store.engine, REGISTER, Audit()), []
    for name, indicator in INDICATORS.items():
        started, before = time.perf_counter(), os.times()
        report = await reporting.report(until - YEAR, until + 1, [indicator])
        after = os.times()
        rows.append(
            {
                "indicator": name,
                "found": report.found[0].count,
                "of": report.accesses,
                "seconds": round(time.perf_counter() - started, 1),
                "of_processor": round(sum(after[:2]) - sum(before[:2]), 1),
            }
        )
        Console(stderr=True).print(rows[-1])
    await store.close()
    return rows


async def on_sqlite(records: int) -> list[dict[str, Any]]:
    """In a file of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-misuse-") as folder:
        return await measure(f"sqlite+aiosqlite:///{folder}/log.db", records)


async def on_postgresql(records: int) -> list[dict[str, Any]]:
    """On a server of its own, with the settings that it comes with."""
    async with running() as server:
        return await measure(server.url, records, server)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.misuse", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    options = parser.parse_args()
    rows = asyncio.run((on_postgresql if options.postgresql else on_sqlite)(options.records))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"records": options.records, "rows": rows}, indent=2) + "\n")
    table = Table("Indicator", "found", "of", "seconds", "of processor")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
