"""Work: what employment insurance knows of each adult, and what each one earns by it."""

from dataclasses import dataclass

import numpy as np

from sources.simulator import sample
from sources.simulator.calendar import NONE, THIS_MONTH, TODAY
from sources.simulator.columns import pack
from sources.simulator.draw import Ints, Mask, spread
from sources.simulator.names import OCCUPATIONS
from sources.simulator.people import FEMALE, RESIDENT, People

NO_WORK, REGULAR, FIXED_TERM, PART_TIME, DAILY, SELF_EMPLOYED, UNEMPLOYED, PUBLIC = range(8)

# Shares in a hundred by age band and sex, in the order of the states above. Modelled on an
# employment rate of about 63 % (2025, K).
_BANDS = np.array([25, 30, 40, 50, 60, 65, 75, 200])
_STATES = np.array(
    [
        [[48, 16, 10, 15, 3, 1, 6, 1], [43, 19, 11, 17, 1, 1, 7, 1]],
        [[22, 48, 9, 6, 3, 3, 6, 3], [22, 46, 12, 8, 1, 2, 6, 3]],
        [[9, 60, 7, 2, 4, 10, 4, 4], [30, 40, 8, 7, 1, 6, 4, 4]],
        [[7, 57, 7, 2, 5, 15, 3, 4], [30, 33, 10, 11, 2, 8, 3, 3]],
        [[9, 50, 8, 3, 7, 17, 3, 3], [32, 25, 12, 14, 3, 9, 3, 2]],
        [[24, 29, 14, 6, 7, 16, 3, 1], [47, 13, 12, 14, 3, 8, 2, 1]],
        [[46, 10, 14, 9, 6, 14, 1, 0], [64, 4, 9, 13, 2, 7, 1, 0]],
        [[74, 2, 5, 9, 2, 8, 0, 0], [84, 0, 3, 9, 1, 3, 0, 0]],
    ]
)
MINIMUM_HOURLY = 10_320
"""Minimum wage an hour, 2026 (K)."""
_MINIMUM_MONTHLY = MINIMUM_HOURLY * 209
# Monthly pay of full-time jobs: median about 3.3 million, mean about 4.1 million (2025, K).
_PAY = (
    (0, _MINIMUM_MONTHLY),
    (500, 2_230_000),
    (1500, 2_450_000),
    (2500, 2_660_000),
    (3500, 2_890_000),
    (4500, 3_150_000),
    (5500, 3_480_000),
    (6500, 3_950_000),
    (7500, 4_620_000),
    (8500, 5_780_000),
    (9300, 7_600_000),
    (9800, 11_000_000),
    (9970, 19_000_000),
    (9998, 42_000_000),
    (10_000, 95_000_000),
)
_TENURE = (
    (0, 25),
    (1500, 180),
    (3500, 500),
    (5500, 1200),
    (7500, 2900),
    (9000, 5600),
    (10_000, 11_000),
)
_LOWEST_DAILY, _HIGHEST_DAILY = 66_048, 68_100
"""Bounds of unemployment benefit a day, 2026 (K)."""
WINDOW_DAYS = 548
"""Eighteen months, the window in which insured days count."""


@dataclass(frozen=True)
class Work:
    """What the people of a block do, and the rows that employment insurance holds."""

    state: Ints
    main_job: Ints
    """Number of the present main employer, also that of public servants; -1 for none."""
    monthly_pay: Ints
    """Sum of the pay of present jobs, those of public servants included."""
    daily_year: Ints
    """Daily pay of a whole year."""
    daily_employer: Ints
    second_job: Ints
    second_pay: Ints
    known: Mask
    insured: Mask
    insured_since: Ints
    lost: Ints
    insured_days: Ints
    seeking: Ints
    wish: Ints
    reemployed: Ints
    jobs: tuple[Ints, dict[str, Ints]]
    daily: tuple[Ints, dict[str, Ints]]
    unemployment: tuple[Ints, dict[str, Ints]]


def make_work(people: People) -> Work:
    """Jobs, daily work and unemployment of a block."""
    draws, row = people.draws, people.row
    state = _states(people)
    sample.shape_state(int(row[0]), state)
    since_adult = TODAY - (people.birth + 19 * 365 + 5)
    employed = (state >= REGULAR) & (state <= PART_TIME)
    main = _main_job(people, state, since_adult)
    second_held = employed & draws.chance("job2", row, 350)
    second = {
        "employer": _employer(people, "job2.employer"),
        "occupation": draws.below("job2.occupation", row, len(OCCUPATIONS)),
        "contract": np.full(len(row), 3),
        "hours": draws.between("job2.hours", row, 6, 14),
        "start": TODAY - 20 - draws.below("job2.start", row, np.clip(since_adult - 20, 1, 900)),
        "end": np.full(len(row), NONE),
    }
    second["pay"] = _by_hours(second["hours"], draws.rank("job2.pay", row))
    held, slots = [employed, second_held], [main, second]
    worked = people.adult & draws.chance("worked", row, np.where(people.age < 30, 5200, 8600))
    until = np.where(main["start"] != NONE, main["start"], TODAY)
    for turn, share in enumerate((10_000, 4500)):
        past, was = _past_job(people, turn, until, since_adult)
        was &= worked & draws.chance(f"past.{turn}", row, share)
        if turn == 1:
            was &= held[2]
        held.append(was)
        slots.append(past)
        until = np.where(was, past["start"], until)
    sample.shape_jobs(int(row[0]), held, slots)
    daily_held, daily = _daily_work(people, state)
    sample.shape_daily(int(row[0]), daily_held, daily)
    unemployment = _unemployment(people, state, held[2], slots[2])
    sample.shape_unemployment(int(row[0]), *unemployment)
    seeking = np.where(state == UNEMPLOYED, TODAY - draws.between("seeking", row, 3, 330), NONE)
    pay = np.where(employed, main["pay"], 0) + np.where(second_held, second["pay"], 0)
    months = np.stack([month["pay"] * kept for month, kept in zip(daily, daily_held, strict=True)])
    insurable = [job & (slot["hours"] >= 15) for job, slot in zip(held, slots, strict=True)]
    insured = insurable[0]
    public = state == PUBLIC
    any_job = np.logical_or.reduce([*held, *daily_held])
    return Work(
        state=state,
        main_job=np.where(employed | public, main["employer"], NONE),
        monthly_pay=np.where(public, main["pay"], pay),
        daily_year=months.sum(axis=0) * 2,
        daily_employer=daily[0]["employer"],
        second_job=np.where(second_held, second["employer"], NONE),
        second_pay=np.where(second_held, second["pay"], 0),
        known=any_job,
        insured=insured,
        insured_since=np.where(insured, main["start"], NONE),
        lost=np.where(insurable[2], slots[2]["end"], NONE),
        insured_days=_insured_days(insurable, slots),
        seeking=seeking,
        wish=np.where(seeking != NONE, draws.below("wish", row, len(OCCUPATIONS)), NONE),
        reemployed=np.where(
            employed & held[2] & draws.chance("reemployed", row, 300), main["start"] + 180, NONE
        ).clip(NONE, TODAY - 1),
        jobs=pack(held, slots),
        daily=pack(daily_held, daily),
        unemployment=pack(*unemployment),
    )


def _states(people: People) -> Ints:
    """What each one does; children, the dead and the absent do nothing."""
    band = np.searchsorted(_BANDS, people.age, side="right").clip(0, len(_BANDS) - 1)
    shares = np.cumsum(_STATES[band, people.sex - 1], axis=1)
    place = people.draws.below("work", people.row, 100)
    state = (place[:, None] >= shares).sum(axis=1).astype(np.int64)
    severe = (people.disabled == 2) & people.draws.chance("work.disabled", people.row, 7000)
    works = (people.age >= 19) & (people.status == RESIDENT) & ~severe
    return np.where(works, state, NO_WORK)


def _employer(people: People, column: str) -> Ints:
    """An employer's number; low numbers are large employers (a product of two draws)."""
    one = people.draws.rank(f"{column}.size", people.row)
    return one * people.draws.rank(column, people.row) >> 13


def _by_hours(hours: Ints, rank: Ints) -> Ints:
    """Monthly pay of a part-time job, from the minimum wage upwards."""
    hourly = MINIMUM_HOURLY + (rank * rank >> 18)
    return hours * hourly * 4345 // 1000 // 1000 * 1000


def _main_job(people: People, state: Ints, since_adult: Ints) -> dict[str, Ints]:
    """The present main job of those who have one; `start` is -1 for the others."""
    draws, row = people.draws, people.row
    full = (state == REGULAR) | (state == FIXED_TERM) | (state == PUBLIC)
    tenure = spread(draws.rank("tenure.job", row), _TENURE)
    tenure = np.where(state == FIXED_TERM, tenure % 700 + 15, tenure)
    hours = np.where(
        full, draws.between("hours", row, 35, 42), draws.between("hours.part", row, 8, 30)
    )
    by_age = np.select(
        [people.age < 25, people.age < 30, people.age < 35, people.age < 55, people.age < 60],
        [780, 870, 960, 1080, 1000],
        780,
    )
    by_sex = np.where(people.sex == FEMALE, 880, 1040)
    contract = np.where(state == FIXED_TERM, 780, 1000)
    pay = spread(people.rank, _PAY) * by_age // 1000 * by_sex // 1000 * contract // 1000
    pay = np.maximum(pay // 10_000 * 10_000, _MINIMUM_MONTHLY)
    has = full | (state == PART_TIME)
    return {
        "employer": _employer(people, "employer"),
        "occupation": draws.below("occupation", row, len(OCCUPATIONS)),
        "contract": np.select([state == REGULAR, state == FIXED_TERM], [1, 2], 3),
        "hours": hours,
        "start": np.where(has, TODAY - np.clip(tenure, 1, np.maximum(since_adult, 1)), NONE),
        "end": np.full(len(row), NONE),
        "pay": np.where(full, pay, _by_hours(hours, people.rank)),
    }


def _past_job(
    people: People, turn: int, until: Ints, since_adult: Ints
) -> tuple[dict[str, Ints], Mask]:
    """A job that ended before `until`, and who was old enough to have had it."""
    draws, row = people.draws, people.row
    settled = (people.age >= 65) & (turn == 0)
    gap = draws.between(f"past.gap.{turn}", row, 10, 900) + np.where(
        settled, draws.below(f"past.retired.{turn}", row, np.maximum((people.age - 60) * 365, 1)), 0
    )
    end = until - gap
    start = end - 60 - spread(draws.rank(f"past.tenure.{turn}", row), _TENURE)
    start = np.maximum(start, TODAY - since_adult)
    hours = np.where(draws.chance(f"past.part.{turn}", row, 2500), 20, 40)
    pay = spread(people.rank, _PAY) * 800 // 1000 // 10_000 * 10_000
    # A death or a move abroad ends what went before it.
    possible = (end - start >= 30) & (people.age >= 20) & (people.status == RESIDENT)
    return {
        "employer": _employer(people, f"past.employer.{turn}"),
        "occupation": draws.below(f"past.occupation.{turn}", row, len(OCCUPATIONS)),
        "contract": np.where(hours == 20, 3, draws.between(f"past.contract.{turn}", row, 1, 2)),
        "hours": hours,
        "start": start,
        "end": end,
        "pay": np.where(hours == 20, _by_hours(hours, people.rank), pay),
    }, possible


def _daily_work(people: People, state: Ints) -> tuple[list[Mask], list[dict[str, Ints]]]:
    """Daily work in the last six months, newest first."""
    draws, row = people.draws, people.row
    regular = state == DAILY
    extra = (state == PART_TIME) & draws.chance("daily.extra", row, 1500)
    held: list[Mask] = []
    slots: list[dict[str, Ints]] = []
    rate = draws.between("daily.rate", row, 105, 215) * 1000
    for turn in range(6):
        days = draws.between(f"daily.days.{turn}", row, 3, 21)
        held.append(
            (regular | extra) & draws.chance(f"daily.{turn}", row, np.where(extra, 3500, 7800))
        )
        slots.append(
            {
                "month": np.full(len(row), THIS_MONTH - 1 - turn),
                "employer": _employer(people, f"daily.employer.{turn // 2}"),
                "days": days,
                "pay": days * rate,
            }
        )
    return held, slots


def _unemployment(
    people: People, state: Ints, left: Mask, last: dict[str, Ints]
) -> tuple[list[Mask], list[dict[str, Ints]]]:
    """Unemployment benefit after the last job: running for some, over for others."""
    draws, row = people.draws, people.row
    seeking = state == UNEMPLOYED
    recent = seeking & (TODAY - last["end"] < 260)
    drew = left & (recent | draws.chance("unemployment", row, np.where(seeking, 6000, 1100)))
    start = last["end"] + draws.between("unemployment.wait", row, 8, 25)
    days = draws.between("unemployment.days", row, 4, 9) * 30
    drew &= start < TODAY
    stopped = draws.chance("unemployment.stopped", row, 500)
    end = start + days - 1
    kept = np.where(stopped, days // 3, days)
    elapsed = np.clip(TODAY - start + 1, 0, kept)
    daily = np.clip(last["pay"] * 60 // 100 // 30, _LOWEST_DAILY, _HIGHEST_DAILY)
    slot = {
        "start": start,
        "until": end,
        "daily": daily,
        "paid": daily * elapsed,
        "state": np.select([stopped, end >= TODAY], [2, 0], 1),
    }
    return [drew], [slot]


def _insured_days(held: list[Mask], slots: list[dict[str, Ints]]) -> Ints:
    """Days of insured jobs in the window, at most the window itself."""
    total = np.zeros(len(held[0]), dtype=np.int64)
    for kept, slot in zip(held, slots, strict=True):
        end = np.where(slot["end"] == NONE, TODAY, slot["end"])
        start = np.maximum(slot["start"], TODAY - WINDOW_DAYS + 1)
        total += np.where(kept, np.maximum(end - start + 1, 0), 0)
    return np.minimum(total, WINDOW_DAYS)
