"""Declarations and unified types make the schema, and the table of what each field needs.

No agency is known here by name: its type, its fields and their needs come from its declaration.
"""

from __future__ import annotations

import datetime
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import strawberry
from graphql import GraphQLError, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry.annotation import StrawberryAnnotation
from strawberry.exceptions import DuplicatedTypeName
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from schema.access import Access, Purpose, SourceState
from schema.components import AssetKind, Assets, Income, IncomeKind, area
from schema.needs import KEY, Area, Covered, Items, Leads, Needs, Place, Rows, at, needing
from schema.provenance import Provenance
from schema.recipient import Application, Benefits, Employment, Identity, OfKey, OfPerson
from schema.scalars import SCALARS, Month, Won
from schema.view import (
    Answer,
    Failure,
    Keyed,
    NotKnown,
    Person,
    Row,
    State,
    View,
    lists_below,
    unavailable,
)
from sources.declaration import Catalogue, Item, Source
from sources.fault import Fault, FaultyConfiguration, nearest

_PYTHON_TYPES: Mapping[str, Any] = {
    "String": str,
    "ID": strawberry.ID,
    "Int": int,
    "Float": float,
    "Boolean": bool,
    "Date": datetime.date,
    "Month": Month,
    "Won": Won,
}


@dataclass(frozen=True, slots=True)
class Need:
    """What one field needs, in items.

    `alone`: needed only where the field's selection names no item itself. `leads_to`: whom what
    is selected below is asked of, where that is somebody else.
    """

    items: tuple[Item, ...] = ()
    alone: tuple[Item, ...] = ()
    leads_to: Literal["applicant", "member"] | None = None


@dataclass(frozen=True)
class HubSchema:
    """The executable schema, and what every field of a person or a case needs."""

    graphql: GraphQLSchema
    needs: Mapping[tuple[str, str], Need]
    catalogue: Catalogue
    sdl: str


@strawberry.interface(description="One agency's record of a recipient.")
class AgencyRecord:
    """What the generated record types have in common."""

    answer: strawberry.Private[Answer]
    keyed: strawberry.Private[Keyed]
    provenance: Provenance = needing(
        Covered(), lambda self: Provenance(answer=self.answer), "Where the record came from."
    )


def build(catalogue: Catalogue) -> HubSchema:
    """Make the schema of the enabled sources.

    Raises FaultyConfiguration where a declaration names a place the view does not have, or a
    field of the view says not what it needs.
    """
    records = {name: _record_type(source) for name, source in catalogue.sources.items()}
    recipient, case = _person_types(catalogue, records)
    query = _query_type(catalogue, recipient, case)
    try:
        schema = strawberry.Schema(
            query=query,
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
    return HubSchema(graphql, needs, catalogue, schema.as_str())


def _type_name(text: str) -> str:
    return text[0].upper() + text[1:]


def _made(name: str, fields: Mapping[str, tuple[Any, Any]], **options: Any) -> Any:
    """A Strawberry type of fields by name: annotation and field each."""
    made = types.new_class(name, options.pop("bases", ()))
    made.__annotations__ = {key: annotation for key, (annotation, _) in fields.items()}
    for key, (_, field) in fields.items():
        if field is not None:
            field.graphql_name = key
            setattr(made, key, field)
    return strawberry.type(made, name=name, **options)


def _leaf(item: Item) -> tuple[Any, Any]:
    def read(self: Any) -> Any:
        return (self.row if len(item.path) == 2 else self.keyed).value(item)

    description = f"{item.description}.\n\nData item `{item.name}`, {item.category}"
    description += f", a {item.per}." if item.per else "."
    return _PYTHON_TYPES[item.type] | None, needing(Items((item.name,)), read, description)


def _record_type(source: Source) -> Any:
    """The type of an agency's own view of a person, from its declaration."""
    name = _type_name(source.field)
    fields: dict[str, tuple[Any, Any]] = {}
    columns: dict[str, list[Item]] = {}
    for item in source.items:
        if item.subject == "person" and len(item.path) == 1:
            fields[item.path[0]] = _leaf(item)
        elif item.subject == "person" and len(item.path) == 2:
            columns.setdefault(item.path[0], []).append(item)
    for key, items in columns.items():
        fields[key] = _list_field(f"{name}{_type_name(key)}", source.lists[key], items)
    description = f"{source.agency}: {source.description}."
    return _made(name, fields, bases=(AgencyRecord,), description=description)


def _list_field(name: str, description: str, items: Sequence[Item]) -> tuple[Any, Any]:
    private: dict[str, tuple[Any, Any]] = {"row": (strawberry.Private[Row], None)}
    leaves = {item.path[1]: _leaf(item) for item in items}
    row_type = _made(name, {**private, **leaves}, description=f"{description}: one row.")

    def read(self: Any) -> Any:
        rows = self.keyed.rows(items)
        return None if rows is None else [row_type(row=row) for row in rows]

    names = tuple(item.name for item in items)
    mark = Items(names, if_alone=True)
    return list[row_type] | None, needing(mark, read, f"{description}.")  # type: ignore[valid-type]


def _record_reader(catalogue: Catalogue, source: Source, record: Any) -> Callable[[Any], Any]:
    exists = catalogue.exists(source.name)

    def read(self: Any) -> Any:
        answer = self.person.answer(exists)
        self.person.release(exists)
        return record(answer=answer, keyed=self.person)

    return read


def _person_types(catalogue: Catalogue, records: Mapping[str, Any]) -> tuple[Any, Any]:
    """`Recipient`, with a field for each source, and `Case`."""
    namespace: dict[str, Any] = {}

    def members(self: Any) -> list[Any]:
        person: Person = self.person
        for columns in lists_below(catalogue, "household.members.id"):
            person.rows(columns)
        keys = person.view.households.get(person.key)
        if keys is None:
            raise unavailable(catalogue.identity, Failure("SOURCE_UNAVAILABLE"))
        found = (person.view.person(key) for key in keys)
        return [namespace["Recipient"](person=member) for member in found if member is not None]

    def of_person(made: Any, description: str) -> tuple[Any, Any]:
        return made, needing(Covered(), lambda self: made(person=self.person), description)

    household = _made(
        "Household",
        {
            "person": (strawberry.Private[Person], None),
            "id": (strawberry.ID | None, at("household.id", "Number of the household.")),
            "type": (str | None, at("household.type", "Kind of household.")),
            "relationToHead": (
                str | None,
                at("household.relationToHead", "The person's relation to the head."),
            ),
            "livingAlone": (bool | None, at("household.livingAlone", "Lives alone.")),
            "members": (
                "list[Recipient] | None",
                needing(
                    Leads("household.members.id", "member"),
                    members,
                    "Its members, the person included.",
                ),
            ),
        },
        bases=(OfPerson,),
        description="The household of a person.",
    )
    _late(household, "members", namespace)
    fields: dict[str, tuple[Any, Any]] = {
        "person": (strawberry.Private[Person], None),
        "id": (
            strawberry.ID,
            needing(Covered(), lambda self: self.person.key, "The recipient id."),
        ),
        "identity": of_person(Identity, "Who the recipient is."),
        "household": of_person(household, "The household."),
        "income": (
            Income,
            needing(
                Area("income."),
                lambda self: area(self.person, "income.", IncomeKind),
                "Income, from every source.",
            ),
        ),
        "assets": (
            Assets,
            needing(
                Area("assets."),
                lambda self: area(self.person, "assets.", AssetKind),
                "Assets, from every source.",
            ),
        ),
        "employment": of_person(Employment, "Work."),
        "benefits": of_person(Benefits, "What the recipient receives."),
        "applications": (
            list[Application] | None,
            needing(Rows("applications."), _applications, "Applications for benefits."),
        ),
    }
    readers = {
        name: _record_reader(catalogue, source, records[name])
        for name, source in catalogue.sources.items()
    }
    taken = set(fields) | {"records"}
    for name, source in catalogue.sources.items():
        if source.field in taken:
            message = f"`{source.field}` is a field of `Recipient` already"
            raise FaultyConfiguration(
                [Fault(source.file, "source.field", message, "give it a `field` of its own")]
            )
        mark = Items((catalogue.exists(name).name,))
        fields[source.field] = (
            records[name] | None,
            needing(mark, readers[name], f"{source.agency}: {source.description}."),
        )
    every = tuple(catalogue.exists(name).name for name in catalogue.sources)
    fields["records"] = (
        list[AgencyRecord | None],
        needing(
            Items(every),
            lambda self: [_or_error(read, self) for read in readers.values()],
            "Every agency's own record, in the order of the configuration.",
        ),
    )
    recipient = _made("Recipient", fields, description="A person the hub can be asked about.")
    namespace["Recipient"] = recipient
    return recipient, _case_type(catalogue, household)


def _or_error(read: Callable[[Any], Any], root: Any) -> Any:
    """The value, or its error as a value: GraphQL then nulls that entry of a list alone."""
    try:
        return read(root)
    except NotKnown as error:
        return error


def _applications(self: Any) -> Any:
    rows = self.person.listed("applications.")
    return None if rows is None else [Application(row=row) for row in rows]


def _late(made: Any, name: str, namespace: dict[str, Any]) -> None:
    """Resolve a field's type by name when the schema is made: the types refer to each other."""
    for field in made.__strawberry_definition__.fields:
        if field.python_name == name:
            annotation = field.type_annotation.raw_annotation
            field.type_annotation = StrawberryAnnotation(annotation, namespace=namespace)


def _case_type(catalogue: Catalogue, household: Any) -> Any:
    lead = catalogue.at("case.household")

    def home(self: Any) -> Any:
        view: View = self.keyed.view
        for item in lead:
            self.keyed.value(item)
        person = view.person(self.applicant)
        if person is None:
            raise out_of_reach()
        return household(person=person)

    def leaf(name: str, annotation: Any, description: str) -> tuple[Any, Any]:
        return annotation | None, at(f"case.{name}", description)

    return _made(
        "Case",
        {
            "keyed": (strawberry.Private[Keyed], None),
            "applicant": (strawberry.Private[str], None),
            "reference": leaf("reference", strawberry.ID, "Reference."),
            "programme": leaf("programme", str, "Code of the programme."),
            "state": leaf("state", str, "open or closed."),
            "office": leaf("office", str, "Office in charge."),
            "official": leaf("official", str, "Official in charge."),
            "opened": leaf("opened", datetime.date, "Date of opening."),
            "closed": leaf("closed", datetime.date, "Date of closing."),
            "household": (
                household | None,
                needing(Leads("case.household", "applicant"), home, "The household assessed."),
            ),
        },
        bases=(OfKey,),
        description="The application or review that gives a caller a reason to look.",
    )


def _query_type(catalogue: Catalogue, recipient: Any, case: Any) -> Any:
    exists = catalogue.exists(catalogue.identity)
    case_exists = catalogue.exists(catalogue.cases, "case")

    def person(view: View, key: str) -> Any:
        found = view.person(key)
        if found is None:
            return out_of_reach()
        view.check(exists)
        answer = view.answers.get((exists.source, key))
        if answer is not None and answer.state is State.ABSENT:
            return out_of_reach()
        if answer is not None and answer.failure is None:
            found.release(exists)
        return recipient(person=found)

    def one(info: strawberry.Info, id: strawberry.ID) -> Any:  # noqa: A002
        found = person(info.context.view, id)
        if isinstance(found, Exception):
            raise found
        return found

    def many(info: strawberry.Info, ids: list[strawberry.ID]) -> Any:
        return [person(info.context.view, key) for key in ids]

    def one_case(info: strawberry.Info, reference: strawberry.ID) -> Any:
        view: View = info.context.view
        applicant = view.cases.get(reference)
        if applicant is None:
            raise out_of_reach()
        keyed = Keyed(view, reference)
        view.check(case_exists)
        keyed.release(case_exists)
        return case(keyed=keyed, applicant=applicant)

    def sources(info: strawberry.Info) -> list[SourceState]:
        return list(info.context.about.sources())

    def purposes(info: strawberry.Info) -> list[Purpose]:
        return list(info.context.about.purposes())

    def access(
        info: strawberry.Info,
        query: str,
        variables: JSON | None = None,  # noqa: ARG001 - taken so that requests can be sent as they are
        case: strawberry.ID | None = None,  # noqa: ARG001 - the same
    ) -> Access:
        made: Access = info.context.about.access(query)
        return made

    return _made(
        "Query",
        {
            "recipient": (
                recipient | None,
                needing(Items((exists.name,)), one, "One recipient."),
            ),
            "recipients": (
                list[recipient | None],
                needing(
                    Items((exists.name,)),
                    many,
                    "Several, in the order asked; null for those out of reach.",
                ),
            ),
            "case": (
                case | None,
                needing(Items((case_exists.name,)), one_case, "A case, by reference."),
            ),
            "sources": (
                list[SourceState],
                needing(Covered(), sources, "The agencies, and the state of each."),
            ),
            "purposes": (
                list[Purpose],
                needing(Covered(), purposes, "The purposes open to the caller."),
            ),
            "access": (
                Access,
                needing(
                    Covered(),
                    access,
                    "What would be decided for this operation and the declared purpose, item by"
                    " item, without asking any agency. Neither variables nor a case are needed.",
                ),
            ),
        },
    )


def out_of_reach() -> GraphQLError:
    """The one answer for whoever this caller may not know of, whatever the reason."""
    return GraphQLError(
        "no such recipient or case is within reach of this purpose and case",
        extensions={
            "code": "OUT_OF_REACH",
            "remedy": "check the id, and that the case is open at your office and concerns them",
        },
    )


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
        case Place(place):
            return Need(catalogue.at(place))
        case Leads(place, to):
            return Need(catalogue.at(place), leads_to=to)
        case Items(names, if_alone):
            items = tuple(catalogue.items[name] for name in names)
            return Need(alone=items) if if_alone else Need(items)
        case Rows(prefix):
            return Need(alone=tuple(_below(catalogue, prefix)))
        case Area(prefix):
            items = tuple(_below(catalogue, prefix))
            conditions = (entry for item in items for entry in catalogue.condition_items(item))
            return Need((*items, *conditions))
        case Covered():
            return Need()


def _below(catalogue: Catalogue, prefix: str) -> Iterable[Item]:
    for place in catalogue.places:
        if place.startswith(prefix):
            yield from catalogue.at(place)


def _check_places(catalogue: Catalogue, marks: Mapping[tuple[str, str], Needs]) -> None:
    """Every place that an item counts in must be one of the view's."""
    known = {mark.place for mark in marks.values() if isinstance(mark, Place | Leads)}
    known |= {f"income.{kind.value}" for kind in IncomeKind}
    known |= {f"assets.{kind.value}" for kind in AssetKind} | {"case.applicant"}
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
