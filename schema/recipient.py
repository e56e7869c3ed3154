"""Who a recipient is, where they work and what they receive, whatever agency says so."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from schema.applications import ApplicationProgress, application_progress
from schema.duplicates import Foresight, application_would_duplicate
from schema.needs import Covered, Rows, at, needing
from schema.provenance import Provenance
from schema.scalars import Month, Won
from schema.view import Keyed, Person, Row


class OfPerson:
    """Fields whose values stand at places of a person's view."""

    person: Person

    def read(self, place: str) -> Any:
        """The value at a place."""
        return self.person.read(place)


class OfKey:
    """Fields whose values stand at places of the view of a case."""

    keyed: Keyed

    def read(self, place: str) -> Any:
        """The value at a place."""
        return self.keyed.read(place)


@strawberry.type(description="Who the recipient is.")
class Identity(OfPerson):
    """Identity as the identity register holds it."""

    person: strawberry.Private[Person]
    name: str | None = at("identity.name", "Registered name, surname first.")
    birth_date: datetime.date | None = at("identity.birthDate", "Date of birth.")
    sex: str | None = at("identity.sex", "Registered sex: male or female.")
    nationality: str | None = at("identity.nationality", "Nationality, ISO 3166-1 alpha-3.")
    address: str | None = at("identity.address", "Registered address.")
    postcode: str | None = at("identity.postcode", "Postal code of the registered address.")
    district: str | None = at("identity.district", "Code of the district (si, gun, gu).")
    province: str | None = at("identity.province", "Province of the registered address.")
    status: str | None = at("identity.status", "State of the registration.")
    death_date: datetime.date | None = at("identity.deathDate", "Date of death, where reported.")


class _Listed:
    """A row shown by its places."""

    row: Row

    def read(self, place: str) -> Any:
        """The value of the row's column at a place."""
        return self.row.read(place)


def _row_provenance() -> Any:
    def read(self: Any) -> Provenance:
        return Provenance(answer=self.row.answer, keyed=self.row.owner)

    return needing(Covered(), read, "Where the row came from.")


@strawberry.type(description="A job that an agency knows of.")
class Job(_Listed):
    """One row of `employment.jobs`."""

    row: strawberry.Private[Row]
    employer: str | None = at("employment.jobs.employer", "Name of the employer.")
    occupation: str | None = at("employment.jobs.occupation", "Occupation.")
    contract: str | None = at("employment.jobs.contract", "regular, fixed-term or part-time.")
    weekly_hours: int | None = at("employment.jobs.weeklyHours", "Agreed hours a week.")
    start: datetime.date | None = at("employment.jobs.start", "First day.")
    end: datetime.date | None = at("employment.jobs.end", "Last day; absent while it goes on.")
    monthly_pay: Won | None = at("employment.jobs.monthlyPay", "Reported monthly pay.")
    provenance: Provenance = _row_provenance()


@strawberry.type(description="A benefit paid for one month.")
class Receipt(_Listed):
    """One row of `benefits.receipts`."""

    row: strawberry.Private[Row]
    programme: str | None = at("benefits.receipts.programme", "Code of the programme.")
    office: str | None = at("benefits.receipts.office", "Office that pays.")
    month: Month | None = at("benefits.receipts.month", "Month paid for.")
    amount: Won | None = at("benefits.receipts.amount", "Amount paid for the month.")
    state: str | None = at("benefits.receipts.state", "paid, held or reclaimed.")
    provenance: Provenance = _row_provenance()


@strawberry.type(description="An application for a benefit.")
class Application(_Listed):
    """One row of `applications`."""

    row: strawberry.Private[Row]
    reference: strawberry.ID | None = at("applications.reference", "Reference.")
    programme: str | None = at("applications.programme", "Code of the programme.")
    office: str | None = at("applications.office", "Office that decides.")
    applied: datetime.date | None = at("applications.applied", "Date of the application.")
    status: str | None = at("applications.status", "received, investigating, decided or withdrawn.")
    decided: datetime.date | None = at("applications.decided", "Date of the decision.")
    outcome: str | None = at("applications.outcome", "granted or refused, once decided.")
    progress: ApplicationProgress | None = application_progress()
    would_duplicate: Foresight | None = application_would_duplicate()
    provenance: Provenance = _row_provenance()


@strawberry.type(description="Work, insured or not, as agencies know it.")
class Employment(OfPerson):
    """Employment, put together from every source that counts in it."""

    person: strawberry.Private[Person]
    insured: bool | None = at("employment.insured", "Insured under employment insurance now.")
    insured_since: datetime.date | None = at(
        "employment.insuredSince", "Start of the present insured period."
    )
    job_seeking_since: datetime.date | None = at(
        "employment.jobSeekingSince", "Registered as a job-seeker since."
    )

    def _jobs(self) -> Any:
        rows = self.person.listed("employment.jobs.")
        return None if rows is None else [Job(row=row) for row in rows]

    jobs: list[Job] | None = needing(
        Rows("employment.jobs."), _jobs, "Jobs, ended ones included; null where none is known."
    )


@strawberry.type(description="What the recipient receives.")
class Benefits:
    """Benefits, put together from every source that counts in them."""

    person: strawberry.Private[Person]

    def _receipts(self) -> Any:
        rows = self.person.listed("benefits.receipts.")
        return None if rows is None else [Receipt(row=row) for row in rows]

    receipts: list[Receipt] | None = needing(
        Rows("benefits.receipts."), _receipts, "Benefits paid, a row a programme and month."
    )
