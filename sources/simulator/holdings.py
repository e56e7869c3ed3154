"""Property: land, buildings, leases and vehicles of each person, by household means."""

from dataclasses import dataclass

import numpy as np

from sources.simulator import sample
from sources.simulator.calendar import REFERENCE, TODAY
from sources.simulator.columns import pack
from sources.simulator.draw import Ints, Mask, spread
from sources.simulator.people import HEAD, RESIDENT, SPOUSE, People
from sources.simulator.places import DISTRICTS

LAND_CATEGORIES = ("paddy", "dry-field", "forest", "site", "other")
BUILDING_USES = ("detached", "apartment", "multi-family", "shop", "other")
STRUCTURES = ("철근콘크리트", "벽돌", "목조", "철골", "경량철골")
LEASE_ROLES = ("landlord", "tenant")
VEHICLE_USES = ("private", "business", "disabled")

# Model, engine size in cubic centimetres, price new in won, share (K).
MODELS = (
    ("모닝", 998, 14_000_000, 10),
    ("레이", 998, 16_000_000, 9),
    ("아반떼", 1598, 23_000_000, 18),
    ("쏘나타", 1999, 31_000_000, 13),
    ("K5", 1999, 30_000_000, 9),
    ("그랜저", 2497, 43_000_000, 12),
    ("쏘렌토", 2151, 42_000_000, 10),
    ("카니발", 2151, 44_000_000, 7),
    ("포터Ⅱ", 2497, 21_000_000, 5),
    ("아이오닉5", 0, 52_000_000, 3),
    ("G80", 2497, 66_000_000, 3),
    ("수입 대형", 2998, 118_000_000, 1),
)
_CC = np.array([cc for _, cc, _, _ in MODELS])
_NEW = np.array([price for _, _, price, _ in MODELS])
_TRUCK = 8
# Official price of a home where the district's index is 1000, won (2025, K).
_HOME_PRICE = (
    (0, 28_000_000),
    (1500, 72_000_000),
    (3500, 128_000_000),
    (5000, 182_000_000),
    (6500, 258_000_000),
    (8000, 385_000_000),
    (9200, 640_000_000),
    (9800, 1_150_000_000),
    (9980, 2_700_000_000),
    (10_000, 9_800_000_000),
)
_LAND_PRICE = (
    (0, 600_000),
    (3000, 7_500_000),
    (6000, 31_000_000),
    (8500, 118_000_000),
    (9700, 520_000_000),
    (9970, 2_600_000_000),
    (10_000, 16_000_000_000),
)
_DEPOSIT = (
    (0, 3_000_000),
    (2500, 10_000_000),
    (4500, 40_000_000),
    (6500, 110_000_000),
    (8500, 230_000_000),
    (9700, 480_000_000),
    (10_000, 1_700_000_000),
)
_OWNED_DAYS = ((0, 30), (3000, 1200), (6000, 3600), (8500, 7600), (10_000, 15_000))


@dataclass(frozen=True)
class Holdings:
    """The rows of the land, building, lease and vehicle registers for a block."""

    landlord: Mask
    tables: dict[str, tuple[Ints, dict[str, Ints]]]


def make_holdings(people: People) -> Holdings:
    """Who owns, rents and drives what."""
    owns = _home_owners(people)
    buildings = _buildings(people, owns)
    landlord = buildings[0][1]
    unpacked = {
        "land": _land(people),
        "building": buildings,
        "lease": _leases(people, owns, buildings[1]),
        "vehicle": _vehicles(people),
    }
    unpacked["lease"][0][1][:] &= landlord
    sample.shape_property(int(people.row[0]), unpacked)
    return Holdings(landlord, {name: pack(*table) for name, table in unpacked.items()})


def _acquired(people: People, column: str) -> Ints:
    """A day of acquisition, from the twentieth birthday on."""
    days = spread(people.draws.rank(column, people.row), _OWNED_DAYS)
    return TODAY - np.minimum(days, np.maximum(TODAY - people.birth - 20 * 366, 20))


def _home_owners(people: People) -> Mask:
    """Households that own the home they live in: about 56 % (2023, K), by age and means."""
    homes, draws = people.homes, people.draws
    head_age = people.age[homes.start]
    by_age = np.select([head_age < 30, head_age < 40, head_age < 50], [500, 2600, 4200], 5200)
    return draws.chance("home.owned", homes.index, by_age + homes.rank * 3200 // 65_536)


def _buildings(people: People, owns: Mask) -> tuple[list[Mask], list[dict[str, Ints]]]:
    """The home (by head, spouse or both in halves), and up to three more buildings."""
    draws, row, home = people.draws, people.row, people.home
    form = draws.below("home.form", people.homes.index, 100)[home]
    paired = people.by_home((people.role == SPOUSE).astype(np.int64))[home] > 0
    half = (form >= 80) & paired
    by_spouse = (form >= 65) & (form < 80) & paired
    mine = (people.role == HEAD) & ~by_spouse | (people.role == SPOUSE) & (by_spouse | half)
    held = [mine & owns[home]]
    grown = people.adult & (people.age >= 30) & (people.status == RESIDENT)
    rate = np.maximum(people.rank - 22_000, 0) * 2600 // 43_536
    for turn, share in enumerate((10_000, 3000, 2200)):
        held.append(
            grown & held[-1] & draws.chance(f"building.{turn + 1}", row, rate * share // 10_000)
        )
        rate = rate * 0 + 10_000
    slots = [_building(people, turn, half if turn == 0 else None) for turn in range(4)]
    return held, slots


def _building(people: People, turn: int, half: Mask | None) -> dict[str, Ints]:
    """One building of each person: the home for turn 0."""
    draws, row = people.draws, people.row
    if half is None:
        near = draws.chance(f"building.near.{turn}", row, 5500)
        elsewhere = draws.pick(f"building.far.{turn}", row, DISTRICTS.weights)
        district = np.where(near, people.district, elsewhere)
        use = draws.pick(f"building.use.{turn}", row, (15, 40, 15, 25, 5))
        share = np.where(draws.chance(f"building.shared.{turn}", row, 2000), 50, 100)
        place = draws.rank(f"building.price.{turn}", row)
        number = row * 4 + turn
    else:
        home = people.home
        district = people.district
        rural = DISTRICTS.rural[district] == 1
        by_form = draws.below("home.use", people.homes.index, 100)[home]
        use = np.where(by_form < np.where(rural, 65, 22), 0, np.where(by_form < 85, 1, 2))
        share = np.where(half, 50, 100)
        noise = draws.rank("home.price", people.homes.index)[home]
        place = (people.homes.rank[home] * 2 + noise) // 3
        number = people.homes.start[home] + int(row[0])
        number = number * 4
    full = spread(place, _HOME_PRICE) * DISTRICTS.prices[district] // 1000
    area = draws.between(f"building.area.{turn}", row, 2_600, 16_500)
    return {
        "number": number,
        "district": district,
        "use": use,
        "structure": np.where(use == 0, draws.below(f"building.structure.{turn}", row, 5), 0),
        "area": np.where(use == 1, (2_200 + place * 11_000 // 65_536) // 7 * 7 + 99, area),
        "share": share,
        "price": full * share // 100 // 1000 * 1000,
        "acquired": _acquired(people, f"building.acquired.{turn}"),
    }


def _land(people: People) -> tuple[list[Mask], list[dict[str, Ints]]]:
    """Up to three parcels, more often of older people and in the country."""
    draws, row = people.draws, people.row
    rural = DISTRICTS.rural[people.district]
    rate = np.select([people.age < 30, people.age < 50, people.age < 65], [60, 500, 1500], 2100)
    rate = rate + rural * np.where(people.age >= 40, 2400, 200)
    held: list[Mask] = []
    slots: list[dict[str, Ints]] = []
    going = people.adult
    for turn, share in enumerate((10_000, 3500, 4000)):
        going = going & draws.chance(f"land.{turn}", row, rate if turn == 0 else share)
        near = draws.chance(f"land.near.{turn}", row, 4000 + rural * 4500)
        far = draws.pick(f"land.far.{turn}", row, DISTRICTS.weights * (1 + 9 * DISTRICTS.rural))
        district = np.where(near, people.district, far)
        category = draws.pick(f"land.category.{turn}", row, (26, 28, 26, 14, 6))
        owned = np.where(draws.chance(f"land.shared.{turn}", row, 2800), 33, 100)
        price = spread((draws.rank(f"land.price.{turn}", row) + people.rank) // 2, _LAND_PRICE)
        price = price * (DISTRICTS.prices[district] + 400) // 1000 * owned // 100
        held.append(going)
        slots.append(
            {
                "number": row * 3 + turn,
                "district": district,
                "category": category,
                "area": draws.between(f"land.area.{turn}", row, 6_000, 450_000),
                "share": owned,
                "price": price // 1000 * 1000,
                "acquired": _acquired(people, f"land.acquired.{turn}"),
            }
        )
    return held, slots


def _leases(
    people: People, owns: Mask, buildings: list[dict[str, Ints]]
) -> tuple[list[Mask], list[dict[str, Ints]]]:
    """The head's lease where the home is not owned; the lease that a landlord gives."""
    draws, row = people.draws, people.row
    tenant = (people.role == HEAD) & ~owns[people.home] & draws.chance("tenant", row, 8800)
    tenant &= people.status == RESIDENT
    place = (draws.rank("deposit", row) + people.homes.rank[people.home]) // 2
    deposit = spread(place, _DEPOSIT) * (DISTRICTS.prices[people.district] + 300) // 1300
    lifelong = draws.chance("jeonse", row, 4000)
    start = TODAY - draws.between("lease.start", row, 5, 725)
    let_start = TODAY - draws.between("let.start", row, 5, 725)
    rent = draws.between("lease.rent", row, 15, 110) * 10_000
    let_deposit = buildings[1]["price"] * draws.between("let.share", row, 10, 70) // 100
    let = draws.chance("let", row, 7500)
    slots = [
        {
            "number": row * 2 + turn,
            "tenant": np.full(len(row), 1 - turn),
            "deposit": amount // 1_000_000 * 1_000_000 + 1_000_000,
            "rent": np.where(whole, 0, rent),
            "start": since,
            "until": since + 729,
        }
        for turn, (amount, whole, since) in enumerate(
            ((deposit, lifelong, start), (let_deposit, let_deposit > 150_000_000, let_start))
        )
    ]
    return [tenant, let], slots


def _vehicles(people: People) -> tuple[list[Mask], list[dict[str, Ints]]]:
    """Up to three vehicles of each adult, by role and means."""
    draws, row = people.draws, people.row
    rate = np.select([people.role == HEAD, people.role == SPOUSE], [3600, 1700], 900)
    rate = (rate + people.rank * 4200 // 65_536) * np.where(people.age >= 75, 45, 100) // 100
    going = people.adult
    held: list[Mask] = []
    slots: list[dict[str, Ints]] = []
    for turn, share in enumerate((10_000, 1300, 1500)):
        going = going & draws.chance(f"vehicle.{turn}", row, rate if turn == 0 else share)
        model = draws.pick(f"vehicle.model.{turn}", row, [share for *_, share in MODELS])
        age = spread(
            draws.rank(f"vehicle.age.{turn}", row), ((0, 0), (5000, 7), (8500, 13), (10_000, 24))
        )
        kept = np.maximum(100 - age * 9, 5)
        since = age * 365 * draws.between(f"vehicle.since.{turn}", row, 20, 100) // 100
        business = (model == _TRUCK) | draws.chance(f"vehicle.business.{turn}", row, 250)
        disabled = (people.disabled > 0) & draws.chance(f"vehicle.disabled.{turn}", row, 6500)
        held.append(going)
        slots.append(
            {
                "number": row * 3 + turn,
                "model": model,
                "year": REFERENCE.year - age,
                "use": np.select([disabled, business], [2, 1], 0),
                "value": _NEW[model] * kept // 100 // 10_000 * 10_000,
                "acquired": TODAY - np.minimum(10 + since, TODAY - people.birth - 18 * 366),
            }
        )
    return held, slots


def engine_sizes(models: Ints) -> Ints:
    """Cubic centimetres by model, 0 for electric."""
    return _CC[models]


def plates(numbers: Ints) -> list[str]:
    """Number plates, all different: an affine permutation of three digits, a syllable and four."""
    syllables = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호"
    space = 900 * len(syllables) * 9000
    mixed = (numbers * 104_729 + 7_654_321) % space
    return [
        f"{100 + value // 9000 // len(syllables)}{syllables[value // 9000 % len(syllables)]}"
        f"{1000 + value % 9000}"
        for value in mixed.tolist()
    ]
