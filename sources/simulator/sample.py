"""The few households that are shaped, so that every population holds the sample persons.

Household 0 is that of the sample recipient, rich in records at all five agencies; households
1 to 5 are those of the demo's officials as residents, without a case. All else in them, and
all other households, are drawn.
"""

from dataclasses import dataclass
from datetime import date

from sources.simulator.calendar import NONE, day
from sources.simulator.draw import Ints, Mask
from sources.simulator.places import DISTRICTS

PROGRAMME = "livelihood"
DISTRICT = "11110"
OFFICIAL = 3
OPENED = day(date(2026, 10, 5))
RECIPIENT = 0
_CHILDREN = (2, 3)
_COUPLE, _FAMILY = 1, 3
_EMPLOYER = 100_043
_FEBRUARY_2025 = day(date(2025, 2, 28))


@dataclass(frozen=True)
class Persona:
    """An official of the demo: a name for the role, the row of the person, the office."""

    role: str
    person: str
    row: int
    district: str
    office: str


PERSONAS = (
    Persona("caseworker", "official-11110-03", 4, "11110", "office-11110"),
    Persona("caseworker2", "official-26350-02", 6, "26350", "office-26350"),
    Persona("policy", "policy-01", 8, "36110", "office-policy"),
    Persona("auditor", "auditor-01", 10, "41110", "office-audit"),
    Persona("officer", "privacy-01", 12, "30170", "office-privacy"),
)
OVERSEERS = (Persona("supervisor", "supervisor-26350-01", 7, "26350", "office-26350"),)
"""Who approves and reviews; a spouse in one of the officials' households."""
SHAPED_ROWS = 14
SHAPED_HOMES = 6


def shape_homes(first: int, layout: Ints, district: Ints, rank: Ints) -> None:
    """Kinds, districts and means of the shaped households."""
    if first:
        return
    layout[:SHAPED_HOMES] = [_FAMILY, *(_COUPLE for _ in PERSONAS)]
    district[:SHAPED_HOMES] = [
        DISTRICTS.place(code) for code in (DISTRICT, *(one.district for one in PERSONAS))
    ]
    rank[:SHAPED_HOMES] = [14_000, *(44_000 for _ in PERSONAS)]


def shape_ages(first_row: int, wanted: Ints, sex: Ints) -> None:
    """A couple in the forties with children of 13 and 6; officials of 34 to 51."""
    if first_row:
        return
    wanted[:SHAPED_ROWS] = [44, 42, 13, 6, 41, 38, 46, 45, 34, 35, 51, 49, 39, 40]
    sex[:4] = [1, 2, 2, 1]


def shape_registration(first_row: int, status: Ints, death: Ints, nationality: Ints) -> None:
    """All of them are residents."""
    if first_row:
        return
    status[:SHAPED_ROWS] = 0
    death[:SHAPED_ROWS] = NONE
    nationality[:SHAPED_ROWS] = 0


def shape_history(first_row: int, wanted: Ints) -> None:
    """The recipient has lived at two addresses before."""
    if not first_row:
        wanted[RECIPIENT] = 2


def shape_state(first_row: int, state: Ints) -> None:
    """The recipient works part-time, officials are in regular jobs, children do nothing."""
    if first_row:
        return
    state[:SHAPED_ROWS] = 1
    state[RECIPIENT] = 3
    state[1] = 0
    state[list(_CHILDREN)] = 0


def shape_jobs(first_row: int, held: list[Mask], slots: list[dict[str, Ints]]) -> None:
    """The recipient has a part-time job, and lost a regular one in 2025."""
    if first_row:
        return
    now = {"employer": _EMPLOYER, "occupation": 5, "contract": 3, "hours": 24}
    now |= {"start": day(date(2025, 11, 3)), "end": NONE, "pay": 1_150_000}
    before = {"employer": _EMPLOYER + 977, "occupation": 18, "contract": 1, "hours": 40}
    before |= {"start": day(date(2019, 4, 1)), "end": _FEBRUARY_2025, "pay": 2_540_000}
    for turn, wanted in ((0, now), (1, None), (2, before), (3, None)):
        held[turn][RECIPIENT] = wanted is not None
        for name, value in (wanted or {}).items():
            slots[turn][name][RECIPIENT] = value


def shape_daily(first_row: int, held: list[Mask], slots: list[dict[str, Ints]]) -> None:
    """The recipient adds a few days of daily work in two months."""
    if first_row:
        return
    for turn, (mask, slot) in enumerate(zip(held, slots, strict=True)):
        mask[RECIPIENT] = turn < 2
        slot["days"][RECIPIENT] = 3 - turn
        slot["pay"][RECIPIENT] = (3 - turn) * 140_000


def shape_unemployment(first_row: int, held: list[Mask], slots: list[dict[str, Ints]]) -> None:
    """The recipient drew unemployment benefit after the regular job."""
    if first_row:
        return
    held[0][RECIPIENT] = True
    start = day(date(2025, 3, 17))
    wanted = {
        "start": start,
        "until": start + 209,
        "daily": 66_048,
        "paid": 66_048 * 210,
        "state": 1,
    }
    for name, value in wanted.items():
        slots[0][name][RECIPIENT] = value


def shape_side(first_row: int, side: Mask) -> None:
    """The recipient runs a small business beside the job."""
    if not first_row:
        side[RECIPIENT] = True


def shape_income(
    first_row: int, from_jobs: Ints, from_days: Ints, incomes: dict[str, Ints]
) -> None:
    """The recipient has a little of several kinds of income."""
    if first_row:
        return
    from_jobs[RECIPIENT] = 13_260_000
    from_days[RECIPIENT] = 840_000
    wanted = {"business": 600_000, "interest": 14_200, "dividend": 3_100, "other": 300_000}
    for name, amounts in incomes.items():
        amounts[RECIPIENT] = wanted.get(name, 0)
    for child in _CHILDREN:
        from_jobs[child] = 0


def shape_known(first_row: int, known: Mask) -> None:
    """The tax office knows every shaped adult."""
    if not first_row:
        known[:SHAPED_ROWS] = True
        known[list(_CHILDREN)] = False


def shape_property(
    first_row: int, tables: dict[str, tuple[list[Mask], list[dict[str, Ints]]]]
) -> None:
    """The recipient rents the home, owns a small inherited field and an old car."""
    if first_row:
        return
    wanted: dict[str, dict[str, int]] = {
        "lease": {
            "tenant": 1,
            "deposit": 30_000_000,
            "rent": 380_000,
            "start": day(date(2025, 8, 20)),
            "until": day(date(2027, 8, 19)),
        },
        "land": {
            "district": DISTRICTS.place("46780"),
            "category": 1,
            "area": 41_200,
            "share": 50,
            "price": 4_120_000,
            "acquired": day(date(2018, 6, 11)),
        },
        "vehicle": {
            "model": 2,
            "year": 2012,
            "use": 0,
            "value": 1_870_000,
            "acquired": day(date(2020, 9, 7)),
        },
    }
    for table, (held, slots) in tables.items():
        for mask in held:
            mask[:4] = False
        if table in wanted:
            held[0][RECIPIENT] = True
            for name, value in wanted[table].items():
                slots[0][name][RECIPIENT] = value


def shape_awards(first_row: int, programme: str, received: Mask, case: Mask, opened: Mask) -> None:
    """The recipient gets housing benefit and child allowance and has asked for livelihood."""
    if first_row:
        return
    received[:SHAPED_ROWS] = False
    case[:SHAPED_ROWS] = False
    received[RECIPIENT] = programme in ("housing", "child-allowance")
    case[RECIPIENT] = opened[RECIPIENT] = programme == PROGRAMME
