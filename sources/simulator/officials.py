"""The register of officials: who works in the welfare office of each district."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from sources.simulator.agency import Agency, ListItem, everyone, turned
from sources.simulator.calendar import REFERENCE, TODAY
from sources.simulator.draw import Draws, Ints
from sources.simulator.identifiers import id_text
from sources.simulator.people import DECEASED
from sources.simulator.places import DISTRICTS
from sources.simulator.population import Population, spans
from sources.simulator.sample import OVERSEERS, PERSONAS, SHAPED_ROWS

_PREFIX = "office-"
_ADULT_DAYS, _OLD_DAYS = 24 * 365, 60 * 365
_IN_THOUSAND = 20
_EVERY = 8
"""One case in so many is of an official of its own office: far more than there are, so that small
populations have some too (K)."""


def offices(_: Population, keys: Sequence[str]) -> Ints:
    """The district of each office, -1 where there is no such office."""
    known = {f"{_PREFIX}{code}": place for place, code in enumerate(DISTRICTS.codes)}
    return np.array([known.get(key, -1) for key in keys], dtype=np.int64)


@cache
def _staff(population: Population) -> tuple[Ints, Ints]:
    """Everybody who works at an office, in the order of offices, and where each office ends.

    The demo's officials work where their tokens say, others in the district they live in. Of the
    other shaped people nobody does.
    """
    rows = np.arange(len(population.column("person.id")))
    homes = population.take("person.household", rows)
    age = TODAY - population.take("person.birth", rows)
    drawn = Draws(0).below("official", rows, 1000) < _IN_THOUSAND
    drawn &= (age > _ADULT_DAYS) & (age < _OLD_DAYS) & (rows >= SHAPED_ROWS)
    drawn &= population.take("person.status", rows) != DECEASED
    office = np.where(drawn, population.take("home.district", homes), -1)
    cases = np.arange(_EVERY - 1, len(population.column("case.applicant")), _EVERY)
    applicants = population.take("case.applicant", cases)
    able = (age[applicants] > _ADULT_DAYS) & (applicants >= SHAPED_ROWS)
    able &= population.take("person.status", applicants) != DECEASED
    office[applicants[able]] = population.take("case.district", cases[able])
    for one in (*PERSONAS, *OVERSEERS):
        code = one.office.removeprefix(_PREFIX)
        if code in DISTRICTS.codes:
            office[one.row] = DISTRICTS.place(code)
    found = np.flatnonzero(office >= 0)
    staff = found[np.argsort(office[found], kind="stable")]
    counts = np.bincount(office[staff], minlength=len(DISTRICTS.codes))
    return staff, np.cumsum(counts)


def staff_of(population: Population, districts: Ints) -> tuple[Ints, Ints]:
    """How many people work at the office of each district, and their rows."""
    staff, ends = _staff(population)
    starts = np.where(districts > 0, ends[np.maximum(districts - 1, 0)], 0)
    counts, places = spans(starts, ends[districts] - starts)
    return counts, staff[places]


AGENCY = Agency(
    name="officials",
    path="/offices/query",
    keys="offices",
    items="fields",
    records=("offices",),
    key="office",
    as_of="asOf",
    as_of_value=REFERENCE.isoformat(),
    known=everyone,
    fields={},
    lists={"officials": ListItem(staff_of, {"id": turned("person.id", id_text)})},
    rows=offices,
)
