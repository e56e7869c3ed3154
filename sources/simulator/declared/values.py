"""Made values of declared items: pure functions of the seed, the item and the row.

A value is what the hub should end up with (whole won, ISO dates), or the agency's code where the
item has codes. How it is written on the wire is another module's matter.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sources.declaration import Item
from sources.simulator import resident
from sources.simulator.calendar import ASSESSED_YEAR, THIS_MONTH, TODAY, iso_dates, iso_months
from sources.simulator.draw import Draws, Ints, spread
from sources.simulator.identifiers import id_text
from sources.simulator.names import OCCUPATIONS, SECTORS, business_number, employer_name
from sources.simulator.places import DISTRICTS
from sources.simulator.population import Population

_YEAR_OF_WON = ((0, 0), (6000, 0), (8000, 1_200_000), (9500, 9_000_000), (10_000, 60_000_000))
_AMOUNT = ((0, 0), (5000, 0), (8000, 350_000), (9500, 4_000_000), (10_000, 90_000_000))
"""Most people have nothing at most agencies (per ten thousand, won; chosen for the model)."""
_INCOMES = ("earned", "business", "interest", "dividend", "rental", "pension", "other")
_ABSENT = 600
"""Values in ten thousand that the agency knows there are none of."""

Made = list[Any]


class Values:
    """Makes the values of one population's people."""

    def __init__(self, population: Population, seed: int) -> None:
        self._population = population
        self._draws = Draws(seed)

    def of_people(self, item: Item, rows: Ints) -> Made:
        """The values of an item of people, by their rows in the population."""
        known = self._known(item, rows)
        if known is not None:
            return [self._coded(item, value) for value in known]
        return self.of(item, rows)

    def of(self, item: Item, index: Ints) -> Made:
        """The values of an item at any numbers: entries of lists, cases, keys of other kinds."""
        made = self._codes(item, index) if item.codes else _BY_TYPE[item.type](self, item, index)
        if len(item.path) == 2:
            return made
        absent = self._draws.chance(f"{item.name}.absent", index, _ABSENT).tolist()
        return [None if gone else value for value, gone in zip(made, absent, strict=True)]

    def lengths(self, name: str, rows: Ints) -> Ints:
        """How many entries each person has in a list: none to three."""
        return self._draws.below(f"{name}.length", rows, 4)

    def _known(self, item: Item, rows: Ints) -> Made | None:
        """What the population says of the item, by the place where it counts or by its name."""
        for place in item.places:
            part, _, kind = place.partition(".")
            if part == "income" and kind in _INCOMES and item.type == "Won":
                yearly = self._population.take(f"tax.{kind}", rows)
                parts = 12 if item.per == "month" else 1
                # Whole thousands, since some agencies write money in thousands.
                return [max(value, 0) // parts // 1000 * 1000 for value in yearly.tolist()]
            if place in _OF_PERSON:
                return _OF_PERSON[place](self._population, rows)
        if item.category in ("identity", "contact") and item.path[-1] in _BY_NAME:
            return _OF_PERSON[_BY_NAME[item.path[-1]]](self._population, rows)
        return None

    def _coded(self, item: Item, value: Any) -> Any:
        if not item.codes or value is None:
            return _as_declared(item, value)
        words = {word: code for code, word in item.codes.items()}
        return words.get(str(value).lower(), next(iter(item.codes)))

    def _codes(self, item: Item, index: Ints) -> Made:
        codes = list(item.codes)
        return [codes[place] for place in self._draws.below(item.name, index, len(codes)).tolist()]

    def text(self, item: Item, index: Ints) -> Made:
        """Text that shows it is made: a known kind of name, or the item's own name and a number."""
        numbers = self._draws.below(item.name, index, 100_000).tolist()
        make = _texts(item)
        return [make(number) for number in numbers]

    def whole(self, item: Item, index: Ints) -> Made:
        """A small number; a year where the item is one."""
        if "year" in item.path[-1].lower():
            return [ASSESSED_YEAR] * len(index)
        return list(self._draws.below(item.name, index, 40).tolist())

    def fraction(self, item: Item, index: Ints) -> Made:
        """Hundredths up to a hundred."""
        return [value / 100 for value in self._draws.below(item.name, index, 10_000).tolist()]

    def yes(self, item: Item, index: Ints) -> Made:
        """Yes for one in four."""
        return list(self._draws.chance(item.name, index, 2500).tolist())

    def day(self, item: Item, index: Ints) -> Made:
        """A day of the last ten years."""
        return iso_dates(TODAY - self._draws.below(item.name, index, 3650))

    def month(self, item: Item, index: Ints) -> Made:
        """A month of the last two years."""
        return iso_months(THIS_MONTH - self._draws.below(item.name, index, 24))

    def won(self, item: Item, index: Ints) -> Made:
        """An amount, whole thousands: nothing for most, long-tailed for the others."""
        points = _YEAR_OF_WON if item.per == "year" else _AMOUNT
        amounts = spread(self._draws.rank(item.name, index), points)
        if item.per == "month":
            amounts = amounts // 20
        return list((amounts // 1000 * 1000).tolist())


def _as_declared(item: Item, value: Any) -> Any:
    """A person's value in the type that the item is declared of, or none."""
    fits = {"Boolean": bool, "Int": int, "Won": int, "Float": float}.get(item.type, str)
    return value if value is None or isinstance(value, fits) else None


def _sexes(population: Population, rows: Ints) -> Made:
    return [("male", "female")[code - 1] for code in population.take("person.sex", rows).tolist()]


def _ids(population: Population, rows: Ints) -> Made:
    return list(id_text(population.take("person.id", rows)))


def _resident(name: str) -> Callable[[Population, Ints], Made]:
    return resident.AGENCY.fields[name]


_OF_PERSON: Mapping[str, Callable[[Population, Ints], Made]] = {
    "identity.id": _ids,
    "identity.sex": _sexes,
    "identity.status": _resident("registrationStatus"),
    "identity.protected": _resident("safeAddress"),
    "household.id": _resident("householdId"),
    "household.type": _resident("householdType"),
    "household.relationToHead": _resident("relationToHead"),
    "household.livingAlone": _resident("livingAlone"),
    **{
        f"identity.{name}": _resident(name)
        for name in (
            *("name", "birthDate", "nationality", "address", "postcode", "district", "province"),
            "deathDate",
        )
    },
}
"""Places of the unified view whose values the population knows."""
_BY_NAME = {
    "name": "identity.name",
    "birthDate": "identity.birthDate",
    "address": "identity.address",
    "postcode": "identity.postcode",
    "district": "identity.district",
    "householdId": "household.id",
}
"""Names of items that are of the person whatever the agency."""


def _texts(item: Item) -> Callable[[int], str]:
    """How text of an item is made from a number: by the words in its name."""
    name = item.path[-1].lower()
    if "registration" in name or "businessnumber" in name:
        return business_number
    if any(word in name for word in ("employer", "payer", "company", "institution", "workplace")):
        return employer_name
    if "occupation" in name:
        return lambda number: OCCUPATIONS[number % len(OCCUPATIONS)]
    if "sector" in name or "industry" in name:
        return lambda number: SECTORS[number % len(SECTORS)]
    if "district" in name:
        return lambda number: DISTRICTS.codes[number % len(DISTRICTS.codes)]
    if item.type == "ID":
        return lambda number: f"{item.source.upper()}-{number:06}"
    return lambda number: f"{item.path[-1]} {number % 100}"


_BY_TYPE: Mapping[str, Callable[[Values, Item, Ints], Made]] = {
    "String": Values.text,
    "ID": Values.text,
    "Int": Values.whole,
    "Float": Values.fraction,
    "Boolean": Values.yes,
    "Date": Values.day,
    "Month": Values.month,
    "Won": Values.won,
}
