"""The demo as a command: one answer and out, nothing left behind, clear failures."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.demo import Demo

COMMAND = (sys.executable, "-m", "hub.cli")
SMALL = ("--people", "1000", "--port", "0")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hub-demo-"))
    yield made
    shutil.rmtree(made)


def processes_of(folder: Path) -> list[str]:
    """The commands that still run with anything of the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if str(folder) in command:
            found.append(command)
    return found


def test_once_prints_the_answer_alone_and_leaves_no_process(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--once", *SMALL, "--folder", str(folder)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    assert answer["data"]["recipient"]["identity"]["name"]
    assert "errors" not in answer
    assert processes_of(folder) == []


def test_a_port_in_use_is_one_clear_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "demo", "--once", "--port", port, "--folder", str(folder)],
            capture_output=True,
            check=False,
            text=True,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"the demo failed: port {port} is in use: choose another with PORT=\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_no_process_is_left_behind(
    folder: Path, tmp_path: Path, how: signal.Signals
) -> None:
    info = tmp_path / "info.json"
    process = subprocess.Popen(
        [*COMMAND, "demo", *SMALL, "--folder", str(folder), "--info", str(info)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout as stdout:
        for line in stdout:
            if line.startswith(b"Stop with Ctrl-C."):
                break
    process.send_signal(how)
    assert process.wait(timeout=30) == (-how if how is signal.SIGKILL else 0)
    deadline = time.monotonic() + 15
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(folder) == []


def test_a_token_for_a_demo_that_is_not_there_says_how_to_start_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "token", "--as", "caseworker", "--folder", str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "there is no demo here yet: start one with `hub demo`\n"


def test_the_info_file_tells_scripts_all_they_need(demo: Demo) -> None:
    assert demo.info["graphql"].endswith("/graphql")
    assert set(demo.info["tokens"]) == {
        "caseworker",
        "caseworker2",
        "policy",
        "supervisor",
        "auditor",
        "officer",
        "recipient",
    }
    assert set(demo.info["sample"]) == {"recipient", "case", "purpose", "query"}
    assert "query Sample($id: ID!) {" in demo.info["sample"]["query"]
    agencies = {"resident", "tax", "labour", "property", "benefits", "officials"}
    assert set(demo.info["sources"]) == agencies
    assert demo.info["sources"]["property"]["url"].startswith("postgresql+asyncpg://")


def test_sigterm_lets_running_operations_end(start_demo: Callable[..., Demo]) -> None:
    demo = start_demo()
    demo.fault("tax", "slow", 1000)
    query = "query($id: ID!) { recipient(id: $id) { tax { arrears } } }"
    before = len(demo.records())
    with ThreadPoolExecutor() as pool:
        running = pool.submit(demo.ask, query, {"id": demo.recipient})
        while len(demo.records()) == before:
            time.sleep(0.02)
        demo.process.send_signal(signal.SIGTERM)
        answer = running.result(timeout=20)
    assert "errors" not in answer.body
    assert demo.process.wait(timeout=20) == 0
    with pytest.raises(httpx.ConnectError):
        demo.ask(query, {"id": demo.recipient})
    assert demo.last_operation()[-1]["outcome"] == "answered"
