"""Compares how long kinds of request take, asked in turns: by ratios of medians, round by round."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence


def slowest_over_fastest(
    kinds: Mapping[str, Callable[[], float]], *, rounds: int, each: int, seed: int = 1
) -> float:
    """How many times as long the slowest kind takes as the fastest, where noise does not tell.

    In every round each kind is asked `each` times, all in random order, so that a slow moment of
    the machine falls on all kinds alike. Of a round, each kind's median counts; of the rounds, the
    median of each kind's ratio to the round's middle.
    """
    order = random.Random(seed)
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        turns = [kind for kind in kinds for _ in range(each)]
        order.shuffle(turns)
        took: dict[str, list[float]] = {kind: [] for kind in kinds}
        for kind in turns:
            took[kind].append(kinds[kind]())
        for kind, ratio in _ratios(took).items():
            ratios[kind].append(ratio)
    found = [statistics.median(several) for several in ratios.values()]
    return max(found) / min(found)


def _ratios(took: Mapping[str, Sequence[float]]) -> dict[str, float]:
    medians = {kind: statistics.median(several) for kind, several in took.items()}
    middle = statistics.median(medians.values())
    return {kind: median / middle for kind, median in medians.items()}
