"""Agencies that deliver nothing in bulk are asked live, and the review finds what it would have."""

from __future__ import annotations

import datetime
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schema.working_days import KOREA
from tests.command import hub
from tests.demo import Demo
from tests.population.conftest import reviewing, settings_beside

ASKED = ("tax", "labour")
BATCHES = 3
PROGRAMME = "livelihood"
"""What is reviewed; more would take longer and ask for nothing else."""
ROOT = Path(__file__).parents[2]
CATALOGUE, CONFIG = ROOT / "sources" / "catalogue", str(ROOT / "hub.toml")


@dataclass(frozen=True)
class Live:
    """A hub over the demo's people, some of whose agencies deliver nothing and can be asked."""

    folder: Path
    environment: dict[str, str]

    def declare(self, source: str, more: str = "") -> None:
        """Have an agency deliver nothing, on further terms."""
        declared = (CATALOGUE / f"{source}.toml").read_text("utf-8")
        left = re.sub(r"(?ms)^\[bulk.*?(?=^\[(?!bulk)|\Z)", "", declared)
        (self.folder / "catalogue" / f"{source}.toml").write_text(
            left.replace("[source]\n", f"[source]\n{more}\n", 1), "utf-8"
        )

    def review(self, reviews: Path) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return hub(*asking(reviews))

    def asked(self, source: str) -> Counter[str]:
        """How often the agency was asked about each person, by its own records."""
        lines = (self.folder / "run" / source / "access.jsonl").read_text("utf-8").splitlines()
        return Counter(key for line in lines for key in json.loads(line)["keys"])


@pytest.fixture
def live(demo: Demo, tmp_path: Path) -> Iterator[Live]:
    shutil.copytree(CATALOGUE, tmp_path / "catalogue")
    environment = {
        **settings_beside(demo),
        "HUB_SOURCES_CATALOGUE": str(tmp_path / "catalogue"),
        "HUB_LOG_STORE": f"sqlite+aiosqlite:///{tmp_path / 'log.db'}",
        "SIMULATOR_TOKEN": "a token of this test",
    }
    found, running = Live(tmp_path, environment), []
    for name in ASKED:
        found.declare(name)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sources.simulator", "serve", name, "--stop-with-stdin"),
                *("--population", str(demo.folder / "population")),
                *("--run", str(tmp_path / "run")),
            ],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        running.append(process)
    for name, process in zip(ASKED, running, strict=True):
        assert process.stdout is not None
        environment[f"{name.upper()}_URL"] = json.loads(process.stdout.readline())["url"]
        environment[f"{name.upper()}_TOKEN"] = environment["SIMULATOR_TOKEN"]
    yield found
    for process in running:
        process.communicate(timeout=60)


def asking(reviews: Path) -> list[str]:
    more = ("--live", "--batches", str(BATCHES))
    return reviewing(reviews, *more, programmes=(PROGRAMME,))


def rows(
    folder: Path, what: str, where: str, columns: Sequence[str] = ()
) -> duckdb.DuckDBPyRelation:
    """The rows of the programme, of these columns or of all."""
    wanted = ", ".join(columns) or "*"
    return duckdb.sql(
        f"SELECT {wanted} FROM read_parquet('{folder}/{what}/*.parquet') "
        f"WHERE programme = '{PROGRAMME}' AND {where} ORDER BY ALL"
    )


def closed_now() -> str:
    now = datetime.datetime.now(KOREA)
    hours = [now + datetime.timedelta(hours=after) for after in (3, 6)]
    return "-".join(f"{hour:%H:%M}" for hour in hours)


def test_agencies_are_asked_once_whatever_happens_and_the_same_is_found(
    live: Live, folder: Path
) -> None:
    reviews = live.folder / "reviews"
    live.declare("labour", f'reviews = "{closed_now()}"')
    with (live.folder / "errors").open("w") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", *asking(reviews)],
            env={**os.environ, **live.environment},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    while not (done := list(reviews.glob("*/asked/tax/people/*.parquet"))):
        assert running.poll() is None, (live.folder / "errors").read_text()
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    written = {path: path.stat().st_mtime_ns for path in done}

    waits = live.review(reviews)
    assert waits.returncode == 3, waits.stderr
    assert "labour: it may be asked from" in waits.stderr
    assert "--as-of" in waits.stderr
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert not list(reviews.glob("*/done.json"))

    live.declare("labour")
    finished = live.review(reviews)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    for what, where in (("results", "received IS NOT NULL"), ("findings", "kind <> 'blind-spot'")):
        asked = rows(Path(found["folder"]), what, where)
        # The other review is of further programmes, and has their steps too.
        assert asked.fetchall() == rows(folder, what, where, asked.columns).fetchall()
    assert {path.name for path in Path(found["folder"]).iterdir()} == {
        *("done.json", "review.json", "laid-out.json", "results", "findings"),
    }
    people = found["asked"]["tax"]["people"]
    assert found["asked"] == {name: {"people": people, "told": people} for name in ASKED}
    assert set(live.asked("labour").values()) == {1}
    # Whoever was asked about when it was killed, and not laid down, is asked about again.
    assert len(live.asked("tax")) == len(live.asked("labour")) == people
    assert sum(live.asked("tax").values()) < 2 * people
    _is_logged(live, Path(found["folder"]).name, people, next(iter(live.asked("tax"))))


def _is_logged(live: Live, review: str, people: int, somebody: str) -> None:
    """Each batch once before it is asked about, and findable by whoever is in it."""

    def records(*more: str, given: str = "") -> list[dict[str, Any]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO(given))
            for name, value in live.environment.items():
                patch.setenv(name, value)
            found = hub("log", "find", "--json", "--limit", "1000", "--config", CONFIG, *more)
        assert found.returncode == 0, found.stderr
        return [json.loads(line) for line in found.stdout.splitlines()]

    [begun, *more] = [one for one in records() if one.get("review") == review]
    kinds = Counter(one["kind"] for one in (begun, *more))
    assert kinds == {"REVIEW": 1, "REVIEW_ASKING": BATCHES, "REVIEW_BATCH": BATCHES}
    asking = [one for one in (begun, *more) if one["kind"] == "REVIEW_ASKING"]
    assert {one["batch"] for one in asking} == set(range(BATCHES))
    assert sum(one["crowd"]["people"] for one in asking) == people
    assert all({item.split(".")[0] for item in one["requested"]} == set(ASKED) for one in asking)
    of_one = [one["kind"] for one in records("--subject", given=somebody)]
    assert of_one.count("REVIEW_ASKING") == 1


def test_an_agency_is_asked_within_its_budget(live: Live) -> None:
    live.declare("tax", "budget = { purpose = 40 }")
    waits = live.review(live.folder / "reviews")
    assert waits.returncode == 3, waits.stderr
    assert "tax: it could not tell all (SOURCE_BUDGET)" in waits.stderr
    assert 0 < sum(live.asked("tax").values()) <= 40
