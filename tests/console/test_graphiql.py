"""The page as a person meets it, in headless Chromium."""

import socket
import threading
from collections.abc import Iterator
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

from hub.console.page import routes
from tests.node import chromium, run_node

CLEAN: dict[str, list[str]] = {
    "elsewhere": [],
    "failed": [],
    "complaints": [],
    "violations": [],
}


def look(scenario: str, address: str, screenshots: Path) -> Any:
    browser = chromium()
    seen = run_node("graphiql.mjs", scenario, address, browser, str(screenshots), seconds=120)
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


@strawberry.type
class Purpose:
    code: str
    title: str


@strawberry.type
class Query:
    @strawberry.field
    def purposes(self) -> list[Purpose]:
        return [Purpose(code="audit", title="Audit")]


@pytest.fixture
def hub_with_one_token() -> Iterator[str]:
    """A stand-in hub that knows one token, `good-token`, and serves the page without a demo."""
    schema = strawberry.Schema(Query)

    async def graphql(request: Request) -> JSONResponse:
        if request.headers.get("authorization") != "Bearer good-token":
            return JSONResponse({"errors": [{"message": "no caller"}]}, 401)
        operation = await request.json()
        result = await schema.execute(operation["query"])
        return JSONResponse({"data": result.data})

    app = Starlette(routes=[*routes(None), Route("/graphql", graphql, methods=["POST"])])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join()
    listening.close()
