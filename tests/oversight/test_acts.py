"""Acts in the way of an operation: trusted documents, a durable INTENT first, nobody's by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.config import TrustedDocuments
from hub.errors import RequestRefused
from hub.manifest import entered
from hub.operation import Hub, Request
from hub.oversight.tables import NOTICES, USES
from hub.pipeline import answer
from hub.querylog.store import LogUnavailable, Store
from hub.trusted import Sent, Trusted
from tests.hub.memory import CALLER, Agency, encode, hub_over

OPEN = (
    "mutation Open($id: ID!, $why: String!) { openBreakGlass(recipient: $id, reason: $why) { id } }"
)
WHY = "Neighbours report smoke from the flat; nobody opens, and the person uses a wheelchair."


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, bytes(32))
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def made(store: Store) -> Hub:
    agencies: Mapping[str, Agency] = {
        name: Agency({}) for name in ("resident", "tax", "labour", "property", "benefits")
    }
    return hub_over(store, agencies)


def request(text: str = OPEN, *, by_url: bool = False, **given: Any) -> Request:
    variables = {"id": "r-1", "why": WHY} | given
    return Request(
        sent=Sent(text, None),
        variables=variables,
        operation_name=None,
        purpose="break-glass",
        cases=None,
        reason="",
        withhold=False,
        by_url=by_url,
    )


async def noted(store: Store) -> int:
    """How many uses and notices there are."""
    async with store.engine.connect() as connection:
        counts = [
            await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (USES, NOTICES)
        ]
    return sum(counts)


async def test_what_is_done_is_noted_once_for_the_use_and_once_for_the_recipient(
    made: Hub, store: Store
) -> None:
    await answer(made, CALLER, request(), encode)
    assert await noted(store) == 2


async def test_nothing_is_done_where_the_intent_cannot_be_written(made: Hub, store: Store) -> None:
    await store.close()
    with pytest.raises(LogUnavailable):
        await answer(made, CALLER, request(), encode)
    assert await noted(store) == 0


async def test_documents_are_required_of_acts_too(made: Hub, store: Store) -> None:
    file = Path("manifest.json")
    settings = TrustedDocuments(manifest=file, mode="log", roles={"caseworker": "require"})
    strict = replace(made, trusted=Trusted(settings, {}))
    with pytest.raises(RequestRefused, match="DOCUMENT_NOT_TRUSTED"):
        await answer(strict, CALLER, request(), encode)
    assert await noted(store) == 0
    ast = made.documents.read(OPEN).ast
    other = replace(made, trusted=Trusted(settings, entered({}, [("open", ast)], ["audit"])))
    with pytest.raises(RequestRefused, match="DOCUMENT_NOT_TRUSTED"):
        await answer(other, CALLER, request(), encode)
    assert await noted(store) == 0
    bound = replace(made, trusted=Trusted(settings, entered({}, [("open", ast)], ["break-glass"])))
    await answer(bound, CALLER, request(), encode)
    assert await noted(store) == 2


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (request(by_url=True), "METHOD_NOT_ALLOWED"),
        (request(id="no id; at all"), "BAD_VARIABLES"),
        (request(why="because"), "REASON_REQUIRED"),
        (request(why=f"{WHY}\0"), "BAD_VARIABLES"),
        (request(why=WHY * 20), "BAD_VARIABLES"),
        (replace(request(), purpose=None), "PURPOSE_REQUIRED"),
        (replace(request(), purpose="oversight"), "PURPOSE_DENIED"),
        (replace(request(), purpose="basic-livelihood.application"), "PURPOSE_DENIED"),
    ],
    ids=[
        "by URL",
        "no id",
        "no reason",
        "no text",
        "too long",
        "no purpose",
        "another role's",
        "another relation's",
    ],
)
async def test_what_is_refused_does_nothing(
    made: Hub, store: Store, sent: Request, code: str
) -> None:
    with pytest.raises(RequestRefused, match=code):
        await answer(made, CALLER, sent, encode)
    assert await noted(store) == 0


async def test_no_office_and_no_resident_is_no_person_who_may_open(made: Hub, store: Store) -> None:
    for caller in (replace(CALLER, office=None), replace(CALLER, recipient=None)):
        with pytest.raises(RequestRefused, match="PURPOSE_DENIED"):
            await answer(made, caller, request(), encode)
    assert await noted(store) == 0
