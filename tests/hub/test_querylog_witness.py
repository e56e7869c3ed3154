"""The witness: it cosigns what only grew, over HTTP, and refuses a fork for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub.cli import main
from hub.querylog.checkpoint import Head
from hub.querylog.note import WITNESS, Note, Signer
from hub.querylog.tree import Edge, tile_path
from tests.hub.querylog import SIGNER

KEY = Signer.make("authority.example/witness", WITNESS)


class Served(ThreadingHTTPServer):
    """A log served over HTTP: its files, and the cosignatures that it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.sent: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/log"

    def publish(self, seed: str, size: int, origin: str = "hub.example/log") -> Head:
        """Serve the tree of so many leaves of a seed, signed."""
        edge = Edge()
        hashes = [f"{seed}{number}".encode().ljust(32, b"\0") for number in range(size)]
        for level, number, content in [*edge.add(hashes), *edge.partial()]:
            path = tile_path(level, number, len(content) // 32)
            self.files[f"/log/{path}"] = content
        head = Head(origin, size, edge.root())
        note = Note(head.text, (SIGNER.line(head.text),))
        self.files["/log/checkpoint"] = note.content.encode()
        return head


class Handler(BaseHTTPRequestHandler):
    server: Served

    def do_GET(self) -> None:
        found = self.server.files.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def do_POST(self) -> None:
        self.server.sent.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def log() -> Iterator[Served]:
    served = Served()
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def look(log: Served, tmp_path: Path) -> Callable[[], int]:
    (tmp_path / "witness.key").write_text(KEY.text)

    def once() -> int:
        arguments = ["--log", log.address, "--key", str(tmp_path / "witness.key")]
        arguments += ["--state", str(tmp_path / "seen"), "--verifier", SIGNER.verifier.text]
        return main(["log", "witness", *arguments])

    return once


def cosigned(log: Served) -> list[int]:
    """The sizes that were cosigned, each signature verified."""
    sizes = []
    for content in log.sent:
        note = Note.read(content)
        assert note.signed_by([KEY.verifier]) == (KEY.verifier,)
        sizes.append(Head.read(note.text).size)
    return sizes


def test_what_grows_is_cosigned_once_each_time(
    log: Served, look: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    for size in (0, 3, 3, 300, 70_000):
        log.publish("a", size)
        assert look() == 0
    assert cosigned(log) == [0, 3, 300, 70_000]
    said = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert said[1:3] == ["3 records: cosigned", "3 records: seen before"]


@pytest.mark.parametrize("size", [300, 301, 299, 2])
def test_a_fork_is_refused_kept_as_evidence_and_never_forgotten(
    log: Served, look: Callable[[], int], tmp_path: Path, size: int
) -> None:
    log.publish("a", 300)
    assert look() == 0
    log.publish("b", size)
    assert look() == 1
    assert look() == 1
    evidence = (tmp_path / "seen.fork").read_text()
    assert evidence.count(f"\u2014 {SIGNER.verifier.name} ") == 2
    assert cosigned(log) == [300]


def test_an_older_tree_of_the_same_log_is_no_fork_and_is_not_cosigned(
    log: Served, look: Callable[[], int]
) -> None:
    log.publish("a", 300)
    assert look() == 0
    log.publish("a", 200)
    assert look() == 0
    assert cosigned(log) == [300]


def test_tiles_that_do_not_have_the_signed_root_are_a_fork(
    log: Served, look: Callable[[], int]
) -> None:
    log.publish("a", 10)
    log.files["/log/tile/0/000.p/10"] = bytes(320)
    assert look() == 1
    assert cosigned(log) == []


def test_what_the_log_did_not_sign_is_not_cosigned(log: Served, look: Callable[[], int]) -> None:
    log.publish("a", 10)
    note = log.files["/log/checkpoint"].decode()
    log.files["/log/checkpoint"] = note.replace("\n10\n", "\n11\n").encode()
    assert look() == 2
    log.files.clear()
    assert look() == 2
    assert cosigned(log) == []
