"""`hub log show|find|export|watch`: what they print, and that their reading is in the log."""

from __future__ import annotations

import asyncio
import csv
import datetime
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.cli import main
from hub.querylog.record import Pseudonyms
from hub.querylog.store import Store
from hub.reading.export import COLUMNS, csv_line, fhir_line

SEALING, KEY = bytes(range(32)), b"the key of pseudonyms, 32 bytes."
REASON = "The data-protection authority asked for it, letter 7."
SUBJECT = Pseudonyms(KEY).of("829020-1705151")


def record(person: str, **facts: Any) -> dict[str, Any]:
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return {
        "kind": "OUTCOME",
        "operation": "44e2cc78-19c6-4257-9da2-0fafd6ddebb2",
        "at": at,
        "hub": "9f2c51d07ab3",
        "person": person,
        "office": "office-a",
        "purpose": "basic-livelihood.application",
        "outcome": "answered",
        "subjects": [SUBJECT],
        "disclosed": {"tax": [{"items": ["tax.arrears"], "subjects": [SUBJECT]}]},
        **facts,
    }


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder as the demo has it, with a log of three records."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "sealing.key").write_bytes(SEALING)
    (tmp_path / "keys" / "pseudonym.key").write_bytes(KEY)
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 10, SEALING)
    await store.open()
    await store.append(record("ann"))
    await store.append(record("bob", subjects=["0" * 32], disclosed={}))
    await store.append(record("ann", flags=[{"subject": SUBJECT, "flags": ["sameAddress"]}]))
    await store.close()
    return tmp_path


@pytest.fixture
def log(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `hub log`; gives exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["log", arguments[0], "--folder", str(folder), *arguments[1:]])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


Run = Callable[..., tuple[int, str, str]]


def read_events(log: Run) -> list[dict[str, Any]]:
    """What the log says was read by command, before this."""
    _, out, _ = log("find", "--json", "--limit", "1000")
    found = [json.loads(line) for line in out.splitlines()]
    return [each for each in found if each["kind"] == "READ"][:-1]


def test_a_record_is_shown_and_that_is_logged(log: Run) -> None:
    code, out, _ = log("show", "1")
    assert (code, json.loads(out)["person"]) == (0, "bob")
    (event,) = read_events(log)
    assert event["reads"] == {"show": 1}
    assert event["person"].startswith("operator:")
    assert log("show", "99") == (1, "", "there is no record 99\n")


def test_attack_35_a_search_is_logged_before_it_is_answered(
    log: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("829020-1705151\n"))
    code, out, _ = log("find", "--person", "ann", "--subject", "--json", "--limit", "1")
    (line,) = out.splitlines()
    assert (code, json.loads(line)["place"]) == (0, 2)
    before, after = read_events(log)
    assert before["reads"] == {"find": {"person": "ann"}}
    assert before["subjects"] == after["subjects"] == [SUBJECT]
    assert after["records"] == [2]
    assert "829020" not in str((before, after))


def test_a_table_names_what_was_released(log: Run) -> None:
    code, out, _ = log("find", "--item", "tax.arrears")
    assert code == 0
    assert "tax.arrears" in out
    assert "bob" not in out


def test_an_export_needs_a_reason_which_is_logged(log: Run, folder: Path) -> None:
    assert log("export", "--reason", "because")[0] == 2
    into = folder / "out.jsonl"
    code, out, errors = log("export", "--reason", REASON, "--into", str(into))
    assert (code, out, errors) == (0, "", "3 records\n")
    exported = [json.loads(line) for line in into.read_text().splitlines()]
    assert [each["person"] for each in exported] == ["ann", "bob", "ann"]
    before, after = read_events(log)
    assert before["reason"] == REASON
    assert after["count"] == 3
    code, _, errors = log("export", "--reason", REASON, "--into", str(into))
    assert (code, "File exists" in errors) == (2, True)


@pytest.mark.parametrize("name", ["csv", "fhir"])
def test_other_formats_say_the_same(log: Run, name: str) -> None:
    _, out, _ = log("export", "--reason", REASON, "--format", name, "--person", "ann")
    if name == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["subjects"] for row in rows] == [SUBJECT, SUBJECT]
        assert [row["items"] for row in rows] == ["tax.arrears", "tax.arrears"]
        assert tuple(rows[0]) == COLUMNS
        return
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["resourceType"] for event in events] == ["AuditEvent", "AuditEvent"]
    entity = events[0]["entity"][0]
    assert entity["what"]["identifier"]["value"] == SUBJECT
    assert entity["detail"] == [{"type": "item", "valueString": "tax.arrears"}]
    for needed in ("type", "recorded", "agent", "source"):  # cardinality 1 in FHIR R4
        assert events[0][needed]


def test_a_cell_that_a_spreadsheet_would_compute_is_text() -> None:
    line = csv_line(0, record('=HYPERLINK("x")', reason="+1"))
    (row,) = csv.reader(io.StringIO(line))
    assert row[COLUMNS.index("person")] == '\'=HYPERLINK("x")'
    assert row[COLUMNS.index("reason")] == "'+1"
    assert row[0] == "0"


def test_a_failed_operation_is_a_failed_audit_event() -> None:
    made = json.loads(fhir_line(7, record("ann", outcome="failed", reason="a reason")))
    assert (made["id"], made["outcome"], made["outcomeDesc"]) == ("7", "8", "failed")
    assert {"text": "a reason"} in made["purposeOfEvent"]


def test_watch_tells_by_its_exit_code_that_somebody_has_to_look(log: Run) -> None:
    code, out, _ = log("watch", "--json")
    told = json.loads(out)
    assert (code, told["over"]) == (1, ["same-address"])
    assert told["counts"]["same-address"] == 1
    assert told["accesses"] == 3
    assert log("watch", "--over", "same-address=1")[0] == 0
    assert log("watch", "--indicator", "same-surname")[0] == 0
    before = read_events(log)[0]
    assert before["reads"]["watch"][0] == "most-looking"


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    posted: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.posted.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What is posted to the webhook that is set."""
    Receiver.posted.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HUB_AUDIT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/found")
        try:
            yield Receiver.posted
        finally:
            server.shutdown()
            thread.join()


def test_watch_posts_counts_and_no_names_where_somebody_has_to_look(
    log: Run, webhook: list[dict[str, Any]]
) -> None:
    code, _, _ = log("watch", "--indicator", "same-address", "--over", "same-address=1")
    assert (code, webhook) == (0, [])
    code, _, _ = log("watch", "--indicator", "same-address")
    assert code == 1
    (posted,) = webhook
    assert (posted["counts"], posted["over"]) == ({"same-address": 1}, ["same-address"])
    assert "ann" not in str(posted)


@pytest.mark.parametrize(
    "arguments", [("find", "--json"), ("export", "--reason", REASON)], ids=["find", "export"]
)
async def test_follow_goes_on_with_what_is_written_next(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "hub.cli", "log", *arguments, "--person", "ann"]
    process = await asyncio.create_subprocess_exec(
        *command, "--follow", "--folder", str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        for _ in range(2):
            assert json.loads(await process.stdout.readline())["person"] == "ann"
        store = Store(f"sqlite+aiosqlite:///{folder / 'log.db'}", 10, SEALING)
        await store.open()
        await store.append(record("bob"))
        await store.append(record("ann", office="office-b"))
        await store.close()
        assert json.loads(await process.stdout.readline())["office"] == "office-b"
    finally:
        process.kill()
        await process.wait()


def test_watch_knows_its_indicators(log: Run) -> None:
    code, out, errors = log("watch", "--over", "nonsense=1", "--indicator", "nothing")
    assert (code, out) == (2, "")
    assert "`nonsense=1` is none of an indicator's" in errors
    assert "there is no `nothing`" in errors


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    for name in ("sealing.key", "pseudonym.key"):
        (tmp_path / "keys" / name).write_bytes(SEALING)
    assert main(["log", "find", "--folder", str(tmp_path)]) == 2
    assert not (tmp_path / "log.db").exists()


def test_attack_26_what_became_of_cases_is_logged_by_pseudonym(
    log: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = '{"case": "c-1", "outcome": "brief"}\n{"case": "c-2", "outcome": "decided"}\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert log("cases") == (0, "", "2 events\n")
    _, out, _ = log("find", "--case", "c-1", "--json")
    (found,) = [json.loads(line) for line in out.splitlines() if "CASE" in line]
    assert (found["outcome"], found["casesNamed"]) == ("brief", [Pseudonyms(KEY).of("c-1")])
    monkeypatch.setattr("sys.stdin", io.StringIO('{"case": "c-1", "outcome": "lost"}\nx\n'))
    code, _, errors = log("cases")
    assert code == 2
    assert "line 1" in errors
    assert "line 2" in errors
