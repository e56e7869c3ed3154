"""Who is to be asked for what, laid out in rounds: one call a source a round. Pure.

People who are asked for the same items of a source go in one call. Where their items differ, no
one is asked for another's: the next set goes in the next round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from hub.gather import Ask
from hub.plan import Root
from sources.declaration import Catalogue


def wanted(
    by_root: Iterable[tuple[Root, Sequence[str]]],
    households: Mapping[str, Sequence[str]],
    cases: Mapping[str, str],
    reached: Collection[str],
    granted: frozenset[str],
) -> dict[str, frozenset[str]]:
    """The granted items wanted of each person reached: by name, or as a household's member."""
    found: dict[str, frozenset[str]] = {}

    def want(person: str, items: frozenset[str]) -> None:
        found[person] = found.get(person, frozenset()) | (items & granted)

    for root, keys in by_root:
        for key in keys:
            head = cases.get(key) if root.case else key
            if not root.case and key in reached:
                want(key, root.recipient)
            if root.members and head is not None:
                for member in households.get(head, ()):
                    want(member, root.member)
    return found


def layered(
    catalogue: Catalogue,
    wants: Mapping[str, frozenset[str]],
    known: Collection[tuple[str, str]] = (),
) -> tuple[tuple[Ask, ...], ...]:
    """The rounds that ask everyone for just what is wanted of them.

    A source is not asked whether it has a record where a look-up has told already (`known`).
    """
    layers: list[list[Ask]] = []
    for source in catalogue.sources.values():
        of_source = {item.name for item in source.items if item.subject == "person"}
        exists = {catalogue.exists(source.name).name}
        groups: dict[frozenset[str], list[str]] = {}
        for person, items in wants.items():
            asked = items & of_source
            if asked and not (asked == exists and (source.name, person) in known):
                groups.setdefault(asked, []).append(person)
        for depth, (names, people) in enumerate(groups.items()):
            if depth == len(layers):
                layers.append([])
            asked_items = tuple(item for item in source.items if item.name in names)
            layers[depth].append(Ask(source.name, "person", tuple(people), asked_items))
    return tuple(map(tuple, layers))
