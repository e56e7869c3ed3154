"""What a Python team writes first: Strawberry with a resolver for each agency, over httpx.

No access control, no log. It stands beside the hub where the shared benchmark's gateways are not
installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

_SOURCES = ("resident", "tax", "labour", "property")
_FIELDS: dict[str, dict[str, Any]] = {
    "Member": {"name": str, "relation": str},
    "Household": {"size": int, "members": "Member"},
    "Payment": {"kind": str, "amount": int, "year": int},
    "Job": {"employer": str, "start": str, "wage": int},
    "Holding": {"kind": str, "value": int, "district": str},
    "Tax": {
        **dict.fromkeys(("taxpayerNumber", "filingStatus"), str),
        **dict.fromkeys(("assessmentYear", "totalIncome", "taxableIncome", "taxPaid"), int),
        "arrears": int,
        "effectiveRate": float,
        "payments": "Payment",
    },
    "Labour": {
        **dict.fromkeys(("employmentStatus", "insuranceOffice"), str),
        **dict.fromkeys(("insuredMonths", "lastWage", "unemploymentBenefit"), int),
        **dict.fromkeys(("accidentClaims", "trainingHours"), int),
        "weeklyHours": float,
        "jobs": "Job",
    },
    "Property": {
        "ownerKind": str,
        **dict.fromkeys(("totalValue", "landValue", "buildingValue", "vehicleValue"), int),
        "lienCount": int,
        "holdings": "Holding",
    },
}


def _types() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, fields in _FIELDS.items():
        made[name] = strawberry.type(
            type(
                name,
                (),
                {
                    "__annotations__": {
                        field: list[made[kind]] if isinstance(kind, str) else kind
                        for field, kind in fields.items()
                    }
                },
            )
        )
    annotations = {
        **dict.fromkeys(("id", "name", "birthDate", "district"), str),
        "household": made["Household"],
        **{name: made[name.capitalize()] for name in _SOURCES[1:]},
    }
    made["Recipient"] = strawberry.type(type("Recipient", (), {"__annotations__": annotations}))
    return made


_TYPES = _types()


def _made(name: str, record: dict[str, Any]) -> Any:
    """An object of a type out of an agency's record."""
    found = {}
    for field, kind in _FIELDS[name].items():
        value = record[field]
        found[field] = [_made(kind, row) for row in value] if isinstance(kind, str) else value
    return _TYPES[name](**found)


def _unified(records: list[dict[str, Any]]) -> Any:
    resident = records[0]
    own = {name: resident[name] for name in ("id", "name", "birthDate", "district")}
    others = {
        name: _made(name.capitalize(), record)
        for name, record in zip(_SOURCES[1:], records[1:], strict=True)
    }
    household = _made("Household", resident["household"])
    return _TYPES["Recipient"](**own, household=household, **others)


async def _many(source: str, ids: list[str]) -> list[dict[str, Any]]:
    response = await app.state.client.post(f"/{source}/persons/query", json={"ids": ids})
    found: list[dict[str, Any]] = response.raise_for_status().json()["persons"]
    return found


async def _recipients(ids: list[str]) -> list[Any]:
    answers = await asyncio.gather(*(_many(source, ids) for source in _SOURCES))
    return [_unified(list(records)) for records in zip(*answers, strict=True)]


def _query() -> Any:
    async def recipient(id: str) -> Any:  # noqa: A002 - the argument's name in the question
        return (await _recipients([id]))[0]

    async def recipients(ids: list[str]) -> Any:
        return await _recipients(ids)

    kind = _TYPES["Recipient"]
    recipient.__annotations__ = {"id": str, "return": kind}
    recipients.__annotations__ = {"ids": list[str], "return": list[kind]}
    resolvers = {one.__name__: strawberry.field(one) for one in (recipient, recipients)}
    return strawberry.type(type("Query", (), resolvers))


@contextlib.asynccontextmanager
async def _lifespan(of: Starlette) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx.AsyncClient(base_url=os.environ["STUB"], limits=limits, timeout=30) as client:
        of.state.client = client
        yield


_schema = strawberry.Schema(_query(), extensions=[ParserCache, ValidationCache])
app = Starlette(routes=[Route("/graphql", GraphQL(_schema))], lifespan=_lifespan)
