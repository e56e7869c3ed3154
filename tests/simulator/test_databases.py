"""The databases over real SQL: what the reader may see, and what the server records of it."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sources.simulator.access import read_access
from tests.simulator.processes import Running

Work = Callable[["asyncpg.Connection[Any]"], Awaitable[Any]]


def connected(running: Running, work: Work) -> Any:
    """Run some work on a connection of the hub's reader."""

    async def run() -> Any:
        url = running.url.replace("postgresql+asyncpg://", "postgresql://")
        connection = await asyncpg.connect(url, ssl=False)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def fetch(running: Running, sql: str, *values: object) -> list[dict[str, Any]]:
    async def work(connection: "asyncpg.Connection[Any]") -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(sql, *values)]

    rows: list[dict[str, Any]] = connected(running, work)
    return rows


PROPERTY = """
SELECT owner.resident_no, owner.as_of,
  (SELECT json_agg(json_build_array(s."price", s."use")) AS json_agg_1
   FROM (SELECT land_holding.official_price AS "price", land_holding.land_category AS "use"
         FROM land_holding WHERE land_holding.resident_no = owner.resident_no
         ORDER BY land_holding.parcel_no) AS s) AS land,
  (SELECT json_agg(json_build_array(s."deposit"))
   FROM (SELECT lease.deposit AS "deposit" FROM lease
         WHERE lease.resident_no = owner.resident_no ORDER BY lease.lease_no) AS s) AS leases
FROM owner WHERE owner.resident_no IN ($1::VARCHAR, $2::VARCHAR)
"""


def test_the_views_give_the_sample_recipients_property(
    agencies: dict[str, Running], sample: dict[str, Any]
) -> None:
    (row,) = fetch(agencies["property"], PROPERTY, sample["recipient"], "nobody")
    assert json.loads(row["land"]) == [[4_120_000, "dry-field"]]
    assert json.loads(row["leases"]) == [[30_000_000]]
    assert row["as_of"].isoformat() == "2026-10-31"
    (car,) = fetch(
        agencies["property"], "SELECT * FROM vehicle WHERE resident_no = $1", sample["recipient"]
    )
    assert (car["model_year"], car["engine_cc"], car["use_class"]) == (2012, 1598, "private")


def test_the_sample_case_is_open_and_of_the_sample_caseworker(
    agencies: dict[str, Running], sample: dict[str, Any]
) -> None:
    sql = "SELECT * FROM welfare_case WHERE reference = $1"
    (case,) = fetch(agencies["benefits"], sql, sample["case"])
    caseworker = sample["personas"]["caseworker"]
    assert case["applicant_no"] == sample["recipient"]
    assert (case["state"], case["closed_on"]) == ("open", None)
    assert (case["programme"], case["office"]) == ("livelihood", caseworker["office"])
    assert case["official"] == caseworker["person"]
    assert case["household_id"] == "H00000000"
    (application,) = fetch(
        agencies["benefits"],
        "SELECT * FROM application WHERE resident_no = $1",
        sample["recipient"],
    )
    assert (application["status"], application["outcome"]) == ("investigating", None)


def test_the_sample_recipient_gets_benefits_for_each_of_twelve_months(
    agencies: dict[str, Running], sample: dict[str, Any]
) -> None:
    rows = fetch(
        agencies["benefits"],
        "SELECT programme, min(month) AS first, max(month) AS last, count(*) AS months "
        "FROM receipt WHERE resident_no = $1 GROUP BY programme ORDER BY programme",
        sample["recipient"],
    )
    assert rows == [
        {"programme": name, "first": "2025-11", "last": "2026-10", "months": 12}
        for name in ("child-allowance", "housing")
    ]


def test_a_person_without_property_has_no_row(agencies: dict[str, Running]) -> None:
    (row,) = fetch(agencies["property"], "SELECT count(*) AS owners FROM owner")
    assert 800 < row["owners"] < 1_500


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("DELETE FROM owner", asyncpg.InsufficientPrivilegeError),
        ("UPDATE vehicle SET plate = 'x'", asyncpg.InsufficientPrivilegeError),
        ("SELECT * FROM register.owner", asyncpg.InsufficientPrivilegeError),
        ("CREATE TABLE public.t (a int)", asyncpg.InsufficientPrivilegeError),
        ("CREATE TEMP TABLE t (a int)", asyncpg.InsufficientPrivilegeError),
        ("SET log_statement = 'none'", asyncpg.InsufficientPrivilegeError),
        ("SELECT pg_read_file('/etc/passwd')", asyncpg.InsufficientPrivilegeError),
    ],
)
def test_the_reader_can_do_no_more_than_read_views(
    agencies: dict[str, Running], sql: str, error: type[Exception]
) -> None:
    async def work(connection: "asyncpg.Connection[Any]") -> None:
        # Even a reader who leaves the read-only mode has no right to write.
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(sql)

    with pytest.raises(error):
        connected(agencies["property"], work)


def test_the_reader_starts_read_only(agencies: dict[str, Running]) -> None:
    (row,) = fetch(agencies["property"], "SHOW default_transaction_read_only")
    assert row == {"default_transaction_read_only": "on"}
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        fetch(agencies["property"], "CREATE TABLE t (a int)")


def test_a_database_can_be_frozen_and_let_go_on(agencies: dict[str, Running]) -> None:
    agency = agencies["benefits"]

    async def work(connection: "asyncpg.Connection[Any]") -> int:
        agency.process.send_signal(signal.SIGUSR1)
        await asyncio.sleep(0.2)
        answer = asyncio.create_task(connection.fetchval("SELECT count(*) FROM client"))
        done, _ = await asyncio.wait([answer], timeout=0.3)
        assert not done
        agency.process.send_signal(signal.SIGUSR2)
        count: int = await asyncio.wait_for(answer, 5)
        return count

    assert connected(agency, work) > 0


def test_a_wrong_password_and_another_database_are_refused(agencies: dict[str, Running]) -> None:
    async def attempt(url: str) -> None:
        connection = await asyncpg.connect(url, ssl=False)
        await connection.close()

    address = agencies["property"].url.partition("@")[2]
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(attempt(f"postgresql://hub_reader:wrong@{address}"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(attempt(f"postgresql://keeper:wrong@{address}"))


def test_a_statement_is_recorded_with_its_keys_and_the_columns_it_gives(
    agencies: dict[str, Running], run_directory: Path, sample: dict[str, Any]
) -> None:
    before = len(read_access("property", run_directory))
    fetch(agencies["property"], PROPERTY, sample["recipient"], "it's nobody")
    (access,) = read_access("property", run_directory)[before:]
    assert (access.source, access.subject) == ("property", "person")
    assert access.keys == (sample["recipient"], "it's nobody")
    assert access.items == (
        "land_holding.official_price",
        "land_holding.land_category",
        "lease.deposit",
    )


def test_a_look_up_of_a_case_is_recorded_as_one(
    agencies: dict[str, Running], run_directory: Path, sample: dict[str, Any]
) -> None:
    before = len(read_access("benefits", run_directory))
    sql = (
        "SELECT welfare_case.office, welfare_case.as_of FROM welfare_case WHERE reference = ANY($1)"
    )
    fetch(agencies["benefits"], sql, [sample["case"], "2026-11110-999999"])
    (access,) = read_access("benefits", run_directory)[before:]
    assert (access.subject, access.keys) == ("case", (sample["case"], "2026-11110-999999"))
    assert access.items == ("welfare_case.office",)


def test_what_touches_no_view_is_no_access(
    agencies: dict[str, Running], run_directory: Path
) -> None:
    before = read_access("property", run_directory)
    fetch(agencies["property"], "SELECT version()")
    assert read_access("property", run_directory) == before
