"""Draws: words from a seed, uniform numbers by rejection, shuffles."""

import struct
from collections.abc import Iterator, Sequence

from psyche_sdk._rules.hashing import sha256, u32

#: Most verifiers that a round can have.
MAX_VERIFIERS = 64
#: Most witnesses that a draw can elect: a bit each in a 32-bit mask.
MAX_WITNESSES = 32


def words(seed: bytes) -> Iterator[int]:
    """An endless row of 32-bit words: those of sha256(seed | counter), counter = 0, 1, 2, ..."""
    counter = 0
    while True:
        yield from struct.unpack("<8I", sha256(seed, u32(counter)))
        counter = (counter + 1) % 2**32


def uniform(source: Iterator[int], n: int) -> int:
    """A uniform number in 0..n, 0 if n is 0; words that would favour small numbers are skipped."""
    if n == 0:
        return 0
    limit = 2**32 - 2**32 % n
    return next(word for word in source if word < limit) % n


def shuffled(source: Iterator[int], items: Sequence[int], count: int) -> list[int]:
    """The items with ``count`` of them, drawn without repetition, in front (Fisher-Yates)."""
    drawn = list(items)
    for index in range(min(count, len(drawn))):
        other = index + uniform(source, len(drawn) - index)
        drawn[index], drawn[other] = drawn[other], drawn[index]
    return drawn


def verifier_count(members: int, percent: int, fraction: int) -> int:
    """Verifiers among ``members``: min(floor(members * percent / 100 + r), members - 1, 64).

    r is ``fraction`` / 65,536.
    """
    count = (members * percent * 65_536 + fraction * 100) // 6_553_600
    return min(count, max(members - 1, 0), MAX_VERIFIERS)


def draw_roles(seed: bytes, members: Sequence[int], percent: int) -> tuple[list[int], list[int]]:
    """The verifiers and the trainers of a round, both in drawn order.

    ``members`` are the slots of the Active members, ascending; ``percent`` is 0 in the first round
    of an epoch.
    """
    source = words(seed)
    fraction = next(source) & 0xFFFF
    order = shuffled(source, members, len(members))
    count = verifier_count(len(members), percent, fraction)
    return order[:count], order[count:]


def draw_witnesses(seed: bytes, eligible: Sequence[int], count: int) -> list[int]:
    """``count`` of the eligible slots (ascending), or all, in drawn order: the i-th has bit i."""
    count = min(count, MAX_WITNESSES, len(eligible))
    return shuffled(words(seed), eligible, count)[:count]
