"""Households and the people in them: who lives together, names, ages, registration.

Rows of a block are people, household by household, the head first. Every other part of the
population is made from a block, so what the agencies say of a person hangs together.
"""

from dataclasses import dataclass

import numpy as np

from sources.simulator import sample
from sources.simulator.calendar import NONE, TODAY, ages, month_of
from sources.simulator.columns import pack
from sources.simulator.draw import Draws, Ints, Mask, spread, spread_rows
from sources.simulator.names import (
    GIVEN_EACH,
    NATIONALITIES,
    SURNAME_SHARES,
    given_list,
)
from sources.simulator.places import DISTRICTS, address_codes

TYPES = ("single", "couple", "couple-children", "single-parent", "three-generation", "other")
HEAD, SPOUSE, CHILD, PARENT, GRANDCHILD, OTHER = range(6)
RELATIONS = ("head", "spouse", "child", "parent", "grandchild", "other")
RESIDENT, DECEASED, ABROAD, UNKNOWN = range(4)
STATUSES = ("resident", "deceased", "abroad", "unknown-residence")
MALE, FEMALE = 1, 2

# Of each: type; members in order by the initials of their roles; share in ten thousand;
# deciles of the head's age. One-person households are 36 % (2024, K).
_LAYOUTS = (
    ("single", "H", 3600, (19, 25, 28, 32, 39, 49, 59, 66, 73, 80, 97)),
    ("couple", "HS", 1700, (25, 32, 44, 55, 61, 65, 69, 73, 77, 82, 93)),
    ("couple-children", "HSC", 1300, (25, 32, 36, 40, 44, 48, 52, 56, 59, 63, 74)),
    ("couple-children", "HSCC", 1090, (28, 35, 38, 41, 43, 45, 48, 50, 53, 57, 66)),
    ("couple-children", "HSCCC", 200, (30, 36, 39, 41, 43, 45, 47, 49, 51, 54, 60)),
    ("single-parent", "HC", 590, (21, 34, 40, 44, 48, 52, 56, 61, 68, 76, 90)),
    ("single-parent", "HCC", 310, (24, 33, 37, 40, 43, 45, 47, 50, 53, 58, 66)),
    ("three-generation", "HSCP", 130, (31, 37, 40, 43, 45, 48, 50, 53, 56, 59, 65)),
    ("three-generation", "HSCCP", 110, (32, 37, 40, 42, 44, 46, 48, 50, 53, 56, 62)),
    ("three-generation", "HSCCPP", 70, (32, 37, 39, 41, 43, 45, 47, 49, 51, 54, 60)),
    ("three-generation", "HCP", 40, (28, 35, 38, 41, 44, 46, 48, 51, 54, 57, 62)),
    ("other", "HO", 520, (20, 23, 26, 29, 34, 41, 50, 58, 65, 72, 88)),
    ("other", "HOO", 160, (20, 23, 26, 29, 34, 41, 50, 58, 65, 72, 88)),
    ("other", "HG", 100, (57, 62, 65, 67, 69, 71, 73, 75, 77, 80, 86)),
    ("other", "HGG", 40, (57, 61, 63, 65, 67, 69, 71, 73, 75, 78, 84)),
    ("other", "HOOO", 40, (20, 22, 24, 27, 31, 38, 47, 56, 64, 71, 86)),
)
_WIDEST = 6
_TYPE_OF = np.array([TYPES.index(kind) for kind, *_ in _LAYOUTS])
_SHARES = tuple(share for _, _, share, _ in _LAYOUTS)
_SIZES = np.array([len(members) for _, members, _, _ in _LAYOUTS])
_HEAD_AGES = np.array([deciles for *_, deciles in _LAYOUTS])
_ROLES = np.array(
    [["HSCPGO".index(one) for one in members.ljust(_WIDEST, "H")] for _, members, _, _ in _LAYOUTS]
)
_HAS_SPOUSE = np.array(["S" in members for _, members, _, _ in _LAYOUTS])
_NTH = np.array(
    [
        [members[:at].count(members[at]) if at < len(members) else 0 for at in range(_WIDEST)]
        for _, members, _, _ in _LAYOUTS
    ]
)
_PARENT_AT_BIRTH = tuple(
    (place * 1000, age) for place, age in enumerate((21, 25, 27, 28, 29, 30, 31, 33, 35, 38, 43))
)
_TENURE_DAYS = ((0, 20), (2000, 400), (4000, 1100), (6000, 2300), (8000, 4700), (10_000, 14_000))


@dataclass(frozen=True)
class Homes:
    """The households of a block; `first` is the index of its first one in the population."""

    first: int
    index: Ints
    layout: Ints
    size: Ints
    start: Ints
    district: Ints
    rank: Ints
    """How well off, 0..65535: shared by income, property and need."""
    address: Ints

    @property
    def type(self) -> Ints:
        """The kind of household, a place in `TYPES`."""
        return _TYPE_OF[self.layout]


@dataclass(frozen=True)
class _Frame:
    """The places to be filled in a block: which household, which role, which of its kind."""

    draws: Draws
    homes: Homes
    row: Ints
    home: Ints
    role: Ints
    nth: Ints


@dataclass(frozen=True)
class People:
    """The people of a block. Days are numbers of `calendar`, codes are places in a tuple."""

    draws: Draws
    homes: Homes
    row: Ints
    home: Ints
    role: Ints
    sex: Ints
    birth: Ints
    age: Ints
    surname: Ints
    given: Ints
    nationality: Ints
    status: Ints
    death: Ints
    disabled: Ints
    """0 none, 1 not severe, 2 severe."""
    rank: Ints
    """How well paid, 0..65535; half of the people follow their household."""
    move_in: Ints

    @property
    def district(self) -> Ints:
        """The district each one is registered in."""
        return self.homes.district[self.home]

    def by_home(self, values: Ints) -> Ints:
        """Sum a column of the people over each household."""
        return np.add.reduceat(values, self.homes.start)

    @property
    def adult(self) -> Mask:
        """Living residents of 19 and over: those who can have income of their own."""
        adult: Mask = (self.age >= 19) & (self.status != DECEASED)
        return adult


def make_homes(draws: Draws, first: int, count: int, room: int) -> Homes:
    """`count` households from the one numbered `first`, cut so that `room` people fit exactly."""
    index = np.arange(first, first + count, dtype=np.int64)
    layout = draws.pick("layout", index, _SHARES)
    district = draws.pick("district", index, DISTRICTS.weights)
    rank = draws.rank("home.rank", index)
    sample.shape_homes(first, layout, district, rank)
    ends = np.cumsum(_SIZES[layout])
    if int(ends[-1]) > room:
        whole = int(np.searchsorted(ends, room, side="right"))
        alone = room - (int(ends[whole - 1]) if whole else 0)
        index, district, rank = (part[: whole + alone] for part in (index, district, rank))
        layout = np.concatenate([layout[:whole], np.zeros(alone, dtype=np.int64)])
    size = _SIZES[layout].astype(np.int64)
    return Homes(
        first=first,
        index=index,
        layout=layout,
        size=size,
        start=np.cumsum(size) - size,
        district=district,
        rank=rank,
        address=address_codes(draws, "address", index, district),
    )


def make_people(draws: Draws, homes: Homes, first_row: int) -> People:
    """The members of a block's households."""
    frame = _frame(draws, homes, first_row)
    row, home, role = frame.row, frame.home, frame.role
    head_age, head_sex = _heads(draws, homes)
    wanted = _wanted_ages(frame, head_age, head_sex)
    sex = _sexes(frame, head_sex)
    sample.shape_ages(first_row, wanted, sex)
    head_sex = sex[homes.start]
    birth = TODAY - (wanted * 146_097) // 400 - 1 - draws.below("birthday", row, 364)
    age = ages(birth)
    status, death = _registration(frame, age)
    nationality = _nationalities(frame, age)
    sample.shape_registration(first_row, status, death, nationality)
    disabled_share = np.select([age < 19, age < 50, age < 65], [110, 260, 700], 1500)
    disabled = draws.chance("disabled", row, disabled_share).astype(np.int64)
    disabled += (disabled == 1) & draws.chance("severe", row, 3600)
    given = given_list(sex, month_of(birth) // 12) * GIVEN_EACH
    own = draws.chance("rank.own", row, 5000)
    tenure = spread(draws.rank("tenure", homes.index), _TENURE_DAYS)[home]
    return People(
        draws=draws,
        homes=homes,
        row=row,
        home=home,
        role=role,
        sex=sex,
        birth=birth,
        age=age,
        surname=_surnames(frame, sex, head_sex),
        given=given + draws.below("given", row, GIVEN_EACH),
        nationality=nationality,
        status=status,
        death=death,
        disabled=disabled,
        rank=np.where(own, draws.rank("rank", row), homes.rank[home]),
        move_in=np.maximum(birth, TODAY - tenure - draws.below("move-in.late", row, 15)),
    )


def _frame(draws: Draws, homes: Homes, first_row: int) -> _Frame:
    """Lay out a row for each member of each household."""
    count = int(homes.size.sum())
    home = np.repeat(np.arange(len(homes.size)), homes.size)
    place = np.arange(count) - homes.start[home]
    layout = homes.layout[home]
    return _Frame(
        draws=draws,
        homes=homes,
        row=np.arange(first_row, first_row + count, dtype=np.int64),
        home=home,
        role=_ROLES[layout, place].astype(np.int64),
        nth=_NTH[layout, place].astype(np.int64),
    )


def _heads(draws: Draws, homes: Homes) -> tuple[Ints, Ints]:
    """Age and sex of each household's head."""
    age = spread_rows(draws.rank("head.age", homes.index), _HEAD_AGES, homes.layout)
    kind = homes.type
    men = np.select(
        [(kind == 0) & (age < 45), (kind == 0) & (age >= 60), kind == 0, kind == 3, kind == 5],
        [5500, 3300, 5000, 2500, 5000],
        8500,
    )
    return age, np.where(draws.chance("head.sex", homes.index, men), MALE, FEMALE)


def _wanted_ages(frame: _Frame, head_age: Ints, head_sex: Ints) -> Ints:
    """Ages that fit the roles: children born when the younger parent was 21 to 43."""
    draws, homes, row = frame.draws, frame.homes, frame.row
    home, role, nth = frame.home, frame.role, frame.nth
    gap = draws.between("spouse.gap", homes.index, -1, 6) * np.where(head_sex == MALE, 1, -1)
    spouse_age = np.clip(head_age - gap, 20, 99)
    younger = np.where(_HAS_SPOUSE[homes.layout], np.minimum(head_age, spouse_age), head_age)
    eldest = younger - spread(draws.rank("first-child", homes.index), _PARENT_AT_BIRTH)
    eldest = np.where(eldest < 0, draws.below("baby", homes.index, 3), np.minimum(eldest, 38))
    child = eldest[home] - nth * 2 - np.where(nth > 0, draws.below("child.gap", row, 3), 0)
    parent = head_age[home] + draws.between("parent.gap", row, 22, 33)
    grandchild = head_age[home] - draws.between("grandchild.gap", row, 50, 57) - nth
    other = head_age[home] + draws.between("other.gap", row, -12, 12)
    ages_wanted: Ints = np.select(
        [role == HEAD, role == SPOUSE, role == CHILD, role == PARENT, role == GRANDCHILD],
        [
            head_age[home],
            spouse_age[home],
            np.maximum(child, 0),
            np.minimum(parent, 101),
            np.clip(grandchild, 0, 25),
        ],
        np.clip(other, 19, 95),
    ).astype(np.int64)
    return ages_wanted


def _sexes(frame: _Frame, heads: Ints) -> Ints:
    """Spouses are of the other sex than heads; of two parents the second is the father."""
    draws, row, role, nth = frame.draws, frame.row, frame.role, frame.nth
    head_sex = heads[frame.home]
    drawn = np.where(draws.chance("sex", row, 5130), MALE, FEMALE)
    mother = np.where(draws.chance("widow", row, 8000), FEMALE, MALE)
    return np.select(
        [role == HEAD, role == SPOUSE, (role == PARENT) & (nth > 0), role == PARENT],
        [head_sex, 3 - head_sex, np.full(len(row), MALE), mother],
        drawn,
    ).astype(np.int64)


def _surnames(frame: _Frame, sex: Ints, head_sex: Ints) -> Ints:
    """Children and grandchildren bear the father's surname, wives keep their own."""
    draws, homes, row = frame.draws, frame.homes, frame.row
    home, role = frame.home, frame.role
    house = draws.pick("surname", homes.index, SURNAME_SHARES)
    father = draws.pick("surname.father", homes.index, SURNAME_SHARES)
    own = draws.pick("surname.own", row, SURNAME_SHARES)
    led_by_man = head_sex[home] == MALE
    sibling = draws.chance("other.sibling", row, 4000)
    husband = (role == SPOUSE) & (sex == MALE)
    descends = (role == CHILD) | (role == GRANDCHILD)
    bears_house = (
        (role == HEAD)
        | (descends & led_by_man)
        | ((role == PARENT) & (sex == MALE))
        | ((role == OTHER) & sibling)
    )
    bears_father = (descends & ~led_by_man) | husband
    return np.select([bears_house, bears_father], [house[home], father[home]], own)


def _registration(frame: _Frame, age: Ints) -> tuple[Ints, Ints]:
    """State of the registration and day of death.

    Only people who live alone and second parents may have died, so that a household keeps
    its head and its type.
    """
    draws, row, role = frame.draws, frame.row, frame.role
    may_die = (frame.homes.size[frame.home] == 1) | ((role == PARENT) & (frame.nth > 0))
    rate = np.select([age < 60, age < 75], [15, 90], 350)
    status = np.select(
        [
            may_die & draws.chance("deceased", row, rate),
            (age >= 19) & draws.chance("abroad", row, 45),
            (age >= 19) & draws.chance("unknown-residence", row, 55),
        ],
        [DECEASED, ABROAD, UNKNOWN],
        RESIDENT,
    ).astype(np.int64)
    death = np.where(status == DECEASED, TODAY - draws.between("death", row, 5, 1000), NONE)
    return status, death


def _nationalities(frame: _Frame, age: Ints) -> Ints:
    """A few spouses and others hold a foreign nationality."""
    draws, row, role = frame.draws, frame.row, frame.role
    rate = np.where(role == SPOUSE, 260, np.where(role == OTHER, 400, 0)) * (age < 60)
    kind = draws.below("nationality", row, len(NATIONALITIES) - 1) + 1
    return np.where(draws.chance("foreign", row, rate), kind, 0)


def make_history(people: People) -> tuple[Ints, dict[str, Ints]]:
    """Earlier addresses, newest first, each ending the day before the next begins."""
    draws, row = people.draws, people.row
    wanted = draws.pick("history", row, (3000, 3300, 2400, 1300))
    sample.shape_history(int(row[0]), wanted)
    until = people.move_in - 1
    held: list[Mask] = []
    slots: list[dict[str, Ints]] = []
    going = np.ones(len(row), dtype=np.bool_)
    for turn in range(3):
        start = np.maximum(
            until - draws.between(f"history.days.{turn}", row, 200, 2600), people.birth
        )
        going = going & (wanted > turn) & (until > people.birth)
        near = draws.chance(f"history.near.{turn}", row, 6000)
        far = draws.pick(f"history.far.{turn}", row, DISTRICTS.weights)
        district = np.where(near, people.district, far)
        address = address_codes(draws, f"history.address.{turn}", row, district)
        held.append(going)
        slots.append({"address": address, "since": start, "until": until})
        until = start - 1
    return pack(held, slots)
