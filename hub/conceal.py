"""Keeps the whereabouts of protected people from purposes that do not name them. Pure.

A source of which an operation wants anything that could lead to a protected person is not asked
about them, and looks unavailable: ordinary unavailability, for whoever may not know. What was
really asked, and why, is in the query log.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hub.gather import Call
from hub.rounds import Key
from schema.view import Answer, Failure, State
from sources.declaration import Catalogue

STATE = "SOURCE_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Concealed:
    """What is still wanted of whom, and which sources look unavailable for whom.

    `order` are all sources, in the order in which they are asked.
    """

    wants: Mapping[Key, frozenset[str]]
    sources: Mapping[tuple[str, str], int]
    order: Sequence[str] = ()

    @property
    def by_person(self) -> dict[str, list[str]]:
        """The sources that look unavailable, by person."""
        found: dict[str, list[str]] = {}
        for source, person in self.sources:
            found.setdefault(person, []).append(source)
        return found

    def answers(self) -> dict[tuple[str, str], Answer]:
        """The answers that the view shows in the place of what was not asked."""
        now = datetime.datetime.now(datetime.UTC)
        failure = Failure(STATE)
        return {
            (source, person): Answer(source, State.UNAVAILABLE, {}, None, now, failure)
            for source, person in self.sources
        }

    def shown(self, calls: Sequence[Call]) -> list[Call]:
        """The calls as they would have been had those sources been unavailable."""
        shown = list(calls)
        for name in dict.fromkeys(source for source, _ in self.sources):
            items = [count for (source, _), count in self.sources.items() if source == name]
            for place, call in enumerate(shown):
                if call.source == name and call.round.startswith("data"):
                    people = call.people + len(items)
                    shown[place] = call._replace(people=people, state=STATE)
                    break
            else:
                took = round(random.uniform(0.8, 2.5), 3)  # noqa: S311 - no secret, a likely time
                made = Call(name, "data 1", max(items), len(items), STATE, took)
                shown.insert(self._place(name, shown), made)
        return shown

    def _place(self, name: str, calls: Sequence[Call]) -> int:
        """Where a source's call would stand, had it been made in the first round for data."""
        later = {*self.order[self.order.index(name) + 1 :]}
        for place, call in enumerate(calls):
            if call.round.startswith("data") and (call.round != "data 1" or call.source in later):
                return place
        return len(calls)


def conceal(
    catalogue: Catalogue, wants: Mapping[Key, frozenset[str]], people: Collection[str]
) -> Concealed:
    """Take out of what is wanted every source that would lead to one of these people."""
    if not people:
        return Concealed(wants, {})
    left: dict[Key, frozenset[str]] = {}
    sources: dict[tuple[str, str], int] = {}
    for (subject, key), names in wants.items():
        items = [catalogue.items[name] for name in names]
        hidden = {
            catalogue.asked_about(item.source)
            for item in items
            if subject == "person" and key in people and item.whereabouts
        }
        for source in sorted(hidden):
            sources[source, key] = sum(item.source == source for item in items)
        kept = frozenset(
            item.name for item in items if catalogue.asked_about(item.source) not in hidden
        )
        if kept:
            left[subject, key] = kept
    return Concealed(left, sources, tuple(catalogue.sources))
