"""A payload's selection, read as docs/payload.md describes it."""

import struct
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GROUP = 4_096
HEADER = struct.Struct("<4s HH 32s II HH I 32s II 32s 32s")
STRAND = 2_048
FIRST = 1 << 16

Selection = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions in the whole row of coefficients, and values: +1 or -1 where they have one bit."""


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
    most: int
    value_bits: int
    bytes_max: int


def decode(data: bytes, expected: Expected) -> Selection:
    """The selection, or `RefusedError`."""
    if not HEADER.size <= len(data) <= expected.bytes_max:
        raise RefusedError(f"{len(data)} bytes")
    sent = _check_header(data, expected)
    sizes = _group_sizes(expected.coefficients)
    body = _Body(data[HEADER.size :])
    plain, limits = (_shares(sizes, of) for of in (expected.topk, expected.most))
    counts = _counts(body, plain, limits, expected.most.bit_length())
    if sum(counts) != sent or sent > sum(plain):
        raise RefusedError("the counts do not add up, or to more than a payload sends")
    values = _values(_fields(body, sent, expected.value_bits))
    strands = _cut(counts)
    lengths = [2 * _number16(body) + 4 for _ in strands]
    positions: list[int] = []
    for length, groups in zip(lengths, strands, strict=True):
        positions += _strand(body.take(length), groups, counts, sizes)
    if body.take(len(body)):
        raise RefusedError("the body goes on")
    return np.array(positions, np.int64), np.array(values, np.int64)


def _check_header(data: bytes, expected: Expected) -> int:
    """The number of coefficients sent, once everything else is as expected."""
    magic, version, flags, instance, epoch, number, slot, reserved, member, layout, groups, sent = (
        HEADER.unpack_from(data)[:12]
    )
    found = (magic, version, flags, reserved, instance, epoch, number, slot, member, layout, groups)
    wanted = (
        b"PSYP", 3, 0, 0, expected.instance, expected.epoch, expected.round, expected.slot,
        expected.member_id, expected.layout_digest, -(-expected.coefficients // GROUP),
    )  # fmt: skip
    if found != wanted:
        raise RefusedError(f"the header says {found}, not {wanted}")
    return int(sent)


def _group_sizes(coefficients: int) -> list[int]:
    return [min(GROUP, coefficients - start) for start in range(0, coefficients, GROUP)]


class _Body:
    """Takes bytes from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __len__(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if len(self) < size:
            raise RefusedError("the body ends too early")
        self._at += size
        return self._data[self._at - size : self._at]


def _bits(body: _Body, count: int) -> list[int]:
    """The next section of so many bits: it is filled up with zeros to a whole byte."""
    number = int.from_bytes(body.take(-(-count // 8)), "little")
    if number >> count:
        raise RefusedError("a one in padding")
    return [int(bit) for bit in f"{number:0{count}b}"[::-1]] if count else []


def _number16(body: _Body) -> int:
    return int.from_bytes(body.take(2), "little")


def _number(body: _Body) -> int:
    """Seven bits a byte; every byte but the last has the high bit, and the last is not in vain."""
    number, shift, byte = 0, 0, 128
    while byte & 128:
        (byte,) = body.take(1)
        number |= (byte & 127) << shift
        shift += 7
    if number >> 32 or (byte == 0 and shift > 7):
        raise RefusedError("a number that is too large or too long")
    return number


def _values(fields: list[int]) -> list[int]:
    """The lowest bit says that it is above zero, the others are its magnitude less one."""
    return [(field >> 1) + 1 if field & 1 else -(field >> 1) - 1 for field in fields]


def _shares(sizes: list[int], of: int) -> list[int]:
    return [-(-size * of // GROUP) for size in sizes]


def _counts(body: _Body, plain: list[int], limits: list[int], width: int) -> list[int]:
    fields = -(-width * len(plain) // 8)
    (mode,) = body.take(1)
    if mode > 1:
        raise RefusedError(f"mode {mode}")
    before = len(body)
    counts = _fields(body, len(plain), width) if mode else _list(body, plain, limits)
    listed = _list_size(counts, plain) if mode else before - len(body)
    if any(count > limit for count, limit in zip(counts, limits, strict=True)):
        raise RefusedError("a count is above its limit")
    if (listed > fields) != (mode == 1):
        raise RefusedError("the other mode is shorter")
    return counts


def _fields(body: _Body, groups: int, width: int) -> list[int]:
    flat = _bits(body, groups * width)
    return [sum(flat[at + i] << i for i in range(width)) for at in range(0, len(flat), width)]


def _list(body: _Body, plain: list[int], limits: list[int]) -> list[int]:
    counts, group = plain.copy(), -1
    for _ in range(_number(body)):
        group += 1 + _number(body)
        differs = _number(body)
        if group >= len(counts) or not 1 <= differs <= limits[group]:
            raise RefusedError("a group that is not there, or differs by nothing or too much")
        lacks = differs <= plain[group]
        counts[group] = plain[group] - differs if lacks else differs
    return counts


def _list_size(counts: list[int], plain: list[int]) -> int:
    """Bytes of the list with these counts."""
    numbers, since = [0], 0
    for count, usual in zip(counts, plain, strict=True):
        if count != usual:
            numbers += [since, usual - count if count < usual else count]
        numbers[0] += count != usual
        since = 0 if count != usual else since + 1
    return sum(max(1, -(-number.bit_length() // 7)) for number in numbers)


def _cut(counts: list[int]) -> list[list[int]]:
    """The groups of each strand."""
    parts: dict[int, list[int]] = {}
    start = 0
    for group, count in enumerate(counts):
        if count:
            parts.setdefault(start // STRAND, []).append(group)
        start += count
    return list(parts.values())


def _strand(data: bytes, groups: list[int], counts: list[int], sizes: list[int]) -> list[int]:
    """Positions in the whole row of coefficients."""
    words = [data[at] | data[at + 1] << 8 for at in range(0, len(data), 2)]
    state, at = words[0] << 16 | words[1], 2
    words.append(0)
    if state < FIRST:
        raise RefusedError("a strand begins with a state that none has")
    positions: list[int] = []
    for group in groups:
        found: list[int] = []
        for size in range(1, counts[group] + 1):
            index = state % GROUP
            rank = bisect_left(found, index)
            if index >= sizes[group] or found[rank : rank + 1] == [index]:
                raise RefusedError("an index is beyond its group, or is there twice")
            found.insert(rank, index)
            state = state // GROUP * size + rank
            if state < FIRST and at < len(words):
                state, at = state << 16 | words[at], at + 1
        positions += [group * GROUP + index for index in found]
    if state != FIRST or at != len(words) - 1:
        raise RefusedError("a strand does not end where it should")
    return positions
