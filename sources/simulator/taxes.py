"""Taxes: what the tax office knows of each adult for the assessed year."""

from dataclasses import dataclass

import numpy as np

from sources.simulator import sample
from sources.simulator.calendar import NONE, TODAY
from sources.simulator.columns import pack
from sources.simulator.draw import Ints, Mask, spread
from sources.simulator.names import SECTORS
from sources.simulator.people import HEAD, People
from sources.simulator.work import SELF_EMPLOYED, Work

WAGE, DAILY_WAGE, BUSINESS_FEE, OTHER_FEE = range(4)
KINDS = ("wage", "daily-wage", "business", "other")
BUSINESS_STATES = ("active", "suspended", "closed")

# Won a year (2024, K: most sole traders declare under 20 million, a few very much more).
_BUSINESS = (
    (0, 0),
    (800, 0),
    (2500, 4_000_000),
    (5000, 13_000_000),
    (7000, 25_000_000),
    (8500, 47_000_000),
    (9500, 105_000_000),
    (9950, 310_000_000),
    (10_000, 2_400_000_000),
)
_INTEREST = (
    (0, 1_000),
    (5000, 90_000),
    (8000, 640_000),
    (9500, 3_900_000),
    (9950, 19_000_000),
    (10_000, 160_000_000),
)
_RENT = (
    (0, 1_800_000),
    (5000, 7_200_000),
    (8500, 21_000_000),
    (9900, 84_000_000),
    (10_000, 420_000_000),
)
_PENSION = (
    (0, 1_200_000),
    (4000, 4_800_000),
    (7500, 9_600_000),
    (9200, 21_000_000),
    (10_000, 52_000_000),
)
_OTHER = (
    (0, 80_000),
    (6000, 900_000),
    (9000, 4_200_000),
    (9900, 26_000_000),
    (10_000, 210_000_000),
)
_ARREARS = (
    (0, 40_000),
    (5000, 1_300_000),
    (9000, 17_000_000),
    (9900, 140_000_000),
    (10_000, 1_900_000_000),
)
_HEARD_OF = 400_000
# Income tax by bracket: up to, per thousand (2025, K).
_BRACKETS = (
    (14_000_000, 60),
    (50_000_000, 150),
    (88_000_000, 240),
    (150_000_000, 350),
    (300_000_000, 380),
    (500_000_000, 400),
    (1_000_000_000, 420),
    (1 << 60, 450),
)


@dataclass(frozen=True)
class Taxes:
    """The tax office's rows for a block; -1 is not known to the office either."""

    known: Mask
    earned: Ints
    business: Ints
    interest: Ints
    dividend: Ints
    rental: Ints
    pension: Ints
    other: Ints
    tax: Ints
    work_credit: Ints
    child_credit: Ints
    arrears: Ints
    withholdings: tuple[Ints, dict[str, Ints]]
    businesses: tuple[Ints, dict[str, Ints]]
    income: Ints
    """All income of the year, won; what need is judged by in the rest of the population."""


def make_taxes(people: People, work: Work, landlord: Mask) -> Taxes:
    """Incomes, statements and businesses of a block; `landlord` lets more than a home."""
    draws, row = people.draws, people.row
    adult = people.adult
    from_jobs, from_days = _earned(people, work)
    runs = work.state == SELF_EMPLOYED
    side = adult & ~runs & draws.chance("side-business", row, 320)
    sample.shape_side(int(row[0]), side)
    business = np.where(runs, spread(people.rank, _BUSINESS), 0)
    business += np.where(side, spread(draws.rank("side", row), _BUSINESS) // 5, 0)
    saver = adult & draws.chance("saver", row, 2500 + people.rank * 5000 // 65_536)
    saved = (people.rank + draws.rank("saved", row)) // 2
    incomes = {
        "business": business,
        "interest": np.where(saver, spread(saved, _INTEREST), 0),
        "dividend": np.where(
            saver & draws.chance("shares", row, 1800),
            spread(draws.rank("dividend", row), _INTEREST),
            0,
        ),
        "rental": np.where(landlord & adult, spread(draws.rank("rent", row), _RENT), 0),
        "pension": np.where(
            (people.age >= 60) & adult & draws.chance("pension", row, 5200),
            spread(people.rank, _PENSION),
            0,
        ),
        "other": np.where(
            adult & draws.chance("other-income", row, 600),
            spread(draws.rank("other", row), _OTHER),
            0,
        ),
    }
    incomes = {name: amount // 10 * 10 for name, amount in incomes.items()}
    sample.shape_income(int(row[0]), from_jobs, from_days, incomes)
    earned = from_jobs + from_days
    income = earned + sum(incomes.values(), start=np.zeros(len(row), dtype=np.int64))
    # Interest below this is taxed at the source for good, and the office hears no name.
    known = adult & ((income > _HEARD_OF) | draws.chance("tax.known", row, 1000))
    sample.shape_known(int(row[0]), known)
    pending = draws.chance("pending", row, 60)
    child_credit, work_credit = _credits(people, income, earned + incomes["business"])
    arrears = adult & draws.chance("arrears", row, 330)
    return Taxes(
        known=known,
        earned=earned,
        business=np.where(pending & runs, NONE, incomes["business"]),
        interest=incomes["interest"],
        dividend=incomes["dividend"],
        rental=np.where(pending & landlord, NONE, incomes["rental"]),
        pension=incomes["pension"],
        other=incomes["other"],
        tax=np.where(pending, NONE, income_tax(income)),
        work_credit=work_credit,
        child_credit=child_credit,
        arrears=np.where(arrears, spread(draws.rank("arrears.size", row), _ARREARS) // 10 * 10, 0),
        withholdings=_withholdings(people, work, (from_jobs, from_days), incomes, runs | side),
        businesses=_businesses(people, runs | side, incomes["business"]),
        income=income,
    )


def income_tax(income: Ints) -> Ints:
    """Tax by the progressive rates on 60 % of the income, a stand-in for all deductions."""
    base = income * 6 // 10
    total = np.zeros(len(income), dtype=np.int64)
    below = 0
    for ceiling, per_mille in _BRACKETS:
        total += np.clip(base - below, 0, ceiling - below) * per_mille // 1000
        below = ceiling
    return total // 10 * 10


def _earned(people: People, work: Work) -> tuple[Ints, Ints]:
    """Wages of the assessed year by jobs and by days.

    Of those with a present job 84 % earned within 6 % of twelve times its pay, 11 % clearly
    less or more, and 5 % were not paid then; 3 % of those without one were paid then.
    """
    draws, row = people.draws, people.row
    place = draws.below("earned.kind", row, 100)
    near = draws.between("earned.near", row, 940, 1060)
    far = np.where(
        draws.chance("earned.less", row, 6000),
        draws.between("earned.low", row, 350, 880),
        draws.between("earned.high", row, 1120, 1500),
    )
    factor = np.select([place < 84, place < 95], [near, far], 0)
    jobs = work.monthly_pay * 12 * factor // 1000
    left = people.adult & (work.monthly_pay == 0) & draws.chance("earned.left", row, 300)
    jobs += np.where(left, draws.between("earned.former", row, 1_500, 32_000) * 1000, 0)
    days = work.daily_year * draws.between("earned.days", row, 900, 1100) // 1000
    return jobs // 10 * 10, days // 10 * 10


def _credits(people: People, income: Ints, worked_for: Ints) -> tuple[Ints, Ints]:
    """Child tax credit and earned income tax credit, paid to heads (2025, K, simplified)."""
    together = people.by_home(income)[people.home]
    children = people.by_home((people.age < 18).astype(np.int64))[people.home]
    head = (people.role == HEAD) & people.adult
    child = np.where(
        head & (together > 4_000_000) & (together < 70_000_000), children * 1_000_000, 0
    )
    alone = people.homes.size[people.home] == 1
    limit = np.where(alone, 22_000_000, 32_000_000)
    most = np.where(alone, 1_650_000, 2_850_000)
    entitled = head & (worked_for > 4_000_000) & (together < limit)
    work_credit = np.where(entitled, most * (limit - together) // limit // 10_000 * 10_000, 0)
    return child, work_credit


def _withholdings(
    people: People, work: Work, earned: tuple[Ints, Ints], incomes: dict[str, Ints], runs: Mask
) -> tuple[Ints, dict[str, Ints]]:
    """Statements: the wage ones add up to earned income, the others to part of their kind."""
    draws, row = people.draws, people.row
    from_jobs, from_days = earned
    second = np.where(
        work.second_pay > 0, from_jobs * work.second_pay // np.maximum(work.monthly_pay, 1), 0
    )
    payer = np.where(work.main_job != NONE, work.main_job, draws.below("payer", row, 1 << 18))
    fee = np.where(runs & draws.chance("fee", row, 3000), incomes["business"] * 7 // 10, 0)
    parts = (
        (payer, WAGE, from_jobs - second, 30),
        (work.second_job, WAGE, second, 10),
        (work.daily_employer, DAILY_WAGE, from_days, 15),
        (draws.below("fee.payer", row, 1 << 18), BUSINESS_FEE, fee, 33),
        (draws.below("other.payer", row, 1 << 18), OTHER_FEE, incomes["other"], 88),
    )
    held = [amount > 0 for _, _, amount, _ in parts]
    slots = [
        {
            "payer": number,
            "kind": np.full(len(row), kind),
            "paid": amount,
            "withheld": amount * per_mille // 1000 // 10 * 10,
        }
        for number, kind, amount, per_mille in parts
    ]
    return pack(held, slots)


def _businesses(people: People, runs: Mask, income: Ints) -> tuple[Ints, dict[str, Ints]]:
    """The business of those who run one, and a closed one of some others."""
    draws, row = people.draws, people.row
    before = people.adult & (people.age >= 25) & draws.chance("business.before", row, 500)
    held: list[Mask] = []
    slots: list[dict[str, Ints]] = []
    since_adult = np.maximum(TODAY - people.birth - 19 * 365, 400)
    for turn, kept in enumerate((runs, before)):
        opened = (
            TODAY
            - 30
            - draws.below(f"business.opened.{turn}", row, np.minimum(since_adult - 30, 7000))
        )
        closed = np.minimum(
            opened + draws.between(f"business.life.{turn}", row, 90, 2500), TODAY - 10
        )
        suspended = draws.chance(f"business.suspended.{turn}", row, 500).astype(np.int64)
        margin = draws.between(f"business.margin.{turn}", row, 15, 60)
        held.append(kept)
        slots.append(
            {
                "number": row * 2 + turn,
                "name": draws.below(f"business.name.{turn}", row, 240),
                "sector": draws.below(f"business.sector.{turn}", row, len(SECTORS)),
                "state": suspended if turn == 0 else np.full(len(row), 2),
                "opened": opened,
                "closed": np.full(len(row), NONE) if turn == 0 else closed,
                "vat_base": np.where(suspended == 1, 0, income * 100 // margin) * (turn == 0),
            }
        )
    return pack(held, slots)
