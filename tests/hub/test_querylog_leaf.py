"""What a leaf commits to: canonical, salted, sealed; and the index that details alone give."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given
from hypothesis import strategies as st

from hub.querylog.index import FLAGS, About, Row, index_of, set_of
from hub.querylog.leaf import canonical, commitment, leaf
from hub.querylog.sealing import Keep, KeyOf, NotOpened, Sealing, seal, unseal
from tests.hub.querylog import intent, outcome, pseudonym

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES))
@example({"durationMs": 5.0, "at": "11:35.1"})
@example({"a": [1e16, -1.5e-7]})
@example({"\ue000": 1, "\U00010000": 2})
@example({"reason": 'said "1.5]" or 2e5}', "n": [0.1]})
def test_details_are_written_as_rfc_8785_says(details: dict[str, Any]) -> None:
    assert canonical(details) == rfc8785.dumps(details)


@pytest.mark.parametrize("details", [{"a": 2**53}, {"a": {1, 2}}, {"a": b""}, {1: "a"}])
def test_what_json_has_no_word_for_is_refused(details: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(details)


def test_a_leaf_is_canonical_itself() -> None:
    content = leaf(commitment(bytes(32), b"{}"))
    assert content == rfc8785.dumps(json.loads(content))
    assert json.loads(content).keys() == {"commitment", "version"}


@given(st.binary(max_size=100), st.binary(min_size=32, max_size=32), st.data())
def test_sealed_details_open_under_their_key_and_unaltered_only(
    details: bytes, salt: bytes, data: st.DataObject
) -> None:
    key = AESGCM(os.urandom(32))
    sealed = seal(key, salt, details)
    assert unseal(key, sealed) == (salt, details)
    with pytest.raises(NotOpened):
        unseal(AESGCM(os.urandom(32)), sealed)
    changed = bytearray(sealed)
    changed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NotOpened):
        unseal(key, bytes(changed))


def test_a_key_opens_only_as_what_it_was_made_for() -> None:
    sealing = Sealing(bytes(32))
    wrapped = sealing.make(KeyOf("2026-11-23", Keep()))
    sealing.unwrap(KeyOf("2026-11-23", Keep()), wrapped)
    for other in (KeyOf("2026-11-24", Keep()), KeyOf("2026-11-23", Keep("staff"))):
        with pytest.raises(NotOpened):
            sealing.unwrap(other, wrapped)
    with pytest.raises(NotOpened):
        Sealing(bytes(31) + b"\1").unwrap(KeyOf("2026-11-23", Keep()), wrapped)


def test_an_intent_is_found_by_operation_and_time_alone() -> None:
    indexed = index_of(intent(1))
    assert indexed.row[3:] == (None, None, None, None, 0, None)
    assert (indexed.row.kind, indexed.row.at) == ("INTENT", 1795392000010)
    assert (indexed.about, indexed.items) == ((), ())


def test_an_outcome_is_found_by_who_asked_about_whom_and_what_was_released() -> None:
    asked = pseudonym(5)
    flags = [{"subject": asked, "flags": ["sameSurname", "sameOffice"]}]
    record = outcome(1, subjects=[pseudonym(1), asked], flags=flags)
    indexed = index_of(record)
    items = ("tax.arrears", "tax.exists")
    assert indexed.row == Row(
        kind="OUTCOME",
        at=1795392000010,
        operation=bytes.fromhex(record["operation"].replace("-", "")),
        person="official-1",
        office="office-1",
        purpose="basic-livelihood.application",
        outcome="answered",
        flags=FLAGS["sameSurname"] | FLAGS["sameOffice"],
        items=set_of(items),
    )
    assert set(indexed.about) == {
        About(bytes.fromhex(pseudonym(1)), "released", 0, "official-1"),
        About(bytes.fromhex(asked), "asked", 5, "official-1"),
        About(bytes.fromhex(pseudonym(-1)), "case", 0, "official-1"),
    }
    assert indexed.items == items


def test_what_was_refused_is_found_by_what_was_requested() -> None:
    record = outcome(1, outcome="refused", requested=["tax.pay", "tax.arrears"], disclosed={})
    assert index_of(record).items == ("tax.arrears", "tax.pay")
    assert {about.part for about in index_of(record).about} == {"asked", "case"}
