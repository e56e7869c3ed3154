"""Whether a review would close a ring: people who review each other, two or more of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

Person = frozenset[str]
"""All the pseudonyms by which one person, or those who act for one another, are known."""
Reviewed = tuple[str, str]
"""Pseudonyms of one who reviewed, and of one whose use it was."""

WINDOW_DAYS = 90
"""Days for which it counts who has reviewed whom."""


def closes_ring(reviewer: Person, user: Person, past: Iterable[Reviewed]) -> bool:
    """Whether the user has reviewed the reviewer, themselves or by others in between."""
    by_reviewer: dict[str, set[str]] = {}
    for one, other in past:
        by_reviewer.setdefault(one, set()).add(other)
    reached, waiting = set(user), list(user)
    while waiting:
        found = by_reviewer.get(waiting.pop(), set()) - reached
        reached |= found
        waiting += found
    return not reached.isdisjoint(reviewer)
