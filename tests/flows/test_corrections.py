"""A value marked as wrong over HTTP, brought to its source by command, and settled."""

from __future__ import annotations

import json
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.command import beside
from tests.demo import Demo

SEEN = (
    "query($id: ID!) { recipient(id: $id) {"
    " tax { arrears provenance { corrections { item state } } } } }"
)
MARK = (
    "mutation($id: ID!) { markWrong("
    'recipient: $id, item: "tax.arrears", why: OUTDATED, note: "Paid in March.") { id state } }'
)


def shown(demo: Demo) -> list[dict[str, Any]]:
    answer = demo.ask(SEEN, {"id": demo.recipient})
    assert answer.codes == [], answer.body
    found: list[dict[str, Any]] = answer.body["data"]["recipient"]["tax"]["provenance"][
        "corrections"
    ]
    return found


def command(demo: Demo, *arguments: str) -> CompletedProcess[str]:
    """Run `hub corrections` beside the hub."""
    return beside(demo, "corrections", *arguments)


def test_a_ticket_goes_to_its_source_and_is_shown_until_the_source_has_answered(
    demo: Demo, tmp_path: Path
) -> None:
    assert shown(demo) == []
    ticket = demo.ask(MARK, {"id": demo.recipient}).body["data"]["markWrong"]["id"]
    assert shown(demo) == [{"item": "tax.arrears", "state": "FILED"}]
    assert ticket in command(demo).stdout
    file = tmp_path / "tickets.jsonl"
    done = command(demo, "--source", "tax", "--export", str(file))
    assert (done.returncode, done.stderr) == (0, "1 tickets written\n")
    (brought,) = (json.loads(line) for line in file.read_text().splitlines())
    assert (brought["ticket"], brought["recipient"]) == (ticket, demo.recipient)
    assert brought["note"] == "Paid in March."
    assert file.stat().st_mode & 0o077 == 0
    record = demo.records()[-1]
    assert (record["kind"], record["tickets"]) == ("CORRECTIONS", [ticket])
    done = command(demo, "settle", ticket, "confirmed", "--reply", "Corrected, letter 7.")
    assert (done.returncode, done.stderr) == (0, f"{ticket}: CONFIRMED\n")
    again = command(demo, "settle", ticket, "rejected", "--reply", "Corrected, letter 7.")
    message = "a ticket that is CONFIRMED does not become REJECTED\n"
    assert (again.returncode, again.stderr) == (1, message)
    deadline = time.monotonic() + 30
    while shown(demo) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert shown(demo) == []
    assert "Paid in March" not in str(demo.records())
