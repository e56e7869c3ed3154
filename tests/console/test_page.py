"""The routes of the page: what is served, and under which headers."""

import asyncio
import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from hub.console.page import SignIn, routes

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "hub" / "console" / "assets"
SOURCES = ROOT / "hub" / "console" / "graphiql"


def get(path: str, demo: Path | None = None, sign_in: SignIn | None = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=routes(demo, sign_in)))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_the_page_lets_nothing_in_from_elsewhere_and_is_framed_by_nobody() -> None:
    page = get("/")
    policy = page.headers["content-security-policy"].split("; ")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in policy
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [directive for directive in policy if "http" in directive or "*" in directive]


def test_every_file_the_page_names_is_served_and_kept_for_good() -> None:
    named = re.findall(r'"(console/assets/[^"]+)"', get("/").text)
    assert {Path(name).suffix for name in named} == {".css", ".js"}
    for name in named:
        served = get(f"/{name}")
        assert served.status_code == 200
        assert served.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("suffix", "content_type"),
    [(".js", "text/javascript; charset=utf-8"), (".css", "text/css; charset=utf-8")],
)
def test_assets_carry_their_content_type(suffix: str, content_type: str) -> None:
    names = [file.name for file in ASSETS.iterdir() if file.suffix == suffix]
    assert names
    for name in names:
        served = get(f"/console/assets/{name}")
        assert served.headers["content-type"] == content_type


@pytest.mark.parametrize(
    "name",
    [
        "missing.js",
        "index.html",
        "THIRD_PARTY_LICENSES",
        "%2e%2e%2fpage.py",
        "..%2f__init__.js",
    ],
)
def test_what_is_no_asset_is_not_found(name: str) -> None:
    assert get(f"/console/assets/{name}").status_code == 404


def test_a_hub_without_a_demo_has_no_demo_settings() -> None:
    assert get("/console/demo.json").status_code == 404


def test_the_page_may_ask_the_issuer_that_people_sign_in_at_and_no_other() -> None:
    there = SignIn("https://id.example:8443/realms/r", "hub-console", "openid", None)
    policy = get("/", sign_in=there).headers["content-security-policy"].split("; ")
    assert "connect-src 'self' https://id.example:8443" in policy
    assert len([directive for directive in policy if "http" in directive]) == 1
    assert get("/console/sign-in.json", sign_in=there).json() == {
        "issuer": "https://id.example:8443/realms/r",
        "clientId": "hub-console",
        "scope": "openid",
        "resource": None,
    }
    assert get("/console/sign-in.json").status_code == 404


def test_the_demo_settings_are_read_anew_at_each_request(tmp_path: Path) -> None:
    settings = tmp_path / "demo.json"
    for token in ("first", "renewed"):
        settings.write_text(json.dumps({"personas": [{"token": token}]}))
        served = get("/console/demo.json", settings)
        assert served.json() == {"personas": [{"token": token}]}
        assert served.headers["cache-control"] == "no-store"
        assert served.headers["content-type"] == "application/json"


def test_the_assets_are_built_from_the_sources_beside_them() -> None:
    digest = hashlib.sha256()
    sources = [file for file in SOURCES.iterdir() if file.is_file() and file.name[0] != "."]
    for file in sorted(sources, key=lambda file: file.name):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    assert (ASSETS / "BUILT_FROM").read_text().strip() == digest.hexdigest(), "run `make graphiql`"


@pytest.mark.parametrize("folder", ["hub/console/graphiql", "tests/node"])
def test_lock_files_hold_names_versions_and_hashes_and_no_address(folder: str) -> None:
    lock = (ROOT / folder / "package-lock.json").read_text()
    assert "://" not in lock, f"run `npm run lock` in {folder}"
    assert '"resolved"' not in lock
    assert '"integrity": "sha512-' in lock
