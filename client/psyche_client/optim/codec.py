"""The payload's bytes: header, then counts, indices and signs. numpy alone, no torch.

docs/payload.md describes the format to the bit. There is exactly one encoding of a selection,
so a payload that decodes also encodes to the same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from psyche_client.optim import bits
from psyche_client.optim.errors import PayloadError, PayloadFault

GROUP_SIZE = 4_096
MAGIC = b"PSYP"
VERSION = 1
HEADER = struct.Struct("<4sHH32sIIHHI32sII32s32s")
HEADER_BYTES = HEADER.size
NO_ROOT = bytes(32)


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
    def bytes_max(self) -> int:
        """No payload of this form is longer."""
        full = self.coefficients // GROUP_SIZE
        last = self.coefficients % GROUP_SIZE
        total = full * _group_bits_max(GROUP_SIZE, self.topk) if full else 0
        if last:
            total += _group_bits_max(last, -(-last * self.topk // GROUP_SIZE))
        # Four sections, each rounded up to a whole byte, and the mode byte.
        return HEADER_BYTES + 1 + 4 + -(-(total + self.groups * bits.width_of(self.topk)) // 8)


def _group_bits_max(size: int, limit: int) -> int:
    """Most bits that a group's low parts, high parts and signs take, whatever its count."""
    counts = np.arange(limit + 1, dtype=np.int64)
    low = bits.rice_bits(np.full(limit + 1, size, np.int64), counts)
    return int((counts * (low + 2) + ((size - counts) >> low)).max())


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadHeader:
    """A payload's first 160 bytes. `encode` fills in groups and coefficients (those sent)."""

    instance: bytes
    epoch: int
    round: int
    slot: int
    member_id: int
    layout_digest: bytes
    groups: int = 0
    coefficients: int = 0
    root_before: bytes = NO_ROOT
    root_after: bytes = NO_ROOT

    def pack(self) -> bytes:
        """The header's bytes."""
        return HEADER.pack(
            MAGIC, VERSION, 0, self.instance, self.epoch, self.round, self.slot, 0,
            self.member_id, self.layout_digest, self.groups, self.coefficients,
            self.root_before, self.root_after,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the chain's record and the run's configuration say of a payload before it is read."""

    instance: bytes
    epoch: int
    round: int
    slot: int
    member_id: int
    layout_digest: bytes
    form: Form
    bytes_max: int


def encode(header: PayloadHeader, selection: Selection, form: Form) -> bytes:
    """The one payload of this selection. Its sha256 is the commitment.

    Raises:
        ValueError: the selection does not have the form: wrong group count, too many in a group,
            an index out of range, repeated or not rising, a sign that is not +1 or -1.
    """
    counts = selection.counts.astype(np.int64)
    limits, sizes = form.limits, form.sizes
    total = int(counts.sum())
    if len(counts) != form.groups or (counts > limits).any():
        raise ValueError("the selection's counts do not fit the form")
    if len(selection.indices) != total or len(selection.signs) != total:
        raise ValueError("the selection's indices and signs do not match its counts")
    if not (np.abs(selection.signs) == 1).all():
        raise ValueError("a sign is not +1 or -1")
    indices = selection.indices.astype(np.int64)
    before = np.concatenate(([-1], indices[:-1]))[:total]
    before[(np.cumsum(counts) - counts)[counts > 0]] = -1
    gaps = indices - before - 1
    if (gaps < 0).any() or (indices >= np.repeat(sizes, counts)).any():
        raise ValueError("indices do not rise within their groups, or are out of range")
    low = np.repeat(bits.rice_bits(sizes, counts), counts)
    plain = np.array_equal(counts, limits)
    head = replace(header, groups=form.groups, coefficients=total).pack()
    return b"".join(
        (
            head,
            b"\0" if plain else b"\1",
            b"" if plain else bits.pack_fixed(counts, bits.width_of(form.topk)),
            bits.pack_planes(gaps & ((1 << low) - 1), low),
            np.packbits(selection.signs > 0, bitorder="little").tobytes(),
            bits.pack_unary(gaps >> low),
        )
    )


def read_header(data: bytes) -> PayloadHeader:
    """The header alone, its constants checked.

    Raises:
        PayloadError: the bytes are too few, or magic, version, flags or reserved are wrong.
    """
    if len(data) < HEADER_BYTES:
        raise PayloadError(PayloadFault.SIZE, f"{len(data)} bytes hold no header")
    magic, version, flags, *rest = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise PayloadError(PayloadFault.MAGIC, "not a payload")
    instance, epoch, round_, slot, reserved, member_id, layout, groups, count, *roots = rest
    if version != VERSION or flags or reserved:
        raise PayloadError(PayloadFault.VERSION, f"version {version}, flags {flags}, {reserved}")
    return PayloadHeader(
        instance=instance,
        epoch=epoch,
        round=round_,
        slot=slot,
        member_id=member_id,
        layout_digest=layout,
        groups=groups,
        coefficients=count,
        root_before=roots[0],
        root_after=roots[1],
    )


def decode(data: bytes, expect: Expectation) -> Selection:
    """The selection in a payload, if every bit is as the format wants it.

    A pure function of its arguments. Time and memory are bounded by `expect.bytes_max` and the
    form, whatever the bytes.

    Raises:
        PayloadError: any rule of the format is broken; `fault` says which.
    """
    if len(data) > expect.bytes_max:
        raise PayloadError(PayloadFault.SIZE, f"{len(data)} bytes exceed {expect.bytes_max}")
    header = read_header(data)
    _check_identity(header, expect)
    body = _Reader(np.frombuffer(data, np.uint8, offset=HEADER_BYTES))
    counts = _read_counts(body, header, expect.form)
    sizes = expect.form.sizes
    low_group = bits.rice_bits(sizes, counts)
    low = np.repeat(low_group, counts)
    lows = bits.unpack_planes(body.take(int(low.sum())), low)
    positive = np.unpackbits(
        body.take(header.coefficients), count=header.coefficients, bitorder="little"
    )
    highs = body.rest()
    if len(highs) and not highs[-1]:
        raise PayloadError(PayloadFault.LENGTH, "trailing zero bytes")
    unary = bits.unpack_unary(highs)
    if len(unary) != header.coefficients:
        raise PayloadError(PayloadFault.LENGTH, f"{len(unary)} high parts")
    indices = _indices((unary << low) | lows, counts, sizes)
    return Selection(
        counts.astype(np.uint16),
        indices.astype(np.uint16),
        positive.astype(np.int8) * np.int8(2) - np.int8(1),
    )


def _check_identity(header: PayloadHeader, expect: Expectation) -> None:
    for name in ("instance", "epoch", "round", "slot", "member_id"):
        if getattr(header, name) != getattr(expect, name):
            raise PayloadError(PayloadFault.IDENTITY, f"{name} is not the committed one")
    if header.layout_digest != expect.layout_digest:
        raise PayloadError(PayloadFault.LAYOUT, "another layout's digest")
    if header.groups != expect.form.groups:
        raise PayloadError(PayloadFault.LAYOUT, f"{header.groups} groups")


class _Reader:
    """Takes whole-byte sections from a body, never past its end."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data, self._at = data, 0

    def take(self, bit_count: int) -> NDArray[np.uint8]:
        size = -(-bit_count // 8)
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise PayloadError(PayloadFault.LENGTH, "the body ends too early")
        if size and not bits.padding_is_zero(part, bit_count):
            raise PayloadError(PayloadFault.PADDING, "padding bits are not zero")
        self._at += size
        return part

    def rest(self) -> NDArray[np.uint8]:
        return self._data[self._at :]


def _read_counts(body: _Reader, header: PayloadHeader, form: Form) -> NDArray[np.int64]:
    limits = form.limits
    mode = int(body.take(8)[0])
    if mode == 0:
        counts = limits
    elif mode == 1:
        width = bits.width_of(form.topk)
        counts = bits.unpack_fixed(body.take(form.groups * width), form.groups, width)
        if (counts > limits).any() or np.array_equal(counts, limits):
            raise PayloadError(PayloadFault.COUNTS, "a count is above its limit, or none below")
    else:
        raise PayloadError(PayloadFault.COUNTS, f"unknown mode {mode}")
    if int(counts.sum()) != header.coefficients:
        raise PayloadError(PayloadFault.COUNTS, "counts do not add up to the header's total")
    return counts


def _indices(
    gaps: NDArray[np.int64], counts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    ends = np.cumsum(counts)
    reached = np.concatenate(([0], np.cumsum(gaps + 1)))
    base = reached[ends - counts]
    # Gaps are not negative, so indices rise; only each group's last can be out of range.
    if (reached[ends] - base > sizes).any():
        raise PayloadError(PayloadFault.INDEX, "an index is beyond its group")
    return np.asarray(reached[1:] - np.repeat(base, counts) - 1, np.int64)
