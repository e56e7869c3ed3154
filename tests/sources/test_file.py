"""The `file` adapter over deliveries as DuckDB and others write them."""

from __future__ import annotations

import asyncio
import datetime
import shutil
from pathlib import Path

import duckdb
import pytest

from sources.adapter import BROKEN, ContractBroken, Reply, SourceError, SourceUnavailable
from sources.file import READER, FileAdapter
from tests.sources.asking import CONTEXT, DURI, HANA, SENA, Question, declared

ITEMS = """
[item.pay]
description = "Pay"
type = "Won"
category = "income"

[item.share]
description = "Share"
type = "Float"
category = "income"

[item.born]
description = "Born"
type = "Date"
category = "identity"

[item.insured]
description = "Insured"
type = "Boolean"
category = "employment"

[item.stays]
description = "Stays"
type = "list"

[item.stays.item.day]
description = "Day"
type = "Date"
category = "health"
"""
TABLE = """
folder = "FOLDER"
format = "FORMAT"
person = { files = "people-{date}.FORMAT", key = "resident_no" }
lists.stays = { files = "stays-{date}.FORMAT", key = "resident_no", order = "day" }
"""
PEOPLE = f"""
SELECT * FROM (VALUES
  ('{HANA}', 100::BIGINT, 0.5::DECIMAL(4,2), DATE '1990-01-01', true),
  ('{DURI}', NULL, NULL, NULL, NULL),
  ('{SENA}', 7, 1.0, DATE '1990-01-02', false)
) t(resident_no, pay, share, born, insured)
"""
STAYS = f"""
SELECT * FROM (VALUES ('{HANA}', DATE '2026-02-01'), ('{HANA}', DATE '2026-01-01'),
  ('{SENA}', DATE '2026-03-01')) t(resident_no, day)
"""
FORMATS = ("parquet", "csv")


def deliver(folder: Path, name: str, query: str) -> None:
    kind = "PARQUET" if name.endswith("parquet") else "CSV, HEADER"
    duckdb.connect().execute(f"COPY ({query}) TO '{folder / name}' (FORMAT {kind})")


async def ask(
    folder: Path,
    kind: str,
    *keys: str,
    items: tuple[str, ...] = ("pay",),
    more: str = "",
    source: str = "",
) -> Reply:
    table = TABLE.replace("FOLDER", str(folder)).replace("FORMAT", kind) + more
    declaration = folder / "declaration"
    declaration.mkdir(exist_ok=True)
    found = declared(declaration, "file", table, source, ITEMS)
    adapter = FileAdapter(found)
    try:
        names = {"a.exists", *(f"a.{item}" for item in items)}
        wanted = tuple(item for item in found.items if item.name in names)
        return await adapter.ask(Question("person", keys or (HANA,), wanted, CONTEXT))
    finally:
        await adapter.close()


@pytest.fixture(params=FORMATS)
def delivered(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A folder with a delivery, and its format."""
    kind: str = request.param
    deliver(tmp_path, f"people-2026-10-31.{kind}", PEOPLE)
    deliver(tmp_path, f"stays-2026-10-31.{kind}", STAYS)
    return tmp_path, kind


async def test_a_delivery_is_read_with_its_types_and_its_date(delivered: tuple[Path, str]) -> None:
    items = ("pay", "share", "born", "insured", "stays.day")
    reply = await ask(*delivered, HANA, DURI, "nobody", items=items)
    assert set(reply.records) == {HANA, DURI}
    hana = reply.records[HANA]
    assert hana.values == {
        "pay": 100,
        "share": 0.5,
        "born": datetime.date(1990, 1, 1),
        "insured": True,
        "stays": [{"day": datetime.date(2026, 1, 1)}, {"day": datetime.date(2026, 2, 1)}],
    }
    assert reply.records[DURI].values == {
        "pay": None,
        "share": None,
        "born": None,
        "insured": None,
        "stays": [],
    }
    assert hana.as_of == datetime.date(2026, 10, 31)
    assert (reply.breaches, reply.broken) == ({}, frozenset())


async def test_only_that_there_is_a_record_may_be_asked(delivered: tuple[Path, str]) -> None:
    reply = await ask(*delivered, HANA, "nobody", items=())
    assert {key: record.values for key, record in reply.records.items()} == {HANA: {}}


async def test_the_newest_delivery_is_read(delivered: tuple[Path, str]) -> None:
    folder, kind = delivered
    deliver(folder, f"people-2026-11-01.{kind}", PEOPLE.replace("100::", "101::"))
    reply = await ask(folder, kind)
    assert reply.records[HANA].values == {"pay": 101}
    assert str(reply.records[HANA].as_of) == "2026-11-01"


async def test_people_and_lists_are_of_one_date(delivered: tuple[Path, str]) -> None:
    folder, kind = delivered
    deliver(folder, f"people-2026-11-01.{kind}", PEOPLE.replace("100::", "101::"))
    reply = await ask(folder, kind, items=("pay", "stays.day"))
    assert reply.records[HANA].values["pay"] == 100
    assert str(reply.records[HANA].as_of) == "2026-10-31"


async def test_a_name_like_a_delivery_is_none(delivered: tuple[Path, str]) -> None:
    folder, kind = delivered
    (folder / f"people-2026-13-01.{kind}").write_text("x")
    (folder / f"people-2026-11-01.{kind}.part").write_text("x")
    (folder / f"people-9999-01-01.{kind}").write_text("x")
    assert str((await ask(folder, kind)).records[HANA].as_of) == "2026-10-31"


async def test_of_two_rows_for_one_person_none_is_believed(tmp_path: Path) -> None:
    deliver(tmp_path, "people-2026-10-31.parquet", f"{PEOPLE} UNION ALL {PEOPLE}")
    reply = await ask(tmp_path, "parquet")
    assert (reply.records, reply.broken, reply.breaches) == ({}, {HANA}, {"duplicate": 1})


async def test_a_value_of_the_wrong_type_is_broken(tmp_path: Path) -> None:
    text = f"resident_no,pay,share\n{HANA},five,1.5\n{DURI},1.5,x\n"
    (tmp_path / "people-2026-10-31.csv").write_text(text)
    reply = await ask(tmp_path, "csv", HANA, DURI, items=("pay", "share"))
    assert reply.records[HANA].values == {"pay": BROKEN, "share": 1.5}
    assert reply.records[DURI].values == {"pay": BROKEN, "share": BROKEN}
    assert reply.breaches == {"wrong-type": 3}


async def test_a_list_longer_than_it_may_be_is_broken(delivered: tuple[Path, str]) -> None:
    reply = await ask(*delivered, HANA, SENA, items=("stays.day",), source="limits.rows = 1")
    assert reply.records[HANA].values == {"stays": BROKEN}
    assert reply.records[SENA].values == {"stays": [{"day": datetime.date(2026, 3, 1)}]}
    assert reply.breaches == {"too-long": 1}


async def test_a_column_that_is_not_there_breaks_the_contract(tmp_path: Path) -> None:
    (tmp_path / "people-2026-10-31.csv").write_text(f"resident_no\n{HANA}\n")
    with pytest.raises(ContractBroken, match="the delivery lacks a declared column"):
        await ask(tmp_path, "csv")


@pytest.mark.parametrize("kind", FORMATS)
async def test_without_a_delivery_it_is_unavailable(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SourceUnavailable, match="there is no whole delivery"):
        await ask(tmp_path, kind)


async def test_a_delivery_that_is_too_old_is_of_no_use(tmp_path: Path) -> None:
    deliver(tmp_path, "people-2020-01-31.parquet", PEOPLE)
    assert (await ask(tmp_path, "parquet")).records
    with pytest.raises(SourceUnavailable, match="the newest delivery is too old"):
        await ask(tmp_path, "parquet", more='\noldest = "62d"')


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("content", [b"", b"garbage\x00\xff", b"PAR1" + b"\x00" * 50])
async def test_garbage_is_an_error_that_quotes_nothing(
    tmp_path: Path, kind: str, content: bytes
) -> None:
    (tmp_path / f"people-2026-10-31.{kind}").write_bytes(content + HANA.encode())
    with pytest.raises(SourceError) as caught:
        await ask(tmp_path, kind)
    assert HANA not in str(caught.value)


async def test_an_id_is_bound_and_never_a_part_of_the_statement(
    delivered: tuple[Path, str],
) -> None:
    assert (await ask(*delivered, "' OR '1'='1")).records == {}


async def test_nothing_outside_the_folder_can_be_read(delivered: tuple[Path, str]) -> None:
    folder, kind = delivered
    declaration = folder / "declaration"
    declaration.mkdir()
    table = TABLE.replace("FOLDER", str(folder)).replace("FORMAT", kind)
    adapter = FileAdapter(declared(declaration, "file", table, items=ITEMS))
    cursor = READER.open().cursor()
    for statement in (
        "SELECT * FROM read_text('/etc/hostname')",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "COPY (SELECT 1) TO '/etc/x.csv'",
    ):
        with pytest.raises(duckdb.Error):
            cursor.execute(statement)
    await adapter.close()


async def test_agencies_share_a_reader_and_the_folder_of_one_that_left_is_shut(
    delivered: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, kind = delivered
    table = TABLE.replace("FORMAT", kind)
    adapters, files = [], []
    for _ in range(2):
        other = tmp_path_factory.mktemp("agency")
        for file in folder.iterdir():
            shutil.copy(file, other)
        files.append(str(next(other.glob(f"people-*.{kind}"))))
        source = declared(tmp_path_factory.mktemp("d"), "file", table.replace("FOLDER", str(other)),
                          items=ITEMS)  # fmt: skip
        adapters.append(FileAdapter(source))
    read = f"SELECT count(*) FROM read_{kind}(?)"
    for file in files:
        assert READER.open().cursor().execute(read, [file]).fetchone()
    await adapters[0].close()
    with pytest.raises(duckdb.PermissionException):
        READER.open().cursor().execute(read, [files[0]])
    assert READER.open().cursor().execute(read, [files[1]]).fetchone()
    await adapters[1].close()


async def test_a_question_that_is_given_up_is_given_up_in_duckdb(tmp_path: Path) -> None:
    slow = "SELECT (range * 7919 % 99989)::VARCHAR AS resident_no, range AS pay FROM range(5000000)"
    deliver(tmp_path, "people-2026-10-31.parquet", slow)
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await ask(tmp_path, "parquet", items=("pay",))
    assert asyncio.get_running_loop().time() - started < 1
