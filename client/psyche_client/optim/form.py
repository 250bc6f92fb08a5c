"""What every payload of a run has in common, and what one of them selects."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

GROUP_SIZE = 4_096
HEADER_BYTES = 160
#: A value's magnitude is at most 2^11.
VALUE_BITS_MAX = 12
#: A strand has the groups that begin in its part of so many coefficients sent.
STRAND = 2_048
_INDEX_BITS = 12
_STRAND_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The shape of every payload of a round: coefficients in the layout, and how many are sent.

    All groups together send no more than if every 4,096 coefficients sent `topk`; one group up to
    `most` of 4,096 (0: `topk`). A smaller last group has its share of either, rounded up. A value
    is a whole number but 0, of magnitude 2^(value_bits - 1) at most: with one bit, a sign.
    """

    coefficients: int
    topk: int
    most: int = 0
    value_bits: int = 1

    def __post_init__(self) -> None:
        """Refuse what a header's fields cannot hold.

        Raises:
            ValueError: no coefficient, a topk or most outside 1..4096, a most below topk, value
                bits outside 1..12, or 2^32 coefficients a payload.
        """
        if not self.most:
            object.__setattr__(self, "most", self.topk)
        if self.coefficients < 1 or not 1 <= self.topk <= self.most <= GROUP_SIZE:
            raise ValueError(
                f"no payload has {self.coefficients} coefficients, topk {self.topk}, "
                f"most {self.most}"
            )
        if not 1 <= self.value_bits <= VALUE_BITS_MAX:
            raise ValueError(f"value_bits ({self.value_bits}) must be from 1 to {VALUE_BITS_MAX}")
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
    def plain(self) -> NDArray[np.int64]:
        """What each group sends if all send alike: its share of `topk`."""
        return np.asarray(-(-self.sizes * self.topk // GROUP_SIZE), np.int64)

    @property
    def limits(self) -> NDArray[np.int64]:
        """Most coefficients that each group sends."""
        return np.asarray(-(-self.sizes * self.most // GROUP_SIZE), np.int64)

    @property
    def sent_max(self) -> int:
        """Most coefficients that a payload sends: the sum of what is plain."""
        full, last = divmod(self.coefficients, GROUP_SIZE)
        return full * self.topk + -(-last * self.topk // GROUP_SIZE)

    @property
    def value_max(self) -> int:
        """Largest magnitude of a value."""
        return 1 << (self.value_bits - 1)

    @property
    def count_bits(self) -> int:
        """Bits of a count that is written as a field."""
        return self.most.bit_length()

    @property
    def fields_bytes(self) -> int:
        """Bytes of all counts as fields; no list of counts is longer."""
        return -(-self.groups * self.count_bits // 8)

    @property
    def bytes_max(self) -> int:
        """No payload of this form is longer."""
        # A set's bits grow less and less with its count: equal counts have the most in sum.
        sent = self.sent_max
        each, more = divmod(sent, self.groups)
        # A step multiplies the state by 4096 / size, by 17/16 more at most as it rounds, and by
        # 17/16 more as it gives a word away: 2 log2(17/16) < 1/5 bit.
        bits = (self.groups - more) * _set_bits(each) + more * _set_bits(each + 1) + -(-sent // 5)
        # A strand that begins at the last coefficient is one more; a word may be begun in each.
        strands = -(-sent // STRAND) + 1
        values = -(-sent * self.value_bits // 8)
        sections = (self.fields_bytes, values, strands * (_STRAND_BYTES + 2), -(-bits // 8))
        return HEADER_BYTES + 1 + sum(sections)


def _set_bits(count: int) -> int:
    """Bits of a set, rounded up: 12 an index, less those of its order."""
    return _INDEX_BITS * count - (factorial(count).bit_length() - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What one member sends in a round.

    counts [groups] uint16; indices [sum of counts] uint16, rising within each group and
    relative to it; values [sum of counts] int16, none 0: +1 or -1 where a value has one bit.
    """

    counts: NDArray[np.uint16]
    indices: NDArray[np.uint16]
    values: NDArray[np.int16]

    def positions(self) -> NDArray[np.int64]:
        """Indices into the whole row of coefficients, rising."""
        starts = np.arange(len(self.counts), dtype=np.int64) * GROUP_SIZE
        return np.repeat(starts, self.counts) + self.indices

    def equals(self, other: Selection) -> bool:
        """Whether both name the same coefficients with the same values."""
        return (
            np.array_equal(self.counts, other.counts)
            and np.array_equal(self.indices, other.indices)
            and np.array_equal(self.values, other.values)
        )
