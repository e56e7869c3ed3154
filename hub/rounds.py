"""Who is to be asked for what, laid out in rounds: one call a source a round. Pure.

People who are asked for the same items of a source go in one call. Where their items differ, no
one is asked for another's: the next set goes in the next round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from authz.decide import Verdict
from hub.errors import refused
from hub.gather import Ask
from hub.plan import Root
from sources.declaration import Catalogue, Subject

Key = tuple[Subject, str]


@dataclass(frozen=True, slots=True)
class Reach:
    """Who is reached: people, the households they open, and cases with their applicants.

    `assessed` are the households over which derived answers may be worked out.
    """

    people: Collection[str]
    households: Mapping[str, Sequence[str]]
    cases: Mapping[str, str]
    assessed: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass
class Wanted:
    """The granted items wanted of each person and case reached, and what answering will cost."""

    items: dict[Key, frozenset[str]] = field(default_factory=dict)
    cost: int = 0

    @property
    def people(self) -> list[str]:
        """The people, each once."""
        return [key for subject, key in self.items if subject == "person"]


def wanted(
    by_root: Iterable[tuple[Root, Sequence[str]]],
    reach: Reach,
    verdict: Verdict,
    most: int,
) -> Wanted:
    """What is wanted of whom. Raises RequestRefused where answering would cost more than `most`."""
    found = Wanted()

    granted = verdict.granted

    def want(
        subject: Subject, key: str, items: frozenset[str], usable: frozenset[str] = granted
    ) -> None:
        asked = items & usable
        if asked:
            found.items[subject, key] = found.items.get((subject, key), frozenset()) | asked

    for root, keys in by_root:
        for key in keys:
            head: str | None = key
            if root.of_case:
                head = reach.cases.get(key)
            if head is None or head not in reach.people:
                continue
            if root.of_case:
                want("case", key, root.case)
                want("person", head, root.applicant)
            else:
                want("person", head, root.recipient)
            members = reach.households.get(head, ()) if root.leads <= granted else ()
            found.cost += root.cost
            if root.leads:
                found.cost += root.member_cost * len(members)
                for member in members:
                    want("person", member, root.member)
            for derived in root.derived:
                usable = verdict.derivable.get(derived.name, frozenset())
                want("person", head, derived.applicant | derived.recipient, usable)
                assessed = derived.name in verdict.assessing
                for member in reach.assessed.get(head, ()) if assessed else members:
                    want("person", member, derived.member, usable)
    if found.cost > most:
        raise refused("TOO_COSTLY", f"it would cost {found.cost}, {most} is the most")
    return found


def layered(
    catalogue: Catalogue,
    wants: Mapping[Key, frozenset[str]],
    known: Collection[tuple[str, str]] = (),
) -> tuple[tuple[Ask, ...], ...]:
    """The rounds that ask everyone for just what is wanted of them.

    A source is not asked whether it has a record where a look-up has told already (`known`).
    Sources that are found by what others say are no part of them (`hub/links.py`).
    """
    layers: list[list[Ask]] = []
    for source in catalogue.sources.values():
        if source.found_by is not None:
            continue
        groups: dict[tuple[Subject, frozenset[str]], list[str]] = {}
        of_source: dict[tuple[Subject, frozenset[str]], frozenset[str]] = {}
        for (subject, key), items in wants.items():
            asked = of_source.get((subject, items))
            if asked is None:
                there = catalogue.names_of.get((source.name, subject), frozenset())
                asked = of_source[subject, items] = items & there
            alone = len(asked) == 1 and catalogue.exists(source.name, subject).name in asked
            if asked and not (alone and (source.name, key) in known):
                groups.setdefault((subject, asked), []).append(key)
        for depth, ((subject, names), keys) in enumerate(groups.items()):
            if depth == len(layers):
                layers.append([])
            layers[depth].append(Ask(source.name, subject, tuple(keys), catalogue.in_order(names)))
    return tuple(map(tuple, layers))
