"""The people and cases that access cases speak of, found in the demo's population."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np

from sources.simulator import officials, resident
from sources.simulator.awards import PROGRAMMES, RECEIPT_STATES
from sources.simulator.calendar import NONE, THIS_MONTH
from sources.simulator.draw import Ints
from sources.simulator.identifiers import id_text
from sources.simulator.people import DECEASED
from sources.simulator.places import DISTRICTS
from sources.simulator.population import Population
from sources.simulator.sample import RECIPIENT, SHAPED_ROWS
from tests.demo import Demo

NOBODY = "998899-1000000"
MALFORMED = "no such; id"
NO_CASE = "2026-11110-999999"


class World:
    """Whom a phrase of an access case means: `member`, `open basic-pension`, `receiver housing`."""

    def __init__(self, demo: Demo) -> None:
        self.population = Population(demo.folder / "population")
        self.sample = demo.recipient
        self.case = cache(self._case)
        self.sample_case = str(demo.info["sample"]["case"])

    def ids(self, rows: Any) -> list[str]:
        """Recipient ids of rows."""
        return id_text(self.population.take("person.id", np.asarray(rows, dtype=np.int64)))

    def row(self, key: str) -> int:
        """The row of a recipient id, -1 for nobody's."""
        return int(self.population.rows([key])[0])

    @cached_property
    def _homes(self) -> Ints:
        people = np.arange(len(self.population.column("person.id")))
        return self.population.take("person.household", people)

    @cached_property
    def _living(self) -> Any:
        return self.population.column("person.status") != DECEASED

    @cached_property
    def _districts(self) -> Ints:
        return self.population.take("home.district", self._homes)

    def district(self, key: str) -> str:
        """The code of the district that somebody lives in."""
        return DISTRICTS.codes[int(self._districts[self.row(key)])]

    def members(self, key: str) -> list[str]:
        """The living members of somebody's household, as the register lists them."""
        row = self.row(key)
        if row < 0 or not self._living[row]:
            return []
        return self.ids(np.flatnonzero((self._homes == self._homes[row]) & self._living))

    @cached_property
    def applicants(self) -> dict[str, str]:
        """The applicant of every case."""
        cases = np.arange(len(self.population.column("case.applicant")))
        people = self.ids(self.population.take("case.applicant", cases))
        return dict(zip(self.population.case_references(cases), people, strict=True))

    def _case(self, words: str) -> str:
        """The reference of `open PROGRAMME` or `closed PROGRAMME`, of a household of several."""
        if words == "none":
            return self.sample_case
        state, _, programme = words.partition(" ")
        cases = np.arange(len(self.population.column("case.applicant")))
        closed = self.population.take("case.closed", cases) != NONE
        applicant = self.population.take("case.applicant", cases)
        fits = self._living[applicant] & (closed == (state == "closed"))
        fits &= self.population.take("case.programme", cases) == PROGRAMMES.index(programme)
        fits &= applicant >= SHAPED_ROWS
        fits &= ~np.array([self.is_protected(int(row)) for row in applicant])
        fits &= ~np.array([self.has_official(int(row)) for row in applicant])
        own_district = self.population.take("case.district", cases) == self._districts[applicant]
        found = np.flatnonzero(fits & own_district)
        assert len(found), f"the population has no case `{words}`"
        largest = max(found, key=lambda case: len(self.members(self.ids([applicant[case]])[0])))
        return self.population.case_references(np.array([largest]))[0]

    @cached_property
    def _receipts(self) -> dict[int, list[tuple[str, str]]]:
        """Programme and state of what everybody living has receipts of in the latest month."""
        found: dict[int, list[tuple[str, str]]] = {}
        rows = np.flatnonzero(self._living)
        counts, places = self.population.entries("receipt", rows)
        columns = (
            self.population.take(f"receipt.{name}", places).tolist()
            for name in ("programme", "state", "month")
        )
        owners = np.repeat(rows, counts).tolist()
        for owner, programme, state, month in zip(owners, *columns, strict=True):
            if owner >= SHAPED_ROWS and month == THIS_MONTH:
                found.setdefault(owner, []).append((PROGRAMMES[programme], RECEIPT_STATES[state]))
        return found

    def receiver(self, programme: str, *, only: bool) -> str:
        """Somebody who is paid a programme now; `only`: and nothing else."""
        for row, receipts in self._receipts.items():
            fits = (programme, "paid") in receipts and not (only and len(receipts) > 1)
            if fits and not self.is_protected(row) and not self.has_official(row):
                return self.ids([row])[0]
        raise AssertionError(f"the population has no receiver of `{programme}`")

    def held_receiver(self) -> str:
        """Somebody who has receipts of the latest month, all of them held or reclaimed."""
        for row, receipts in self._receipts.items():
            if "paid" not in {state for _, state in receipts} and not self.has_official(row):
                return self.ids([row])[0]
        raise AssertionError("the population has nobody all of whose receipts are held")

    def is_protected(self, row: int) -> bool:
        """Whether the address of somebody, or of anybody in their household, is kept safe."""
        rows = np.flatnonzero(self._homes == self._homes[row])
        return any(resident.AGENCY.fields["safeAddress"](self.population, rows))

    @cached_property
    def _officials(self) -> set[int]:
        """The households of everybody who works at the office of any district."""
        offices = np.arange(len(DISTRICTS.codes))
        _, staff = officials.staff_of(self.population, offices)
        return set(self._homes[staff].tolist())

    def has_official(self, row: int) -> bool:
        """Whether somebody, or anybody in their household, works at an office."""
        return int(self._homes[row]) in self._officials

    def colleague(self, reference: str) -> bool:
        """Whether anybody of a case's household works at the office of the case."""
        district = DISTRICTS.place(reference.split("-")[1])
        _, staff = officials.staff_of(self.population, np.array([district]))
        home = int(self._homes[self.row(self.applicants[reference])])
        return home in set(self._homes[staff].tolist())

    def colleagues_case(self) -> str:
        """An open case of somebody who works, or whose household does, at the case's office."""
        cases = np.arange(len(self.population.column("case.applicant")))
        still = self.population.take("case.closed", cases) == NONE
        applicant = self.population.take("case.applicant", cases)
        own = self.population.take("case.district", cases) == self._districts[applicant]
        fits = still & own & self._living[applicant] & (applicant >= SHAPED_ROWS)
        for reference in self.population.case_references(np.flatnonzero(fits)):
            if self.colleague(reference) and not self.is_protected(
                self.row(self.applicants[reference])
            ):
                return reference
        raise AssertionError("the population has no colleague with a case")

    def protected_receiver(self) -> str:
        """Somebody whose address is kept safe, and who is paid something now."""
        for row, receipts in self._receipts.items():
            if "paid" not in {state for _, state in receipts} or self.has_official(row):
                continue
            if self.is_protected(row):
                return self.ids([row])[0]
        raise AssertionError("the population has no protected receiver")

    def somebody(self, fits: Callable[[int], bool]) -> str:
        """The first person not shaped whom it fits."""
        for row in range(SHAPED_ROWS, len(self._homes)):
            if fits(row):
                return self.ids([row])[0]
        raise AssertionError("the population has nobody such")

    def child(self) -> str:
        """The younger child of the sample recipient, of six years."""
        return self.ids([RECIPIENT + 3])[0]

    def neighbour(self, district: str) -> str:
        """Somebody living in a district, in whose household nobody has a case."""
        with_case = {self.row(person) for person in self.applicants.values()}
        homes = {int(self._homes[row]) for row in with_case}
        place = DISTRICTS.place(district)
        return self.somebody(
            lambda row: bool(
                self._living[row]
                and self._districts[row] == place
                and int(self._homes[row]) not in homes
            )
        )

    def elsewhere(self, district: str) -> str:
        """Somebody living in another district."""
        place = DISTRICTS.place(district)
        return self.somebody(lambda row: bool(self._living[row] and self._districts[row] != place))

    def dead(self) -> str:
        """Somebody who has died, and so is of no household."""
        return self.somebody(lambda row: not self._living[row])
