"""The commands of `hub log`: verify, prove, check a proof, migrate, shred, make a key."""

from __future__ import annotations

import asyncio
import datetime
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from hub.cli import main
from hub.corrections import tables as corrections
from hub.oversight import tables as oversight
from hub.population import teams
from hub.querylog import schema
from hub.querylog.checkpoint import Checkpoints
from hub.querylog.note import Signer, Verifier
from hub.querylog.sealing import Keep, KeyOf
from hub.querylog.store import LogUnavailable, Store
from hub.querylog.tables import METADATA
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome


async def fill(folder: Path, operations: int, at: str | None = None) -> None:
    store = Store(f"sqlite+aiosqlite:///{folder / 'log.db'}", 512, SEALING_KEY)
    await store.open()
    for number in range(operations):
        facts = {} if at is None else {"at": at}
        await store.append(intent(number, **facts))
        await store.append(outcome(number, **facts))
    await Checkpoints(store.engine, SIGNER).grow()
    await store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder like the demo's, with keys and without a store."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "sealing.key").write_bytes(SEALING_KEY)
    (keys / "signing.key").write_text(SIGNER.text)
    (keys / "verifiers.txt").write_text(f"# the log's\n{SIGNER.verifier.text}\n")
    return tmp_path


def test_verify_says_clean_and_what_it_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 3))
    assert main(["log", "verify", "--folder", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("6 records, the first 6 under 1 checkpoints (0 cosignatures), ")
    assert said[1] == "clean"


def test_verify_takes_the_address_that_the_demo_tells_and_says_where_it_was_altered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 3))
    with closing(sqlite3.connect(folder / "log.db")) as store, store:
        store.execute("UPDATE index_record SET person = 'nobody' WHERE idx = 3")
    address = f"sqlite+aiosqlite:///{folder / 'log.db'}"
    assert main(["log", "verify", "--store", address, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["findings"] == [
        {
            "where": "index_record",
            "place": 3,
            "kind": "altered",
            "what": "person of the row are not those of the record",
        }
    ]


def test_verify_says_what_cannot_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", "--folder", str(folder)]) == 2
    assert capsys.readouterr().err.startswith("unreadable: the file cannot be opened: No such file")


def test_a_proof_is_checked_with_nothing_but_it_and_the_logs_key(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 300))
    proof = tmp_path / "record.tlog-proof"
    assert main(["log", "prove", "5", "--folder", str(folder), "--into", str(proof)]) == 0
    check = ["log", "check-proof", str(proof), "--verifier", SIGNER.verifier.text]
    assert main(check) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == outcome(2)
    assert said.err == (
        "the proof holds: this is record 5 of `hub.example/log`, "
        "under its signed tree of 600 records\n"
    )
    stranger = Signer.make("hub.example/log").verifier.text
    assert main([*check[:-1], stranger]) == 1
    proof.write_text(proof.read_text().replace("index 5", "index 4"))
    assert main(check) == 1
    assert capsys.readouterr().err.endswith(
        "the proof does not hold: the leaf is not at place 4 of the tree of 600\n"
    )


def test_there_is_no_proof_of_a_record_that_is_not_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 1))
    assert main(["log", "prove", "2", "--folder", str(folder)]) == 1
    assert capsys.readouterr().err == ("there is no record 2 that is signed and not destroyed\n")


def test_a_key_is_made_once_and_for_nobody_else_to_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "signing.key"
    assert main(["log", "key", "hub.example/log", "--into", str(path)]) == 0
    verifier = Verifier.read(capsys.readouterr().out)
    assert Signer.read(path.read_text()).verifier == verifier
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["log", "key", "hub.example/log", "--into", str(path)]) == 2
    assert capsys.readouterr().err == "no key was made: File exists\n"
    assert main(["log", "key", "a b", "--into", str(tmp_path / "other")]) == 2


# What is kept, and for how long


def test_details_are_destroyed_when_their_term_is_over_and_every_proof_still_holds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 10, "2021-11-22T12:00:00.000+00:00"))
    asyncio.run(fill(folder, 10))
    proof = tmp_path / "old.tlog-proof"
    assert main(["log", "prove", "3", "--folder", str(folder), "--into", str(proof)]) == 0
    assert main(["log", "shred", "--dry-run", "--folder", str(folder)]) == 0
    assert main(["log", "shred", "--folder", str(folder)]) == 0
    asyncio.run(fill(folder, 0))
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "2021-11-22 recipients 5: 20 records",
        "1 keys are to be destroyed",
        "2021-11-22 recipients 5: 20 records",
        "1 keys destroyed",
    ]
    with closing(sqlite3.connect(folder / "log.db")) as store:
        for table in ("details", "index_record", "index_about"):
            (left,) = store.execute(f"SELECT count(*) FROM {table} WHERE idx < 20").fetchone()
            assert left == 0
    assert main(["log", "verify", "--folder", str(folder)]) == 0
    assert "details of 20 destroyed when due" in capsys.readouterr().out
    assert main(["log", "check-proof", str(proof), "--verifier", SIGNER.verifier.text]) == 0


def test_a_destruction_that_was_broken_off_is_told_and_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 2, "2021-11-22T12:00:00.000+00:00"))
    stop = "BEFORE UPDATE ON details_key BEGIN SELECT RAISE(ABORT, 'no'); END"
    with closing(sqlite3.connect(folder / "log.db")) as store, store:
        store.execute(f"CREATE TRIGGER stop {stop}")
    assert main(["log", "shred", "--folder", str(folder)]) == 1
    assert "could not be destroyed; run it again" in capsys.readouterr().err
    with closing(sqlite3.connect(folder / "log.db")) as store, store:
        store.execute("DROP TRIGGER stop")
    asyncio.run(fill(folder, 0))
    assert main(["log", "verify", "--folder", str(folder)]) == 1
    assert capsys.readouterr().out.startswith(
        "unsure: details_key 1: it was logged that it is destroyed, and it stands: run `hub log s"
    )
    assert main(["log", "shred", "--folder", str(folder)]) == 0
    asyncio.run(fill(folder, 0))
    assert main(["log", "verify", "--folder", str(folder)]) == 0
    assert "details of 4 destroyed when due" in capsys.readouterr().out


def test_details_destroyed_otherwise_are_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(folder, 2))
    with closing(sqlite3.connect(folder / "log.db")) as store, store:
        store.execute("UPDATE details_key SET wrapped = NULL, destroyed = 0")
        for table in ("details", "index_record", "index_about"):
            store.execute(f"DELETE FROM {table}")
    assert main(["log", "verify", "--folder", str(folder)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == [f"cut: details {place}: the details are missing" for place in range(4)]


# Revisions of the tables

FIRST = """
CREATE TABLE record (
    seq INTEGER NOT NULL PRIMARY KEY, operation VARCHAR(36) NOT NULL, kind VARCHAR(16) NOT NULL,
    at VARCHAR(32) NOT NULL, body TEXT NOT NULL
);
CREATE INDEX ix_record_operation ON record (operation);
CREATE TABLE subject_use (
    person VARCHAR(255) NOT NULL, subject VARCHAR(64) NOT NULL, at FLOAT NOT NULL,
    PRIMARY KEY (person, subject)
);
"""


def first_store(path: Path, operations: int) -> list[dict[str, object]]:
    """A store as hubs before the tree made it."""
    records: list[dict[str, object]] = []
    for number in range(operations):
        records += [intent(number, durationMs=1.5), outcome(number, durationMs=20.0)]
    with closing(sqlite3.connect(path)) as store, store:
        store.executescript(FIRST)
        store.executemany(
            "INSERT INTO record (operation, kind, at, body) VALUES (?, ?, ?, ?)",
            [(each["operation"], each["kind"], each["at"], json.dumps(each)) for each in records],
        )
    return records


async def opened(path: Path) -> list[dict[str, object]]:
    store = Store(f"sqlite+aiosqlite:///{path}", 512, SEALING_KEY)
    try:
        await store.open()
        return [record async for record in store.records()]
    finally:
        await store.close()


def test_an_older_store_is_refused_with_the_command_to_run(folder: Path) -> None:
    first_store(folder / "log.db", 1)
    with pytest.raises(LogUnavailable) as refused:
        asyncio.run(opened(folder / "log.db"))
    assert str(refused.value) == (
        "the store of the query log has revision 0001 of its tables, "
        f"and this hub needs {schema.HEAD}: run `hub log migrate`"
    )


def test_a_newer_store_is_refused(folder: Path) -> None:
    asyncio.run(fill(folder, 1))
    with closing(sqlite3.connect(folder / "log.db")) as store, store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LogUnavailable, match=r"newer than this hub's \d{4}: run a newer hub$"):
        asyncio.run(opened(folder / "log.db"))


def test_records_of_older_hubs_are_taken_into_the_tree_also_of_those_that_still_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = first_store(folder / "log.db", 1100)
    assert main(["log", "migrate", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"tables: revision 0001 before, {schema.HEAD} now",
        "2,200 records of older hubs taken into the tree",
        "run it again when the last older hub has stopped",
    ]
    found = asyncio.run(opened(folder / "log.db"))
    assert len({record.pop("carried") for record in found}) == 1
    assert found == records
    with closing(sqlite3.connect(folder / "log.db")) as store, store:
        late = intent(9000)
        store.execute(
            "INSERT INTO record (operation, kind, at, body) VALUES (?, 'INTENT', ?, ?)",
            (late["operation"], late["at"], json.dumps(late)),
        )
    assert main(["log", "verify", "--folder", str(folder)]) == 0
    assert "note: 1 records of an older hub are not in the tree" in capsys.readouterr().out
    assert main(["log", "migrate", "--folder", str(folder)]) == 0
    found = asyncio.run(opened(folder / "log.db"))
    assert len({record.pop("carried") for record in found}) == 2
    assert found == [*records, late]
    assert main(["log", "verify", "--folder", str(folder)]) == 0


def test_the_revisions_make_the_tables_that_the_code_uses(folder: Path) -> None:
    asyncio.run(fill(folder, 1))
    assert oversight.METADATA is corrections.METADATA is teams.METADATA is METADATA
    engine = create_engine(f"sqlite:///{folder / 'log.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == schema.HEAD
    engine.dispose()


def test_the_last_revision_is_the_one_that_this_hub_says_it_needs() -> None:
    heads: list[str] = []
    configuration = schema.configuration()
    configuration.print_stdout = lambda text, *_: heads.append(str(text))  # type: ignore[assignment]
    command.heads(configuration)
    assert heads == [f"{schema.HEAD} (head)"]


def test_what_is_kept_is_kept_to_the_day() -> None:
    assert KeyOf("2021-11-22", Keep()).expires == datetime.date(2026, 11, 23)
    assert KeyOf("2024-02-28", Keep(years=1)).expires == datetime.date(2025, 3, 1)
    assert KeyOf("2023-12-31", Keep(years=10)).expires == datetime.date(2034, 1, 1)
