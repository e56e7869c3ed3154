"""Reads the keys of the log from the files that the settings name; every fault at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.config import Log
from hub.querylog.checkpoint import LogKey
from hub.querylog.note import LOG, WITNESS, NoteRefused, Signer, Verifier
from sources.fault import Fault, FaultyConfiguration

_MADE = "make it of 32 random bytes, or correct the path"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a hub needs to write the log and to sign it."""

    pseudonym: bytes
    sealing: bytes
    signer: Signer
    former: tuple[LogKey, ...]
    witnesses: tuple[Verifier, ...]


def read_keys(settings: Log) -> Keys:
    """Read every key. Raises FaultyConfiguration."""
    faults: list[Fault] = []
    pseudonym = _read("log.pseudonym_key", settings.pseudonym_key, _MADE, faults)
    sealing = _read("log.sealing_key", settings.sealing_key, _MADE, faults)
    if sealing is not None and len(sealing) < 32:
        faults.append(Fault("hub.toml", "log.sealing_key", "has fewer than 32 bytes", _MADE))
    signer = _signer(settings.signing_key, faults)
    former = verifiers("log.former_keys", settings.former_keys, LOG, faults)
    witnesses = verifiers("log.witnesses", settings.witnesses, WITNESS, faults)
    if faults or pseudonym is None or sealing is None or signer is None:
        raise FaultyConfiguration(faults)
    return Keys(pseudonym, sealing, signer, former, tuple(found.verifier for found in witnesses))


def key_faults(settings: Log) -> list[Fault]:
    """What is wrong with the keys that the settings name."""
    try:
        read_keys(settings)
    except FaultyConfiguration as error:
        return list(error.faults)
    return []


def verifiers(place: str, path: Path | None, kind: int, faults: list[Fault]) -> tuple[LogKey, ...]:
    """The verifier keys in a file, one a line, a log's with `until SIZE` where it has retired."""
    if path is None:
        return ()
    found = []
    content = _read(place, path, "write it, or leave it out", faults) or b""
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            found.append(_former(words, kind))
        except NoteRefused as error:
            at = f"{place} (line {number} of `{path.name}`)"
            remedy = "write `NAME+ID+KEY`, and `until SIZE` after a key that has retired"
            faults.append(Fault("hub.toml", at, str(error), remedy))
    return tuple(found)


def _former(words: list[str], kind: int) -> LogKey:
    verifier = Verifier.read(words[0])
    if verifier.kind != kind:
        raise NoteRefused("the key is for another use: a log's and a witness's differ")
    if len(words) == 1:
        return LogKey(verifier, None)
    if len(words) != 3 or words[1] != "until" or not words[2].isdecimal():
        raise NoteRefused("what stands after the key is not `until SIZE`")
    return LogKey(verifier, int(words[2]))


def _signer(path: Path, faults: list[Fault]) -> Signer | None:
    remedy = "put it back, or for a new log make it by `hub log key`"
    content = _read("log.signing_key", path, remedy, faults)
    if content is None:
        return None
    try:
        signer = Signer.read(content.decode(errors="replace"))
        if signer.verifier.kind != LOG:
            raise NoteRefused("it is the key of a witness")
        return signer
    except NoteRefused as error:
        faults.append(Fault("hub.toml", "log.signing_key", str(error), remedy))
        return None


def _read(place: str, path: Path, remedy: str, faults: list[Fault]) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        faults.append(Fault("hub.toml", place, f"there is no file `{path.name}`", remedy))
    except OSError as error:
        message = f"`{path.name}` cannot be read ({error.strerror})"
        faults.append(Fault("hub.toml", place, message, remedy))
    return None
