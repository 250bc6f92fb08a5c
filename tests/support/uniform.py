"""Statistics for draws: many draws at once, and how far counts are from even.

All seeds are fixed, so a test that uses these gives the same answer every time. `Z_MAX` is the
bound: an honest draw goes past it with a probability below 1e-5 for each number that is tested.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

#: Standard deviations above the mean at which a statistic counts as uneven (p = 9e-6).
Z_MAX = 4.3

Seeds = list[bytes]
Draws = npt.NDArray[np.int64]  # a row a seed


def seeds(count: int, name: str) -> Seeds:
    """So many seeds, made from a name."""
    return [hashlib.sha256(f"{name} {number}".encode()).digest() for number in range(count)]


def words_of(given: Seeds, count: int) -> npt.NDArray[np.uint64]:
    """The first `count` words of each seed; shape (seeds, count)."""
    blocks = -(-count // 8)
    counters = [number.to_bytes(4, "little") for number in range(blocks)]
    raw = b"".join(
        hashlib.sha256(seed + counter).digest() for seed in given for counter in counters
    )
    return np.frombuffer(raw, "<u4").reshape(len(given), -1)[:, :count].astype(np.uint64)


def shuffles(words: npt.NDArray[np.uint64], members: int, count: int) -> tuple[Draws, Draws]:
    """Shuffles 0..members by each row of words; the places of `count`, and the rows that count.

    A row with a word that the rule skips (fewer than one in 10^5) is left out instead.
    """
    items = np.tile(np.arange(members, dtype=np.int16), (len(words), 1))
    kept = np.ones(len(words), bool)
    rows = np.arange(len(words))
    for index in range(count):
        rest = members - index
        kept &= words[:, index] < (1 << 32) - (1 << 32) % rest
        other = index + (words[:, index] % np.uint64(rest)).astype(np.int64)
        items[rows, index], items[rows, other] = items[rows, other], items[rows, index]
    return items[kept, :count].astype(np.int64), np.flatnonzero(kept)


def firsts(words: npt.NDArray[np.uint64], members: int) -> tuple[Draws, npt.NDArray[np.bool_]]:
    """What is drawn first of 0..members by one word a seed, and which of them the rule counts."""
    limit = (1 << 32) - (1 << 32) % members
    return (words % np.uint64(members)).astype(np.int64), words < limit


def table(first: Draws, second: Draws, width: int) -> Draws:
    """How often each pair of values came together; shape (width, width)."""
    return np.bincount(first * width + second, minlength=width * width).reshape(width, width)


def unevenness(counts: npt.NDArray[np.int64], expected: float, freedom: int) -> float:
    """Chi-square of the counts, as standard deviations above what is even (Wilson and Hilferty)."""
    square = float((((counts - expected) ** 2) / expected).sum())
    spread = 2 / (9 * freedom)
    return float(((square / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))
