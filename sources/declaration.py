"""What declarations say: data items, the sources that have them, and the enabled ones together.

A data item is declared once; its GraphQL field, its permission, its place in the request, its line
in the log and its documentation all come from this. Read by `sources/reading.py`; does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

from sources.bulk import Bulk
from sources.category import CATEGORIES, Sensitivity
from sources.fault import Places
from sources.group import Group
from sources.terms import Terms

ItemType = Literal["String", "ID", "Int", "Float", "Boolean", "Date", "Month", "Won"]
Subject = Literal["person", "case"]

Mark = Literal["S", "K"]
"""S: a public source names it; K: common knowledge, to be checked before it is relied on."""

Renewal = Literal["live", "daily", "monthly", "two-monthly", "half-yearly", "yearly", "event"]
"""How often the agency renews a value; `event` is whenever something happens."""


@dataclass(frozen=True, slots=True)
class Item:
    """A data item: the unit of permission, request, provenance and log.

    `path` is where its value stands in a record: `(key,)`, or `(list, column)`, or `()` for the
    `exists` item, which is what selecting a record at all discloses. `whereabouts` marks what a
    person's address could be worked out from. `cite` is where a public source names the item.
    """

    name: str
    source: str
    subject: Subject
    path: tuple[str, ...]
    wire: tuple[str, ...]
    type: ItemType
    description: str
    category: str
    per: Literal["year", "month"] | None = None
    places: tuple[str, ...] = ()
    reports: str | None = None
    rank: int = 100
    codes: Mapping[str, str] = field(default_factory=dict)
    counts_when: tuple[tuple[str, str], ...] = ()
    whereabouts: bool = False
    description_ko: str = ""
    sensitivity: Sensitivity = "ordinary"
    updated: Renewal | None = None
    mark: Mark = "K"
    cite: str | None = None
    group: Group | None = None

    @property
    def is_apart(self) -> bool:
        """Whether it is more sensitive than its category, which then does not stand for it."""
        return self.sensitivity != CATEGORIES[self.category].sensitivity

    @property
    def is_exists(self) -> bool:
        """Whether this is the item that stands for there being a record."""
        return not self.path


def exists_name(item: Item) -> str:
    """The item that asking for this one discloses as well: that its source has a record."""
    return f"{item.source}.exists" if item.subject == "person" else f"{item.source}.case.exists"


@dataclass(frozen=True, slots=True)
class Source:
    """A declared agency system. `adapter_table` is the adapter's own table, read by the adapter.

    `found_by` names the item of another source whose values are the keys of this one's records:
    it is asked about what people have, and never about people.
    """

    name: str
    agency: str
    agency_ko: str
    description: str
    adapter: str
    batch: int
    timeout: float
    terms: Terms
    field: str
    items: tuple[Item, ...]
    lists: Mapping[str, str]
    lists_ko: Mapping[str, str]
    adapter_table: Mapping[str, Any]
    file: str
    places: Places
    found_by: str | None = None
    bulk: Bulk | None = None


BySource = tuple[tuple[str, Subject, tuple[str, ...]], ...]
"""Names of items, sorted, by source and kind of subject."""


@dataclass(frozen=True)
class Catalogue:
    """The enabled sources, and which of them holds identity and which holds cases.

    `declared` names every source that has a declaration, enabled or not.
    """

    sources: Mapping[str, Source]
    identity: str
    cases: str
    declared: frozenset[str] = frozenset()

    @cached_property
    def items(self) -> Mapping[str, Item]:
        """Every data item by name."""
        return {item.name: item for source in self.sources.values() for item in source.items}

    @cached_property
    def _by_place(self) -> Mapping[str, tuple[Item, ...]]:
        found: dict[str, list[Item]] = {}
        for item in self.items.values():
            for place in item.places:
                found.setdefault(place, []).append(item)
        return {
            place: tuple(sorted(items, key=lambda item: (item.rank, item.name)))
            for place, items in found.items()
        }

    @property
    def places(self) -> Iterable[str]:
        """Every place in the unified view that some item counts in."""
        return self._by_place.keys()

    def at(self, place: str) -> tuple[Item, ...]:
        """The items that count in a place of the unified view, in order of precedence."""
        return self._by_place.get(place, ())

    @cached_property
    def _held(self) -> Mapping[tuple[str, str], Item]:
        found: dict[tuple[str, str], Item] = {}
        for place, items in self._by_place.items():
            for item in items:
                found.setdefault((item.source, place), item)
        return found

    @cached_property
    def names_of(self) -> Mapping[tuple[str, Subject], frozenset[str]]:
        """The names of the items of each source on each kind of subject."""
        found: dict[tuple[str, Subject], set[str]] = {}
        for item in self.items.values():
            found.setdefault((item.source, item.subject), set()).add(item.name)
        return {key: frozenset(names) for key, names in found.items()}

    @cached_property
    def in_order(self) -> Callable[[frozenset[str]], tuple[Item, ...]]:
        """Gives the items of these names in the order of the declarations; kept for the last ones.

        Operations ask for the same items over and over.
        """
        place = {name: number for number, name in enumerate(self.items)}

        @lru_cache(maxsize=2_000)
        def ordered(names: frozenset[str]) -> tuple[Item, ...]:
            return tuple(self.items[name] for name in sorted(names, key=place.__getitem__))

        return ordered

    @cached_property
    def by_source(self) -> Callable[[frozenset[str]], BySource]:
        """Gives the names of these items by source and kind of subject; kept for the last ones."""

        @lru_cache(maxsize=2_000)
        def split(names: frozenset[str]) -> BySource:
            parts: dict[tuple[str, Subject], list[str]] = {}
            for name in sorted(names):
                item = self.items[name]
                parts.setdefault((item.source, item.subject), []).append(name)
            return tuple((*of, tuple(found)) for of, found in parts.items())

        return split

    def held_by(self, source: str, place: str) -> Item | None:
        """The item of one source at a place: relations rest on one register and no other."""
        return self._held.get((source, place))

    def exists(self, source: str, subject: Subject = "person") -> Item:
        """The item that selecting a record of the source discloses."""
        return self.items[f"{source}.exists" if subject == "person" else f"{source}.case.exists"]

    @cached_property
    def _by_key(self) -> Mapping[str, tuple[Source, ...]]:
        found: dict[str, tuple[Source, ...]] = {}
        for source in self.sources.values():
            if source.found_by is not None:
                found[source.found_by] = (*found.get(source.found_by, ()), source)
        return found

    def found_by(self, item: Item) -> tuple[Source, ...]:
        """The sources whose records are found by the item."""
        return self._by_key.get(item.name, ())

    def asked_about(self, source: str) -> str:
        """The source that is asked about people first, where this one is found by its answers."""
        key = self.sources[source].found_by
        return source if key is None else self.asked_about(self.items[key].source)

    def condition_items(self, item: Item) -> tuple[Item, ...]:
        """The columns that say whether an entry of the item's list counts."""
        return self._conditions.get(item.name, ())

    @cached_property
    def _conditions(self) -> Mapping[str, tuple[Item, ...]]:
        return {
            name: tuple(
                self.items[name.removesuffix(item.path[-1]) + column]
                for column, _ in item.counts_when
            )
            for name, item in self.items.items()
            if item.counts_when
        }
