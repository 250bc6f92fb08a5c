"""Bloom filters: a witness's word about many payloads in few bytes.

The keys of a filter come from entropy that nobody knew when the payloads were committed to, so no
commitment can be chosen to hit a filter, and no filter made before. Slots are part of what a filter
holds: whoever commits to another's hash is not vouched for by those who hold the other's payload.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from psyche_sdk._rules.hashing import HASH_BYTES, Purpose, draw_seed, sha256

#: Most bytes of a filter: a transaction has 1,232 in all.
BLOOM_BYTES_MAX = 800
#: Most keys: more than the least rate needs.
KEYS_MAX = 32
_FRACTION_BITS = 16
#: 1 / ln 2 with 16 bits of fraction, rounded up.
_INVERSE_LN_2 = 94_549
_MILLION = 1_000_000
_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Form:
    """Size of a filter in bits, and how many of them each commitment sets."""

    bits: int
    keys: int

    @classmethod
    def of(cls, count: int, ppm: int) -> "Form":
        """The form for ``count`` commitments with ``ppm`` false positives in a million.

        bits = ceil(count * log2(10^6 / ppm) / ln 2), keys = log2(10^6 / ppm) rounded down,
        at least 1 (Bloom, 1970).
        """
        log = _log2(ppm)
        bits = -(-(count * log * _INVERSE_LN_2) >> 2 * _FRACTION_BITS)
        keys = log >> _FRACTION_BITS
        return cls(min(max(bits, 1), _U32), min(max(keys, 1), KEYS_MAX))

    @property
    def bytes(self) -> int:
        """Bytes of the filter."""
        return -(-self.bits // 8)

    def ones_max(self, count: int) -> int:
        """Most ones that an honest filter of ``count`` commitments has."""
        chance = self.bits // 8 * 5 + 2 * math.isqrt(self.bits) + 8
        return min(count * self.keys, chance)


@dataclass(frozen=True, slots=True)
class Filter:
    """What one witness's filter of one round is made with."""

    form: Form
    keys: tuple[int, int, int]

    @classmethod
    def of(
        cls,
        form: Form,
        *,
        instance: bytes,
        epoch: int,
        round_: int,
        entropy: bytes,
        witness: int,
    ) -> "Filter":
        """Keys from sha256(seed | witness): its first three words, the last two made odd.

        ``entropy`` is that of the draw which elected the witness, ``witness`` its place in it.
        """
        seed = draw_seed(instance, epoch, round_, Purpose.BLOOM_KEYS, entropy)
        a, b, c, _ = _words(sha256(seed, bytes([witness])))
        return cls(form, (a, b | 1, c | 1))

    def made_of(self, held: Iterable[tuple[int, bytes]]) -> bytes:
        """The filter that holds these slots' commitments.

        Raises:
            ValueError: one is not 32 bytes long.
        """
        filled = bytearray(self.form.bytes)
        for slot, commitment in held:
            for place in self._places(slot, commitment):
                filled[place >> 3] |= 1 << (place & 7)
        return bytes(filled)

    def holds(self, filled: bytes, slot: int, commitment: bytes) -> bool:
        """Whether a filter has all bits of a slot's commitment.

        Raises:
            ValueError: the commitment is not 32 bytes long, or the filter has another length.
        """
        if len(filled) != self.form.bytes:
            raise ValueError(f"a filter of {len(filled)} bytes, {self.form.bytes} wanted")
        places = self._places(slot, commitment)
        return all(filled[place >> 3] >> (place & 7) & 1 for place in places)

    def _places(self, slot: int, commitment: bytes) -> list[int]:
        """The i-th place: the upper half of x + i * y, scaled to the filter's bits."""
        if len(commitment) != HASH_BYTES:
            raise ValueError("a commitment has 32 bytes")
        a, b, c = self.keys
        first, second, *_ = _words(commitment)
        x = (first + a + slot) * b & _U64
        y = (second ^ x) * c & _U64
        every = range(self.form.keys)
        return [((x + i * y & _U64) >> 32) * self.form.bits >> 32 for i in every]


def _log2(ppm: int) -> int:
    """log2(10^6 / ppm) with 16 bits of fraction, rounded down; 0 for a rate of all."""
    scaled = (_MILLION << 31) // ppm if ppm > 0 else 0
    whole = scaled.bit_length() - 1 - 31
    if whole < 0:
        return 0
    mantissa, log = scaled >> whole, whole
    for _ in range(_FRACTION_BITS):
        mantissa = mantissa * mantissa >> 31
        one = mantissa >> 32
        log = log << 1 | one
        mantissa >>= one
    return log


def _words(hash_: bytes) -> list[int]:
    return [int.from_bytes(hash_[start : start + 8], "little") for start in range(0, HASH_BYTES, 8)]
