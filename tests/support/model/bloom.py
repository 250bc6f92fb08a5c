"""Bloom filters of commitments (PROTOCOL.md section 9, Bloom attestations)."""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt
from typing import NamedTuple

from support.model import draws
from support.model.words import sha

WORD = 2**64


class Shape(NamedTuple):
    """Bits of a filter, and how many of them each commitment sets."""

    bits: int
    keys: int

    @property
    def size(self) -> int:
        """Bytes of the filter."""
        return -(-self.bits // 8)

    def most(self, count: int) -> int:
        """The most ones that a filter of so many commitments may have."""
        return min(count * self.keys, 5 * (self.bits // 8) + 2 * isqrt(self.bits) + 8)


def logarithm(ppm: int) -> int:
    """2^16 times the L of the page."""
    x = 2**31 * 10**6 // ppm
    found = x.bit_length() - 32
    x //= 2**found
    for _ in range(16):
        x = x * x // 2**31
        digit = int(x >= 2**32)
        x, found = x // 2**digit, 2 * found + digit
    return found


def shape(count: int, ppm: int) -> Shape:
    """That of a filter for so many commitments."""
    log = logarithm(ppm)
    return Shape(max(1, -(-count * log * 94_549 // 2**32)), max(1, log // 2**16))


class Keys(NamedTuple):
    """a, b, c: whose filter it is."""

    a: int
    b: int
    c: int

    def places(self, form: Shape, slot: int, commitment: bytes) -> list[int]:
        """The bits that a slot's commitment sets."""
        p, q = (int.from_bytes(commitment[at : at + 8], "little") for at in (0, 8))
        x = (p + self.a + slot) * self.b % WORD
        y = (q ^ x) * self.c % WORD
        return [(x + i * y) % WORD // 2**32 * form.bits // 2**32 for i in range(form.keys)]

    def fill(self, form: Shape, held: Iterable[tuple[int, bytes]]) -> bytes:
        """The filter of these slots' commitments."""
        bits = {place for slot, one in held for place in self.places(form, slot, one)}
        return sum(1 << bit for bit in bits).to_bytes(form.size, "little")

    def holds(self, form: Shape, filled: bytes, slot: int, commitment: bytes) -> bool:
        """Whether all bits of a slot's commitment are set."""
        return all(filled[bit // 8] >> bit % 8 & 1 for bit in self.places(form, slot, commitment))


def keys(instance: bytes, epoch: int, number: int, entropy: bytes, place: int) -> Keys:
    """The keys of a witness, by its place among the witnesses and the entropy that elected it."""
    seed = draws.seed_of(instance, epoch, number, draws.BLOOM, entropy)
    drawn = sha(seed, bytes([place]))
    a, b, c = (int.from_bytes(drawn[at : at + 8], "little") for at in range(0, 24, 8))
    return Keys(a, b | 1, c | 1)
