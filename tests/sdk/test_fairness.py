"""Draws favour nobody: chi-square over 100,000 fixed seeds, p below 1e-5 a number tested."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from psyche_sdk._rules.draw import draw_roles, draw_witnesses, verifier_count
from psyche_sdk._rules.hashing import Purpose, draw_seed
from psyche_sdk._rules.permutation import Permutation
from psyche_sdk._rules.shares import share_ends
from support.uniform import (
    Z_MAX,
    Draws,
    Seeds,
    firsts,
    seeds,
    shuffles,
    table,
    unevenness,
    words_of,
)

MANY = 100_000
NUMBERS = [*range(2, 17), 33, 100]


def roles_of(given: Seeds, members: int) -> Draws:
    """The drawn order of each seed: its first word is the fraction, the others shuffle."""
    order, _ = shuffles(words_of(given, members + 1)[:, 1:], members, members)
    return order


@pytest.mark.parametrize("members", [2, 5, 16, 100])
def test_the_many_draws_at_once_are_those_of_the_rule(members: int) -> None:
    given = seeds(200, "same")

    order = roles_of(given, members)
    witnesses, _ = shuffles(words_of(given, members), members, members)

    every = list(range(members))
    for row, seed in zip(order.tolist(), given, strict=True):
        assert row == draw_roles(seed, every, 0)[1]
    for row, seed in zip(witnesses.tolist(), given, strict=True):
        assert row[:32] == draw_witnesses(seed, every, 32)


@pytest.mark.parametrize("members", NUMBERS)
def test_every_member_has_every_place_equally_often(members: int) -> None:
    order = roles_of(seeds(MANY, f"roles of {members}"), members)

    places = np.tile(np.arange(members), len(order))
    counts = table(order.ravel(), places, members)

    assert unevenness(counts, len(order) / members, (members - 1) ** 2) < Z_MAX


@pytest.mark.parametrize("members", [2, 3, 4, 5, 6])
def test_every_order_comes_equally_often(members: int) -> None:
    order = roles_of(seeds(MANY, f"orders of {members}"), members)

    named = (order * members ** np.arange(members)).sum(axis=1)
    _, counts = np.unique(named, return_counts=True)

    assert len(counts) == math.factorial(members)
    assert unevenness(counts, len(order) / len(counts), len(counts) - 1) < Z_MAX


@cache
def first_words(number: int) -> npt.NDArray[np.uint64]:
    """The word by which the first trainer of a round is drawn; the first one is the fraction.

    Every round has the same entropy, as the first two of an epoch have.
    """
    given = seeds(MANY, "rounds")
    drawn = [draw_seed(bytes(32), 0, number, Purpose.ROLES, seed) for seed in given]
    return words_of(drawn, 2)[:, 1]


@pytest.mark.parametrize("members", NUMBERS)
def test_one_round_tells_nothing_about_the_next(members: int) -> None:
    # Nor do shares, of which the first drawn has the smallest where they divide unevenly (below).
    (first, counts_first), (second, counts_second) = (
        firsts(first_words(number), members) for number in (0, 1)
    )

    both = counts_first & counts_second
    counts = table(first[both], second[both], members)

    assert unevenness(counts, both.sum() / members**2, members**2 - 1) < Z_MAX


def test_roles_tell_nothing_about_witnesses() -> None:
    given, members = seeds(MANY, "purposes"), 9
    drawn = []
    for purpose in (Purpose.ROLES, Purpose.WITNESSES):
        of_purpose = [draw_seed(bytes(32), 3, 4, purpose, seed) for seed in given]
        words = words_of(of_purpose, members + 1)[:, int(purpose is Purpose.ROLES) :]
        drawn.append(shuffles(words, members, 1)[0][:, 0])

    both = min(map(len, drawn))
    counts = table(drawn[0][:both], drawn[1][:both], members)

    assert unevenness(counts, both / members**2, members**2 - 1) < Z_MAX


@pytest.mark.parametrize(("members", "count"), [(3, 1), (9, 4), (16, 8), (100, 32), (256, 32)])
def test_every_member_witnesses_equally_often(members: int, count: int) -> None:
    drawn, _ = shuffles(words_of(seeds(MANY, f"witnesses of {members}"), count), members, count)

    counts = np.bincount(drawn.ravel(), minlength=members)

    # Drawn without repetition, so the counts vary less than chi-square says: scaled back to it.
    scale = (members - 1) / (members - count)
    expected = len(drawn) * count / members
    spread = expected + (counts - expected) * math.sqrt(scale)
    assert unevenness(spread, expected, members - 1) < Z_MAX


@pytest.mark.parametrize("members", [*NUMBERS, 256])
def test_every_member_has_the_smaller_share_equally_often(members: int) -> None:
    batch = 5 * members - 1  # one sequence is missing
    ends = [0, *share_ends(batch, 100, [100] * members)]
    sizes = np.diff(ends)
    assert sizes.tolist() == [4, *[5] * (members - 1)]  # who is drawn first has one less

    smaller, counted = firsts(first_words(0), members)
    counts = np.bincount(smaller[counted], minlength=members)

    assert unevenness(counts, counted.sum() / members, members - 1) < Z_MAX


@pytest.mark.parametrize("percent", [1, 5, 10, 33])
@pytest.mark.parametrize("members", [2, 5, 16, 40])
def test_verifiers_are_as_many_as_asked_for_on_average(members: int, percent: int) -> None:
    fractions = words_of(seeds(MANY, f"{members} at {percent}"), 1)[:, 0].astype(int) & 0xFFFF
    wanted = members * percent / 100

    counts = [verifier_count(members, percent, fraction) for fraction in fractions.tolist()]

    part = wanted % 1
    error = math.sqrt(part * (1 - part) / MANY) + 1 / 65_536
    assert abs(sum(counts) / MANY - wanted) < Z_MAX * error
    assert set(counts) <= {math.floor(wanted), math.ceil(wanted)}


def test_every_sequence_comes_first_equally_often() -> None:
    # Fewer keys than elsewhere: with so short a data set each takes a walk over 65,536 values.
    length, keys = 7, seeds(100, "data of 7")
    every = np.arange(length)

    places = np.array([Permutation(key, 0, length).sequence_ids(every) for key in keys]).astype(int)
    counts = table(places.ravel(), np.tile(np.arange(length), len(keys)), length)

    assert unevenness(counts, len(keys) / length, (length - 1) ** 2) < Z_MAX


def test_neighbours_in_the_order_of_the_data_are_no_neighbours_in_the_data() -> None:
    length, cells = 1 << 20, 1024
    order = Permutation(bytes(32), 0, length).sequence_ids(np.arange(length)).astype(np.int64)

    steps = (order[1:] - order[:-1]) % length
    counts = np.bincount(steps * cells // length, minlength=cells)

    assert unevenness(counts, len(steps) / cells, cells - 1) < Z_MAX
