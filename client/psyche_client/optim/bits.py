"""Bit fields and numbers of seven bits a byte over whole numpy arrays, least significant first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: A number below 2^32 takes at most so many bytes.
_NUMBER_BYTES_MAX = 5
_MORE = 128


def pack_fixed(values: NDArray[np.int64], width: int) -> bytes:
    """Each value in so many bits, then zeros to a whole byte."""
    planes = (values[:, None] >> np.arange(width)) & 1
    return np.packbits(planes.astype(bool).ravel(), bitorder="little").tobytes()


def unpack_fixed(data: NDArray[np.uint8], count: int, width: int) -> NDArray[np.int64]:
    """The values that `pack_fixed` wrote; `data` holds at least as many bits."""
    planes = np.unpackbits(data, count=count * width, bitorder="little").reshape(count, width)
    return planes.astype(np.int64) @ (np.int64(1) << np.arange(width, dtype=np.int64))


def pack_numbers(values: NDArray[np.int64]) -> bytes:
    """Each number below 2^32 in as few bytes as it needs; all but its last have the high bit."""
    parts = values[:, None] >> np.arange(0, 7 * _NUMBER_BYTES_MAX, 7)
    used = parts > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    return ((parts & (_MORE - 1)) | more * _MORE)[used].astype(np.uint8).tobytes()


def unpack_numbers(data: NDArray[np.uint8], count: int) -> tuple[NDArray[np.int64], int] | None:
    """The first numbers in `data` and their bytes; None if there are fewer, or one is too long."""
    ends = np.flatnonzero(data < _MORE)[:count]
    if len(ends) < count:
        return None
    if not count:
        return np.zeros(0, np.int64), 0
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if (lengths > _NUMBER_BYTES_MAX).any() or ((lengths > 1) & (data[ends] == 0)).any():
        return None
    used = int(ends[-1]) + 1
    places = np.arange(used) - np.repeat(starts, lengths)
    parts = (data[:used].astype(np.int64) & (_MORE - 1)) << (7 * places)
    return np.add.reduceat(parts, starts), used


def padding_is_zero(data: NDArray[np.uint8], bit_count: int) -> bool:
    """Whether the bits of the last byte beyond `bit_count` are all zero."""
    used = bit_count % 8
    return not used or int(data[-1]) >> used == 0
