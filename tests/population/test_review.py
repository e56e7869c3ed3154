"""The review of a caseload by command: finds what was planted, goes on when killed, is logged."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cryptography.exceptions import InvalidTag

from hub.population.review_demo import AGENCIES, DAY, PROGRAMME
from sources.simulator.caseload import score
from tests.command import hub

PEOPLE = 1_000


class Caseload:
    """A demo's folder that is kept, reviewed again as any other caseload."""

    def __init__(self, folder: Path, found: Mapping[str, Any]) -> None:
        self.folder, self.found = folder, found

    @property
    def environment(self) -> dict[str, str]:
        place = self.folder / "deliveries"
        return {f"{name}_DELIVERIES": str(place / source) for source, name in AGENCIES.items()}

    def arguments(self, reviews: Path, *more: str) -> list[str]:
        return [
            *("review", "run", "--programme", PROGRAMME, "--asOf", DAY, "--json", *more),
            *("--config", str(self.folder / "hub.toml"), "--folder", str(reviews)),
        ]

    def review(self, reviews: Path, *more: str, **settings: str) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, **settings}.items():
                patch.setenv(name, value)
            done = hub(*self.arguments(reviews, *more))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def records(self, kind: str) -> list[Mapping[str, Any]]:
        found = hub(
            *("log", "find", "--json", "--limit", "1000", "--purpose", "confirmation-survey"),
            *("--config", str(self.folder / "hub.toml")),
        )
        assert found.returncode == 0, found.stderr
        records = [json.loads(line) for line in found.stdout.splitlines()]
        return [one for one in records if one["kind"] == kind]


@pytest.fixture(scope="module")
def caseload(tmp_path_factory: pytest.TempPathFactory) -> Caseload:
    folder = tmp_path_factory.mktemp("review")
    done = hub(
        *("review", "run", "--demo", "--people", str(PEOPLE), "--json", "--folder", str(folder))
    )
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    return Caseload(folder, json.loads(line))


def rows(folder: Path, what: str) -> list[tuple[Any, ...]]:
    query = "SELECT * FROM read_parquet($files) ORDER BY ALL"
    return duckdb.connect().execute(query, {"files": f"{folder}/{what}/*.parquet"}).fetchall()


def test_the_review_finds_exactly_what_was_planted(caseload: Caseload) -> None:
    found = caseload.found
    assert (found["precision"], found["recall"], found["reviewed"]) == (1.0, 1.0, PEOPLE)
    assert found["seconds"] > 0
    assert found["peak_mb"] > 0
    planted = {kind: counts["planted"] for kind, counts in found["by_kind"].items()}
    assert planted["ineligible"] == round(PEOPLE * 179_000 / 7_151_000)
    assert set(planted) == {
        *("ineligible", "same-programme", "after-death", "overpaid"),
        *("abroad", "in-custody", "blind-spot"),
    }


def test_a_finding_says_why_and_how_it_was_worked_out(caseload: Caseload) -> None:
    [folder] = (caseload.folder / "reviews").glob("*/findings")
    relation = duckdb.sql(f"SELECT * FROM read_parquet('{folder}/*.parquet')")
    found = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    above = [one for one in found if one["reason"].startswith("recognised income is above")]
    assert above
    for one in above:
        assert one["pension_recognised_income"] > one["pension_threshold"] == one["threshold"]
        parts = one["pension_income_evaluation"] + one["pension_converted_assets"]
        assert parts == one["recognised"]
    assert min(one["recognised"] - one["threshold"] for one in above) == 1
    [late] = {one["reason"] for one in found if one["kind"] == "after-death"}
    assert late.endswith("(Act on the Use and Provision of Social Security Benefits, Article 21)")


def test_the_truth_opens_with_its_key_only(caseload: Caseload) -> None:
    assert not (caseload.folder / "deliveries" / "truth.part").exists()
    with pytest.raises(InvalidTag):
        score(caseload.folder / "deliveries", "unread", bytes(32))


def test_a_review_made_already_is_not_made_again(caseload: Caseload) -> None:
    before = len(caseload.records("REVIEW_BATCH"))
    again = caseload.review(caseload.folder / "reviews")
    assert again["findings"] == caseload.found["findings"]
    assert len(list((caseload.folder / "reviews").glob("*/done.json"))) == 1
    assert len(caseload.records("REVIEW_BATCH")) == before


def test_a_review_that_was_killed_goes_on_and_neither_redoes_nor_loses_a_batch(
    caseload: Caseload, tmp_path: Path
) -> None:
    reviews = tmp_path / "reviews"
    shutil.copy(caseload.folder / "log.db", tmp_path / "log.db")
    batches = ("--batches", "5")
    store = {"HUB_LOG_STORE": f"sqlite+aiosqlite:///{tmp_path / 'log.db'}"}
    with (tmp_path / "errors").open("w") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", *caseload.arguments(reviews, *batches)],
            env={**os.environ, **caseload.environment, **store},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    wait(lambda: len(list(reviews.glob("*/findings/*.parquet"))) >= 2 or running.poll() is not None)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, (tmp_path / "errors").read_text()
    done = {path: path.stat().st_mtime_ns for path in reviews.glob("*/findings/*.parquet")}
    assert 2 <= len(done) < 5
    finished = caseload.review(reviews, *batches, **store)
    assert finished["findings"] == caseload.found["findings"]
    assert {path: path.stat().st_mtime_ns for path in done} == done
    [folder] = reviews.glob("*/findings")
    [whole] = (caseload.folder / "reviews").glob("*/findings")
    assert rows(folder.parent, "findings") == rows(whole.parent, "findings")
    assert rows(folder.parent, "results") == rows(whole.parent, "results")
    logged = Logged(tmp_path / "log.db", caseload)
    assert sorted(one["batch"] for one in logged.batches(folder.parent.name)) == list(range(5))


class Logged:
    """A copy of a caseload's log, read by command."""

    def __init__(self, store: Path, caseload: Caseload) -> None:
        self._store, self._caseload = store, caseload

    def batches(self, review: str) -> list[Mapping[str, Any]]:
        found = hub(
            *("log", "find", "--json", "--limit", "1000", "--purpose", "confirmation-survey"),
            *("--config", str(self._caseload.folder / "hub.toml"), "--store"),
            f"sqlite+aiosqlite:///{self._store}",
        )
        records = [json.loads(line) for line in found.stdout.splitlines()]
        return [one for one in records if one["kind"] == "REVIEW_BATCH" and one["review"] == review]


def wait(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def spark() -> None:
    """Skip where Spark cannot run, and say why; CI installs it wherever there is Java."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("there is no Java: Spark needs Java 17 or newer")
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("Spark is not installed: run `make spark`")


def test_on_spark_the_same_is_found(caseload: Caseload, tmp_path: Path) -> None:
    spark()
    # A few rows are read sooner than code for them is compiled.
    (tmp_path / "spark-defaults.conf").write_text(
        "spark.sql.codegen.wholeStage false\n"
        "spark.sql.codegen.factoryMode NO_CODEGEN\n"
        "spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC\n"
    )
    environment = {
        **caseload.environment,
        "SPARK_CONF_DIR": str(tmp_path),
        "HUB_LOG_STORE": f"sqlite+aiosqlite:///{tmp_path / 'log.db'}",
    }
    wanted = caseload.arguments(tmp_path / "reviews", "--engine", "spark", "--memory", "1GB")
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", *wanted],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["findings"] == caseload.found["findings"]
    [whole] = (caseload.folder / "reviews").glob("*/findings")
    for what in ("findings", "results"):
        assert rows(Path(found["folder"]), what) == rows(whole.parent, what)
