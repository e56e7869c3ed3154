"""What goes on the wire is the grant: read from the agencies' own access records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sources.declaration import Catalogue, Item
from sources.reading import read_catalogue
from sources.simulator.access import Access, read_access
from tests.demo import Demo

SOURCES = ("resident", "tax", "labour", "property", "benefits")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    found, faults = read_catalogue(Path("sources/catalogue"), SOURCES, "resident", "benefits")
    assert not faults
    return found


class Wire:
    """The calls that agencies recorded since this was made, with item names as the hub's."""

    def __init__(self, demo: Demo, catalogue: Catalogue) -> None:
        self._run = demo.run
        self._before = {source: len(read_access(source, demo.run)) for source in SOURCES}
        self._names = {
            (item.source, wire): item.name
            for item in catalogue.items.values()
            for wire in wire_names(item, catalogue)
        }

    def calls(self, source: str) -> list[Access]:
        return read_access(source, self._run)[self._before[source] :]

    def items(self, call: Access) -> set[str]:
        return {self._names[call.source, wire] for wire in call.items}


def wire_names(item: Item, catalogue: Catalogue) -> Iterator[str]:
    """How the agency's record writes the item: dotted, and for a database by table."""
    table = catalogue.sources[item.source].adapter_table
    if item.is_exists:
        return
    if catalogue.sources[item.source].adapter == "rest":
        yield ".".join(item.wire)
    elif len(item.path) == 2:
        yield f"{table['lists'][item.path[0]]['table']}.{item.wire[-1]}"
    else:
        yield f"{table[item.subject]['table']}.{item.wire[-1]}"


@pytest.fixture
def wire(demo: Demo, catalogue: Catalogue) -> Wire:
    return Wire(demo, catalogue)


def granted_of(demo: Demo, source: str) -> set[str]:
    granted = demo.last_operation()[0]["granted"]
    return {name for name in granted if name.startswith(f"{source}.") and name[-7:] != ".exists"}


def test_agencies_are_asked_for_exactly_the_granted_items(demo: Demo, wire: Wire) -> None:
    demo.ask(demo.info["sample"]["query"], {"id": demo.recipient})
    lookups = set(demo.last_operation()[0]["lookups"])
    for source in ("tax", "labour", "property"):
        (call,) = wire.calls(source)
        assert wire.items(call) == granted_of(demo, source)
        assert call.keys == (demo.recipient,)
    household, recipient, members = wire.calls("resident")
    assert wire.items(household) == {name for name in lookups if name.startswith("resident.")}
    assert wire.items(recipient) | wire.items(members) == granted_of(demo, "resident")
    case, receipts = wire.calls("benefits")
    assert case.subject == "case"
    key = "benefits.case.reference"  # a case comes back under the reference it was asked by
    assert wire.items(case) - {key} == {name for name in lookups if name.startswith("benefits.")}
    assert wire.items(receipts) == granted_of(demo, "benefits")


def test_household_members_are_asked_for_their_own_selection_only(demo: Demo, wire: Wire) -> None:
    demo.ask(
        "query($id: ID!) { recipient(id: $id) { identity { name address }"
        " household { members { identity { name } } } } }",
        {"id": demo.recipient},
    )
    _, recipient, members = wire.calls("resident")
    assert wire.items(recipient) == {"resident.name", "resident.address", "resident.members.id"}
    assert recipient.keys == (demo.recipient,)
    assert wire.items(members) == {"resident.name"}
    assert demo.recipient not in members.keys


def test_people_under_aliases_are_asked_for_their_own_selection_only(
    demo: Demo, wire: Wire
) -> None:
    members = demo.ask(
        "query($id: ID!) { recipient(id: $id) { household { members { id } } } }",
        {"id": demo.recipient},
    ).body["data"]["recipient"]["household"]["members"]
    other = next(member["id"] for member in members if member["id"] != demo.recipient)
    before = len(wire.calls("tax"))
    demo.ask(
        "query($a: ID!, $b: ID!) { a: recipient(id: $a) { tax { arrears } }"
        " b: recipient(id: $b) { tax { earnedIncome } } }",
        {"a": demo.recipient, "b": other},
    )
    first, second = wire.calls("tax")[before:]
    assert (first.keys, wire.items(first)) == ((demo.recipient,), {"tax.arrears"})
    assert (second.keys, wire.items(second)) == ((other,), {"tax.earnedIncome"})


def test_a_skipped_field_counts_as_selected(demo: Demo, wire: Wire) -> None:
    answer = demo.ask(
        "query($id: ID!, $no: Boolean!) { recipient(id: $id)"
        " { tax { arrears @skip(if: $no) earnedIncome } } }",
        {"id": demo.recipient, "no": True},
    )
    assert "arrears" not in answer.body["data"]["recipient"]["tax"]
    (call,) = wire.calls("tax")
    assert wire.items(call) == granted_of(demo, "tax") == {"tax.arrears", "tax.earnedIncome"}
    disclosed = demo.last_operation()[-1]["disclosed"]["tax"][0]["items"]
    assert disclosed == ["tax.earnedIncome", "tax.exists"]


def test_fifty_recipients_cost_one_call_a_source(demo: Demo, wire: Wire) -> None:
    ids = [f"990101-100{number:04}" for number in range(49)]
    answer = demo.ask(
        "query($ids: [ID!]!) { recipients(ids: $ids) { id tax { earnedIncome } } }",
        {"ids": [*ids, demo.recipient]},
    )
    assert [entry is not None for entry in answer.body["data"]["recipients"]] == [False] * 49 + [
        True
    ]
    assert len(wire.calls("resident")) == 1
    (call,) = wire.calls("tax")
    assert call.keys == (demo.recipient,)


def test_agencies_are_told_the_purpose_and_the_law(demo: Demo, wire: Wire) -> None:
    demo.ask("query($id: ID!) { recipient(id: $id) { tax { arrears } } }", {"id": demo.recipient})
    (call,) = wire.calls("tax")
    assert call.purpose == "basic-livelihood.application"
    assert call.legal_basis == "National Basic Living Security Act, Article 22"
    assert call.case == demo.info["sample"]["case"]
    assert call.operation == demo.last_operation()[0]["operation"]


def test_nothing_is_asked_when_an_item_is_denied(demo: Demo, wire: Wire) -> None:
    answer = demo.ask(
        "query($id: ID!) { recipient(id: $id) { tax { arrears } resident { registeredAbroad } } }",
        {"id": demo.recipient},
    )
    assert answer.status == 403
    assert all(not wire.calls(source) for source in SOURCES)
