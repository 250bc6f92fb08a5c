"""Bit fields and Rice codes over whole numpy arrays, least significant bit first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Rice parameters stay below this: a gap in a group of 4,096 has 12 bits.
RICE_BITS_MAX = 12


def rice_bits(sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many low bits of each gap stand outside the unary part, a group.

    Gaps average mu = (size - count) / (count + 1). One more low bit pays once mu exceeds 2.078
    times 2^bits (where e^(2^bits / mu) falls below the golden ratio).
    """
    gaps = (sizes - counts) * 1000
    share = (counts + 1) * 2078
    low = np.zeros(len(sizes), np.int64)
    for width in range(RICE_BITS_MAX):
        low += gaps > (share << width)
    return low


def width_of(most: int) -> int:
    """Bits that hold any number from 0 to `most`."""
    return most.bit_length()


def pack_fixed(values: NDArray[np.int64], width: int) -> bytes:
    """Each value in so many bits, then zeros to a whole byte."""
    planes = (values[:, None] >> np.arange(width)) & 1
    return np.packbits(planes.astype(bool).ravel(), bitorder="little").tobytes()


def unpack_fixed(data: NDArray[np.uint8], count: int, width: int) -> NDArray[np.int64]:
    """The values that `pack_fixed` wrote; `data` holds at least as many bits."""
    planes = np.unpackbits(data, count=count * width, bitorder="little").reshape(count, width)
    return planes.astype(np.int64) @ (np.int64(1) << np.arange(width, dtype=np.int64))


def pack_planes(values: NDArray[np.int64], widths: NDArray[np.int64]) -> bytes:
    """Bit 0 of every value whose width is above 0, then bit 1 of those above 1, and so on."""
    planes = []
    for bit in range(int(widths.max(initial=0))):
        planes.append((_wider(values, widths, bit) >> bit) & 1)
    if not planes:
        return b""
    return np.packbits(np.concatenate(planes).astype(bool), bitorder="little").tobytes()


def unpack_planes(data: NDArray[np.uint8], widths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values that `pack_planes` wrote; `data` holds at least as many bits."""
    values = np.zeros(len(widths), np.int64)
    flat = np.unpackbits(data, bitorder="little")
    start = 0
    for bit in range(int(widths.max(initial=0))):
        there = widths > bit
        count = int(np.count_nonzero(there))
        plane = flat[start : start + count].astype(np.int64) << bit
        if count == len(values):
            values |= plane
        else:
            values[there] |= plane
        start += count
    return values


def _wider(values: NDArray[np.int64], widths: NDArray[np.int64], bit: int) -> NDArray[np.int64]:
    there = widths > bit
    return values if there.all() else values[there]


def pack_unary(values: NDArray[np.int64]) -> bytes:
    """Each value as so many zeros and a one; the last byte ends with zeros."""
    if not len(values):
        return b""
    ones = np.cumsum(values + 1) - 1
    flat = np.zeros(int(ones[-1]) + 1, np.uint8)
    flat[ones] = 1
    return np.packbits(flat, bitorder="little").tobytes()


def unpack_unary(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The values before each one bit in `data`."""
    ones = np.flatnonzero(np.unpackbits(data, bitorder="little"))
    return np.diff(ones, prepend=-1) - 1


def padding_is_zero(data: NDArray[np.uint8], bit_count: int) -> bool:
    """Whether the bits of the last byte beyond `bit_count` are all zero."""
    used = bit_count % 8
    return not used or int(data[-1]) >> used == 0
