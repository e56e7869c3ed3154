"""The oracle finds what is wrong: an operation is asked, and what it left behind is falsified."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sources.simulator import resident
from sources.simulator.sample import RECIPIENT
from tests.access.oracle import Oracle
from tests.access.transcript import Exchange, Transcript
from tests.access.world import World
from tests.demo import Demo

QUERY = """query($id: ID!) { recipient(id: $id) { identity { name birthDate } tax { arrears }
  household { members { id identity { birthDate } } } resident { registeredAbroad address } } }"""


@pytest.fixture(scope="module")
def exchange(demo: Demo) -> Exchange:
    with Transcript(demo) as transcript:
        found = transcript.ask(
            QUERY,
            {"id": demo.recipient},
            token=demo.info["tokens"]["caseworker"],
            purpose="duplicate-check",
            case=demo.info["sample"]["case"],
            headers={"Hub-On-Denied": "withhold"},
        )
        transcript.settle()
    return found


def test_what_the_hub_does_is_right(oracle: Oracle, exchange: Exchange) -> None:
    oracle.judge(exchange)


def _address(exchange: Exchange, world: World) -> None:
    resident = exchange.answer.body["data"]["recipient"]["resident"]
    resident["address"] = _held(world, "address")


def _elsewhere(exchange: Exchange, world: World) -> None:
    exchange.answer.body["extensions"]["note"] = f"near {_held(world, 'address')}"


def _whole_date(exchange: Exchange, world: World) -> None:
    recipient = exchange.answer.body["data"]["recipient"]
    recipient["identity"]["birthDate"] = _held(world, "birthDate")


def _not_logged(exchange: Exchange, _: World) -> None:
    for group in exchange.outcome["disclosed"]["resident"]:
        group["items"].remove("resident.birthDate")


def _logged_too_much(exchange: Exchange, _: World) -> None:
    subject = exchange.intents[0]["subjects"][0]
    exchange.outcome["disclosed"]["benefits"] = [
        {"items": ["benefits.exists"], "subjects": [subject]}
    ]


def _logged_value(exchange: Exchange, world: World) -> None:
    exchange.outcome["note"] = _held(world, "name")


def _asked_too_much(exchange: Exchange, _: World) -> None:
    last = [access for access in exchange.accesses if access.source == "resident"][-1]
    exchange.accesses.append(dataclasses.replace(last, items=(*last.items, "address")))


def _asked_of_another(exchange: Exchange, world: World) -> None:
    last = [access for access in exchange.accesses if access.source == "resident"][-1]
    stranger = world.neighbour("11110")
    exchange.accesses.append(dataclasses.replace(last, keys=(*last.keys, stranger)))


def _another_persons(exchange: Exchange, _: World) -> None:
    members = exchange.answer.body["data"]["recipient"]["household"]["members"]
    members[0]["identity"], members[2]["identity"] = members[2]["identity"], members[0]["identity"]


def _not_asked(exchange: Exchange, _: World) -> None:
    del exchange.accesses[1:]


def _without_intent(exchange: Exchange, _: World) -> None:
    del exchange.records[:-1]


def _held(world: World, item: str) -> str:
    return str(resident.AGENCY.fields[item](world.population, np.array([RECIPIENT]))[0])


FALSE: dict[str, Callable[[Exchange, World], None]] = {
    "a denied value is given": _address,
    "a denied value is told in passing": _elsewhere,
    "a reduced value is given whole": _whole_date,
    "what is given is not logged": _not_logged,
    "what is not given is logged": _logged_too_much,
    "a value is logged": _logged_value,
    "an agency is asked for more than is granted": _asked_too_much,
    "an agency is asked about somebody else": _asked_of_another,
    "a value is another member's": _another_persons,
    "what is granted is not asked": _not_asked,
    "agencies are asked without an intent": _without_intent,
}


@pytest.mark.parametrize("what", FALSE)
def test_the_oracle_finds_that(oracle: Oracle, world: World, exchange: Exchange, what: str) -> None:
    false = copy.deepcopy(exchange)
    FALSE[what](false, world)
    with pytest.raises((AssertionError, ValueError)):
        oracle.judge(false)
