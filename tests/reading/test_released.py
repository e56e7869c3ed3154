"""What a record tells of one subject: what is released of everybody in it is released of them."""

from __future__ import annotations

from hub.querylog.store import Stored
from hub.reading.account import EVERYONE, released_of


def test_what_is_derived_of_everyone_in_a_batch_is_told_to_each() -> None:
    derived = {"meansTest.result": EVERYONE, "entitlements": ["00ff"]}
    found = Stored(0, b"", {"derived": derived})
    assert released_of(found, "00aa") == ("meansTest.result",)
    assert released_of(found, "00ff") == ("entitlements", "meansTest.result")
