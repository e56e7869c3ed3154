"""How a field of the view says which data items it needs.

Every field of every type below `Recipient` and `Case` carries one of these marks, so that the
planner can reduce any operation to data items; a field without one stops the build.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import strawberry

from sources.declaration import Item

KEY = "needs"
READS = "reads"
PROGRAMME = "programme"
"""The argument that narrows what an answer is worked out from."""
MEMBERS = "household.members.id"
"""The place of the item that leads to the members of a household."""


@dataclass(frozen=True, slots=True)
class Place:
    """The items that count at a place."""

    place: str


@dataclass(frozen=True, slots=True)
class Area:
    """Every item that counts below a prefix, and the columns that say whether it counts."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A list: needs its selected columns; selected with none, it needs all of them."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Items:
    """The named items."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """An agency's list of these columns: needs those selected; selected with none, all of them.

    Its rows may be chosen and put in order by columns, which are uses of their own.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows an agency's list of these columns has: it is counted by its first column."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leads:
    """Leads to other people by an item: from a case to its applicant, from them to members."""

    place: str
    to: Literal["applicant", "member"]


@dataclass(frozen=True, slots=True)
class Covered:
    """Needs nothing beyond what its parent field needs already."""


@dataclass(frozen=True, slots=True)
class OfHousehold:
    """Shows items of the person (`own`) and of every member of the household (`members`)."""

    own: tuple[Inputs, ...] = ()
    members: tuple[Inputs, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived answer: worked out from items of the person and of every member, showing none.

    `name` is what the register allows or prohibits it by. Where a register says nothing of it,
    every item it is worked out from has to be allowed by itself. `of_programme` says what it is
    worked out from for one programme, which an argument `PROGRAMME` of it, or above it, names.
    """

    name: str
    own: tuple[Inputs, ...] = ()
    members: tuple[Inputs, ...] = ()
    of_programme: Callable[[str], Derived] | None = None


@dataclass(frozen=True, slots=True)
class Acts:
    """Needs no item, but a purpose of one of these relations: people's doings, not their data."""

    relations: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadsItem:
    """The resolver gives an item of the record or row that it is a field of, and nothing else."""

    item: Item


@dataclass(frozen=True, slots=True)
class ReadsPlace:
    """The resolver gives what stands at a place of what its object is of, and nothing else."""

    place: str


@dataclass(frozen=True, slots=True)
class ReadsRows:
    """The resolver gives the rows of an agency's list of these columns, by its arguments."""

    columns: tuple[Item, ...]


Reads = ReadsItem | ReadsPlace | ReadsRows
"""What a resolver does, where it does no more than read, so that many can be read at once."""

Inputs = Place | Area | Items
Needs = (
    Place | Area | Rows | Items | Listed | Counted | Leads | Covered | OfHousehold | Derived | Acts
)
Group = Literal["recipient", "applicant", "member", "case"]


def needing(
    needs: Needs, resolver: Callable[..., Any], description: str, reads: Reads | None = None
) -> Any:
    """A Strawberry field with its mark. Its type is the class annotation's."""
    return strawberry.field(
        resolver=resolver,
        description=description,
        metadata={KEY: needs, READS: reads},
    )


def at(place: str, description: str) -> Any:
    """A leaf whose value comes from whatever items count at a place of the view."""

    def read(self: Any) -> Any:
        return self.read(place)

    return needing(Place(place), read, description, ReadsPlace(place))


def covered(description: str) -> Any:
    """A plain field that shows no data item, or what its parent field needs already."""
    return strawberry.field(description=description, metadata={KEY: Covered()})
