"""The merged view of one operation: what every source said of everyone asked about.

Made after gathering; reading it does no I/O. A value is known, absent, withheld, unavailable or
stale; what is not known raises `NotKnown`, so that it can never read as zero or as absent. What
is read is remembered as released: the query log names just that.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import strawberry
from graphql import GraphQLError

from sources.adapter import BROKEN
from sources.declaration import Catalogue, Item, exists_name

if TYPE_CHECKING:
    from schema.marked import Marked


@strawberry.enum(description="How far a value may be relied on.")
class State(Enum):
    """The five states of a value; design rule 3, missing is never zero."""

    KNOWN = "KNOWN"
    ABSENT = "ABSENT"
    STALE = "STALE"
    WITHHELD = "WITHHELD"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source's values are unavailable; `retry_after` is in seconds."""

    code: str
    retry_after: float | None = None


class Answer(NamedTuple):
    """What one source said of one person or case."""

    source: str
    state: State
    values: Mapping[str, Any]
    as_of: datetime.date | None
    fetched_at: datetime.datetime
    failure: Failure | None = None
    cache_age: int | None = None


class NotKnown(GraphQLError):
    """A value that is withheld or unavailable; becomes null with this error at its path."""

    def __init__(self, state: State, message: str, extensions: dict[str, Any]) -> None:
        super().__init__(message, extensions=extensions)
        self.state = state


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an item is withheld, as the decision says."""

    item: str
    rule: str
    remedy: str
    use: str | None = None


@dataclass
class View:
    """Everything gathered for one operation, and what of it has been released.

    `withheld` are denials by item and use. `known` are sources and keys of which a look-up has told
    that there is a record. `derivable` says what each derived answer may be worked out from, and
    `assessed` whom it is about: the members of the households, where they are known. `marked` is
    what of whom is marked as wrong. `unmet` are the items of each key for which a condition does
    not hold; what is `waiting` for others to be known is answered in `later`.
    """

    catalogue: Catalogue
    granted: frozenset[str]
    withheld: Mapping[tuple[str, str | None], Denial]
    transforms: Mapping[str, Callable[[Any], Any]]
    answers: Mapping[tuple[str, str], Answer]
    households: Mapping[str, Sequence[str]]
    reached: frozenset[str]
    cases: Mapping[str, str] = field(default_factory=dict)
    known: Collection[tuple[str, str]] = ()
    derivable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unmet: Mapping[str, Mapping[str, Denial]] = field(default_factory=dict)
    waiting: Mapping[str, frozenset[str]] = field(default_factory=dict)
    later: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    assessed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marked: Mapping[str, Sequence[Marked]] = field(default_factory=dict)
    released: dict[str, set[str]] = field(default_factory=dict)
    derived: dict[str, set[str]] = field(default_factory=dict)
    _shown: list[tuple[Keyed, Sequence[Item]]] = field(default_factory=list)

    @staticmethod
    def empty(catalogue: Catalogue) -> View:
        """A view of nobody, for operations that touch no data item."""
        return View(catalogue, frozenset(), {}, {}, {}, {}, frozenset())

    def person(self, recipient: str) -> Person | None:
        """The person, or None where this caller and purpose do not reach them."""
        return Person(self, recipient) if recipient in self.reached else None

    def show_list(self, owner: Keyed, columns: Sequence[Item]) -> None:
        """Remember that it was told how many rows a list has."""
        self._shown.append((owner, columns))

    def settle(self) -> dict[str, set[str]]:
        """What was released, once all is read.

        A list of which no column was read told its length, which is something about each column.
        """
        for owner, columns in self._shown:
            names = {item.name for item in columns}
            if not names & self.released.get(owner.subject, set()):
                for item in columns:
                    owner.release(item)
        return self.released

    def check(self, item: Item, granted: Collection[str], use: str | None = None) -> None:
        """Invariant: an item that was not granted is not read. Raises NotKnown."""
        if item.name not in granted:
            denial = self.withheld.get((item.name, use)) or self.withheld.get((use or "", None))
            raise withheld(denial or Denial(item.name, "not granted", "ask for it by name"))

    def reduced(self, item: Item, value: Any) -> Any:
        """The value as the purpose may see it."""
        transform = self.transforms.get(item.name)
        return value if transform is None or value is None else transform(value)


class Keyed:
    """Reads the values that sources hold on one key: a person or a case.

    Reading for a derived answer (`derivation`), it reads what that may be worked out from, whole,
    and what it releases is the derived answer and none of the items. `granted`: what may be read.
    """

    def __init__(self, view: View, key: str, derivation: str | None = None) -> None:
        self.view = view
        self.key = key
        self.derivation = derivation
        self.granted: Collection[str] = (
            view.granted if derivation is None else view.derivable.get(derivation, frozenset())
        )

    def using(self, use: str) -> Keyed:
        """The same, read to choose, sort or count rows, which is a use of its own."""
        return Keyed(self.view, self.key, use)

    @property
    def subject(self) -> str:
        """Whom what is read is about."""
        return self.key

    def check(self, item: Item) -> None:
        """Raise NotKnown where the item may not be read."""
        if item.name not in self.granted:
            self.view.check(item, self.granted, self.derivation)
        if self.view.unmet:
            denial = self.view.unmet.get(self.key, {}).get(item.name)
            if denial is not None:
                raise withheld(denial)

    def check_whole(self, item: Item) -> None:
        """Refuse to compute with what is released reduced only: it would tell the whole.

        Raises NotKnown.
        """
        if self.derivation is None and item.name in self.view.transforms:
            rule = "it is released reduced only, and nothing is computed from it"
            raise withheld(Denial(item.name, rule, "ask for the item itself"))

    def marked(self, source: str) -> Iterator[Marked]:
        """The items of a source that are marked as wrong, of those that are shown."""
        unmet = self.view.unmet.get(self.key, {})
        for mark in self.view.marked.get(self.subject, ()) if self.derivation is None else ():
            if mark.source == source and mark.item in self.granted and mark.item not in unmet:
                yield mark

    def answer(self, item: Item) -> Answer:
        """What the item's source said of this key. Raises NotKnown."""
        self.check(item)
        view = self.view
        waits = bool(view.waiting) and item.name in view.waiting.get(self.subject, ())
        answer = (view.later if waits else view.answers).get((item.source, self.key))
        if answer is None:
            raise unavailable(item.source, Failure("SOURCE_UNAVAILABLE"))
        if answer.failure is not None:
            raise unavailable(item.source, answer.failure)
        return answer

    def release(self, item: Item) -> None:
        """Remember that the item of this key is released, and with it that there is a record."""
        if self.derivation is not None:
            self.view.derived.setdefault(self.subject, set()).add(self.derivation)
            return
        released = self.view.released.setdefault(self.subject, set())
        released.update((item.name, exists_name(item)))

    def value(self, item: Item) -> Any:
        """The value of an item that stands in the record itself, to be released.

        Raises NotKnown.
        """
        value = self._stored(item)
        self.release(item)
        return self.view.reduced(item, value)

    def peek(self, item: Item) -> Any:
        """The value of an item that stands in the record itself, whole, to compute with.

        Raises NotKnown.
        """
        self.check_whole(item)
        return self._stored(item)

    def _stored(self, item: Item) -> Any:
        answer = self.answer(item)
        if answer.state is State.ABSENT:
            return None
        value = answer.values.get(item.path[0], BROKEN)
        if value is BROKEN:
            raise broken(item)
        return value

    def rows(self, items: Sequence[Item]) -> list[Row] | None:
        """The rows of the list that these items are columns of, to be shown. Raises NotKnown.

        None where the source has no record of the person, or no such list.
        """
        rows = self.peek_rows(items)
        self.view.show_list(self, [item for item in items if item.name in self.granted])
        return rows

    def peek_rows(self, items: Sequence[Item]) -> list[Row] | None:
        """The rows of the list that these items are columns of. Raises NotKnown."""
        granted = [item for item in items if item.name in self.granted]
        answer = self.answer((granted or items)[0])
        rows = None if answer.state is State.ABSENT else answer.values.get(items[0].path[0], BROKEN)
        if rows is BROKEN:
            raise broken(items[0])
        if not rows:
            return rows
        columns = {item.path[1]: item for item in items}
        return [Row(self, answer, columns, row) for row in rows]

    def read(self, place: str) -> Any:
        """The value at a place: of the items there, the first in precedence that is known.

        Raises NotKnown where one that comes before is not known, as it might say otherwise.
        """
        for item in self.view.catalogue.at(place):
            value = self.value(item)
            if value is not None:
                return value
        return None

    def peek_at(self, place: str) -> Any:
        """The value at a place as `read` finds it, whole, to compute with. Raises NotKnown."""
        for item in self.view.catalogue.at(place):
            value = self.peek(item)
            if value is not None:
                return value
        return None

    def listed(self, prefix: str) -> list[Row] | None:
        """The rows of every list that has columns at places below the prefix."""
        found: list[Row] | None = None
        for columns in lists_below(self.view.catalogue, prefix):
            rows = self.rows(columns)
            if rows is not None:
                found = (found or []) + rows
        return found


class Linked(Keyed):
    """What a source holds on something of a person's, found by a key in what another one said.

    What is released of it is released of that person.
    """

    def __init__(self, owner: Keyed, key: str) -> None:
        super().__init__(owner.view, key, owner.derivation)
        self.owner = owner

    @property
    def subject(self) -> str:
        """The person whose it is."""
        return self.owner.subject

    def using(self, use: str) -> Keyed:
        """The same, read by the leave to use what is the person's so."""
        return Linked(self.owner.using(use), self.key)

    def check(self, item: Item) -> None:
        """Raise NotKnown where the item may not be read, of this person or at all."""
        super().check(item)
        self.owner.check(item)


class Person(Keyed):
    """One recipient in the view."""

    def deriving(self, derivation: str) -> Person:
        """The same person, read to work out a derived answer."""
        return Person(self.view, self.key, derivation)

    @property
    def household(self) -> list[Person] | None:
        """The members of the household, the person included; None where they are not known."""
        members = self.view.assessed.get(self.key)
        if members is None:
            return None
        return [Person(self.view, member, self.derivation) for member in members]


class Row:
    """One row of a list in a record; reads its columns by name or by place."""

    def __init__(
        self, owner: Keyed, answer: Answer, columns: Mapping[str, Item], values: Mapping[str, Any]
    ) -> None:
        self.owner = owner
        self.answer = answer
        self.columns = columns
        self.values = values

    def by(self, owner: Keyed) -> Row:
        """The same row, read by another owner's leave."""
        return Row(owner, self.answer, self.columns, self.values)

    def value(self, item: Item) -> Any:
        """The value of a column, to be released. Raises NotKnown."""
        value = self._stored(item)
        self.owner.release(item)
        return self.owner.view.reduced(item, value)

    def peek(self, item: Item) -> Any:
        """The value of a column, whole, to compute with. Raises NotKnown."""
        self.owner.check_whole(item)
        return self._stored(item)

    def _stored(self, item: Item) -> Any:
        self.owner.check(item)
        value = self.values.get(item.path[1], BROKEN)
        if value is BROKEN:
            raise broken(item)
        return value

    def read(self, place: str) -> Any:
        """The value of the column at a place of the view, None where the list has none."""
        for item in self.columns.values():
            if place in item.places:
                return self.value(item)
        return None

    def counts(self, item: Item) -> bool:
        """Whether the row counts, by the conditions declared for its list. Raises NotKnown."""
        conditions = self.owner.view.catalogue.condition_items(item)
        for column, (_, wanted) in zip(conditions, item.counts_when, strict=True):
            value = self.peek(column)
            if (value is None) != (wanted == "absent") or (value is not None and value != wanted):
                return False
        return True


def lists_below(catalogue: Catalogue, prefix: str) -> Iterator[Sequence[Item]]:
    """Each list with columns at places below the prefix, as those columns."""
    lists: dict[tuple[str, str], list[Item]] = {}
    for place in catalogue.places:
        if place.startswith(prefix):
            for item in catalogue.at(place):
                if len(item.path) == 2:
                    lists.setdefault((item.source, item.path[0]), []).append(item)
    yield from lists.values()


def withheld(denial: Denial) -> NotKnown:
    """The error of an item that the purpose may not see."""
    return NotKnown(
        State.WITHHELD,
        f"`{denial.item}` is withheld: {denial.rule}",
        {
            "code": "PURPOSE_DENIED",
            "item": denial.item,
            "rule": denial.rule,
            "remedy": denial.remedy,
            **({} if denial.use is None else {"use": denial.use}),
        },
    )


def unavailable(source: str, failure: Failure) -> NotKnown:
    """The error of whatever a source would have said."""
    extensions: dict[str, Any] = {"code": failure.code, "source": source}
    extensions["remedy"] = "retry after `retryAfter` seconds"
    if failure.code == "SOURCE_CONTRACT":
        extensions["remedy"] = "tell the source's operator"
        message = f"`{source}` answered otherwise than it declares"
    else:
        # How long a source is really down would tell it from what is kept from the purpose.
        wait = failure.retry_after if failure.code == "SOURCE_BUDGET" else None
        extensions["retryAfter"] = math.ceil(wait or 5)
        said = {
            "SOURCE_TIMEOUT": "did not answer in time",
            "SOURCE_BUDGET": "may be asked about no more people today",
            "SOURCE_STALE": "is down, and nothing is computed from what stands in",
        }
        message = f"`{source}` {said.get(failure.code, 'is unavailable')}"
    state = State.STALE if failure.code == "SOURCE_STALE" else State.UNAVAILABLE
    return NotKnown(state, message, extensions)


def broken(item: Item) -> NotKnown:
    """The error of a value that breaks its source's contract."""
    error = unavailable(item.source, Failure("SOURCE_CONTRACT"))
    (error.extensions or {})["item"] = item.name
    return error
