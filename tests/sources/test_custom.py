"""An adapter of one's own, as docs/adapters.md shows it: one short file, named in hub.toml."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import ssl
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from hub.app import adapters_of
from hub.config import Settings
from hub.kit.sources import Workplace, stand_in
from sources.adapter import Adapter, Context, Question, SourceUnavailable
from sources.conformance.checks import CHECKS
from sources.conformance.run import examine, setting
from sources.declaration import Source
from sources.reading import read_catalogue
from tests.command import hub
from tests.sources.certificates import Certificates, make

PAGE = Path("docs/adapters.md").read_text("utf-8")
CODE, STAND_IN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
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
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Adapter]]:
    """The page's adapter, found by the import path that the page names it by."""
    package = tmp_path / "agency"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "lines.py").write_text(CODE)
    (package / "lines_stand_in.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("agency", "agency.lines"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    found, faults = adapters_of(settings(tomllib.loads(NAMED)["sources"]["adapters"]))
    assert faults == []
    with patch.dict(os.environ):  # a stand-in leaves its variables there
        yield found["lines"]


class Agency:
    """Speaks the page's protocol over TLS: knows HANA alone, or breaks off."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.breaks_off = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append((await reader.readline()).decode())
            if not self.breaks_off:
                writer.write(f"{HANA}|3\n{DURI}x|1\nEND\n".encode())
                await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def agency(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Agency]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    made = Agency()
    tls: ssl.SSLContext = certificates.serving()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    monkeypatch.setenv("GAS_ADDRESS", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield made
    server.close()


def declared(folder: Path) -> Source:
    (folder / "gas.toml").write_text(DECLARED + ITEMS)
    catalogue, faults = read_catalogue(folder, ["gas"], "gas", "gas")
    assert [str(fault) for fault in faults] == []
    return catalogue.sources["gas"]


def test_it_is_one_file_of_forty_lines_at_most() -> None:
    assert len(CODE.splitlines()) <= 40


async def test_it_asks_an_agency_and_its_answer_is_checked_like_any_other(
    tmp_path: Path, adapter: type[Adapter], agency: Agency
) -> None:
    source = declared(tmp_path)
    assert adapter.check(source) == []
    asking = adapter(source)
    reply = await asking.ask(Question("person", (HANA, DURI), source.items, CONTEXT))
    assert agency.asked == [f"{HANA},{DURI};meters\n"]
    assert {key: record.values for key, record in reply.records.items()} == {HANA: {"meters": 3}}
    assert reply.breaches == {"other-person": 1}
    await asking.close()


async def test_an_agency_that_breaks_off_is_unavailable(
    tmp_path: Path, adapter: type[Adapter], agency: Agency
) -> None:
    agency.breaks_off = True
    source = declared(tmp_path)
    with pytest.raises(SourceUnavailable):
        await adapter(source).ask(Question("person", (HANA,), source.items, CONTEXT))


async def test_it_tells_the_faults_of_its_own_table(
    tmp_path: Path, adapter: type[Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAS_ADDRESS", raising=False)
    source = declared(tmp_path)
    assert [fault.message for fault in adapter.check(source)] == [
        "the environment has no `GAS_ADDRESS`"
    ]


async def test_the_kit_checks_it_and_tries_it_at_the_agencys_test_system(
    tmp_path: Path,
    adapter: type[Adapter],
    agency: Agency,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert adapter
    declared(tmp_path)
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
    assert agency.asked == [f"{HANA};meters\n"]


def test_it_is_examined_against_the_stand_in_that_it_names(
    tmp_path: Path, adapter: type[Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adapter
    declared(tmp_path)
    name(tmp_path, BY_NAME)
    monkeypatch.chdir(tmp_path)
    tested = hub("source", "test", "gas", "--declarations", str(tmp_path), "--json")
    found = json.loads(tested.stdout)["gas"]
    by_result = {
        result: {one["name"] for one in found["checks"] if one["result"] == result}
        for result in ("passed", "failed")
    }
    assert (found["grade"], by_result["failed"]) == ("silver", {"asks openly", "dates", "names"})
    shown = ("error", "garbage", "half-body", "wrong-type", "other-person", "duplicate", "slow")
    assert {"values", "apart", *(f"fault {mode}" for mode in shown)} <= by_result["passed"]


async def test_one_that_is_wrong_falls(tmp_path: Path, adapter: type[Adapter]) -> None:
    source = declared(tmp_path)
    place = Workplace(tmp_path, tmp_path / "kit", {"lines": adapter})
    async with stand_in(place, source) as found:
        for number, (right, wrong, check, reason) in enumerate(WRONG):
            assert right in CODE
            (tmp_path / "agency" / f"wrong{number}.py").write_text(CODE.replace(right, wrong))
            spoilt = importlib.import_module(f"agency.wrong{number}").Lines
            async with setting(source, spoilt, found) as examined:
                one = next(one for one in CHECKS if one.name == check)
                result = await examine(one, examined)
            assert (result.verdict, result.reason) == ("failed", reason)


WRONG = (
    ('raise SourceUnavailable("the source cannot be reached", passing=True) from error',
     "return records.reply()",
     "fault half-body",
     "was taken for an answer: 1 records; is to be SourceUnavailable or ContractBroken"),
    ('[*wires, "unasked"]', "wires",
     "fault extra-item", "no breach `extra-item` was counted"),
    ("','.join(question.keys)", "question.keys[0]",
     "asks people", "did not ask about 2 of 3 people"),
)  # fmt: skip
"""What is wrong in place of what is right, the check that falls, and why."""


def test_without_a_stand_in_it_can_be_tried_at_the_agency_only(
    tmp_path: Path, adapter: type[Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(adapter, "stand_in")
    declared(tmp_path)
    name(tmp_path, BY_NAME)
    monkeypatch.chdir(tmp_path)
    for command in ("try", "test", "bench"):
        failed = hub("source", command, "gas", "--declarations", str(tmp_path))
        assert failed.returncode == 1
        assert (
            "no stand-in speaks `lines`, an adapter of your own: name one in it by `stand_in`"
            in failed.stderr
        )


def test_the_kit_tells_of_an_adapter_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(tmp_path)
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
