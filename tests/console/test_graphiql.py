"""The page as a person meets it, in headless Chromium."""

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub.config import Issuer
from hub.console.page import SignIn, routes
from hub.identity import Identity, Presented
from hub.tokens import TokenRefused
from tests.hub.test_identity_provider import make_keys, running
from tests.node import chromium, run_node

CLEAN: dict[str, list[str]] = {
    "elsewhere": [],
    "failed": [],
    "complaints": [],
    "violations": [],
}


def look(scenario: str, address: str, screenshots: Path, *issuer: str) -> Any:
    browser = chromium()
    told = (scenario, address, browser, str(screenshots), *issuer)
    seen = run_node("graphiql.mjs", *told, seconds=120)
    troubles = {kind: seen[kind] for kind in CLEAN}
    assert troubles == CLEAN
    assert seen["title"] == "Welfare hub"
    assert seen["stored"] == []
    return seen


def test_in_the_demo_a_person_runs_the_sample_and_another_person_is_refused(
    demo: Any, tmp_path: Path
) -> None:
    sample = demo.info["sample"]
    seen = look("demo", urljoin(demo.info["graphql"], "/"), tmp_path)

    assert set(seen["persons"]) == set(demo.info["tokens"])
    assert seen["chosen"] == "caseworker"
    assert seen["purpose"] == sample["purpose"]
    assert seen["case"] == sample["case"]
    assert seen["onDenied"] == "refuse"
    assert set(seen["introspectedFor"]) == {"", sample["purpose"]}
    assert sample["purpose"] in seen["purposes"]
    assert "errors" not in seen["answer"]["whole"]
    assert seen["answer"]["whole"]["data"]
    assert '"data": {' in seen["answer"]["shown"]
    refused = seen["otherAnswer"]["whole"]
    assert "data" not in refused
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["CASE_REFUSED"]
    assert '"errors": [' in seen["otherAnswer"]["shown"]
    assert (tmp_path / "answer.png").stat().st_size > 0


def test_outside_the_demo_the_page_asks_for_a_token_and_says_when_it_is_not_accepted(
    hub_with_one_token: str, tmp_path: Path
) -> None:
    seen = look("token", hub_with_one_token, tmp_path)

    assert seen["persons"] == 0
    assert seen["fieldType"] == "password"
    assert seen["asks"] == "Enter a token: the hub answers no one it cannot name."
    assert seen["refusal"] == "The hub does not accept this token (401): no caller"
    assert seen["purposes"] == ["audit"]
    assert seen["answer"]["whole"] == {"data": {"purposes": [{"code": "audit", "title": "Audit"}]}}
    assert seen["prettified"] == {
        "query": "{\n  purposes {\n    code\n    title\n  }\n}\n",
        "variables": '{\n  "ids": [\n    1\n  ],\n}',
    }


def test_outside_the_demo_a_person_signs_in_and_the_token_stays_in_the_page(
    tmp_path: Path,
) -> None:
    with running(make_keys(tmp_path / "keys.json", "only")) as provider:
        sign_in = SignIn(provider.issuer, "hub-console", "openid ask", "urn:hub:ES256")
        issuer = Issuer(issuer=provider.issuer, audience="welfare-hub")
        with standing_in(lambda: Identity([issuer]), sign_in) as address:
            seen = look("sign-in", address, tmp_path, provider.issuer)

    assert seen["asks"] == "Sign in, or enter a token: the hub answers no one it cannot name."
    assert seen["fields"] == 0
    assert seen["purposes"] == ["audit"]
    assert seen["answer"]["whole"] == {"data": {"purposes": [{"code": "audit", "title": "Audit"}]}}
    assert seen["address"] == address


@strawberry.type
class Purpose:
    code: str
    title: str


@strawberry.type
class Query:
    @strawberry.field
    def purposes(self) -> list[Purpose]:
        return [Purpose(code="audit", title="Audit")]


class OneToken:
    """Knows one token, `good-token`."""

    async def caller(self, presented: Presented) -> None:
        if presented.authorization != "Bearer good-token":
            raise TokenRefused("no caller")

    async def close(self) -> None:
        """It holds nothing open."""


@pytest.fixture
def hub_with_one_token() -> Iterator[str]:
    with standing_in(OneToken, None) as address:
        yield address


@contextlib.contextmanager
def standing_in(
    make_identity: Callable[[], Identity | OneToken], sign_in: SignIn | None
) -> Iterator[str]:
    """A stand-in hub that answers whom the identity knows, and serves the page without a demo."""
    schema = strawberry.Schema(Query)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.identity = make_identity()
        yield
        await app.state.identity.close()

    async def graphql(request: Request) -> JSONResponse:
        try:
            presented = Presented(request.headers.get("authorization"))
            await request.app.state.identity.caller(presented)
        except TokenRefused as refused:
            return JSONResponse({"errors": [{"message": str(refused)}]}, 401)
        operation = await request.json()
        result = await schema.execute(operation["query"])
        return JSONResponse({"data": result.data})

    served = [*routes(None, sign_in), Route("/graphql", graphql, methods=["POST"])]
    app = Starlette(routes=served, lifespan=lifespan)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
