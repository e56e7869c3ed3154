"""The resident register's service."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sources.simulator.agency import (
    Agency,
    ListItem,
    Values,
    everyone,
    listed,
    made,
    turned,
    word,
)
from sources.simulator.calendar import REFERENCE, iso_dates
from sources.simulator.draw import Draws, Ints
from sources.simulator.identifiers import id_text
from sources.simulator.names import NATIONALITIES, person_name
from sources.simulator.people import ABROAD, DECEASED, RELATIONS, STATUSES, TYPES
from sources.simulator.places import DISTRICTS, address, postcode
from sources.simulator.population import Population, spans


def _names(population: Population, rows: Ints) -> list[Any]:
    parts = (
        population.take(f"person.{name}", rows) for name in ("surname", "given", "nationality")
    )
    return [person_name(*part) for part in zip(*(part.tolist() for part in parts), strict=True)]


def _of_home(column: str, make: Callable[[int], Any]) -> Values:
    """A value of the address, which the dead keep as their last one."""

    def values(population: Population, rows: Ints) -> list[Any]:
        homes = population.take("person.household", rows)
        return [make(value) for value in population.take(f"home.{column}", homes).tolist()]

    return values


def _of_household(values: Callable[[Population, Ints, Ints], list[Any]]) -> Values:
    """A value of the household; the dead belong to none."""

    def checked(population: Population, rows: Ints) -> list[Any]:
        homes = population.take("person.household", rows)
        dead = (population.take("person.status", rows) == DECEASED).tolist()
        found = values(population, rows, homes)
        return [None if gone else value for value, gone in zip(found, dead, strict=True)]

    return checked


def _types(population: Population, _rows: Ints, homes: Ints) -> list[Any]:
    return [TYPES[code] for code in population.take("home.type", homes).tolist()]


def _relations(population: Population, rows: Ints, _homes: Ints) -> list[Any]:
    return [RELATIONS[code] for code in population.take("person.role", rows).tolist()]


def _alone(population: Population, _rows: Ints, homes: Ints) -> list[Any]:
    living, _ = _members_of(population, homes)
    return [count == 1 for count in living.tolist()]


def _members_of(population: Population, homes: Ints) -> tuple[Ints, Ints]:
    """The living members of each household."""
    sizes, places = spans(population.take("home.start", homes), population.take("home.size", homes))
    living = population.take("person.status", places) != DECEASED
    owner = np.repeat(np.arange(len(sizes)), sizes)
    return np.bincount(owner[living], minlength=len(sizes)).astype(np.int64), places[living]


def _members(population: Population, rows: Ints) -> tuple[Ints, Ints]:
    """The members of each person's household; none for the dead."""
    counts, places = _members_of(population, population.take("person.household", rows))
    kept = population.take("person.status", rows) != DECEASED
    return np.where(kept, counts, 0), places[np.repeat(kept, counts)]


def _safe(population: Population, rows: Ints) -> list[Any]:
    """Three households in a thousand keep their address safe; none that the demo's persons have."""
    homes = population.take("person.household", rows)
    drawn = Draws(0).below("safe-address", homes, 1000) < 3
    safe: list[Any] = (drawn & (homes > 5)).tolist()
    return safe


def _previous(population: Population, rows: Ints) -> list[Any]:
    counts, places = population.entries("history", rows)
    firsts = np.cumsum(counts) - counts
    codes = population.take("history.address", places).tolist()
    return [
        address(codes[first]) if count else None
        for first, count in zip(firsts.tolist(), counts.tolist(), strict=True)
    ]


AGENCY = Agency(
    name="resident",
    path="/persons/query",
    keys="ids",
    items="fields",
    records=("records",),
    key="id",
    as_of="asOf",
    as_of_value=REFERENCE.isoformat(),
    known=everyone,
    fields={
        "name": _names,
        "birthDate": turned("person.birth", iso_dates),
        "sex": made("person.sex", str),
        "nationality": word("person.nationality", NATIONALITIES),
        "address": _of_home("address", address),
        "postcode": _of_home("address", postcode),
        "district": _of_home("district", lambda code: DISTRICTS.codes[code]),
        "province": _of_home("district", lambda code: DISTRICTS.provinces[code]),
        "moveInDate": turned("person.move_in", iso_dates),
        "previousAddress": _previous,
        "registrationStatus": word("person.status", STATUSES),
        "deathDate": turned("person.death", iso_dates),
        "registeredAbroad": lambda population, rows: (
            population.take("person.status", rows) == ABROAD
        ).tolist(),
        "householdId": _of_household(
            lambda _, __, homes: [f"H{number:08}" for number in homes.tolist()]
        ),
        "householdType": _of_household(_types),
        "relationToHead": _of_household(_relations),
        "livingAlone": _of_household(_alone),
        "safeAddress": _safe,
    },
    lists={
        "members": ListItem(
            _members,
            {
                "id": turned("person.id", id_text),
                "birthDate": turned("person.birth", iso_dates),
                "relation": word("person.role", RELATIONS),
                "safeAddress": _safe,
            },
        ),
        "addressHistory": listed(
            "history",
            {
                "address": made("history.address", address),
                "from": turned("history.since", iso_dates),
                "until": turned("history.until", iso_dates),
            },
        ),
    },
)
