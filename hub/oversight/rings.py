"""Whether a review would close a ring: people who review each other, two or more of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Person = frozenset[str]
"""All the pseudonyms by which one person, or those who act for one another, are known."""

WINDOW_DAYS = 90
"""Days for which it counts who has reviewed whom."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One review that was closed: by whom, of whose use."""

    reviewer: Person
    user: Person


def closes_ring(review: Reviewed, past: Iterable[Reviewed]) -> bool:
    """Whether the user has reviewed the reviewer, themselves or by others in between."""
    waiting = list(past)
    reached = set(review.user)
    grows = True
    while grows:
        grows = False
        for done in list(waiting):
            if not reached.isdisjoint(done.reviewer):
                reached |= done.user
                waiting.remove(done)
                grows = True
    return not reached.isdisjoint(review.reviewer)
