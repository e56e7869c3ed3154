"""Districts and the addresses in them: a code per address, turned to words when asked for."""

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from sources.simulator.draw import Draws, Ints
from sources.simulator.names import ROADS

# First two digits of the postal code by province (K), low and high.
_POSTAL = {
    "서울특별시": (1, 9),
    "경기도": (10, 20),
    "인천광역시": (21, 23),
    "강원특별자치도": (24, 26),
    "충청북도": (27, 29),
    "세종특별자치시": (30, 30),
    "충청남도": (31, 33),
    "대전광역시": (34, 35),
    "경상북도": (36, 40),
    "대구광역시": (41, 43),
    "울산광역시": (44, 45),
    "부산광역시": (46, 49),
    "경상남도": (50, 53),
    "전북특별자치도": (54, 56),
    "전라남도": (57, 60),
    "광주광역시": (61, 62),
    "제주특별자치도": (63, 63),
}


@dataclass(frozen=True)
class Districts:
    """The table of districts, column by column; a district is its place in the table."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    provinces: tuple[str, ...]
    weights: Ints
    prices: Ints
    rural: Ints

    def place(self, code: str) -> int:
        """The place of a district by its code."""
        return self.codes.index(code)


def load_districts() -> Districts:
    """Read the table that comes with the package."""
    text = files("sources.simulator").joinpath("districts.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[2:]]
    codes, names, provinces, people, prices = zip(*rows, strict=True)
    return Districts(
        codes=codes,
        names=names,
        provinces=provinces,
        weights=np.array(people, dtype=np.int64),
        prices=np.array(prices, dtype=np.int64),
        rural=np.array([name.endswith("군") for name in names], dtype=np.int64),
    )


DISTRICTS = load_districts()


def address_codes(draws: Draws, column: str, index: Ints, district: Ints) -> Ints:
    """An address in each row's district: the district above 32 random bits."""
    return district << 32 | (draws.bits(column, index) >> np.uint64(32)).astype(np.int64)


def address(code: int) -> str:
    """The words of an address."""
    district, rest = code >> 32, code & 0xFFFF_FFFF
    road = ROADS[rest % len(ROADS)]
    number = 1 + (rest >> 8) % 240
    unit = (
        f", {101 + (rest >> 16) % 12}동 {1 + (rest >> 20) % 18}{1 + (rest >> 26) % 4:02}호"
        if rest >> 30
        else ""
    )
    name, province = DISTRICTS.names[district], DISTRICTS.provinces[district]
    where = (
        province if province.startswith(name[:-1]) and name == "세종시" else f"{province} {name}"
    )
    return f"{where} {road} {number}{unit}"


def postcode(code: int) -> str:
    """The five digits of an address's postal code; the first two are the province's own."""
    district, rest = code >> 32, code & 0xFFFF_FFFF
    low, high = _POSTAL[DISTRICTS.provinces[district]]
    return f"{low + district % (high - low + 1):02}{rest % 1000:03}"
