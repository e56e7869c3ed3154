"""`hub log verify`: whatever is altered in a store is found, and where it stands."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine

from hub.querylog.checkpoint import Checkpoints, LogKey
from hub.querylog.finding import Finding
from hub.querylog.note import Signer
from hub.querylog.ranges import Changed, Source, checked, several
from hub.querylog.records import Known
from hub.querylog.sealing import Sealing
from hub.querylog.store import Store
from hub.querylog.verify import Division, Report, Trust, Unreadable, verify
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome

TRUST = Trust([LogKey(SIGNER.verifier)], sealing=Sealing(SEALING_KEY))
OPERATIONS = 400


async def filled(path: Path, operations: int = OPERATIONS) -> None:
    store = Store(f"sqlite+aiosqlite:///{path}", 512, SEALING_KEY)
    await store.open()
    checkpoints = Checkpoints(store.engine, SIGNER)
    await checkpoints.grow()
    for start in range(0, operations, 100):
        for number in range(start, min(start + 100, operations)):
            await asyncio.gather(store.append(intent(number)), store.append(outcome(number)))
        await checkpoints.grow()
    await store.close()


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store of 800 records in which everything is as it should be."""
    path = tmp_path_factory.mktemp("whole") / "log.db"
    await filled(path)
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "log.db"))


def report_of(path: Path, trust: Trust = TRUST) -> Report:
    return asyncio.run(verify(f"sqlite+aiosqlite:///{path}", trust))


def altered(path: Path, *statements: str) -> list[str]:
    """What is found once these statements have been run on the store."""
    with closing(sqlite3.connect(path)) as store, store:
        for statement in statements:
            store.execute(statement)
    return [str(found) for found in report_of(path).findings]


def test_a_store_that_nobody_altered_is_clean(copy: Path) -> None:
    report = report_of(copy)
    assert report.findings == []
    assert report.notes == []
    assert (report.records, report.checkpoints) == (800, 5)
    assert report.signed is not None
    assert report.signed.size == 800


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE leaf SET leaf = cast(replace(leaf, 'version\":1', 'version\":2') as blob) "
            "WHERE idx = 300",
            ["altered: record 300: its leaf is not what was logged"],
        ),
        (
            "UPDATE leaf SET leaf = (SELECT leaf FROM leaf WHERE idx = 5) WHERE idx = 300",
            ["altered: record 300: its leaf is not what was logged"],
        ),
        (
            "UPDATE leaf SET key = key + 1 WHERE idx = 300",
            ["altered: details 300: there is no key 2"],
        ),
        (
            "UPDATE details SET sealed = cast(substr(sealed, 1, 50) || x'00' || "
            "substr(sealed, 52) as blob) WHERE idx = 300",
            ["altered: details 300: sealed details do not open under their key"],
        ),
        (
            "UPDATE details SET sealed = (SELECT sealed FROM details WHERE idx = 4) "
            "WHERE idx = 300",
            ["altered: details 300: the leaf commits to other details"],
        ),
        ("DELETE FROM details WHERE idx = 300", None),
        (
            "UPDATE index_record SET person = 'somebody' WHERE idx = 301",
            ["altered: index_record 301: person of the row are not those of the record"],
        ),
        (
            "UPDATE index_record SET at = at + 1, outcome = 'refused' WHERE idx = 301",
            ["altered: index_record 301: at, outcome of the row are not those of the record"],
        ),
        (
            "DELETE FROM index_record WHERE idx = 301",
            ["cut: index_record 301: the row is missing"],
        ),
        (
            "UPDATE index_about SET pseudonym = x'00' WHERE idx = 301 AND part = 'case'",
            ["altered: index_about 301: the rows are not those of the record"],
        ),
        (
            "DELETE FROM index_about WHERE idx = 301",
            ["altered: index_about 301: the rows are not those of the record"],
        ),
        (
            "INSERT INTO index_about VALUES (301, x'ff', 'released', 0, NULL)",
            ["altered: index_about 301: the rows are not those of the record"],
        ),
        (
            "UPDATE tile SET hashes = cast(substr(hashes, 1, 64) || zeroblob(32) || "
            "substr(hashes, 97) as blob) WHERE level = 0 AND number = 1",
            ["altered: tile 0/1: hashes [2] are not the leaves'"],
        ),
        (
            "UPDATE tile SET hashes = cast(substr(hashes, 1, 64) || zeroblob(32) as blob) "
            "WHERE level = 1",
            ["altered: tile 1/0: hashes [2] are not those of the tree"],
        ),
        ("DELETE FROM tile WHERE level = 1", ["cut: tile 1/0: the tile is missing"]),
        (
            "DELETE FROM tile WHERE level = 0 AND number = 2",
            ["cut: tile 0/2: the tile is missing"],
        ),
        (
            "INSERT INTO tile VALUES (0, 9, zeroblob(32))",
            ["altered: tile 0 4: 1 tiles stand beyond the last leaf"],
        ),
        (
            "UPDATE checkpoint SET note = replace(note, '400', '401') WHERE size = 400",
            ["altered: checkpoint 400: the signature of `hub.example/log` does not verify"],
        ),
        (
            "UPDATE checkpoint SET size = 401 WHERE size = 400",
            ["altered: checkpoint 401: it is of 400 leaves"],
        ),
        (
            "UPDATE details_key SET wrapped = zeroblob(length(wrapped))",
            None,
        ),
        (
            "INSERT INTO details VALUES (900, x'00')",
            ["altered: details 800: 1 rows stand beyond the last record"],
        ),
        (
            "INSERT INTO cosignature VALUES (800, 'w+00000000', 'x')",
            ["altered: cosignature 800: a line is no signature: a dash, a name, base64"],
        ),
    ],
)
def test_what_was_altered_is_found_and_located(
    copy: Path, statement: str, found: list[str] | None
) -> None:
    seen = altered(copy, statement)
    if found is not None:
        assert seen == found
    elif "DELETE" in statement:
        assert seen == [
            "cut: details 300: the details are missing",
            "altered: index 300: there is an index of details that are missing",
        ]
    else:
        assert "a key of details does not open under the sealing key" in seen[-1]
        assert len(seen) == 801


def test_in_several_processes_the_same_is_found(copy: Path) -> None:
    findings = altered(
        copy,
        "UPDATE leaf SET leaf = zeroblob(20) WHERE idx = 300",
        "UPDATE details SET sealed = zeroblob(80) WHERE idx = 301",
        "DELETE FROM leaf WHERE idx = 511",
        "DELETE FROM index_about WHERE idx = 601",
        "DELETE FROM tile WHERE level = 0 AND number = 2",
        "UPDATE checkpoint SET note = replace(note, '400', '401') WHERE size = 400",
        "CREATE TRIGGER theirs AFTER INSERT ON leaf BEGIN DELETE FROM details; END",
    )
    told: list[tuple[int, int]] = []
    report = asyncio.run(
        verify(
            f"sqlite+aiosqlite:///{copy}",
            TRUST,
            lambda done, of: told.append((done, of)),
            Division(many=1, step=256),
        )
    )
    assert [str(found) for found in report.findings] == findings
    assert {found.place for found in report.findings} == {-1, 300, 301, 400, 511, 601}
    assert told == [(256, 800), (512, 800), (768, 800), (800, 800)]


async def test_a_process_that_sees_other_details_destroyed_is_believed_in_nothing(
    copy: Path,
) -> None:
    address = sa.make_url(f"sqlite+aiosqlite:///{copy}")
    known, engine = Known({}, frozenset({1}), {}), create_async_engine(address)
    try:
        async with engine.connect() as connection:
            with several(1, Source(address, None), known) as processes:
                read = checked(connection, processes, known, range(0, 800, 256), 800)
                with pytest.raises(Changed, match="details were destroyed meanwhile"):
                    await anext(read)
    finally:
        await engine.dispose()


def test_records_that_changed_places_are_found(copy: Path) -> None:
    seen = altered(
        copy,
        *(
            statement.format(table)
            for table in ("leaf", "details", "index_record")
            for statement in (
                "UPDATE {} SET idx = -1 WHERE idx = 10",
                "UPDATE {} SET idx = 10 WHERE idx = 600",
                "UPDATE {} SET idx = 600 WHERE idx = -1",
            )
        ),
    )
    assert seen == [
        "reordered: record 10: here stands what was logged as record 600",
        "reordered: record 600: here stands what was logged as record 10",
    ]


def test_a_record_that_was_taken_out_is_found(copy: Path) -> None:
    tables = ("leaf", "details", "index_record", "index_about")
    seen = altered(copy, *(f"DELETE FROM {table} WHERE idx = 77" for table in tables))
    assert seen == ["cut: record 77: the record is missing"]


def test_an_end_that_was_cut_off_is_found(copy: Path) -> None:
    tables = ("leaf", "details", "index_record", "index_about")
    seen = altered(
        copy,
        *(f"DELETE FROM {table} WHERE idx >= 700" for table in tables),
        "UPDATE head SET size = 700",
    )
    assert seen[0] == "cut: checkpoint 800: 800 leaves were signed, the store has 700"


def note_of(path: Path, size: int) -> str:
    with closing(sqlite3.connect(path)) as store:
        query = "SELECT note FROM checkpoint WHERE size = ?"
        return str(store.execute(query, (size,)).fetchone()[0])


def test_an_old_backup_is_found_by_a_checkpoint_that_was_kept(copy: Path, tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path / "old.db", 100))
    trust = Trust(TRUST.keys, sealing=TRUST.sealing, since=note_of(copy, 800))
    (found,) = report_of(tmp_path / "old.db", trust).findings
    assert str(found) == "cut: checkpoint 800: 800 leaves were signed, the store has 200"


def test_a_log_written_anew_is_found_by_a_checkpoint_that_was_kept(
    copy: Path, tmp_path: Path
) -> None:
    asyncio.run(filled(tmp_path / "new.db"))
    assert report_of(tmp_path / "new.db").findings == []
    trust = Trust(TRUST.keys, sealing=TRUST.sealing, since=note_of(copy, 600))
    (found,) = report_of(tmp_path / "new.db", trust).findings
    assert str(found) == (
        "forked: checkpoint 600: the store has another tree than the one signed there"
    )


def test_a_tree_that_was_signed_anew_is_found_by_the_checkpoints_in_between(
    copy: Path, tmp_path: Path
) -> None:
    asyncio.run(filled(tmp_path / "new.db"))
    note = note_of(tmp_path / "new.db", 400)
    seen = altered(copy, f"UPDATE checkpoint SET note = '{note}' WHERE size = 400")
    assert seen == ["forked: checkpoint 400: the store has another tree than the one signed there"]


def test_from_a_checkpoint_on_only_what_came_later_is_read(copy: Path) -> None:
    trust = Trust(TRUST.keys, sealing=TRUST.sealing, since=note_of(copy, 600))
    report = report_of(copy, trust)
    assert (report.findings, report.start, report.records) == ([], 512, 288)
    with closing(sqlite3.connect(copy)) as store, store:
        store.execute("UPDATE index_record SET at = 0 WHERE idx IN (10, 700)")
    assert [found.place for found in report_of(copy, trust).findings] == [700]


def test_without_the_sealing_key_the_tree_is_verified_and_that_is_said(copy: Path) -> None:
    report = report_of(copy, Trust(TRUST.keys))
    assert report.findings == []
    assert report.notes == ["details and index were not checked: no sealing key was given"]


def test_another_log_is_not_believed(copy: Path) -> None:
    report = report_of(copy, Trust([LogKey(Signer.make("hub.example/log").verifier)]))
    assert {found.kind for found in report.findings} == {"altered", "cut"}
    assert report.signed is None


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_what_is_no_store_is_unreadable(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "log.db"
    if content is not None:
        path.write_bytes(content * 100)
    with pytest.raises(Unreadable):
        report_of(path)


@pytest.fixture(scope="module")
def flipping(
    whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, int], list[Finding] | None]:
    content = whole.read_bytes()
    path = tmp_path_factory.mktemp("flipped") / "log.db"

    def flip(place: int, bit: int) -> list[Finding] | None:
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            return report_of(path).findings
        except Unreadable:
            return None

    return flip


@pytest.fixture(scope="module")
def in_use(whole: Path) -> list[tuple[str, int, int]]:
    """Where in the file the content of rows stands: table, offset and length."""
    places = []
    content = whole.read_bytes()
    with closing(sqlite3.connect(whole)) as store:
        for table, column in (
            ("leaf", "leaf"),
            ("details", "sealed"),
            ("tile", "hashes"),
            ("checkpoint", "note"),
            ("index_record", "person"),
            ("index_record", "operation"),
            ("index_about", "pseudonym"),
            ("details_key", "wrapped"),
        ):
            query = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
            rows = store.execute(query).fetchall()
            for (value,) in rows[:: max(len(rows) // 50, 1)]:
                written = value.encode() if isinstance(value, str) else value
                at = content.find(written[:200])
                if at >= 0:
                    places.append((table, at, min(len(written), 200)))
    return places


# SQLAlchemy leaves a connection open that fails while it looks at the database at first.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_one_bit_flipped_anywhere_in_use_is_found(
    in_use: list[tuple[str, int, int]],
    flipping: Callable[[int, int], list[Finding] | None],
    data: st.DataObject,
) -> None:
    _, start, length = data.draw(st.sampled_from(in_use))
    place = start + data.draw(st.integers(0, length - 1))
    found = flipping(place, data.draw(st.integers(0, 7)))
    assert found is None or found
