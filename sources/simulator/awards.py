"""Benefits: who receives what, who has applied, and the cases that officials work on."""

from dataclasses import dataclass

import numpy as np

from sources.simulator import sample
from sources.simulator.calendar import NONE, THIS_MONTH, TODAY, month_of
from sources.simulator.draw import Ints, Mask
from sources.simulator.people import HEAD, RESIDENT, SPOUSE, People

PROGRAMMES = (
    "livelihood",
    "medical-aid",
    "housing",
    "education",
    "basic-pension",
    "disability-pension",
    "near-poor",
    "emergency-aid",
    "child-allowance",
    "parent-benefit",
)
RECEIPT_STATES = ("paid", "held", "reclaimed")
APPLICATION_STATUSES = ("received", "investigating", "decided", "withdrawn")
CASE_STAGES = ("received", "investigating", "review", "closed")
"""By the status of the application; what is decided and open still is a review."""
CLOSED = 3
OUTCOMES = ("granted", "refused")
RECEIVED, INVESTIGATING, DECIDED, WITHDRAWN = range(4)
GRANTED, REFUSED = range(2)
MONTHS = 12
_OFFICIALS = 12

# Standard median income a month by household size, 2026 (S).
_MEDIAN = np.array([0, 2_564_238, 4_199_292, 5_359_036, 6_494_738, 7_556_719, 8_555_952, 9_515_150])
# Of ten thousand who would be eligible: receive; of those have a case; of the others have one.
_RATES = {
    "livelihood": (3600, 2400, 1150),
    "medical-aid": (500, 500, 150),
    "housing": (900, 1200, 550),
    "education": (4500, 900, 500),
    "basic-pension": (2500, 650, 210),
    "disability-pension": (4500, 1000, 600),
    "near-poor": (1800, 1000, 450),
    "emergency-aid": (300, 6000, 240),
    "child-allowance": (1700, 300, 90),
    "parent-benefit": (2500, 800, 400),
}
_WITH_LIVELIHOOD = {"medical-aid": 9000, "housing": 7500}
"""Of ten thousand who receive livelihood benefit, these receive the other one too."""
_BASIC_PENSION = 349_700
"""Base amount a month, 2026 (K); a couple's is reduced by a fifth each."""


@dataclass(frozen=True)
class Awards:
    """Receipts and cases of a block; every case has one application, by the same person."""

    client: Mask
    receipts: tuple[Ints, dict[str, Ints]]
    cases: dict[str, Ints]


def make_awards(people: People, income: Ints, landlord: Mask) -> Awards:
    """Needs met and asked for; `income` is each person's income of a year."""
    draws, row = people.draws, people.row
    eligible, amounts = _eligible(people, income, landlord)
    receipts: list[dict[str, Ints]] = []
    cases: list[dict[str, Ints]] = []
    touched = np.zeros(len(row), dtype=np.bool_)
    livelihood = touched.copy()
    for number, programme in enumerate(PROGRAMMES):
        receive, known, unknown = _RATES[programme]
        rate = np.where(livelihood, _WITH_LIVELIHOOD.get(programme, receive), receive)
        received = eligible[programme] & draws.chance(f"{programme}.received", row, rate)
        case = eligible[programme] & draws.chance(
            f"{programme}.case", row, np.where(received, known, unknown)
        )
        opened = draws.chance(f"{programme}.open", row, 5000)
        sample.shape_awards(int(row[0]), programme, received, case, opened)
        if programme == "livelihood":
            livelihood = received
        receipts.append(_receipts(people, number, received, amounts[programme]))
        cases.append(_cases(people, number, received, case, opened))
        touched |= received | case
    flat = {name: np.concatenate([part[name] for part in receipts]) for name in receipts[0]}
    order = np.lexsort((flat["programme"], flat["month"], flat["person"]))
    counts = np.bincount(flat.pop("person"), minlength=len(row))
    joined = {name: np.concatenate([part[name] for part in cases]) for name in cases[0]}
    by_person = np.lexsort((joined["programme"], joined["applicant"]))
    joined = {name: column[by_person] for name, column in joined.items()}
    joined["applicant"] = joined["applicant"] + int(row[0])
    return Awards(
        client=(people.by_home(touched.astype(np.int64)) > 0)[people.home],
        receipts=(counts.astype(np.int64), {name: column[order] for name, column in flat.items()}),
        cases=joined,
    )


def _eligible(
    people: People, income: Ints, landlord: Mask
) -> tuple[dict[str, Mask], dict[str, Ints]]:
    """Who could be granted each programme, and how much a month, won."""
    homes, home = people.homes, people.home
    median = _MEDIAN[np.minimum(homes.size, len(_MEDIAN) - 1)]
    monthly = people.by_home(income) // 12
    need = (monthly * 10_000 // median)[home]
    poor = ((homes.rank < 24_000) & (people.by_home(landlord.astype(np.int64)) == 0))[home]
    resident = people.status == RESIDENT
    head = (people.role == HEAD) & resident
    pupils = people.by_home(((people.age >= 7) & (people.age < 18)).astype(np.int64))[home]
    small = people.by_home((people.age < 8).astype(np.int64))[home]
    babies = people.by_home((people.age < 2).astype(np.int64))[home]
    old = (people.age >= 65) & resident
    old_pair = people.by_home((old & (people.role <= SPOUSE)).astype(np.int64))[home] == 2
    count = len(people.row)
    gap = np.maximum((median * 32 // 100 - monthly)[home], 50_000) // 10 * 10
    eligible = {
        "livelihood": head & poor & (need < 3200),
        "medical-aid": head & poor & (need < 4000),
        "housing": head & poor & (need < 4800),
        "education": head & poor & (need < 5000) & (pupils > 0),
        "basic-pension": old & (need < 9600),
        "disability-pension": (people.disabled == 2)
        & (people.age >= 19)
        & resident
        & (need < 7000),
        "near-poor": head & poor & (need >= 3200) & (need < 5000),
        "emergency-aid": head & poor & (need < 7500),
        "child-allowance": head & (small > 0),
        "parent-benefit": head & (babies > 0),
    }
    amounts = {
        "livelihood": gap,
        "medical-aid": people.draws.between("medical.amount", people.row, 2, 90) * 4_370,
        "housing": people.draws.between("housing.amount", people.row, 17, 46) * 8_000,
        "education": pupils * 58_000,
        "basic-pension": np.where(old_pair, _BASIC_PENSION * 8 // 10, _BASIC_PENSION),
        "disability-pension": np.full(count, _BASIC_PENSION + 90_000),
        "near-poor": np.full(count, 64_000),
        "emergency-aid": median[home] * 30 // 100 // 100 * 100,
        "child-allowance": np.maximum(small, 1) * 100_000,
        "parent-benefit": np.maximum(babies, 1) * 1_000_000,
    }
    return eligible, amounts


def _receipts(people: People, number: int, received: Mask, amount: Ints) -> dict[str, Ints]:
    """A row for each month that a receiver was paid for, in the last twelve months."""
    draws, programme = people.draws, PROGRAMMES[number]
    person = np.flatnonzero(received)
    row = people.row[person]
    months = np.where(draws.chance(f"{programme}.all-year", row, 7000), MONTHS, 0)
    months = np.where(months == 0, draws.between(f"{programme}.months", row, 2, 11), months)
    if programme == "emergency-aid":
        months = draws.between("emergency.months", row, 1, 3)
    months = np.where(row == sample.RECIPIENT, MONTHS, months)
    each = np.repeat(person, months)
    back = np.arange(len(each)) - np.repeat(np.cumsum(months) - months, months)
    mixed = draws.below(f"{programme}.state", people.row[each] * MONTHS + back, 1000)
    return {
        "person": each,
        "programme": np.full(len(each), number),
        "office": people.district[each],
        "month": THIS_MONTH - back,
        "amount": amount[each],
        "state": np.select([mixed < 6, mixed < 18], [2, 1], 0),
    }


def _cases(
    people: People, number: int, received: Mask, case: Mask, opened: Mask
) -> dict[str, Ints]:
    """The cases of a programme with their applications.

    An open case of a receiver is a review of what was granted; an open case of another is an
    application under way; a closed case of another was refused or withdrawn.
    """
    draws, programme = people.draws, PROGRAMMES[number]
    person = np.flatnonzero(case)
    row, is_open, granted = people.row[person], opened[person], received[person]
    shaped = row == sample.RECIPIENT
    start = TODAY - np.where(
        is_open,
        draws.between(f"{programme}.recent", row, 3, 110),
        draws.between(f"{programme}.earlier", row, 150, 900),
    )
    start = np.where(shaped, sample.OPENED, start)
    decided = start + draws.between(f"{programme}.took", row, 12, 60)
    waits = is_open & ~granted
    withdrawn = ~is_open & ~granted & draws.chance(f"{programme}.withdrawn", row, 2500)
    early = draws.chance(f"{programme}.early", row, 2500) & ~shaped
    status = np.select(
        [waits & early, waits, withdrawn], [RECEIVED, INVESTIGATING, WITHDRAWN], DECIDED
    )
    applied = np.where(
        is_open & granted, start - draws.between(f"{programme}.since", row, 400, 900), start
    )
    settled = np.where(is_open & granted, applied + 30, decided)
    official = draws.between(f"{programme}.official", row, 1, _OFFICIALS)
    return {
        "applicant": person,
        "household": people.homes.index[people.home[person]],
        "programme": np.full(len(person), number),
        "district": people.district[person],
        "official": np.where(shaped, sample.OFFICIAL, official),
        "opened": start,
        "closed": np.where(is_open, NONE, decided),
        "applied": applied,
        "status": status,
        "decided": np.where(status == DECIDED, settled, NONE),
        "outcome": np.where(status == DECIDED, np.where(granted, GRANTED, REFUSED), NONE),
    }


def case_serials(opened: Ints, district: Ints) -> Ints:
    """The running number of each case within its year and district, from 1."""
    group = (month_of(opened) // 12) * 1000 + district
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    opens = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    nth = np.arange(len(group)) - np.repeat(opens, np.diff(np.append(opens, len(group))))
    serial = np.empty(len(group), dtype=np.int64)
    serial[order] = nth + 1
    return serial
