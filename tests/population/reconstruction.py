"""An attempt to reconstruct who has what from a thousand random questions, with control on and off.

The attacker knows everybody's sex, age and province, and wants one thing more of each. Whoever has
the three alike is one unknown: how many of them have it. Every answer is an equation; least squares
solve them (Dinur and Nissim, Revealing information while preserving privacy, PODS 2003). What is
asked passes the same functions that release what the hub answers, over counts by NumPy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub.population.engine import Counted, Found, Overlap
from hub.population.perturbation import KEYS, Noise
from hub.population.question import EVERYONE, Filter, Past
from hub.population.release import Control, is_near, released_count
from tests.hub.memory import CATALOGUE

AGES = tuple(range(5, 90, 5))
PROVINCES = ("Seoul", "Busan", "Daegu", "Gangwon", "Jeju")
SEXES = ("male", "female")
LEAST = 10


@dataclass(frozen=True)
class People:
    """The three known things, the one wanted, and the record key, of each person."""

    sex: Any
    age: Any
    province: Any
    wanted: Any
    record: Any

    @property
    def atom(self) -> Any:
        """The number of those who are alike in all that is known."""
        bands = len(AGES) + 1
        return (self.sex * bands + self.age) * len(PROVINCES) + self.province


def make(number: int, seed: int) -> People:
    draw = np.random.default_rng(seed)
    weights = np.array([0.4, 0.25, 0.18, 0.12, 0.05])
    return People(
        sex=draw.integers(0, 2, number),
        age=draw.integers(0, len(AGES) + 1, number),
        province=draw.choice(len(PROVINCES), number, p=weights),
        wanted=draw.random(number) < 0.3,
        record=draw.integers(0, KEYS, number),
    )


@dataclass(frozen=True)
class Asked:
    """A question: the filter, who is as it says by what is known, and who of them has the thing."""

    where: Filter
    known: Any
    chosen: Any


def questions(people: People, number: int, seed: int) -> list[Asked]:
    """Random questions of one to all provinces, an interval of ages, and one sex or both."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        places = draw.permutation(len(PROVINCES))[: draw.integers(1, len(PROVINCES) + 1)]
        low, high = sorted(draw.choice(len(AGES) + 2, 2, replace=False).tolist())
        sexes = [[0], [1], [0, 1]][draw.integers(0, 3)]
        known = (
            np.isin(people.province, places)
            & (people.age >= low)
            & (people.age < high)
            & np.isin(people.sex, sexes)
        )
        edges = (None, *AGES, None)
        where: Filter = (
            "and",
            ("in", "resident.province", *sorted(PROVINCES[at] for at in places)),
            ("range", "resident.birthDate", edges[low], edges[high]),
            ("in", "resident.sex", *(SEXES[at] for at in sexes)),
            ("in", "labour.insured", True),
        )
        made.append(Asked(where, known, known & people.wanted))
    return made


def answers(people: People, asked: Sequence[Asked], control: Control | None) -> list[int | None]:
    """What is answered; None where nothing is. Without control, the truth."""
    if control is None:
        return [int(each.chosen.sum()) for each in asked]
    past, sizes = [Past(EVERYONE)], [len(people.sex)]
    chosen = np.ones((len(asked) + 1, len(people.sex)), bool)  # by past questions, a row each
    found: list[int | None] = []
    for each in asked:
        both = np.count_nonzero(chosen[: len(past)] & each.chosen, axis=1)
        cells = {(): tuple(zip(sizes, both.tolist(), strict=True))}
        overlap = Overlap((), (), tuple(range(len(past))), cells)
        whole = Counted(int(each.chosen.sum()), int(people.record[each.chosen].sum()) % KEYS)
        count = released_count(control, whole)
        true = Found(whole, {}, (overlap,))
        if count is None or is_near(control, CATALOGUE, each.where, past, true):
            found.append(None)
            continue
        chosen[len(past)] = each.chosen
        past.append(Past(each.where))
        sizes.append(whole.people)
        found.append(count)
    return found


@dataclass(frozen=True)
class Recovered:
    """How well the attack did, over the unknowns of fewer people than a cell may have.

    `exact` is the share of them that it told rightly, `blind` what knowing nothing but the share
    in the population does; `right` and `guessing` are the shares of people, all of them.
    """

    answered: int
    exact: float
    blind: float
    right: float
    guessing: float


def attack(people: People, asked: Sequence[Asked], found: Sequence[int | None]) -> Recovered:
    """Solve for how many of each kind have the thing, and guess everybody's by the more likely."""
    atoms = int(people.atom.max()) + 1
    size = np.bincount(people.atom, minlength=atoms)
    there = size > 0
    rows, right_side = [], []
    for each, count in zip(asked, found, strict=True):
        if count is not None:
            # Of an atom, all are as the filter says by what is known, or none.
            rows.append(np.bincount(people.atom[each.known], minlength=atoms)[there] > 0)
            right_side.append(count)
    share = 0.3  # taken to be public
    matrix = np.array(rows, dtype=float).reshape(-1, int(there.sum()))
    expected = share * size[there]
    spread = np.sqrt(share * (1 - share) * size[there])
    # Least squares from the expected counts, weighed by how far they may lie off: a ridge.
    noise = 2.0 if None in found else 1e-3
    left = np.vstack([matrix * spread / noise, np.eye(len(spread))])
    rest = np.concatenate(
        [(np.array(right_side) - matrix @ expected) / noise, np.zeros(len(spread))]
    )
    solved = expected + spread * np.linalg.lstsq(left, rest, rcond=None)[0]
    estimate = np.clip(np.rint(solved), 0, size[there])
    truth = np.bincount(people.atom, people.wanted, minlength=atoms)[there]
    few = truth < LEAST
    guess = np.zeros(atoms)
    guess[there] = estimate / size[there]
    told = guess[people.atom] > 0.5
    return Recovered(
        answered=len(rows),
        exact=float((estimate == truth)[few].mean()),
        blind=float((np.rint(expected) == truth)[few].mean()),
        right=float((told == people.wanted).mean()),
        guessing=float(max(people.wanted.mean(), 1 - people.wanted.mean())),
    )


def control() -> Control:
    return Control(LEAST, Noise(b"a secret of these tests"))


if __name__ == "__main__":
    for number in (500, 2_000, 10_000):
        people = make(number, 1)
        asked = questions(people, 1_000, 2)
        for name, by in (("off", None), ("on", control())):
            found = attack(people, asked, answers(people, asked, by))
            sys.stdout.write(f"{number} people, control {name}: {found}\n")
