"""The tables of the agencies that give a database view: what they hold, row by row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sources.simulator.awards import (
    APPLICATION_STATUSES,
    CASE_STAGES,
    CLOSED,
    OUTCOMES,
    PROGRAMMES,
    RECEIPT_STATES,
)
from sources.simulator.calendar import NONE, REFERENCE, iso_dates, iso_months
from sources.simulator.draw import Ints
from sources.simulator.holdings import (
    BUILDING_USES,
    LAND_CATEGORIES,
    LEASE_ROLES,
    MODELS,
    STRUCTURES,
    VEHICLE_USES,
    engine_sizes,
    plates,
)
from sources.simulator.identifiers import id_text
from sources.simulator.places import DISTRICTS
from sources.simulator.population import Population

Cells = Sequence[str | int | None]
_CHUNK = 100_000


@dataclass(frozen=True)
class Table:
    """A table and the view of the same name: columns with their types, the columns of the key.

    `unique` says whether the key columns name one row; `chunks` gives the rows, column by
    column, in chunks of bounded size.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    chunks: Callable[[Population], Iterator[list[Cells]]]
    unique: bool = False


def _people(population: Population) -> Iterator[Ints]:
    total = len(population.column("person.id"))
    for first in range(0, total, _CHUNK):
        yield np.arange(first, min(first + _CHUNK, total))


def _words(codes: Ints, words: Sequence[str]) -> Cells:
    table = [*words, None]
    return [table[code] for code in codes.tolist()]


def _hundredths(values: Ints) -> Cells:
    return [f"{value // 100}.{value % 100:02}" for value in values.tolist()]


def _owners(population: Population) -> Iterator[list[Cells]]:
    for rows in _people(population):
        tables = ("land", "building", "lease", "vehicle")
        held = sum((population.entries(table, rows)[0] for table in tables), start=rows * 0)
        yield _persons(population, rows[held > 0])


def _clients(population: Population) -> Iterator[list[Cells]]:
    for rows in _people(population):
        yield _persons(population, rows[population.take("benefit.client", rows) == 1])


def _persons(population: Population, rows: Ints) -> list[Cells]:
    ids = id_text(population.take("person.id", rows))
    return [ids, [REFERENCE.isoformat()] * len(ids)]


def _listed(
    table: str, columns: Callable[[Callable[[str], Ints]], list[Cells]]
) -> Callable[[Population], Iterator[list[Cells]]]:
    """The rows of a list table: the owner's identifier before the columns made by `columns`."""

    def chunks(population: Population) -> Iterator[list[Cells]]:
        for rows in _people(population):
            counts, places = population.entries(table, rows)
            owners = np.repeat(population.take("person.id", rows), counts)
            yield [id_text(owners), *columns(partial(_take, population, table, places))]

    return chunks


def _take(population: Population, table: str, places: Ints, name: str) -> Ints:
    return population.take(f"{table}.{name}", places)


def _codes(districts: Ints) -> Cells:
    return [DISTRICTS.codes[code] for code in districts.tolist()]


def _offices(districts: Ints) -> Cells:
    return [f"office-{DISTRICTS.codes[code]}" for code in districts.tolist()]


def _land(take: Callable[[str], Ints]) -> list[Cells]:
    number, district = take("number").tolist(), take("district")
    return [
        [f"{code}-{one:08}" for code, one in zip(_codes(district), number, strict=True)],
        _codes(district),
        _words(take("category"), LAND_CATEGORIES),
        _hundredths(take("area")),
        _hundredths(take("share")),
        take("price").tolist(),
        iso_dates(take("acquired")),
    ]


def _buildings(take: Callable[[str], Ints]) -> list[Cells]:
    number, district = take("number").tolist(), take("district")
    return [
        [f"{code}-B{one:08}" for code, one in zip(_codes(district), number, strict=True)],
        _codes(district),
        _words(take("use"), BUILDING_USES),
        _words(take("structure"), STRUCTURES),
        _hundredths(take("area")),
        _hundredths(take("share")),
        take("price").tolist(),
        iso_dates(take("acquired")),
    ]


def _leases(take: Callable[[str], Ints]) -> list[Cells]:
    return [
        [f"L{one:09}" for one in take("number").tolist()],
        _words(take("tenant"), LEASE_ROLES),
        take("deposit").tolist(),
        take("rent").tolist(),
        iso_dates(take("start")),
        iso_dates(take("until")),
    ]


def _vehicles(take: Callable[[str], Ints]) -> list[Cells]:
    model = take("model")
    return [
        plates(take("number")),
        _words(model, [name for name, *_ in MODELS]),
        take("year").tolist(),
        _words(take("use"), VEHICLE_USES),
        engine_sizes(model).tolist(),
        take("value").tolist(),
        iso_dates(take("acquired")),
    ]


def _receipts(take: Callable[[str], Ints]) -> list[Cells]:
    return [
        _words(take("programme"), PROGRAMMES),
        _offices(take("office")),
        iso_months(take("month")),
        take("amount").tolist(),
        _words(take("state"), RECEIPT_STATES),
    ]


def _case_chunks(population: Population) -> Iterator[Ints]:
    total = len(population.column("case.applicant"))
    for first in range(0, total, _CHUNK):
        yield np.arange(first, min(first + _CHUNK, total))


def _applications(population: Population) -> Iterator[list[Cells]]:
    """One application for each case, by its applicant."""
    for cases in _case_chunks(population):
        applicants = population.take("case.applicant", cases)
        yield [
            id_text(population.take("person.id", applicants)),
            [f"A{reference}" for reference in population.case_references(cases)],
            _words(population.take("case.programme", cases), PROGRAMMES),
            _offices(population.take("case.district", cases)),
            iso_dates(population.take("case.applied", cases)),
            _words(population.take("case.status", cases), APPLICATION_STATUSES),
            iso_dates(population.take("case.decided", cases)),
            _words(population.take("case.outcome", cases), OUTCOMES),
        ]


def _cases(population: Population) -> Iterator[list[Cells]]:
    for cases in _case_chunks(population):
        applicants = population.take("case.applicant", cases)
        district = population.take("case.district", cases)
        officials = population.take("case.official", cases).tolist()
        closed = population.take("case.closed", cases)
        stage = np.where(closed != NONE, CLOSED, population.take("case.status", cases))
        yield [
            population.case_references(cases),
            _words(population.take("case.programme", cases), PROGRAMMES),
            [f"H{number:08}" for number in population.take("case.household", cases).tolist()],
            id_text(population.take("person.id", applicants)),
            _offices(district),
            [
                f"official-{code}-{number:02}"
                for code, number in zip(_codes(district), officials, strict=True)
            ],
            _words((closed != NONE).astype(np.int64), ("open", "closed")),
            _words(stage, CASE_STAGES),
            iso_dates(population.take("case.opened", cases)),
            iso_dates(closed),
            [REFERENCE.isoformat()] * len(cases),
        ]


_PERSON = {"resident_no": "text not null"}
_HOLDING = {"area_m2": "double precision", "owner_share": "double precision"}
_PRICED = {"official_price": "bigint", "acquired_on": "date"}

REGISTERS: Mapping[str, tuple[Table, ...]] = {
    "property": (
        Table("owner", _PERSON | {"as_of": "date"}, ("resident_no",), _owners, unique=True),
        Table(
            "land_holding",
            _PERSON
            | {"parcel_no": "text", "district": "text", "land_category": "text"}
            | _HOLDING
            | _PRICED,
            ("resident_no", "parcel_no"),
            _listed("land", _land),
        ),
        Table(
            "building_holding",
            _PERSON
            | {"building_no": "text", "district": "text", "main_use": "text", "structure": "text"}
            | _HOLDING
            | _PRICED,
            ("resident_no", "building_no"),
            _listed("building", _buildings),
        ),
        Table(
            "lease",
            _PERSON
            | {"lease_no": "text", "party_role": "text", "deposit": "bigint"}
            | {"monthly_rent": "bigint", "starts_on": "date", "ends_on": "date"},
            ("resident_no", "lease_no"),
            _listed("lease", _leases),
        ),
        Table(
            "vehicle",
            _PERSON
            | {"plate": "text", "model_name": "text", "model_year": "integer"}
            | {"use_class": "text", "engine_cc": "integer", "standard_value": "bigint"}
            | {"acquired_on": "date"},
            ("resident_no", "plate"),
            _listed("vehicle", _vehicles),
        ),
    ),
    "benefits": (
        Table("client", _PERSON | {"as_of": "date"}, ("resident_no",), _clients, unique=True),
        Table(
            "receipt",
            _PERSON
            | {"programme": "text", "office": "text", "month": "text", "amount": "bigint"}
            | {"state": "text"},
            ("resident_no", "month"),
            _listed("receipt", _receipts),
        ),
        Table(
            "application",
            _PERSON
            | {"reference": "text", "programme": "text", "office": "text", "applied_on": "date"}
            | {"status": "text", "decided_on": "date", "outcome": "text"},
            ("resident_no", "reference"),
            _applications,
        ),
        Table(
            "welfare_case",
            {"reference": "text", "programme": "text", "household_id": "text"}
            | {"applicant_no": "text", "office": "text", "official": "text", "state": "text"}
            | {"stage": "text"}
            | {"opened_on": "date", "closed_on": "date", "as_of": "date"},
            ("reference",),
            _cases,
            unique=True,
        ),
    ),
}
