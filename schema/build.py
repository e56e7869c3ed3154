"""Declarations and unified types make the schema, and the table of what each field needs.

No agency is known here by name: its type, its fields and their needs come from its declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry.exceptions import DuplicatedTypeName
from strawberry.schema.config import StrawberryConfig

from schema import audit, corrections, statistics
from schema.agency import record_types
from schema.components import AssetKind, IncomeKind
from schema.law import law
from schema.needs import (
    KEY,
    MEMBERS,
    Acts,
    Area,
    Counted,
    Covered,
    Derived,
    Inputs,
    Items,
    Leads,
    Listed,
    Needs,
    OfHousehold,
    Place,
    Rows,
)
from schema.oversight import mutation_type
from schema.query import person_types, query_type
from schema.rules.book import the_book
from schema.scalars import SCALARS
from schema.selecting import COUNT
from schema.so_far import so_far_needs
from sources.declaration import Catalogue, Item
from sources.fault import Fault, FaultyConfiguration, nearest


@dataclass(frozen=True, slots=True)
class Need:
    """What one field needs, in items.

    `alone`: needed only where the field's selection names no item itself. `leads_to`: whom what
    is selected below is asked of, where that is somebody else. `household` is needed of every
    member too, whom `leads` lead to. With a `derivation` all of it is worked with and not shown.
    Rows may be chosen and put in order by `columns`.
    With `relations` it needs no item, but a purpose of one of them. `of_programme`: what it needs
    where one programme is named.
    """

    items: tuple[Item, ...] = ()
    alone: tuple[Item, ...] = ()
    leads_to: Literal["applicant", "member"] | None = None
    household: tuple[Item, ...] = ()
    leads: tuple[Item, ...] = ()
    derivation: str | None = None
    columns: tuple[Item, ...] = ()
    relations: frozenset[str] = frozenset()
    of_programme: Callable[[str], Need] | None = None


@dataclass(frozen=True, eq=False)
class HubSchema:
    """The executable schema, and what every field of a person or a case needs.

    `made` is the schema as Strawberry has it.
    """

    graphql: GraphQLSchema
    needs: Mapping[tuple[str, str], Need]
    catalogue: Catalogue
    sdl: str
    so_far: Need
    made: strawberry.Schema

    @cached_property
    def derivations(self) -> frozenset[str]:
        """The derived answers that a register may name."""
        names = {need.derivation for need in self.needs.values() if need.derivation}
        return frozenset(names - {COUNT})


def build(catalogue: Catalogue) -> HubSchema:
    """Make the schema of the enabled sources.

    Raises FaultyConfiguration where a declaration names a place the view does not have, a field
    of the view says not what it needs, or a file of the programmes or of the law has a fault.
    """
    law()
    records = record_types(catalogue)
    recipient, case = person_types(catalogue, records)
    query = query_type(catalogue, recipient, case)
    try:
        schema = strawberry.Schema(
            query=query,
            mutation=mutation_type(
                audit.mutation_fields()
                | corrections.mutation_fields()
                | statistics.population_mutations(catalogue)
            ),
            types=list(records.values()),
            config=StrawberryConfig(scalar_map=SCALARS),
        )
    except DuplicatedTypeName as error:
        message = "the `field` of a source gives a type the name of another"
        remedy = "give the source another `field`"
        raise FaultyConfiguration(
            [Fault("the catalogue", f"type `{error.message.split()[1]}`", message, remedy)]
        ) from error
    graphql = schema._schema  # noqa: SLF001 - Strawberry offers no other way to its GraphQLSchema
    marks = _marks(graphql)
    _check_places(catalogue, marks)
    needs = {field: _need(catalogue, mark) for field, mark in marks.items()}
    so_far = _need(catalogue, so_far_needs(the_book()))
    return HubSchema(graphql, needs, catalogue, schema.as_str(), so_far, schema)


def _marks(schema: GraphQLSchema) -> dict[tuple[str, str], Needs]:
    """The mark of every field of every type that is the schema's own."""
    marks: dict[tuple[str, str], Needs] = {}
    unmarked = []
    for name, kind in schema.type_map.items():
        if name.startswith("__") or not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            continue
        for field, definition in kind.fields.items():
            declared = definition.extensions.get("strawberry-definition")
            mark = declared.metadata.get(KEY) if declared is not None else None
            if mark is None:
                unmarked.append(f"{name}.{field}")
            else:
                marks[name, field] = mark
    if unmarked:
        raise LookupError(f"fields that do not say what they need: {', '.join(unmarked)}")
    return marks


def _need(catalogue: Catalogue, mark: Needs) -> Need:
    match mark:
        case Leads(place, to):
            return Need(catalogue.at(place), leads_to=to)
        case Listed(names):
            columns = tuple(catalogue.items[name] for name in names)
            return Need(alone=columns, columns=columns)
        case Counted(names):
            columns = tuple(catalogue.items[name] for name in names)
            return Need(items=columns[:1], columns=columns, derivation=COUNT)
        case Rows(prefix):
            return Need(alone=tuple(_below(catalogue, prefix)))
        case Place() | Items() | Area():
            return Need(tuple(_inputs(catalogue, [mark])))
        case OfHousehold(own, members) | Derived(own=own, members=members):
            return Need(
                items=tuple(_inputs(catalogue, own)),
                household=tuple(_inputs(catalogue, members)),
                leads=catalogue.at(MEMBERS) if members else (),
                derivation=mark.name if isinstance(mark, Derived) else None,
                of_programme=_by_programme(catalogue, mark),
            )
        case Acts(relations):
            return Need(relations=relations)
        case Covered():
            return Need()


def _by_programme(
    catalogue: Catalogue, mark: OfHousehold | Derived
) -> Callable[[str], Need] | None:
    """What a derived answer needs for one programme; callers name it, so not all are kept."""
    of_programme = mark.of_programme if isinstance(mark, Derived) else None
    if of_programme is None:
        return None
    return lru_cache(maxsize=500)(lambda programme: _need(catalogue, of_programme(programme)))


def _inputs(catalogue: Catalogue, marks: Iterable[Inputs]) -> Iterator[Item]:
    for mark in marks:
        match mark:
            case Place(place):
                yield from catalogue.at(place)
            case Items(names):
                yield from (catalogue.items[name] for name in names)
            case Area(prefix):
                items = tuple(_below(catalogue, prefix))
                yield from items
                for item in items:
                    yield from catalogue.condition_items(item)


def _below(catalogue: Catalogue, prefix: str) -> Iterable[Item]:
    for place in catalogue.places:
        if place.startswith(prefix):
            yield from catalogue.at(place)


def _check_places(catalogue: Catalogue, marks: Mapping[tuple[str, str], Needs]) -> None:
    """Every place that an item counts in must be one of the view's."""
    known = {mark.place for mark in marks.values() if isinstance(mark, Place | Leads)}
    for mark in marks.values():
        if isinstance(mark, OfHousehold | Derived):
            inputs = (*mark.own, *mark.members)
            known |= {entry.place for entry in inputs if isinstance(entry, Place)}
    known |= {f"income.{kind.value}" for kind in IncomeKind}
    known |= {f"assets.{kind.value}" for kind in AssetKind} | {"case.applicant"}
    known |= {
        "identity.protected",
        "household.members.protected",
        "household.members.birthDate",
    }
    faults = []
    for item in catalogue.items.values():
        for place in item.places:
            if place not in known:
                source = catalogue.sources[item.source]
                where = source.places.describe(
                    ("case", "item", *item.path)
                    if item.subject == "case"
                    else ("item", ".item.".join(item.path), "counts_as")
                )
                message = f"the view has no place `{place}`"
                faults.append(Fault(source.file, where, message, nearest(place, known)))
    if faults:
        raise FaultyConfiguration(faults)
