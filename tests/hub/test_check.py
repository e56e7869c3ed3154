"""`hub check` as an operator runs it: every fault of every file at once, or one line of what is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.cli import main

ROOT = Path(__file__).parents[2]
REGISTER = """\
title = "Decide"
legal_basis = { act = "Basic Pension Act", article = "Article 11", mark = "K" }
"""
TAX = """\
[source]
agency = "Tax"
description = "Income"
adapter = "rest"

[rest]
url = "${NO_SUCH_URL}"
path = "/search"
keys = "ids"
items = "fields"
records = "records"
key = "id"

[item.pay]
description = "Pay"
type = "Won"
category = "income"
"""


@dataclass(frozen=True)
class Said:
    code: int
    output: str
    errors: list[str]


SETTINGS = re.compile(r"HUB_|RESIDENT_|TAX_|LABOUR_|PROPERTY_|BENEFITS_")


def check_as_process(config: Path, *arguments: str, **environment: str) -> Said:
    """Run the command as its users do, with these variables and none of its own otherwise."""
    inherited = {name: value for name, value in os.environ.items() if not SETTINGS.match(name)}
    command = [sys.executable, "-m", "hub.cli", "check", "--config", str(config), *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr.splitlines())


Check = Callable[..., Said]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command within this process, which takes less time."""
    for name in os.environ:
        if SETTINGS.match(name):
            monkeypatch.delenv(name)

    def run(config: Path, *arguments: str, **environment: str) -> Said:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main(["check", "--config", str(config), *arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err.splitlines())

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings in a folder of their own, over the hub's own catalogue and register."""
    path = tmp_path / "hub.toml"
    path.write_text((ROOT / "hub.toml").read_text())
    return path


def test_a_good_configuration_has_no_faults(config: Path) -> None:
    said = check_as_process(config, "--no-environment")
    assert (said.code, said.errors) == (0, [])
    assert re.fullmatch(
        r"no faults: 5 sources, \d+ data items, \d+ purposes, register [0-9a-f]{12}, "
        r"\d+ programmes, rules [0-9a-f]{12}\n",
        said.output,
    )


def test_what_only_the_deployed_machine_has_is_told_unless_left_out(
    check: Check, config: Path
) -> None:
    said = check(config, RESIDENT_URL="https://r", RESIDENT_TOKEN="x", TAX_URL="https://t")
    assert (said.code, said.output) == (2, "")
    assert [re.sub(r" \(line \d+\)|; .*", "", line) for line in said.errors] == [
        "tax.toml: rest.headers.Authorization: the environment has no `TAX_TOKEN`",
        "labour.toml: rest.url: the environment has no `LABOUR_URL`",
        "labour.toml: rest.headers.Authorization: the environment has no `LABOUR_TOKEN`",
        "property.toml: sql.url: the environment has no `PROPERTY_URL`",
        "benefits.toml: sql.url: the environment has no `BENEFITS_URL`",
        "officials.toml: rest.url: the environment has no `OFFICIALS_URL`",
        "officials.toml: rest.headers.Authorization: the environment has no `OFFICIALS_TOKEN`",
        "hub.toml: log.pseudonym_key: there is no file `pseudonym.key`",
        "hub.toml: log.sealing_key: there is no file `sealing.key`",
        "hub.toml: log.signing_key: there is no file `signing.key`",
        "hub.toml: issuers.keys: there is no file `issuer.jwks.json`",
        "11 faults in the configuration",
    ]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A set-up with faults in a declaration, in the register and in the environment."""
    catalogue, register = tmp_path / "catalogue", tmp_path / "purposes"
    catalogue.mkdir()
    register.mkdir()
    (catalogue / "tax.toml").write_text(TAX)
    (catalogue / "levy.toml").write_text(TAX.replace('"income"', '"incom"') + "wier = 1\n")
    (catalogue / "post.toml").write_text(TAX.replace('adapter = "rest"', 'adapter = "rset"'))
    (register / "pension.toml").write_text(
        REGISTER + 'parent = "root"\n[allow]\nitems = ["tax.pya"]\n'
    )
    (register / "broken.toml").write_text("title =\n")
    config = tmp_path / "hub.toml"
    config.write_text(
        """\
[sources]
enabled = ["tax", "levy", "post", "army"]
catalogue = "catalogue"
[roles]
identity = "tax"
cases = "cases"
[register]
folder = "purposes"
[log]
store = "sqlite+aiosqlite:///log.db"
pseudonym_key = "none.key"
sealing_key = "none.key"
signing_key = "none.key"
[[issuers]]
issuer = "https://id.example"
audience = "hub"
keys = "https://id.example/keys"
[documents]
mode = "off"
"""
    )
    return config


def test_all_faults_of_all_files_are_told_at_once(broken: Path) -> None:
    said = check_as_process(broken)
    assert (said.code, said.output) == (2, "")
    assert said.errors == [
        "levy.toml: item.pay.category (line 17): unknown category `incom`; did you mean `income`?",
        "levy.toml: item.pay.wier (line 18): unknown key `wier`; remove it or correct its spelling",
        'post.toml: rest (line 6): unknown table `rest`; remove it, or set `adapter = "rest"`',
        "army.toml: the file: cannot be read (No such file or directory); "
        "add the file, or take its name out of `sources.enabled`",
        "hub.toml: roles.cases: `cases` is not enabled; enable it, or use one of `tax`",
        "tax.toml: rest.url (line 7): the environment has no `NO_SUCH_URL`; "
        "set `NO_SUCH_URL`, or take `tax` out of `sources.enabled`",
        "broken.toml: the file: is not TOML: Invalid value (at line 1, column 8); "
        "correct the line named",
        "pension.toml: parent (line 3): there is no purpose `root`; use one of `pension`",
        "pension.toml: allow.items (line 5): unknown name `tax.pya`; did you mean `tax.pay`?",
        "hub.toml: log.pseudonym_key: there is no file `none.key`; "
        "make it of 32 random bytes, or correct the path",
        "hub.toml: log.sealing_key: there is no file `none.key`; "
        "make it of 32 random bytes, or correct the path",
        "hub.toml: log.signing_key: there is no file `none.key`; "
        "put it back, or for a new log make it by `hub log key`",
        "12 faults in the configuration",
    ]


def test_an_unknown_adapter_is_told(check: Check, broken: Path) -> None:
    (broken.parent / "catalogue" / "post.toml").write_text(
        TAX.replace('adapter = "rest"', 'adapter = "rset"').replace("[rest]", "[rset]")
    )
    assert (
        "post.toml: source.adapter (line 4): unknown adapter `rset`; did you mean `rest`?"
        in check(broken).errors
    )


def test_one_fault_is_one(check: Check, config: Path) -> None:
    said = check(config, "--no-environment", HUB_SERVER_PORT="70000")
    assert (said.code, said.errors) == (
        2,
        [
            "hub.toml: server.port (line 6): input should be less than or equal to 65535; "
            "correct the value",
            "1 fault in the configuration",
        ],
    )


def test_a_place_that_the_view_does_not_have_is_told(
    check: Check, config: Path, tmp_path: Path
) -> None:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    for path in (ROOT / "sources" / "catalogue").glob("*.toml"):
        text = path.read_text().replace('"income.interest"', '"income.intrest"')
        (catalogue / path.name).write_text(text)
    said = check(config, "--no-environment", HUB_SOURCES_CATALOGUE=str(catalogue))
    assert said.code == 2
    assert [line for line in said.errors if "intrest" in line]


def test_settings_that_are_not_there_are_told(check: Check, tmp_path: Path) -> None:
    said = check(tmp_path / "none.toml")
    assert (said.code, said.errors[-1]) == (2, "1 fault in the configuration")
    assert said.errors[0].endswith(
        "the file: cannot be read (No such file or directory); name the file with `--config`"
    )


@pytest.mark.parametrize("source", ["tax", "labour", "property"])
def test_a_hub_without_one_source_has_no_faults(check: Check, config: Path, source: str) -> None:
    every = ["resident", "tax", "labour", "property", "benefits"]
    enabled = ",".join(name for name in every if name != source)
    said = check(config, "--no-environment", HUB_SOURCES_ENABLED=enabled)
    assert (said.code, said.errors) == (0, [])
    assert said.output.startswith("no faults: 4 sources, ")
