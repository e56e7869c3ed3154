"""A population on disk: making it block by block, and reading it by mapping its columns."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sources.simulator import sample
from sources.simulator.awards import case_serials, make_awards
from sources.simulator.calendar import REFERENCE, month_of, ymd
from sources.simulator.columns import Writer, read_column
from sources.simulator.draw import Draws, Ints
from sources.simulator.holdings import make_holdings
from sources.simulator.identifiers import id_numbers, id_text, identifiers
from sources.simulator.layout import TYPES
from sources.simulator.people import People, make_history, make_homes, make_people
from sources.simulator.places import DISTRICTS
from sources.simulator.taxes import make_taxes
from sources.simulator.work import make_work

VERSION = 3
"""Raised when the same seed would give other people."""
FEWEST, MOST = 500, 14_000_000
BLOCK = 1 << 15


@dataclass(frozen=True)
class Recipe:
    """What decides a population, wholly."""

    people: int
    seed: int

    def identity(self) -> dict[str, Any]:
        """The part of the manifest that must agree for a population to be reused."""
        return {
            "people": self.people,
            "seed": self.seed,
            "version": VERSION,
            "reference_date": REFERENCE.isoformat(),
        }


def read_manifest(directory: Path) -> dict[str, Any] | None:
    """The manifest, or None where no complete population is."""
    try:
        manifest: dict[str, Any] = json.loads((directory / "manifest.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return manifest


def holds(directory: Path, recipe: Recipe) -> bool:
    """Whether the directory holds just this population, completely."""
    manifest = read_manifest(directory) or {}
    return all(manifest.get(name) == value for name, value in recipe.identity().items())


def generate(
    recipe: Recipe, directory: Path, advance: Callable[[int], None], block: int = BLOCK
) -> dict[str, Any]:
    """Make the population anew; `advance` is told how many people were added.

    `block` is the number of households made at once, which decides memory and nothing else.

    The manifest is written last: a directory without one is half-made. Raises OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "manifest.json").unlink(missing_ok=True)
    for stale in directory.glob("*.npy"):
        stale.unlink()
    types = {
        f"{table}.{name}": kind for table, part in TYPES.items() for name, kind in part.items()
    }
    with Writer(directory, types) as writer:
        households = _write_blocks(recipe, writer, advance, block)
    _write_identifiers(recipe, directory)
    manifest = recipe.identity() | {"households": households, "sample": _sample(directory)}
    unfinished = directory / "manifest.part"
    unfinished.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")
    unfinished.rename(directory / "manifest.json")
    return manifest


def _write_blocks(
    recipe: Recipe, writer: Writer, advance: Callable[[int], None], block: int
) -> int:
    draws, ends = Draws(recipe.seed), dict[str, int]()
    row, household = 0, 0
    while row < recipe.people:
        homes = make_homes(draws, household, block, recipe.people - row)
        people = make_people(draws, homes, row)
        _write_block(people, writer, ends)
        row += len(people.row)
        household += len(homes.size)
        advance(len(people.row))
    return household


def _write_block(people: People, writer: Writer, ends: dict[str, int]) -> None:
    """All that every agency holds about a block of people."""
    homes = people.homes
    work = make_work(people)
    holdings = make_holdings(people)
    taxes = make_taxes(people, work, holdings.landlord)
    awards = make_awards(people, taxes.income, holdings.landlord)
    writer.append(
        "home",
        {
            "start": homes.start + people.row[0],
            "size": homes.size,
            "type": homes.type,
            "district": homes.district,
            "address": homes.address,
        },
    )
    persons = {"household": people.home + homes.first}
    persons |= {name: getattr(people, name) for name in TYPES["person"] if name != "household"}
    writer.append("person", persons)
    writer.append("labour", {name: getattr(work, name) for name in TYPES["labour"]})
    writer.append("tax", {name: getattr(taxes, name) for name in TYPES["tax"]})
    writer.append("benefit", {"client": awards.client})
    writer.append("case", awards.cases)
    counts, history = make_history(people)
    writer.append("history", history | {"end": _running("history", counts, ends)})
    lists = {
        "job": work.jobs,
        "daily": work.daily,
        "unemployment": work.unemployment,
        "withholding": taxes.withholdings,
        "business": taxes.businesses,
        "receipt": awards.receipts,
        **holdings.tables,
    }
    for table, (counts, columns) in lists.items():
        writer.append(table, columns | {"end_row": _running(table, counts, ends)})


def _running(table: str, counts: Ints, ends: dict[str, int]) -> Ints:
    """Where each person's rows of a list table end, over all blocks."""
    total = np.cumsum(counts) + ends.get(table, 0)
    ends[table] = int(total[-1])
    return total


def _write_identifiers(recipe: Recipe, directory: Path) -> None:
    """What needs the whole population: unique identifiers, their index, numbers of cases."""
    born = ymd(read_column(directory, "person.birth"))
    sex = read_column(directory, "person.sex").astype(np.int64)
    foreign = read_column(directory, "person.nationality") > 0
    numbers = identifiers(born, sex, foreign, recipe.seed)
    del born, sex, foreign
    np.save(directory / "person.id.npy", numbers)
    order = np.argsort(numbers).astype(np.uint32)
    np.save(directory / "id.row.npy", order)
    np.save(directory / "id.sorted.npy", numbers[order])
    opened = read_column(directory, "case.opened").astype(np.int64)
    district = read_column(directory, "case.district").astype(np.int64)
    np.save(directory / "case.serial.npy", case_serials(opened, district).astype(np.uint32))


def _sample(directory: Path) -> dict[str, Any]:
    """The persons that demos and tests start from."""
    population = Population(directory)
    every = np.arange(sample.SHAPED_ROWS)
    names = id_text(population.take("person.id", every))
    cases = np.flatnonzero(population.column("case.applicant") == sample.RECIPIENT)
    return {
        "recipient": names[sample.RECIPIENT],
        "case": population.case_references(cases)[0],
        "programme": sample.PROGRAMME,
        "district": sample.DISTRICT,
        "office": f"office-{sample.DISTRICT}",
        "personas": {
            one.role: {
                "person": one.person,
                "recipient": names[one.row],
                "office": one.office,
                "district": one.district,
            }
            for one in (*sample.PERSONAS, *sample.OVERSEERS)
        },
    }


class Population:
    """A population for reading. Columns are mapped on first use and never changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.column: Callable[[str], Ints] = cache(self._read)

    def _read(self, name: str) -> Ints:
        return read_column(self.directory, name)

    def take(self, name: str, index: npt.NDArray[np.integer[Any]]) -> Ints:
        """Values of a column at some places, wide enough to calculate with."""
        values: Ints = self.column(name)[index].astype(np.int64)
        return values

    def rows(self, ids: list[Any]) -> Ints:
        """The people's rows, -1 for an identifier that nobody has."""
        wanted = id_numbers(ids)
        known = self.column("id.sorted")
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        rows: Ints = np.where(known[at] == wanted, self.take("id.row", at), -1)
        return rows

    def entries(self, table: str, rows: Ints) -> tuple[Ints, Ints]:
        """How many rows of a list table each person has, and where these are."""
        name = "history.end" if table == "history" else f"{table}.end_row"
        ends = self.take(name, rows)
        starts = np.where(rows > 0, self.take(name, np.maximum(rows - 1, 0)), 0)
        return spans(starts, ends - starts)

    def case_references(self, cases: npt.NDArray[np.integer[Any]]) -> list[str]:
        """References as `year-district-serial`."""
        years = (month_of(self.take("case.opened", cases)) // 12).tolist()
        districts = self.take("case.district", cases).tolist()
        serials = self.take("case.serial", cases).tolist()
        return [
            f"{year}-{DISTRICTS.codes[district]}-{serial:06}"
            for year, district, serial in zip(years, districts, serials, strict=True)
        ]


def spans(starts: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The places starts[i] .. starts[i] + counts[i] - 1 for every i, one after another."""
    shift = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return counts, shift + np.arange(len(shift))
