"""The same people give the same count, moved within its bound and by no more than it says."""

from __future__ import annotations

import itertools
import random
import statistics

from hub.population.perturbation import BOUND, KEYS, VARIANCE, Noise, noise_table, record_secret

NOISE = Noise(b"a secret of these tests")


def test_the_table_has_the_bound_the_mean_and_the_variance_that_it_says() -> None:
    table = (0.0, *noise_table())
    chances = [after - before for before, after in itertools.pairwise(table)]
    moves = range(-BOUND, BOUND + 1)
    assert len(chances) == len(moves)
    assert abs(sum(chances) - 1) < 1e-9
    assert abs(sum(v * p for v, p in zip(moves, chances, strict=True))) < 1e-9
    assert abs(sum(v * v * p for v, p in zip(moves, chances, strict=True)) - VARIANCE) < 1e-6


def test_counts_are_moved_as_the_table_says_and_never_beyond_its_bound() -> None:
    draw = random.Random(1)
    moved = [NOISE.count(1000, draw.randrange(KEYS)) - 1000 for _ in range(20_000)]
    assert max(map(abs, moved)) <= BOUND
    assert abs(statistics.mean(moved)) < 0.1
    assert abs(statistics.pvariance(moved) - VARIANCE) < 0.4


def test_the_same_cell_is_moved_alike_and_nobody_stays_nobody() -> None:
    assert len({NOISE.count(500, 77) for _ in range(5)}) == 1
    assert NOISE.count(500, 77) == NOISE.count(500, 77 + KEYS)
    assert NOISE.count(0, 77) == 0
    assert {NOISE.count(40, key) for key in range(30_000)} == set(range(40 - BOUND, 41 + BOUND))


def test_without_the_secret_nothing_is_known_of_the_noise() -> None:
    other = Noise(b"another secret")
    moves = [(NOISE.count(100, key), other.count(100, key)) for key in range(300)]
    assert sum(one == two for one, two in moves) < 100
    assert record_secret(b"k" * 32) != record_secret(b"l" * 32)
