"""An adapter of one's own, as docs/adapters.md shows it: one short file, named in hub.toml."""

from __future__ import annotations

import asyncio
import re
import ssl
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.app import adapters_of
from hub.config import Settings
from sources.adapter import Adapter, Context, Question, SourceUnavailable
from sources.declaration import Source
from sources.reading import read_catalogue
from tests.command import hub
from tests.sources.certificates import Certificates, make

PAGE = Path("docs/adapters.md").read_text("utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
NAMED, DECLARED = (
    next(each for each in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if word in each)
    for word in ("[sources.adapters]", "[lines]")
)
ROOT = Path(__file__).parents[2]
BY_NAME = f"adapters = {{ {NAMED.splitlines()[1]} }}"
HANA, DURI = "900101-1000001", "900101-1000002"
ITEMS = """
[item.meters]
description = "Meters"
type = "Int"
category = "asset"
"""
CONTEXT = Context("pension", "Act", "C-1", "op-1")


def name(folder: Path, adapters: str) -> None:
    """Settings that name an adapter."""
    text = (ROOT / "hub.toml").read_text()
    (folder / "hub.toml").write_text(text.replace("[sources]\n", f"[sources]\n{adapters}\n"))


def settings(adapters: dict[str, str]) -> Settings:
    return Settings.model_validate(
        {
            **tomllib.loads(Path("hub.toml").read_text()),
            "sources": {"enabled": ["gas"], "adapters": adapters},
        }
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Adapter]:
    """The page's adapter, found by the import path that the page names it by."""
    package = tmp_path / "agency"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "lines.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    found, faults = adapters_of(settings(tomllib.loads(NAMED)["sources"]["adapters"]))
    assert faults == []
    return found["lines"]


class Agency:
    """Speaks the page's protocol over TLS: knows HANA alone, or breaks off."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.breaks_off = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readline()).decode())
        if not self.breaks_off:
            writer.write(f"{HANA}|3\n{DURI}x|1\nEND\n".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def agency(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Agency, int]]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    monkeypatch.setenv("GAS_HOST", "127.0.0.1")
    made = Agency()
    tls: ssl.SSLContext = certificates.serving()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    yield made, server.sockets[0].getsockname()[1]
    server.close()


def declared(folder: Path, port: int) -> Source:
    (folder / "gas.toml").write_text(DECLARED.replace("7001", str(port)) + ITEMS)
    catalogue, faults = read_catalogue(folder, ["gas"], "gas", "gas")
    assert [str(fault) for fault in faults] == []
    return catalogue.sources["gas"]


def test_it_is_one_file_of_forty_lines_at_most() -> None:
    assert len(CODE.splitlines()) <= 40


async def test_it_asks_an_agency_and_its_answer_is_checked_like_any_other(
    tmp_path: Path, adapter: type[Adapter], agency: tuple[Agency, int]
) -> None:
    made, port = agency
    source = declared(tmp_path, port)
    assert adapter.check(source) == []
    asking = adapter(source)
    reply = await asking.ask(Question("person", (HANA, DURI), source.items, CONTEXT))
    assert made.asked == [f"{HANA},{DURI};meters\n"]
    assert {key: record.values for key, record in reply.records.items()} == {HANA: {"meters": 3}}
    assert reply.breaches == {"other-person": 1}
    await asking.close()


async def test_an_agency_that_breaks_off_is_unavailable(
    tmp_path: Path, adapter: type[Adapter], agency: tuple[Agency, int]
) -> None:
    made, port = agency
    made.breaks_off = True
    source = declared(tmp_path, port)
    with pytest.raises(SourceUnavailable):
        await adapter(source).ask(Question("person", (HANA,), source.items, CONTEXT))


async def test_it_tells_the_faults_of_its_own_table(
    tmp_path: Path, adapter: type[Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAS_HOST", raising=False)
    source = declared(tmp_path, 7001)
    assert [fault.message for fault in adapter.check(source)] == [
        "the environment has no `GAS_HOST`"
    ]


async def test_the_kit_checks_it_and_tries_it_at_the_agencys_test_system(
    tmp_path: Path,
    adapter: type[Adapter],
    agency: tuple[Agency, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert adapter
    declared(tmp_path, agency[1])
    name(tmp_path, BY_NAME)
    monkeypatch.chdir(tmp_path)
    named = ("gas", "--declarations", str(tmp_path))
    checked = await asyncio.to_thread(hub, "source", "check", *named)
    assert (checked.returncode, checked.stdout[:14]) == (0, "no faults: gas"), checked.stderr
    tried = await asyncio.to_thread(
        hub, "source", "try", *named, "--test-system", "--person", HANA, "--items", "meters"
    )
    assert "gas.meters" in tried.stdout
    assert "breach of contract: other-person 1" in tried.stdout
    assert agency[0].asked == [f"{HANA};meters\n"]
    for command in ("try", "test"):
        failed = await asyncio.to_thread(hub, "source", command, *named)
        assert failed.returncode == 1
        assert (
            "no stand-in speaks `lines`, an adapter of your own: ask the agency's" in failed.stderr
        )


def test_the_kit_tells_of_an_adapter_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(tmp_path, 7001)
    monkeypatch.chdir(tmp_path)
    named = ("gas", "--declarations", str(tmp_path))
    unknown = hub("source", "check", *named)
    assert "unknown adapter `lines`" in unknown.stderr
    name(tmp_path, BY_NAME.replace("agency.lines", "agency.lost"))
    lost = hub("source", "check", *named)
    assert "`agency.lost:Lines` cannot be imported (ModuleNotFoundError)" in lost.stderr


@pytest.mark.parametrize(
    ("name", "path", "fault"),
    [
        ("x", "nowhere.at_all:Adapter",
         "`nowhere.at_all:Adapter` cannot be imported (ModuleNotFoundError); install it, or "
         "correct it"),
        ("x", "sources.rest:Nothing",
         "`sources.rest:Nothing` cannot be imported (AttributeError); install it, or correct it"),
        ("x", "sources.declaration:Source",
         "`sources.declaration:Source` is no adapter: it has no `check`; see docs/adapters.md"),
        ("rest", "sources.rest:RestAdapter",
         "`rest` is an adapter of the hub's own; give it another name"),
    ],
)  # fmt: skip
def test_what_is_no_adapter_is_told(name: str, path: str, fault: str) -> None:
    _, faults = adapters_of(settings({name: path}))
    assert [str(found) for found in faults] == [f"hub.toml: sources.adapters.{name}: {fault}"]
