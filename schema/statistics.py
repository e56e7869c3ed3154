"""`population`: the types by which populations are asked about, made for the items declared so."""

from __future__ import annotations

import datetime
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import strawberry
from strawberry.scalars import JSON

from schema.needs import Acts, covered, needing
from schema.scalars import Month, Won
from sources.declaration import Catalogue, Item

POPULATION = Acts(frozenset({"population"}))


@strawberry.enum(description="A figure of amounts.")
class Statistic(Enum):
    """Each has a rule of its own by which it is withheld or moved."""

    TOTAL = "total"
    MEAN = "mean"
    MEDIAN = "median"


@strawberry.enum(description="How a table is written to a file.")
class FileFormat(Enum):
    """Comma-separated values (RFC 4180), or Apache Parquet."""

    CSV = "csv"
    PARQUET = "parquet"


@strawberry.type(description="The group of a cell, by one of the dimensions.")
class PopulationGroup:
    """A value or a band of an item."""

    item: str = covered("The data item.")
    label: str = covered("The group as people read it.")
    value: str | None = covered("The value; null for a band, and for people without a value.")
    known: bool = covered("Whether these people have a value at all.")
    from_: float | None = strawberry.field(
        name="from", description="The lower edge of a band.", metadata=covered("").metadata
    )
    until: float | None = covered("The upper edge of a band, which is not in it.")


@strawberry.type(description="A figure of the people of a cell.")
class PopulationFigure:
    """Moved by the people of the cell, and rounded."""

    item: str = covered("The data item.")
    of: Statistic = covered("What figure it is.")
    value: float | None = covered("The figure; null where it is withheld.")


@strawberry.type(description="A cell that is released.")
class PopulationRow:
    """People of the same groups."""

    groups: list[PopulationGroup] = covered("Its group, by each dimension.")
    count: int = covered("How many people, moved by the people counted.")
    figures: list[PopulationFigure] = covered("What was asked of their amounts.")


@strawberry.type(description="A table as a file.")
class PopulationFile:
    """The file's name, and what is in it."""

    name: str = covered("What to call it.")
    media_type: str = covered("What it is.")
    base64: str = covered("Its bytes, in base64.")


@strawberry.type(description="People by their groups.")
class PopulationTable:
    """The cells that are released; of those left out nothing is told, nor of those of nobody."""

    rows: list[PopulationRow] = covered("The cells, in the order of their groups.")
    files: strawberry.Private[Mapping[str, PopulationFile]]

    def _file(
        self,
        info: strawberry.Info,
        format: FileFormat,  # noqa: A002, ARG002 - GraphQL's name; the file is made before
        reason: str,  # noqa: ARG002 - the same
    ) -> PopulationFile:
        return self.files[str(info.path.key)]

    file: PopulationFile = needing(
        covered("").metadata["needs"],
        _file,
        "The table as a file. The reason for taking it is logged.",
    )


@strawberry.type(description="A delivery that a question was answered from.")
class PopulationDelivery:
    """Whose it is and what day it is of."""

    source: str = covered("The source.")
    agency: str = covered("The agency.")
    day: datetime.date = covered("The day that it is of.")


@strawberry.type(description="An item that statistics may be made of.")
class PopulationItem:
    """How people are grouped by it, and what the purpose may do with it."""

    name: str = covered("The data item.")
    field: str = covered("What it is called in `where`, dimensions and measures.")
    description: str = covered("What it is.")
    description_ko: str = covered("What it is, in Korean.")
    source: str = covered("Its source.")
    type: str = covered("Its type.")
    kind: str = covered("values, bands or ages.")
    edges: list[float] = covered("The lower edges of its bands or ages.")
    listed: str | None = covered("The list in `where` whose rows people are chosen by.")
    filters: bool = covered("People may be chosen by it.")
    dimension: bool = covered("People may be grouped by it.")
    amount: bool = covered("There are totals, means and medians of it.")


@strawberry.type(description="A question kept by a team under a name.")
class SavedQuestion:
    """A document, with who kept it."""

    name: str = covered("Its name within the team.")
    query: str = covered("The GraphQL document.")
    person: str = covered("Who kept it.")
    at: datetime.datetime = covered("When.")


@strawberry.enum(description="What became of a question that takes long.")
class JobState(Enum):
    """A job is running, or it has ended."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@strawberry.type(description="A question that takes long.")
class PopulationJob:
    """How far it is, and its answer once it is done; kept for an hour."""

    id: strawberry.ID = covered("What it is asked for by.")
    state: JobState = covered("What became of it.")
    progress: float = covered("How far it is, from 0 to 1: by its tables, not by people.")
    answer: JSON | None = covered("The whole answer, as it would have been at once.")
    error: str | None = covered("The code and the message of its refusal.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is released of a question; the tables by the keys under which they are answered."""

    count: int | None
    as_of: datetime.date
    deliveries: list[PopulationDelivery]
    caveats: list[str]
    tables: Mapping[str, PopulationTable]


def statistical(catalogue: Catalogue) -> dict[str, Item]:
    """The items that statistics may be made of, wherever the register allows it, by name."""
    found = {}
    for item in catalogue.items.values():
        bulk = catalogue.sources[item.source].bulk
        delivered = bulk is not None and item.subject == "person" and bulk.delivers(item.path)
        if item.group is not None and delivered:
            found[item.name] = item
    return found


def is_apart(item: Item) -> bool:
    """Whether an item is a column by whose rows people are chosen: they may have several."""
    return len(item.path) == 2 and not (item.group is not None and item.group.total)


def is_amount(item: Item) -> bool:
    """Whether there are totals and medians of it."""
    return not is_apart(item) and item.group is not None and item.group.kind == "bands"


def field_name(item: Item) -> str:
    """What an item is called in filters, dimensions and measures."""
    return item.name.replace(".", "_")


def population_fields(catalogue: Catalogue) -> dict[str, Any]:
    """The questions about populations; none where no item is declared to be grouped."""
    items = statistical(catalogue)
    if not items:
        return {}
    plain = {name: item for name, item in items.items() if not is_apart(item)}
    amounts = [item for item in plain.values() if is_amount(item)]
    where = _where_type(catalogue, items.values())
    dimension = _names("PopulationDimension", plain.values(), "An item to group people by.")
    population = _population_type(dimension, _amount_types(amounts))

    def read(
        info: strawberry.Info,
        where: where | None = None,  # type: ignore[valid-type]  # noqa: ARG001 - done before
        as_of: datetime.date | None = None,  # noqa: ARG001 - the same
    ) -> Any:
        return info.context.done["population"]

    read.__annotations__ |= {"where": where | None, "return": population}

    def listed(info: strawberry.Info) -> list[PopulationItem]:
        return list(info.context.done["populationItems"])

    def saved(info: strawberry.Info) -> list[SavedQuestion]:
        return list(info.context.done["savedQuestions"])

    def job(info: strawberry.Info, id: strawberry.ID) -> PopulationJob:  # noqa: A002, ARG001
        found: PopulationJob = info.context.done["populationJob"]
        return found

    return {
        "populationJob": (
            PopulationJob,
            needing(POPULATION, job, "A question of the caller's own that takes long."),
        ),
        "population": (
            population,
            needing(
                POPULATION,
                read,
                "Everybody, or whom `where` chooses, as the agencies' deliveries until `asOf`"
                " have them. Nothing is said of a single person; see docs/statistics.md.",
            ),
        ),
        "populationItems": (
            list[PopulationItem],
            needing(POPULATION, listed, "The items that the purpose may make statistics of."),
        ),
        "savedQuestions": (
            list[SavedQuestion],
            needing(POPULATION, saved, "The questions that the caller's office has kept."),
        ),
    }


def population_mutations(catalogue: Catalogue) -> dict[str, Any]:
    """What policy teams keep."""
    if not statistical(catalogue):
        return {}

    def save(
        info: strawberry.Info,
        name: str,  # noqa: ARG001 - what is done with arguments is done before
        query: str,  # noqa: ARG001 - the same
    ) -> SavedQuestion:
        made: SavedQuestion = info.context.done["saveQuestion"]
        return made

    def start(
        info: strawberry.Info,
        query: str,  # noqa: ARG001 - the same
        variables: JSON | None = None,  # noqa: ARG001 - the same
    ) -> PopulationJob:
        made: PopulationJob = info.context.done["startPopulation"]
        return made

    def cancel(info: strawberry.Info, id: strawberry.ID) -> PopulationJob:  # noqa: A002, ARG001
        made: PopulationJob = info.context.done["cancelPopulation"]
        return made

    return {
        "startPopulation": (
            PopulationJob,
            needing(POPULATION, start, "Start a question that takes long: one `population`."),
        ),
        "cancelPopulation": (PopulationJob, needing(POPULATION, cancel, "Give a question up.")),
        "saveQuestion": (
            SavedQuestion,
            needing(POPULATION, save, "Keep a question under a name, for the caller's office."),
        ),
    }


def _names(name: str, items: Iterable[Item], description: str) -> Any:
    members = {field_name(item): item.name for item in items}
    kind: Any = Enum
    return strawberry.enum(kind(name, members), description=description)


def _input(name: str, fields: Mapping[str, tuple[str, Any]], description: str) -> Any:
    """An input type: GraphQL names, with the attribute and the type of each."""
    made = types.new_class(name)
    made.__annotations__ = {attribute: of | None for attribute, of in fields.values()}
    for given, (attribute, _) in fields.items():
        setattr(made, attribute, strawberry.field(default=strawberry.UNSET, name=given))
    return strawberry.input(made, name=name, description=description)


def _value_type(name: str, of: Any) -> Any:
    fields = {
        "eq": ("eq", of),
        "ne": ("ne", of),
        "in": ("in_", list[of]),
        "exists": ("exists", bool),
    }
    return _input(name, fields, "Compares a value: all that is given has to hold.")


def _edge_type(name: str, of: Any) -> Any:
    between = types.new_class(f"{name}Between")
    between.__annotations__ = {"from_": of, "until": of}
    between.from_ = strawberry.field(name="from", description="The lower edge.")  # type: ignore[attr-defined]
    made = strawberry.input(
        between, name=f"{name}Between", description="From an edge to before another."
    )
    fields = {
        "ge": ("ge", of),
        "lt": ("lt", of),
        "between": ("between", made),
        "exists": ("exists", bool),
    }
    return _input(name, fields, "Compares by the edges of groups: all that is given has to hold.")


def _where_type(catalogue: Catalogue, items: Iterable[Item]) -> Any:
    """The filter: an input field for each item, and one for each list whose rows count."""
    words = {
        "String": _value_type("GroupIs", str),
        "Boolean": _value_type("YesIs", bool),
        "Month": _value_type("MonthGroupIs", Month),
    }
    amounts = {
        "Won": _edge_type("WonBand", Won),
        "Int": _edge_type("IntBand", int),
        "Float": _edge_type("FloatBand", float),
        "Date": _edge_type("AgeBand", int),
    }
    fields: dict[str, tuple[str, Any]] = {}
    lists: dict[str, dict[str, tuple[str, Any]]] = {}
    for item in items:
        compared = {**words, **amounts}[item.type]
        if is_apart(item):
            listed = lists.setdefault(f"{item.source}_{item.path[0]}", {})
            listed[item.path[1]] = (f"by_{item.path[1]}", compared)
        else:
            fields[field_name(item)] = (f"by_{field_name(item)}", compared)
    for name, columns in lists.items():
        source, _, of = name.partition("_")
        described = catalogue.sources[source].lists.get(of, "rows")
        kind = "".join(part[0].upper() + part[1:] for part in name.split("_"))
        made = _input(f"{kind}Row", columns, f"Has a row of this: {described}.")
        fields[name] = (f"by_{name}", made)
    made = types.new_class("PopulationWhere")
    fields |= {"and": ("and_", list[made]), "or": ("or_", list[made]), "not": ("not_", made)}  # type: ignore[valid-type]
    made.__annotations__ = {attribute: of | None for attribute, of in fields.values()}
    for given, (attribute, _) in fields.items():
        setattr(made, attribute, strawberry.field(default=strawberry.UNSET, name=given))
    return strawberry.input(
        made, name="PopulationWhere", description="Whom to choose: all that is given has to hold."
    )


def _amount_types(items: Iterable[Item]) -> tuple[Any, Any] | None:
    """The enum of amounts and the input type of a measure; None where there is no amount."""
    found = list(items)
    if not found:
        return None
    amount = _names("PopulationAmount", found, "An item with amounts.")
    measure = types.new_class("PopulationMeasure")
    measure.__annotations__ = {"item": amount, "of": Statistic}
    return amount, strawberry.input(
        measure, name="PopulationMeasure", description="A figure of an item's amounts."
    )


def _population_type(dimension: Any, amounts: tuple[Any, Any] | None) -> Any:
    def by(self: Any, info: strawberry.Info, dimensions: Any, measures: Any = None) -> Any:  # noqa: ARG001
        return self.tables[str(info.path.key)]

    def by_groups(self: Any, info: strawberry.Info, dimensions: Any) -> Any:
        return by(self, info, dimensions)

    taken = {"info": strawberry.Info, "dimensions": list[dimension], "return": PopulationTable}
    by_groups.__annotations__ = taken
    if amounts is not None:
        measure: Any = amounts[1]
        by.__annotations__ = {**taken, "measures": list[measure] | None}
    table = by_groups if amounts is None else by

    made = types.new_class("Population")
    made.__annotations__ = {
        "count": int | None,
        "as_of": datetime.date,
        "deliveries": list[PopulationDelivery],
        "caveats": list[str],
    }
    made.count = covered("How many; null where there are too few to say.")  # type: ignore[attr-defined]
    made.as_of = covered("The day that ages are counted on.")  # type: ignore[attr-defined]
    made.deliveries = covered("What it was answered from.")  # type: ignore[attr-defined]
    made.caveats = covered("What to know of the figures.")  # type: ignore[attr-defined]
    made.by = needing(_COVERED, table, "People by the groups of one or two items.")  # type: ignore[attr-defined]
    if amounts is not None:
        of_amounts: Any = amounts[0]

        def distribution(self: Any, info: strawberry.Info, item: Any, steps: int = 12) -> Any:  # noqa: ARG001
            return self.tables[str(info.path.key)]

        distribution.__annotations__ = {
            "info": strawberry.Info,
            "item": of_amounts,
            "steps": int,
            "return": PopulationTable,
        }
        made.distribution = needing(  # type: ignore[attr-defined]
            _COVERED, distribution, "People by the amount of an item, in so many steps."
        )
    return strawberry.type(
        made,
        name="Population",
        description="The people asked about.",
    )


_COVERED = covered("").metadata["needs"]
