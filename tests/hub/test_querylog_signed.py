"""Signed checkpoints and tiles, verified by an implementation that is not ours (tlog-scales)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from hub.querylog.checkpoint import Checkpoints, Head, LogAltered, LogKey, checked, proved, signed
from hub.querylog.leaf import leaf_hash
from hub.querylog.note import LOG, WITNESS, Note, NoteRefused, Signer, Verifier
from hub.querylog.routes import routes
from hub.querylog.store import Store
from hub.querylog.tree import check_inclusion, inclusion
from tests.hub.querylog import SEALING_KEY, SIGNER, intent, outcome
from tests.sources.postgres import running

WITNESS_KEY = Signer.make("authority.example/witness", WITNESS)

# The example of Go's `golang.org/x/mod/sumdb/note`, from which the specification comes.
PETER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETERS = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of C2SP tlog-checkpoint.
SOFA = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_a_note_is_signed_byte_for_byte_as_in_the_example() -> None:
    signer = Signer.read(PETER)
    assert signer.verifier.text == PETERS
    assert signer.line(TEXT) == SIGNED
    note = Note.read(f"{TEXT}\n{SIGNED}")
    assert note.signed_by([Verifier.read(PETERS)]) == (signer.verifier,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT, "it is no signed note: a text, an empty line, signature lines"),
        (
            f"{TEXT}\n{SIGNED.rstrip()}",
            "it is no signed note: a text, an empty line, signature lines",
        ),
        (f"{TEXT}\tx\n\n{SIGNED}", "the note has control characters"),
        (f"{TEXT}x\n\n{SIGNED}", "the signature of `PeterNeumann` does not verify"),
        (f"{TEXT}\n- PeterNeumann AAAA\n", "a line is no signature: a dash, a name, base64"),
        (f"{TEXT}\n\u2014 PeterNeumann !\n", "a signature is no base64"),
    ],
)
def test_what_is_no_note_of_the_signer_is_refused(content: str, message: str) -> None:
    with pytest.raises(NoteRefused) as refused:
        Note.read(content).signed_by([Verifier.read(PETERS)])
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "text",
    ["", "PeterNeumann", PETERS.replace("c74f20a3", "c74f20a4"), PETERS[:-8], "a b" + PETERS[12:]],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Verifier.read(text)


def test_a_key_is_read_as_it_was_written() -> None:
    for kind in (LOG, WITNESS):
        made = Signer.make("hub.example/log", kind)
        assert Signer.read(made.text).verifier == made.verifier
        assert Verifier.read(made.verifier.text) == made.verifier


def test_a_checkpoint_is_read_as_the_specification_writes_it() -> None:
    head = Head.read(SOFA)
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert head == Head("example.com/behind-the-sofa", 20852163, root)
    assert head.text == SOFA


@pytest.mark.parametrize(
    "text",
    [
        SOFA.replace("20852163", "020852163"),
        SOFA.replace("20852163", "-1"),
        SOFA.replace("CsUY", "Cs"),
        SOFA.replace("example.com/behind-the-sofa", ""),
        SOFA.removesuffix("\n"),
        "example.com/behind-the-sofa\n20852163\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Head.read(text)


def test_a_retired_key_signed_no_larger_tree() -> None:
    def note(size: int) -> str:
        head = Head(SIGNER.verifier.name, size, bytes(32))
        return Note(head.text, (SIGNER.line(head.text),)).content

    retired = [LogKey(SIGNER.verifier, until=10)]
    assert checked(note(10), retired).size == 10
    with pytest.raises(NoteRefused, match="no key that is known, and had not retired, signed"):
        checked(note(11), retired)


@dataclass
class Log:
    """An open store with its checkpoints, and what others are served of it."""

    store: Store
    checkpoints: Checkpoints

    @property
    def client(self) -> httpx.AsyncClient:
        def engine(_: object) -> AsyncEngine:
            return self.store.engine

        served = Starlette(routes=routes(engine, [WITNESS_KEY.verifier]))
        return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://hub")

    async def fill(self, operations: int, start: int = 0) -> None:
        for number in range(start, start + operations):
            await asyncio.gather(
                self.store.append(intent(number)), self.store.append(outcome(number))
            )

    async def get(self, *path: str) -> bytes | None:
        async with self.client as client:
            found = await client.get("/log/" + "/".join(path))
        return found.content if found.status_code == 200 else None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def log(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Log]:
    async def filled(address: str) -> AsyncIterator[Log]:
        store = Store(address, 512, SEALING_KEY)
        await store.open()
        made = Log(store, Checkpoints(store.engine, SIGNER))
        await made.checkpoints.grow()
        for size, start in ((1, 0), (299, 1), (41, 300)):
            await made.fill(size, start)
            assert await made.checkpoints.grow() == 2 * (start + size)
        yield made
        await store.close()

    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("signed")
        async for made in filled(f"sqlite+aiosqlite:///{folder / 'log.db'}"):
            yield made
    else:
        async with running() as server:
            async for made in filled(server.url):
                yield made


class Fetched:
    """What the other implementation reads the log from: what was served over HTTP."""

    def __init__(self, served: dict[tuple[str, ...], bytes | None]) -> None:
        self.served = served

    def get(self, *path: str) -> bytes | None:
        return self.served[path]


async def fetched(log: Log, size: int) -> Fetched:
    served: dict[tuple[str, ...], bytes | None] = {}
    paths: list[tuple[str, ...]] = [("checkpoint",)]
    for level, kind in ((0, "0"), (0, "entries"), (1, "1")):
        full, rest = divmod(size // 256**level, 256)
        paths += [("tile", kind, f"{number:03}") for number in range(full + 1)]
        paths += [("tile", kind, f"{full:03}.p", str(rest))] if rest else []
    for path in paths:
        served[path] = await log.get(*path)
    return Fetched(served)


async def test_another_implementation_verifies_checkpoint_tiles_and_proofs(log: Log) -> None:
    reader = TilesReader(await fetched(log, 682))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(SIGNER.verifier.text))
    assert (checkpoint.origin, checkpoint.size) == ("hub.example/log", 682)
    assert reader.calculate_root_hash() == checkpoint.root_hash
    leaves = [found.leaf async for found in log.store.stored()]
    for index in (0, 255, 256, 511, 512, 681):
        entry = reader.get_entry(index)
        assert entry == leaves[index]
        reader.get_inclusion_proof(index, 682).check(leaf_hash(entry), checkpoint.root_hash)
    for old in (2, 600):
        reader.get_consistency_proof(old, 682).check(reader.mth(0, old), checkpoint.root_hash)


async def test_every_checkpoint_that_was_signed_is_of_a_tree_that_the_last_one_grew_from(
    log: Log,
) -> None:
    reader = TilesReader(await fetched(log, 682))
    reader.set_size(682)
    async with log.store.engine.connect() as connection:
        notes = (await connection.execute(sa.text("SELECT note FROM checkpoint"))).scalars().all()
    heads = sorted(
        (checked(note, [LogKey(SIGNER.verifier)]) for note in notes), key=lambda head: head.size
    )
    assert [head.size for head in heads] == [0, 2, 600, 682]
    assert [head.root for head in heads] == [reader.mth(0, head.size) for head in heads]


async def test_a_proof_of_the_store_holds(log: Log) -> None:
    async with log.store.engine.connect() as connection:
        proof = await proved(connection, lambda read: inclusion(300, 682, read))
        note = await signed(connection)
    assert note is not None
    (found,) = await log.store.read([300])
    head = checked(note, [LogKey(SIGNER.verifier)])
    check_inclusion(300, 682, leaf_hash(found.leaf), proof, head.root)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/003",
        "tile/0/002.p/171",
        "tile/0/002.p/0",
        "tile/0/002.p/256",
        "tile/0/02",
        "tile/0/x000/002",
        "tile/64/000",
        "tile/entries/002.p/171",
        "tile/2/000.p/1",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ],
)
async def test_what_the_tree_has_not_is_not_served(log: Log, path: str) -> None:
    assert await log.get(path) is None


async def test_what_is_public_says_nothing_of_a_record(log: Log) -> None:
    bundle = await log.get("tile", "entries", "000")
    assert bundle is not None
    for content in (b"official", b"tax.", b"office", b"0000000000000000", b"2026"):
        assert content not in bundle


async def test_a_witness_cosigns_and_is_served_with_the_checkpoint(log: Log) -> None:
    note = Note.read(((await log.get("checkpoint")) or b"").decode())
    lines = (*note.lines, WITNESS_KEY.line(note.text, 1_700_000_000))

    async with log.client as client:

        async def post(content: str) -> tuple[int, str]:
            answer = await client.post("/log/cosignatures", content=content)
            return answer.status_code, answer.text

        stranger = Signer.make("stranger.example", WITNESS).line(note.text, 1)
        assert await post(Note(note.text, (stranger,)).content) == (
            403,
            "no witness that is known cosigned it\n",
        )
        other = note.text.replace("682", "600")
        assert (await post(Note(other, (WITNESS_KEY.line(other, 1),)).content))[0] == 400
        assert (await post("x" * 20_000))[0] == 413
        assert (await client.get("/log/checkpoint/cosigned")).status_code == 404
        assert await post(Note(note.text, lines).content) == (200, "1\n")
        served = (await client.get("/log/checkpoint/cosigned")).text
    assert served == Note(note.text, lines).content
    reader = TilesReader(Fetched({("checkpoint",): served.encode()}))
    reader.get_checkpoint().verify(Vkey.from_string(WITNESS_KEY.verifier.text))


async def test_nothing_is_signed_over_leaves_that_are_missing(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 512, SEALING_KEY)
    await store.open()
    made = Log(store, Checkpoints(store.engine, SIGNER))
    await made.fill(5)
    async with store.engine.begin() as connection:
        await connection.execute(sa.text("DELETE FROM leaf WHERE idx = 3"))
    with pytest.raises(LogAltered, match=r"^leaves are missing from place 0 on$"):
        await made.checkpoints.grow()
    await store.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "UPDATE tile SET hashes = zeroblob(length(hashes))",
            "the tiles do not have the root signed for 10 leaves",
        ),
        ("UPDATE checkpoint SET note = replace(note, '10', '11')", "the last checkpoint does not"),
        ("DELETE FROM checkpoint WHERE size = 10", "10 leaves were signed, the store has 4 signed"),
    ],
)
async def test_nothing_is_signed_that_does_not_begin_with_what_was_signed(
    tmp_path: Path, change: str, message: str
) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", 512, SEALING_KEY)
    await store.open()
    made = Log(store, Checkpoints(store.engine, SIGNER))
    await made.fill(2)
    await made.checkpoints.grow()
    await made.fill(3, 2)
    await made.checkpoints.grow()
    async with store.engine.begin() as connection:
        await connection.execute(sa.text(change))
    await made.fill(1, 5)
    checkpoints = made.checkpoints if "DELETE" in change else Checkpoints(store.engine, SIGNER)
    with pytest.raises(LogAltered, match=message):
        await checkpoints.grow()
    async with store.engine.connect() as connection:
        sizes: Any = await connection.execute(sa.text("SELECT max(size) FROM checkpoint"))
        assert sizes.scalar() <= 10
    await store.close()
