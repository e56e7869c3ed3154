"""Attacks 21 to 23: wearing it down."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import httpx
import pytest

from hub.http import BODY_SECONDS
from tests.attacks.attack import Attack

MEMBERS = "household { members "
CHAIN = " ".join(f"fragment F{n} on Query {{ a{n}: __typename ...F{n + 1} b{n}: __typename"
                 f" ...F{n + 1} }}" for n in range(20))  # fmt: skip
COSTLY = " ".join(f"t{n}: tax {{ arrears earnedIncome incomeTax }}" for n in range(60))
BEYOND: dict[str, tuple[str, dict[str, Any], str]] = {
    "aliases multiplied by fragments": (
        f"{{ ...F0 }} {CHAIN} fragment F20 on Query {{ __typename }}", {}, "TOO_MANY_ALIASES"
    ),
    "circular fragments": (
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", {},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a fragment within itself": (
        "{ ...A } fragment A on Query { ...A }", {}, "GRAPHQL_VALIDATION_FAILED"
    ),
    "deep nesting": (
        "{ recipient(id: 1) {" + f"{MEMBERS} {{" * 20 + "id" + "} }" * 20 + "} }", {}, "TOO_DEEP"
    ),
    "a huge list": (
        "query($ids: [ID!]!) { recipients(ids: $ids) { id } }", {"ids": ["x"] * 501},
        "TOO_MANY_IDS",
    ),
    "a huge document": ("{ " + "a: __typename " * 3_000 + "}", {}, "TOO_MANY_TOKENS"),
    "many operations": (
        " ".join(f"query O{n} {{ sources {{ name }} }}" for n in range(400)), {},
        "TOO_MANY_TOKENS",
    ),
    "many fields of many people": (
        f"query($ids: [ID!]!) {{ recipients(ids: $ids) {{ {COSTLY} }} }}", {"ids": ["x"] * 500},
        "TOO_COSTLY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", [what for what in BEYOND if not what.startswith("many fields")])
def test_21_a_document_or_list_beyond_the_limits_is_refused(attack: Attack, what: str) -> None:
    document, variables, code = BEYOND[what]
    exchange = attack.ask(document, variables, purpose="basic-livelihood.application")
    assert (exchange.answer.status, set(exchange.answer.codes)) == (400, {code})
    attack.nobody_was_asked()
    attack.held()


def test_22_a_query_that_costs_agencies_a_lot_is_refused_before_any_is_asked(
    attack: Attack,
) -> None:
    document, variables, code = BEYOND["many fields of many people"]
    exchange = attack.ask(document, variables, purpose="basic-livelihood.application")
    assert set(exchange.answer.codes) == {code}
    attack.nobody_was_asked()
    # Nothing is searched for here: the message names the limit, which is somebody's income too.
    assert "data" not in exchange.answer.body


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"query": "{ __typename }"}', "text/plain", 415),
        (b"query=%7B__typename%7D", "application/x-www-form-urlencoded", 415),
        (b'{"query": "{ __typename }"}', "application/json; charset=utf-16", 415),
        (b'{"query": "\xff\xfe"}', "application/json", 400),
        (b'{"query": "{ __typename }", "query": "{ sources { name } }"}', "application/json", 400),
        (b'{"query": "{ __typename }", "variables": {"a": 1, "a": 2}}', "application/json", 400),
        (b'{"query": "{ __typename }"} {}', "application/json", 400),
        (json.dumps({"query": "{ __typename }" + " " * 70_000}).encode(), "application/json", 413),
        (b"[" * 60_000, "application/json", 400),
    ],
    ids=["text", "form", "charset", "not UTF-8", "keys twice", "variables twice", "two values",
         "oversized", "nested"],
)  # fmt: skip
def test_23_a_body_that_is_no_request_is_refused(
    attack: Attack, body: bytes, kind: str, status: int
) -> None:
    response = attack.send(content=body, headers={"Content-Type": kind})
    assert response.status_code == status
    assert "data" not in response.json()
    attack.nobody_was_asked()
    attack.held()


def test_23_a_body_that_never_ends_is_given_up(attack: Attack) -> None:
    address = httpx.URL(attack.demo.address)
    assert address.port is not None
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {address.host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {attack.demo.info['tokens']['caseworker']}\r\n"
        'Content-Length: 1000\r\n\r\n{"query": '
    )
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(head.encode())
        started = time.monotonic()
        assert b" 408 " in connection.recv(4096)
    assert time.monotonic() - started < BODY_SECONDS + 5
    attack.nobody_was_asked()
    attack.held()
