"""`Recipient`, `Household`, `Case` and the questions, made for the enabled sources."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.annotation import StrawberryAnnotation
from strawberry.scalars import JSON

from schema import audit, corrections, decision_times, review
from schema.access import Access, Purpose, SourceState
from schema.agency import AgencyRecord, make_type
from schema.components import AssetKind, Assets, Income, IncomeKind, area
from schema.duplicates import (
    DuplicateReceipts,
    Foresight,
    duplicate_receipts,
    would_duplicate,
)
from schema.entitlements import EntitlementFound, entitlements
from schema.means_test import MeansTestMade, means_test
from schema.needs import Area, Covered, Items, Leads, Rows, at, needing
from schema.oversight import query_fields
from schema.programme_types import ProgrammeOffered, listed
from schema.recipient import Application, Benefits, Employment, Identity, OfKey, OfPerson
from schema.statistics import population_fields
from schema.view import (
    Failure,
    Keyed,
    NotKnown,
    Person,
    State,
    View,
    lists_below,
    unavailable,
)
from sources.declaration import Catalogue, Source
from sources.fault import Fault, FaultyConfiguration


def _record_reader(catalogue: Catalogue, source: Source, record: Any) -> Callable[[Any], Any]:
    exists = catalogue.exists(source.name)

    def read(self: Any) -> Any:
        answer = self.person.answer(exists)
        self.person.release(exists)
        return record(answer=answer, keyed=self.person)

    return read


def person_types(catalogue: Catalogue, records: Mapping[str, Any]) -> tuple[Any, Any]:
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

    household = make_type(
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
        "duplicateReceipts": (DuplicateReceipts | None, duplicate_receipts()),
        "wouldDuplicate": (Foresight | None, would_duplicate()),
        "meansTest": (MeansTestMade | None, means_test()),
        "entitlements": (list[EntitlementFound] | None, entitlements()),
    }
    of_people = {name: one for name, one in catalogue.sources.items() if one.found_by is None}
    readers = {
        name: _record_reader(catalogue, source, records[name]) for name, source in of_people.items()
    }
    taken = set(fields) | {"records"}
    for name, source in of_people.items():
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
    every = tuple(catalogue.exists(name).name for name in of_people)
    fields["records"] = (
        list[AgencyRecord | None],
        needing(
            Items(every),
            lambda self: [_or_error(read, self) for read in readers.values()],
            "Every agency's own record, in the order of the configuration.",
        ),
    )
    recipient = make_type("Recipient", fields, description="A person the hub can be asked about.")
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

    return make_type(
        "Case",
        {
            "keyed": (strawberry.Private[Keyed], None),
            "applicant": (strawberry.Private[str], None),
            "reference": leaf("reference", strawberry.ID, "Reference."),
            "programme": leaf("programme", str, "Code of the programme."),
            "state": leaf("state", str, "open or closed."),
            "stage": leaf("stage", str, "received, investigating, review or closed."),
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


def query_type(catalogue: Catalogue, recipient: Any, case: Any) -> Any:
    """`Query`: what can be asked."""
    exists = catalogue.exists(catalogue.identity)
    case_exists = catalogue.exists(catalogue.cases, "case")

    def person(view: View, key: str) -> Any:
        found = view.person(key)
        if found is None:
            return out_of_reach()
        view.check(exists, view.granted)
        answer = view.answers.get((exists.source, key))
        if answer is not None and answer.state is State.ABSENT:
            return out_of_reach()
        if (exists.source, key) in view.known or (answer is not None and answer.failure is None):
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
        view.check(case_exists, view.granted)
        applicant = view.cases.get(reference)
        if applicant is None:
            raise out_of_reach()
        keyed = Keyed(view, reference)
        keyed.release(case_exists)
        return case(keyed=keyed, applicant=applicant)

    def sources(info: strawberry.Info) -> list[SourceState]:
        return list(info.context.about.sources())

    def purposes(info: strawberry.Info) -> list[Purpose]:
        return list(info.context.about.purposes())

    def access(
        info: strawberry.Info,
        query: str,
        variables: JSON | None = None,
        case: strawberry.ID | None = None,  # noqa: ARG001 - taken so that requests can be sent whole
    ) -> Access:
        made: Access = info.context.about.access(query, variables)
        return made

    return make_type(
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
            "programmes": (
                list[ProgrammeOffered] | None,
                needing(
                    Covered(),
                    listed,
                    "The benefits and services as they are in a year, by default this one. Open to"
                    " every caller: nothing in it is personal.",
                ),
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
            **query_fields(),
            **audit.query_fields(),
            **corrections.query_fields(),
            **decision_times.query_fields(),
            **population_fields(catalogue),
            **review.query_fields(),
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
