"""Whether the recipient is a colleague of the caller's office. Pure; what is not known denies."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from authz.judge import RecipientFacts


def judge_colleagues(
    recipient: str,
    facts: RecipientFacts | None,
    officials: AbstractSet[str] | None,
) -> str | None:
    """Why a recipient is closed to the caller's office unless another approves; None where not.

    `officials` are the ids as residents of everyone who works at the caller's office, None where
    that cannot be told.
    """
    if officials is None:
        return "who works at the caller's office is not known"
    household = (recipient, *((facts.members or ()) if facts is not None else ()))
    if not officials.isdisjoint(household):
        return "a colleague of the caller's office, or of a colleague's household"
    return None
