"""What every payload of a run has in common, and what one of them selects."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

GROUP_SIZE = 4_096
HEADER_BYTES = 160
#: A strand has the groups that begin in its part of so many coefficients sent.
STRAND = 2_048
_INDEX_BITS = 12
_STRAND_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The shape of every payload of a run: coefficients in the layout and the most a group sends.

    A group of 4,096 sends at most `topk`; the smaller last group its share, rounded up.
    """

    coefficients: int
    topk: int

    def __post_init__(self) -> None:
        """Refuse what a header's fields cannot hold.

        Raises:
            ValueError: no coefficient, a topk outside 1..4096, or 2^32 coefficients a payload.
        """
        if self.coefficients < 1 or not 1 <= self.topk <= GROUP_SIZE:
            raise ValueError(f"no payload has {self.coefficients} coefficients, topk {self.topk}")
        if self.groups * self.topk >= 1 << 32:
            raise ValueError(f"topk {self.topk} makes payloads of 2^32 coefficients or more")

    @property
    def groups(self) -> int:
        """Selection groups."""
        return -(-self.coefficients // GROUP_SIZE)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Coefficients of each group."""
        sizes = np.full(self.groups, GROUP_SIZE, np.int64)
        sizes[-1] = self.coefficients - GROUP_SIZE * (self.groups - 1)
        return sizes

    @property
    def limits(self) -> NDArray[np.int64]:
        """Most coefficients that each group sends."""
        return np.asarray(-(-self.sizes * self.topk // GROUP_SIZE), np.int64)

    @property
    def count_bits(self) -> int:
        """Bits of a count that is written as a field."""
        return self.topk.bit_length()

    @property
    def fields_bytes(self) -> int:
        """Bytes of all counts as fields; no list of counts is longer."""
        return -(-self.groups * self.count_bits // 8)

    @property
    def bytes_max(self) -> int:
        """No payload of this form is longer."""
        full, last = divmod(self.coefficients, GROUP_SIZE)
        last_count = -(-last * self.topk // GROUP_SIZE)
        sent = full * self.topk + last_count
        # A step multiplies the state by 4096 / size, by 17/16 more at most as it rounds, and by
        # 17/16 more as it gives a word away: 2 log2(17/16) < 1/5 bit.
        bits = full * _set_bits(self.topk) + _set_bits(last_count) + -(-sent // 5)
        # A strand that begins at the last coefficient is one more; a word may be begun in each.
        strands = -(-sent // STRAND) + 1
        sections = (self.fields_bytes, -(-sent // 8), strands * (_STRAND_BYTES + 2), -(-bits // 8))
        return HEADER_BYTES + 1 + sum(sections)


def _set_bits(count: int) -> int:
    """Bits of a set, rounded up: 12 an index, less those of its order."""
    return _INDEX_BITS * count - (factorial(count).bit_length() - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What one member sends in a round.

    counts [groups] uint16; indices [sum of counts] uint16, rising within each group and
    relative to it; signs [sum of counts] int8, +1 or -1.
    """

    counts: NDArray[np.uint16]
    indices: NDArray[np.uint16]
    signs: NDArray[np.int8]

    def positions(self) -> NDArray[np.int64]:
        """Indices into the whole row of coefficients, rising."""
        starts = np.arange(len(self.counts), dtype=np.int64) * GROUP_SIZE
        return np.repeat(starts, self.counts) + self.indices

    def equals(self, other: Selection) -> bool:
        """Whether both name the same coefficients with the same signs."""
        return (
            np.array_equal(self.counts, other.counts)
            and np.array_equal(self.indices, other.indices)
            and np.array_equal(self.signs, other.signs)
        )
