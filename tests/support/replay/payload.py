"""A payload's selection, read as docs/payload.md describes it."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GROUP = 4_096
HEADER = struct.Struct("<4s HH 32s II HH I 32s II 32s 32s")
LOW_BITS_MAX = 12

Selection = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions in the whole row of coefficients, and signs +1 or -1."""


class RefusedError(ValueError):
    """The bytes are no payload of this member in this round: they contribute nothing."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the chain's record and model.json say of a payload before it is read."""

    instance: bytes
    epoch: int
    round: int
    slot: int
    member_id: int
    layout_digest: bytes
    coefficients: int
    topk: int
    bytes_max: int


def decode(data: bytes, expected: Expected) -> Selection:
    """The selection, or `RefusedError`."""
    if not HEADER.size <= len(data) <= expected.bytes_max:
        raise RefusedError(f"{len(data)} bytes")
    sent = _check_header(data, expected)
    sizes = _group_sizes(expected.coefficients)
    body = _Body(data[HEADER.size :])
    counts = _counts(body, sizes, expected.topk, sent)
    low_bits = np.repeat(_low_bits(sizes, counts), counts)
    gaps = _low_parts(body, low_bits)
    signs = body.take(sent).astype(np.int64) * 2 - 1
    gaps += _high_parts(body, sent) << low_bits
    return _positions(gaps, counts, sizes), signs


def _check_header(data: bytes, expected: Expected) -> int:
    """The number of coefficients sent, once everything else is as expected."""
    magic, version, flags, instance, epoch, number, slot, reserved, member, layout, groups, sent = (
        HEADER.unpack_from(data)[:12]
    )
    found = (magic, version, flags, reserved, instance, epoch, number, slot, member, layout, groups)
    wanted = (
        b"PSYP", 1, 0, 0, expected.instance, expected.epoch, expected.round, expected.slot,
        expected.member_id, expected.layout_digest, -(-expected.coefficients // GROUP),
    )  # fmt: skip
    if found != wanted:
        raise RefusedError(f"the header says {found}, not {wanted}")
    return int(sent)


def _group_sizes(coefficients: int) -> NDArray[np.int64]:
    starts = np.arange(0, coefficients, GROUP)
    return np.minimum(GROUP, coefficients - starts).astype(np.int64)


class _Body:
    """Takes sections from the front: each begins at a byte and is filled up with zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> NDArray[np.uint8]:
        """The next `count` bits, one an element."""
        size = -(-count // 8)
        if len(self._data) < size:
            raise RefusedError("the body ends too early")
        bits = _bits(self._data[:size])
        if bits[count:].any():
            raise RefusedError("a one in padding")
        self._data = self._data[size:]
        return bits[:count]

    def rest(self) -> bytes:
        return self._data


def _bits(data: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")


def _counts(body: _Body, sizes: NDArray[np.int64], topk: int, sent: int) -> NDArray[np.int64]:
    limits = -(-sizes * topk // GROUP)
    mode = int(body.take(8) @ (1 << np.arange(8)))
    counts = limits
    if mode == 1:
        width = topk.bit_length()
        fields = body.take(len(sizes) * width).reshape(-1, width).astype(np.int64)
        counts = fields @ (1 << np.arange(width))
        if (counts > limits).any() or (counts == limits).all():
            raise RefusedError("a count is above its limit, or all are at it")
    elif mode:
        raise RefusedError(f"mode {mode}")
    if counts.sum() != sent:
        raise RefusedError("the counts do not add up")
    return counts


def _low_bits(sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """l of each group: the smallest with 1000 (n - c) <= 2078 (c + 1) 2^l."""
    powers = 2078 * (counts + 1)[:, None] << np.arange(LOW_BITS_MAX + 1)
    fits = 1000 * (sizes - counts)[:, None] <= powers
    return np.asarray(np.argmax(fits, axis=1), np.int64)


def _low_parts(body: _Body, low_bits: NDArray[np.int64]) -> NDArray[np.int64]:
    planes = body.take(int(low_bits.sum())).astype(np.int64)
    parts = np.zeros(len(low_bits), np.int64)
    at = 0
    for bit in range(LOW_BITS_MAX):
        (has,) = np.nonzero(low_bits > bit)
        parts[has] |= planes[at : at + len(has)] << bit
        at += len(has)
    return parts


def _high_parts(body: _Body, sent: int) -> NDArray[np.int64]:
    data = body.rest()
    if data and data[-1] == 0:
        raise RefusedError("the last byte is zero")
    (ones,) = np.nonzero(_bits(data))
    if len(ones) != sent:
        raise RefusedError(f"{len(ones)} high parts for {sent} coefficients")
    return np.asarray(np.diff(ones, prepend=-1) - 1, np.int64)


def _positions(
    gaps: NDArray[np.int64], counts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    group = np.repeat(np.arange(len(counts)), counts)
    walked = np.concatenate([[0], np.cumsum(gaps + 1)])
    before_group = walked[np.cumsum(counts) - counts]
    indices = walked[1:] - 1 - before_group[group]
    if (indices >= sizes[group]).any():
        raise RefusedError("an index is beyond its group")
    return np.asarray(indices + group * GROUP, np.int64)
