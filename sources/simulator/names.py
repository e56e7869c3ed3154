"""Names of people and of employers, by number, made of the words in `names.toml`."""

import tomllib
from importlib.resources import files

import numpy as np

from sources.simulator.draw import Ints

_DATA = tomllib.loads(files("sources.simulator").joinpath("names.toml").read_text(encoding="utf-8"))
_SURNAMES = [pair.split() for pair in _DATA["surnames"].split(",")]
SURNAMES: tuple[str, ...] = tuple(name for name, _ in _SURNAMES)
SURNAME_SHARES = tuple(int(share) for _, share in _SURNAMES)
GIVEN: tuple[tuple[str, ...], ...] = tuple(
    tuple(one + two for one in first.split() for two in second.split())
    for first, second in _DATA["given"]
)
GIVEN_EACH = len(GIVEN[0])
NATIONALITIES = ("KOR", *_DATA["foreign"])
_FOREIGN = ((), *_DATA["foreign"].values())
_WORDS: dict[str, list[str]] = {kind: text.split() for kind, text in _DATA["words"].items()}
OCCUPATIONS = _WORDS["occupations"]
SECTORS = _WORDS["sectors"]
ROADS = _WORDS["roads"]


def given_list(sex: Ints, birth_year: Ints) -> Ints:
    """Which list of given names fits a sex (1, 2) and a year of birth."""
    return np.where(birth_year < 1975, 0, 2) + sex - 1


def person_name(surname: int, given: int, nationality: int) -> str:
    """The registered name, surname first; `given` numbers all lists one after another."""
    if nationality:
        names: list[str] = _FOREIGN[nationality]
        return names[given % len(names)]
    return SURNAMES[surname] + GIVEN[given // GIVEN_EACH][given % GIVEN_EACH]


def employer_name(number: int) -> str:
    """The name of an employer by its number."""
    heads, tails = _WORDS["firm_heads"], _WORDS["firm_tails"]
    rest = number // len(heads)
    name = heads[number % len(heads)] + tails[rest % len(tails)]
    form = rest // len(tails) % 4
    if form == 3:
        return name
    return f"주식회사 {name}" if form == 2 else f"(주){name}"


def shop_name(number: int) -> str:
    """The name of a person's own business by its number."""
    heads, tails = _WORDS["firm_heads"], _WORDS["shop_tails"]
    return heads[number % len(heads)] + tails[number // len(heads) % len(tails)]


def business_number(number: int) -> str:
    """A business registration number in form only: office codes below 100 are nobody's (K)."""
    return f"{number // 10_000_000:03}-{number // 100_000 % 100:02}-{number % 100_000:05}"


def employer_business_number(number: int) -> str:
    """The registration number of an employer, apart from those of people's own businesses."""
    return business_number(50_000_000 + number)


def workplace_number(number: int) -> str:
    """The eleven digits of an employer's workplace."""
    return f"9{number % 10_000_000_000:010}"
