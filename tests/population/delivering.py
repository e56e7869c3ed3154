"""A small population with its truth, delivered in bulk by five agencies, and a hub over it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from authz.caller import Caller
from hub.operation import Hub, Request
from hub.pipeline import answer
from hub.population.engine import Engine
from hub.population.jobs import Jobs
from hub.population.perturbation import Noise, record_secret
from hub.population.release import Control
from hub.population.statistics import Statistics
from hub.population.teams import Teams
from hub.querylog.store import Store
from hub.trusted import Sent
from sources.bulk import PEOPLE
from sources.declaration import Source
from tests.hub.memory import CATALOGUE, encode, hub_over

DAY = datetime.date(2026, 10, 31)
PROVINCES = ["Seoul", "Busan", "Daegu", "Gangwon", "Jeju", "Ulleung"]
WEIGHTS = [400, 250, 150, 120, 79, 1]
POLICY = Caller("analyst", "r-analyst", frozenset({"policy"}), "policy-team", "1", "issuer")


@dataclass
class Person:
    """One person, as the truth has them."""

    key: str
    birth: datetime.date
    sex: str
    province: str
    earned: int | None
    building: int
    pension: bool
    safe: bool = False

    @property
    def age(self) -> int:
        born = self.birth
        return DAY.year - born.year - ((DAY.month, DAY.day) < (born.month, born.day))


def people(number: int, seed: int = 1) -> list[Person]:
    draw = random.Random(seed)
    made = []
    for at in range(number):
        age, province = draw.randrange(95), draw.choices(PROVINCES, WEIGHTS)[0]
        birth = DAY - datetime.timedelta(days=365 * age + draw.randrange(365))
        income = int(draw.lognormvariate(16.8, 1)) if 20 <= age < 75 else 0
        made.append(
            Person(
                key=f"{at:06}-{draw.randrange(10**7):07}",
                birth=birth,
                sex=draw.choice(["male", "female"]),
                province=province,
                earned=income if draw.random() < 0.9 else None,
                building=int(draw.lognormvariate(18.5, 0.8)) if draw.random() < 0.5 else 0,
                pension=age >= 66 and draw.random() < 0.7,
                safe=draw.random() < 0.01,
            )
        )
    return made


def deliver(folder: Path, persons: Sequence[Person], day: datetime.date = DAY) -> None:
    """Write what five agencies deliver of these people, and tell where."""
    for name in ("resident", "tax", "labour", "property", "benefits"):
        os.environ[f"{name.upper()}_DELIVERIES"] = str(folder)
    sources = CATALOGUE.sources
    plain: dict[str, dict[str, list[Any]]] = {
        "resident": {
            "birthDate": [p.birth for p in persons],
            "sex": [p.sex for p in persons],
            "province": [p.province for p in persons],
            "district": [f"{p.province}-{i % 3}" for i, p in enumerate(persons)],
            "status": ["resident" for _ in persons],
            "safeAddress": [p.safe for p in persons],
        },
        "tax": {"earnedIncome": [p.earned for p in persons]},
        "labour": {"insured": [bool(p.earned) for p in persons]},
        "property": {},
        "benefits": {},
    }
    for name, columns in plain.items():
        _write(folder, sources[name], PEOPLE, [p.key for p in persons], columns, day)
    owners = [p for p in persons if p.building]
    paid = [(p, month) for p in persons if p.pension for month in ("2026-09", "2026-10")]
    lists = {
        ("property", "buildings"): (
            [p.key for p in owners],
            {"officialPrice": [p.building for p in owners]},
        ),
        ("benefits", "receipts"): (
            [p.key for p, _ in paid],
            {
                "programme": ["basic-pension" for _ in paid],
                "month": [month for _, month in paid],
                "state": ["paid" for _ in paid],
                "amount": [300_000 for _ in paid],
            },
        ),
    }
    for (name, part), (keys, columns) in lists.items():
        _write(folder, sources[name], part, keys, columns, day)
    for name in plain:
        for part in (sources[name].bulk or _none()).parts:
            if part != PEOPLE and (name, part) not in lists:
                _write(folder, sources[name], part, [], {}, day)


def _none() -> Any:
    raise AssertionError("the source delivers nothing")


_TYPES = {"Won": pa.int64(), "Int": pa.int64(), "Date": pa.date32(), "Boolean": pa.bool_()}


def _write(
    folder: Path,
    source: Source,
    part: str,
    keys: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    day: datetime.date,
) -> None:
    """One part as its declaration has it; what is not given there is nothing of."""
    bulk = source.bulk
    assert bulk is not None
    made: dict[str, Any] = {bulk.parts[part].key: pa.array(keys, pa.string())}
    for item in source.items:
        length = 1 if part == PEOPLE else 2
        if len(item.path) != length or not bulk.delivers(item.path):
            continue
        if length == 2 and item.path[0] != part:
            continue
        words = {
            (word == "true" if item.type == "Boolean" else word): code
            for code, word in item.codes.items()
        }
        values = columns.get(item.path[-1], [None] * len(keys))
        kind = pa.string() if item.codes else _TYPES.get(item.type, pa.string())
        made[item.wire[-1]] = pa.array([words.get(value, value) for value in values], kind)
    files = str(bulk.parts[part].files).replace("{date}", str(day))
    folder = folder / source.name
    folder.mkdir(exist_ok=True)
    os.environ[f"{source.name.upper()}_DELIVERIES"] = str(folder)
    parquet.write_table(pa.table(made), folder / files)


@dataclass
class Team:
    """A policy team that asks a hub."""

    hub: Hub
    caller: Caller = POLICY
    sent: list[str] = field(default_factory=list)

    async def ask(
        self, query: str, *, purpose: str = "policy-statistics", **variables: Any
    ) -> dict[str, Any]:
        """The data of the answer. Raises RequestRefused."""
        request = Request(
            sent=Sent(query, None),
            variables=variables,
            operation_name=None,
            purpose=purpose,
            cases=None,
            reason="",
            withhold=False,
            by_url=False,
        )
        body = json.loads(await answer(self.hub, self.caller, request, encode))
        assert body["errors"] == []
        data: dict[str, Any] = body["data"]
        return data


SECRET = record_secret(b"a key of these tests")


def engine_on(folder: Path) -> Engine:
    """An engine that draws and keeps its reports in a folder."""
    return Engine(CATALOGUE, folder, folder / "quality", SECRET)


def hub_on(store: Store, engine: Engine, per_day: int = 10_000) -> Hub:
    hub = hub_over(store, {})
    return dataclasses.replace(
        hub,
        statistics=Statistics(
            engine,
            Teams(hub.ledger, per_day),
            Control(10, Noise(SECRET.encode())),
            Jobs(answer),
        ),
    )
