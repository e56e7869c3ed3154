"""What auditors read of the query log: records, and the indicators of misuse."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from schema.needs import Acts, covered, needing

AUDIT = Acts(frozenset({"audit"}))


@strawberry.type(description="Items that were released of subjects.")
class Disclosure:
    """One set of items of one source, with those of whom it was released."""

    source: str = covered("The source.")
    items: list[str] = covered("The data items, without values.")
    subjects: list[str] = covered("Pseudonyms of recipients, or references of cases.")


@strawberry.type(description="Something that was denied, and by which rule.")
class Refusal:
    """An item with the rule that denied it."""

    item: str = covered("The data item or derived answer.")
    rule: str = covered("The rule.")


@strawberry.type(description="What was found of a subject while relating, and logged as a flag.")
class Flagged:
    """A subject and what they have in common with whoever looked."""

    subject: str = covered("Pseudonym of the recipient.")
    flags: list[str] = covered("sameSurname, sameAddress, sameOffice or breakGlass.")


@strawberry.type(description="A record of the query log.")
class LogRecord:
    """A record as it was written; subjects are keyed pseudonyms and there are no values."""

    place: strawberry.ID = covered("Its place in the tree, from 0.")
    kind: str = covered("OUTCOME for an operation, or the kind of an event.")
    at: datetime.datetime = covered("When it was written.")
    operation: strawberry.ID | None = covered("The operation it is of.")
    outcome: str | None = covered("answered, refused, failed or abandoned, or that of an event.")
    person: str | None = covered("Who asked.")
    actors: list[str] = covered("Who acted for that person, the last first.")
    roles: list[str] = covered("Their roles.")
    office: str | None = covered("Their office.")
    purpose: str | None = covered("Code of the purpose.")
    legal_basis: str | None = covered("The law it rests on.")
    reason: str | None = covered("The reason they gave.")
    cases: list[str] = covered("The cases that were found to give a reason.")
    subjects: list[str] = covered("Pseudonyms of everyone that the operation named or reached.")
    requested: list[str] = covered("The items asked for, where the operation was refused.")
    disclosed: list[Disclosure] = covered("What was released, of whom.")
    denied: list[Refusal] = covered("What was denied.")
    errors: list[str] = covered("The codes of the errors answered.")
    flagged: list[Flagged] = covered("What was found of the subjects while relating.")
    leaf: str = covered("The leaf of the tree that commits to the record, in base64.")
    proof: str | None = covered(
        "Proof that the record was logged, for `hub log check-proof`; null unless `proofs` is set,"
        " and for a second until the tree over it is signed."
    )


@strawberry.type(description="A page of records, the newest first.")
class LogPage:
    """Records, and how to go on."""

    records: list[LogRecord] = covered("The records.")
    next: str | None = covered("What `after` takes for the next page; null on the last.")


@strawberry.type(description="How many records one official has among those found.")
class Looker:
    """An official, with how many of an indicator's records are theirs."""

    person: str | None = covered("The official.")
    office: str | None = covered("Their office.")
    count: int = covered("How many records.")


@strawberry.type(description="An indicator of misuse, and what it found.")
class MisuseIndicator:
    """A named question to the log; it proves nothing, and says where to look."""

    name: str = covered("Its name, as docs/misuse-indicators.md explains it.")
    title: str = covered("What it finds.")
    count: int = covered("How many records it finds.")
    share: float | None = covered("Their share of all accesses of officials in that time.")
    lookers: list[Looker] = covered("Who has most of them.")
    query: str = covered("The GraphQL document that shows the records, the newest first.")


@strawberry.type(description="Indicators of misuse over a time.")
class MisuseReport:
    """What was computed over which accesses."""

    since: datetime.datetime = covered("From when.")
    until: datetime.datetime = covered("Before when.")
    accesses: int = covered("How many accesses of officials there were.")
    unexplained: float | None = covered(
        "The share of them that no simple reason explains; null where that was not asked for."
    )
    indicators: list[MisuseIndicator] = covered("The indicators asked for.")


@strawberry.type(description="That one's own record was looked at.")
class OwnAccess:
    """When, by which office, why and on which ground, and what was released."""

    at: datetime.datetime = covered("When.")
    office: str | None = covered("The office that looked.")
    official: str | None = covered("Who looked, where the hub is set to tell.")
    purpose: str | None = covered("Code of the purpose.")
    title: str | None = covered("What the purpose is for.")
    legal_basis: str | None = covered("The law it rests on: act and article.")
    items: list[str] = covered("The data items released, and answers derived; no values.")
    break_glass: bool = covered("Whether it was in an emergency, before there was a case.")
    place: strawberry.ID = covered("The place of its record in the log's tree.")
    leaf: str = covered("The leaf that commits to the record, in base64.")
    receipt: str | None = covered(
        "Proof that the leaf stands in the signed tree (C2SP tlog-proof); null for a second until"
        " the tree over it is signed."
    )


@strawberry.type(description="A page of accesses to one's own record, the newest first.")
class OwnAccesses:
    """Accesses, and how to go on."""

    accesses: list[OwnAccess] = covered("The accesses.")
    next: str | None = covered("What `after` takes for the next page; null on the last.")


@strawberry.type(description="That a recipient is told of an access later.")
class Delay:
    """Until when an access is not shown to those it is about."""

    place: strawberry.ID = covered("The place of the record.")
    until: datetime.datetime = covered("Until when.")


def mutation_fields() -> dict[str, tuple[Any, Any]]:
    """What auditors do."""

    def delay_telling(
        info: strawberry.Info,
        place: strawberry.ID,  # noqa: ARG001 - what is done with arguments is done before
        until: datetime.datetime,  # noqa: ARG001 - the same
        reason: str,  # noqa: ARG001 - the same
    ) -> Delay:
        delay: Delay = info.context.done["delayTelling"]
        return delay

    return {
        "delayTelling": (
            Delay,
            needing(
                AUDIT,
                delay_telling,
                "Show an access to those it is about later only, while it is investigated. A time"
                " in the past ends the delay.",
            ),
        )
    }


def query_fields() -> dict[str, tuple[Any, Any]]:
    """The questions of auditors."""

    def accesses(
        info: strawberry.Info,
        person: str | None = None,  # noqa: ARG001 - what is done with arguments is done before
        office: str | None = None,  # noqa: ARG001 - the same
        purpose: str | None = None,  # noqa: ARG001 - the same
        case: strawberry.ID | None = None,  # noqa: ARG001 - the same
        subject: strawberry.ID | None = None,  # noqa: ARG001 - the same
        item: str | None = None,  # noqa: ARG001 - the same
        outcome: str | None = None,  # noqa: ARG001 - the same
        since: datetime.datetime | None = None,  # noqa: ARG001 - the same
        until: datetime.datetime | None = None,  # noqa: ARG001 - the same
        indicator: str | None = None,  # noqa: ARG001 - the same
        first: int = 20,  # noqa: ARG001 - the same
        after: str | None = None,  # noqa: ARG001 - the same
        proofs: bool = False,  # noqa: ARG001, FBT002 - the same; GraphQL names its arguments
    ) -> LogPage:
        page: LogPage = info.context.done["accesses"]
        return page

    def misuse(
        info: strawberry.Info,
        names: list[str] | None = None,  # noqa: ARG001 - the same
        since: datetime.datetime | None = None,  # noqa: ARG001 - the same
        until: datetime.datetime | None = None,  # noqa: ARG001 - the same
    ) -> MisuseReport:
        report: MisuseReport = info.context.done["misuseIndicators"]
        return report

    def own_accesses(
        info: strawberry.Info,
        since: datetime.datetime | None = None,  # noqa: ARG001 - the same
        until: datetime.datetime | None = None,  # noqa: ARG001 - the same
        first: int = 20,  # noqa: ARG001 - the same
        after: str | None = None,  # noqa: ARG001 - the same
    ) -> OwnAccesses:
        own: OwnAccesses = info.context.done["ownAccesses"]
        return own

    return {
        "ownAccesses": (
            OwnAccesses,
            needing(
                Acts(frozenset({"self"})),
                own_accesses,
                "Who looked at the caller's own record, why and at what, the newest first.",
            ),
        ),
        "misuseIndicators": (
            MisuseReport,
            needing(
                AUDIT,
                misuse,
                "Indicators of misuse, all or those named, over a time: the last year where"
                " none is given.",
            ),
        ),
        "accesses": (
            LogPage,
            needing(
                AUDIT,
                accesses,
                "Records of the query log by who, where, why, about whom and when, the newest"
                " first. `subject` and `case` come by variables only.",
            ),
        ),
    }
