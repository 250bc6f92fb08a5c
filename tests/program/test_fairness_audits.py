"""Audits, committees and publishers favour nobody: chi-square over 100,000 fixed seeds.

The draws are the model's, which meets the golden vectors; here many are made at once.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from support.model import draws
from support.model.words import sha
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
NUMBERS = [*range(3, 17), 33, 100, 256]
#: Words of a seed that are made; no test here draws more.
WORDS = 8
Words = npt.NDArray[np.uint64]


@cache
def drawn_seeds(purpose: int, round_: int) -> Seeds:
    """Seeds of a round's draws; all rounds have the same entropy, for the test's sake."""
    return [draws.seed_of(bytes(32), 0, round_, purpose, one) for one in seeds(MANY, "entropy")]


@cache
def words(purpose: int, round_: int, target: int | None = None) -> Words:
    """Their words; of a committee those of the flagged slot."""
    given = drawn_seeds(purpose, round_)
    if target is not None:
        given = [sha(seed, target.to_bytes(2, "little")) for seed in given]
    return words_of(given, WORDS)


def targets(given: Words, members: int, auditors: list[int]) -> Draws:
    """Whom each auditor audits, a row a seed; everybody committed."""
    around = max(len(auditors), 2)
    drawn, _ = shuffles(given, members, around)
    for i, auditor in enumerate(auditors):
        j = i + 1 if i + 1 < around else 0
        own = drawn[:, i] == auditor
        drawn[own, i], drawn[own, j] = drawn[own, j], drawn[own, i]
    return drawn[:, : len(auditors)]


def spread(counts: npt.NDArray[np.int64], rows: int, count: int) -> float:
    """Unevenness of how often each was drawn, `count` in a row without repetition."""
    members, expected = len(counts), rows * count / len(counts)
    # They vary less than chi-square says: scaled back to it.
    scale = math.sqrt((members - 1) / (members - count))
    return unevenness(expected + (counts - expected) * scale, expected, members - 1)


@pytest.mark.parametrize(
    ("members", "auditors"), [(2, [1]), (5, [9]), (5, [4, 0, 9]), (16, [3, 5])]
)
def test_the_many_draws_at_once_are_those_of_the_model(members: int, auditors: list[int]) -> None:
    every = list(range(members))
    given = seeds(300, "same")

    found = targets(words_of(given, WORDS), members, auditors)

    assert found.tolist() == [draws.targets(seed, every, auditors) for seed in given]
    judges = words_of([sha(seed, (7).to_bytes(2, "little")) for seed in given], WORDS)
    size = min(members, 3)
    seats = shuffles(judges, members, size)[0].tolist() if size == 3 else [[]] * len(given)
    assert seats == [draws.committee(seed, 7, every, 3, 64) for seed in given]


@pytest.mark.parametrize("members", NUMBERS)
def test_every_payload_is_audited_equally_often(members: int) -> None:
    given = words(draws.TARGETS, 0)
    others, trainers = [members, members + 1], [members - 1, 0]
    for auditors in (others, trainers):  # who did not commit itself, and who did
        drawn = targets(given, members, auditors)
        assert spread(np.bincount(drawn.ravel(), minlength=members), len(drawn), 2) < Z_MAX

    alone = targets(given, members, [members - 1])[:, 0]
    counts = np.bincount(alone, minlength=members)
    assert counts[-1] == 0
    assert unevenness(counts[:-1], len(alone) / (members - 1), max(members - 2, 1)) < Z_MAX


def test_who_audits_whom_is_uniform_but_for_the_auditor_before() -> None:
    members, auditors = 16, [3, 5, 9]
    drawn = targets(words(draws.TARGETS, 0), members, auditors)

    for i, auditor in enumerate(auditors):
        counts = np.bincount(drawn[:, i], minlength=members)
        before = auditors[i - 1]
        assert counts[auditor] == 0
        others = np.delete(counts, [auditor, before])
        assert unevenness(others, others.mean(), len(others) - 1) < Z_MAX
        assert counts[before] < 2.1 * others.mean()


@pytest.mark.parametrize("members", NUMBERS)
def test_every_member_judges_equally_often(members: int) -> None:
    seats, _ = shuffles(words(draws.COMMITTEES, 0, 2), members, 3)

    first = np.bincount(seats[:, 0], minlength=members)
    assert unevenness(first, len(seats) / members, members - 1) < Z_MAX
    if members > 3:
        every = np.bincount(seats.ravel(), minlength=members)
        assert spread(every, len(seats), 3) < Z_MAX


@pytest.mark.parametrize("members", NUMBERS)
def test_every_member_publishes_equally_often(members: int) -> None:
    drawn, _ = shuffles(words(draws.PUBLISHERS, 0), members, 2)

    counts = np.bincount(drawn.ravel(), minlength=members)

    assert spread(counts, len(drawn), 2) < Z_MAX


#: Pairs of draws of which one must tell nothing about the other: purpose, round, flagged slot.
PAIRS = {
    "audits of two rounds": ((draws.TARGETS, 0, None), (draws.TARGETS, 1, None)),
    "committees of two rounds": ((draws.COMMITTEES, 0, 2), (draws.COMMITTEES, 1, 2)),
    "committees of two flags": ((draws.COMMITTEES, 0, 2), (draws.COMMITTEES, 0, 3)),
    "publishers of two epochs": ((draws.PUBLISHERS, 0, None), (draws.PUBLISHERS, 1, None)),
    "audits and witnesses": ((draws.TARGETS, 0, None), (draws.WITNESSES, 0, None)),
    "audits and committees": ((draws.TARGETS, 0, None), (draws.COMMITTEES, 0, 2)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_one_draw_tells_nothing_about_another(
    pair: tuple[tuple[int, int, int | None], tuple[int, int, int | None]],
) -> None:
    for members in (2, *NUMBERS):
        (one, counts_one), (other, counts_other) = (
            firsts(words(*which)[:, 0], members) for which in pair
        )
        kept = counts_one & counts_other
        counts = table(one[kept], other[kept], members)
        expected = kept.sum() / members**2
        assert unevenness(counts, expected, members**2 - 1) < Z_MAX, members
