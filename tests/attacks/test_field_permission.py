"""Attacks 1 to 12: getting past field permission."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from hub.app import Plans
from tests.access.oracle import Oracle
from tests.attacks.attack import CHECK, Attack, denied, refused

ADDRESS, EARNED = "resident.address", "tax.earnedIncome"


@pytest.mark.parametrize(
    ("selection", "rest", "items"),
    [
        ("records { ... on AgencyRecord { ... on Resident { address } } }", "", {ADDRESS}),
        ("records { ...A }", "fragment A on AgencyRecord { ...B ...C }"
         " fragment B on Resident { address } fragment C on Tax { earnedIncome }",
         {ADDRESS, EARNED}),
        ("records { ... { ... on Tax { ... on AgencyRecord { ... on Tax { earnedIncome } } } } }",
         "", {EARNED}),
    ],
    ids=["nested", "fragments", "to and fro"],
)  # fmt: skip
def test_01_a_fragment_on_an_interface_reaches_no_guarded_field(
    attack: Attack, selection: str, rest: str, items: set[str]
) -> None:
    exchange = attack.about(selection, rest)
    refused(exchange, "PURPOSE_DENIED")
    assert denied(exchange) == items
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize("source", ["resident", "tax", "labour", "property", "benefits"])
def test_02_a_type_that_implements_an_interface_keeps_the_guard_of_each_of_its_fields(
    attack: Attack, oracle: Oracle, plans: Plans, source: str
) -> None:
    declared = plans.catalogue.sources[source]
    kind = declared.field[0].upper() + declared.field[1:]
    plain = {
        item.path[0]: item.name
        for item in plans.catalogue.items.values()
        if item.source == source and len(item.path) == 1
        and item.path[0] in plans.schema.graphql.type_map[kind].fields  # type: ignore[attr-defined]
    }  # fmt: skip
    decisions = oracle.register.purposes[CHECK].decisions
    closed = {name for name in plain.values() if not decisions[name].allowed}
    exchange = attack.about(
        f"records {{ ... on {kind} {{ __typename {' '.join(plain)} }} }}", Hub_On_Denied="withhold"
    )
    assert denied(exchange) == closed
    attack.held()


def test_03_a_guard_on_a_type_is_not_lost_through_its_interface(attack: Attack) -> None:
    exchange = attack.about("records { provenance { source } address }")
    assert exchange.answer.codes == ["GRAPHQL_VALIDATION_FAILED"]
    withheld = attack.about(
        "records { provenance { source } ... on Resident { address name } }",
        Hub_On_Denied="withhold",
    )
    assert denied(withheld) == {ADDRESS}
    (record,) = [one for one in withheld.answer.body["data"]["recipient"]["records"]
                 if one and "address" in one]  # fmt: skip
    assert record["address"] is None
    assert record["name"]
    attack.held()


@pytest.mark.parametrize("way", ["refuse", "withhold"])
@pytest.mark.parametrize(
    "selection",
    [
        "income { total }",
        "income { totals { kind amount complete } }",
        "income { components { amount reports { item } } }",
        "assets { total components { perYear } }",
        'meansTest(programme: "livelihood") { result decided amounts { __typename } }',
        'meansTest(programme: "livelihood") { trace { __typename } }',
        "entitlements { __typename }",
        "employment { jobs { monthlyPay } }",
    ],
)
def test_04_a_derived_answer_reveals_none_of_its_guarded_inputs(
    attack: Attack, selection: str, way: str
) -> None:
    exchange = attack.about(f"identity {{ name }} {selection}", Hub_On_Denied=way)
    closed = denied(exchange)
    assert closed
    if way == "refuse":
        refused(exchange, "PURPOSE_DENIED")
        attack.nobody_was_asked()
    else:
        (intent, *_) = exchange.intents
        assert closed.isdisjoint(set().union(*intent["derivable"].values()))
        assert not list(amounts(exchange.answer.body["data"]))
        test = exchange.answer.body["data"]["recipient"].get("meansTest", {})
        assert test.get("result", "INDETERMINATE") == "INDETERMINATE"
    attack.held()


def amounts(found: object) -> Iterator[int]:
    """Every number of an answer."""
    if isinstance(found, dict | list):
        for value in found.values() if isinstance(found, dict) else found:
            yield from amounts(value)
    elif type(found) is int:
        yield found


@pytest.mark.parametrize(
    ("purpose", "way", "code"),
    [
        ("Duplicate-Check", "refuse", "PURPOSE_REQUIRED"),
        ("duplicate_check", "refuse", "PURPOSE_REQUIRED"),
        ("duplicate-check,basic-livelihood.application", "refuse", "PURPOSE_REQUIRED"),
        ("*", "refuse", "PURPOSE_REQUIRED"),
        ("welfare-decision", "refuse", "PURPOSE_DENIED"),
        (CHECK, "allow", "BAD_REQUEST"),
        (CHECK, "none", "BAD_REQUEST"),
    ],
)
def test_05_an_unknown_or_renamed_rule_does_not_fall_back_to_allow(
    attack: Attack, purpose: str, way: str, code: str
) -> None:
    exchange = attack.about("tax { earnedIncome }", purpose=purpose, Hub_On_Denied=way)
    assert set(exchange.answer.codes) == {code}
    assert "data" not in exchange.answer.body
    attack.nobody_was_asked()
    attack.held()


def test_05_a_role_that_no_purpose_names_opens_nothing(attack: Attack) -> None:
    token = attack.demo.token("caseworker", roles=["Caseworker", "case-worker", "*", "admin"])
    refused(attack.about("identity { name }", token=token), "PURPOSE_DENIED")
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize(
    "document",
    [
        "query($id: ID!) { node(id: $id) { id ... on Recipient { tax { earnedIncome } } } }",
        "query($id: ID!) { nodes(ids: [$id]) { id } }",
        'query($id: ID!) { _entities(representations: [{__typename: "Recipient", id: $id}])'
        " { ... on Recipient { tax { earnedIncome } } } }",
        "{ _service { sdl } }",
        "query($id: ID!) { recipientById(id: $id) { id } }",
        "query($id: ID!) { resident(id: $id) { address } tax(id: $id) { earnedIncome } }",
    ],
    ids=["node", "nodes", "_entities", "_service", "by id", "agency"],
)  # fmt: skip
def test_06_no_other_door_leads_to_a_record(attack: Attack, document: str) -> None:
    exchange = attack.ask(document)
    assert set(exchange.answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert "data" not in exchange.answer.body
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize(
    "document",
    [
        "query($id: ID!) { __typename recipient(id: $id) { __typename tax { earnedIncome } } }",
        "query($id: ID!) { __schema { queryType { name } } recipient(id: $id) {"
        " tax { earnedIncome } } }",
        'query($id: ID!) { __type(name: "Tax") { name } recipient(id: $id) {'
        " tax { __typename earnedIncome } } }",
        "query IntrospectionQuery($id: ID!) { recipient(id: $id) { tax { earnedIncome } } }",
    ],
    ids=["typename", "schema", "type", "named as introspection"],
)
def test_07_introspection_in_the_document_turns_no_check_off(attack: Attack, document: str) -> None:
    exchange = attack.ask(document)
    assert set(exchange.answer.codes) <= {"PURPOSE_DENIED", "BAD_REQUEST"}
    assert exchange.outcome["outcome"] == "refused"
    assert "data" not in exchange.answer.body
    attack.nobody_was_asked()
    attack.held()


def test_08_a_check_that_cannot_be_finished_denies(attack: Attack) -> None:
    """Whose household it is stands in the resident register, which hangs or fails meanwhile."""
    try:
        for mode, milliseconds in (("error", 0), ("slow", 150)):
            attack.demo.fault("resident", mode, milliseconds)
            exchange = attack.about(
                "benefits { receipts { amount } }", case="2026-11110-999999"
            )  # fmt: skip
            assert exchange.answer.codes
            assert not exchange.answer.body.get("data")
            failed = attack.about("benefits { receipts { amount } }", case="sample")
            if mode == "error":
                assert (failed.answer.body.get("data") or {}).get("recipient") is None
    finally:
        attack.demo.fault("resident", "none")
    attack.held(judged=False)


@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-transport-ws"])
@pytest.mark.parametrize("path", ["/graphql", "/subscriptions", "/graphql/ws"])
def test_09_no_websocket_protocol_starts(attack: Attack, protocol: str, path: str) -> None:
    response = attack.send(
        "GET",
        path,
        headers={
            "Authorization": None,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": protocol,
        },
    )
    assert response.status_code in (401, 403, 404, 405)
    subscription = attack.ask("subscription { recipient { id } }")
    assert set(subscription.answer.codes) <= {"GRAPHQL_VALIDATION_FAILED", "NOT_FOUND_OPERATION"}
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize(
    "selection",
    [
        "resident { name: address }",
        "identity { id: address }",
        "resident { __t: address name }",
        "name: resident { status: address }",
        "household { members { id: resident { status: address } } }",
    ],
)
def test_10_an_alias_carries_the_guard_of_its_field(attack: Attack, selection: str) -> None:
    exchange = attack.about(selection)
    refused(exchange, "PURPOSE_DENIED")
    assert denied(exchange) == {ADDRESS}
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize(
    ("selection", "codes"),
    [
        ("resident { ...A ...B }", {"GRAPHQL_VALIDATION_FAILED"}),
        ("resident { ...A } resident { ...B }", {"GRAPHQL_VALIDATION_FAILED"}),
        ("records { ...A ... on Property { x: parcel } ... on Resident { y: address } }",
         {"PURPOSE_DENIED", "GRAPHQL_VALIDATION_FAILED"}),
        ("resident { ...A } resident { ... on Resident { y: address } }", {"PURPOSE_DENIED"}),
        ("x: resident { ...A } x: resident { y: address }", {"PURPOSE_DENIED"}),
    ],
)  # fmt: skip
def test_11_two_fragments_of_one_response_key_are_both_decided(
    attack: Attack, selection: str, codes: set[str]
) -> None:
    rest = "fragment A on Resident { x: name }"
    rest += " fragment B on Resident { x: address }" if "...B" in selection else ""
    exchange = attack.about(selection, rest)
    assert exchange.answer.codes
    assert set(exchange.answer.codes) <= codes
    assert "data" not in exchange.answer.body
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize(
    ("directive", "variables"),
    [
        ("@include(if: $on)", {"on": False}),
        ("@include(if: $on)", {"on": True}),
        ("@skip(if: $on)", {"on": True}),
        ("@skip(if: $on) @include(if: $on)", {"on": True}),
    ],
)
def test_12_what_is_skipped_by_a_variable_is_decided_like_the_rest(
    attack: Attack, directive: str, variables: dict[str, bool]
) -> None:
    exchange = attack.ask(
        "query($id: ID!, $on: Boolean!) { recipient(id: $id) { identity { name }"
        f" resident {{ address {directive} }} }} }}",
        {"id": attack.demo.recipient, **variables},
    )
    refused(exchange, "PURPOSE_DENIED")
    assert denied(exchange) == {ADDRESS}
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize(
    "document",
    [
        "query($id: ID!) { recipient(id: $id) { ... @defer { resident { address } } } }",
        "query($id: ID!) { recipient(id: $id) { household { members @stream { id } } } }",
        "query($id: ID!) { recipient(id: $id) { resident { address @public } } }",
        "query A($id: ID!) { recipient(id: $id) { id } }"
        " query B($id: ID!) { recipient(id: $id) { resident { address } } }",
    ],
    ids=["defer", "stream", "unknown directive", "two operations, none named"],
)
def test_12_what_the_hub_does_not_serve_is_refused(attack: Attack, document: str) -> None:
    exchange = attack.ask(document)
    assert set(exchange.answer.codes) <= {"GRAPHQL_VALIDATION_FAILED", "NOT_FOUND_OPERATION"}
    assert exchange.answer.codes
    assert "data" not in exchange.answer.body
    attack.nobody_was_asked()
    attack.held()


NAMED = (
    "query Open($id: ID!) { recipient(id: $id) { identity { name } } }"
    " query Closed($id: ID!) { recipient(id: $id) { resident { address } } }"
)


@pytest.mark.parametrize(
    ("method", "options", "status"),
    [
        ("POST", {"json": [{"query": "{ __typename }"}, {"query": "{ sources { name } }"}]}, 400),
        ("POST", {"json": {"query": NAMED, "operationName": "Closed"}}, 200),
        ("GET", {"params": {"query": NAMED, "operationName": "Closed"}}, 405),
        ("PUT", {"json": {"query": NAMED, "operationName": "Closed"}}, 405),
    ],
    ids=["batch", "the closed of two operations", "GET", "PUT"],
)
def test_12_no_way_of_sending_gets_past_a_denial(
    attack: Attack, method: str, options: dict[str, Any], status: int
) -> None:
    body = options.get("json")
    if isinstance(body, dict):
        body["variables"] = {"id": attack.demo.recipient}
    response = attack.send(method, **options)
    assert response.status_code == status
    assert '"data"' not in response.text
    attack.nobody_was_asked()
    attack.held()


@pytest.mark.parametrize("open_first", [True, False])
def test_12_a_persisted_hash_stands_for_no_other_document(attack: Attack, open_first: bool) -> None:
    documents = [
        "query($id: ID!) { recipient(id: $id) { identity { name } } }",
        "query($id: ID!) { recipient(id: $id) { resident { address } } }",
    ]
    named, sent = documents if open_first else reversed(documents)
    sha256 = hashlib.sha256(named.encode()).hexdigest()
    for query, code in ((sent, "BAD_REQUEST"), (None, "PERSISTED_QUERY_NOT_FOUND")):
        response = attack.send(
            json={
                "query": query,
                "variables": {"id": attack.demo.recipient},
                "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256}},
            }
        )
        assert [one["extensions"]["code"] for one in response.json()["errors"]] == [code]
    attack.nobody_was_asked()
    attack.held()
