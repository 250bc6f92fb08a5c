"""The coder of version 1 of payloads: Rice-coded gaps in numpy. Here to compare with.

Only for counts at their limits. Low bits stand in planes, then the signs, then unary high parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from psyche_client.optim import Form, Selection

WIDTH_MAX = 12
Whole = NDArray[np.int64]


def width_of(form: Form) -> int:
    """How many low bits of each gap stand outside the unary part, in a full group."""
    gaps, share = (4_096 - form.topk) * 1000, (form.topk + 1) * 2078
    return sum(gaps > share << width for width in range(WIDTH_MAX))


def encode(selection: Selection, form: Form) -> bytes:
    """A mode byte, low bits, signs, high parts."""
    counts, indices = selection.counts.astype(np.int64), selection.indices.astype(np.int64)
    before = np.concatenate(([-1], indices[:-1]))
    before[np.cumsum(counts) - counts] = -1
    gaps, width = indices - before - 1, width_of(form)
    planes = [(gaps >> bit) & 1 for bit in range(width)]
    ones = np.cumsum((gaps >> width) + 1) - 1
    unary = np.zeros(int(ones[-1]) + 1, np.uint8)
    unary[ones] = 1
    parts = [np.concatenate(planes).astype(bool), selection.values > 0, unary]
    return b"\0" + b"".join(np.packbits(part, bitorder="little").tobytes() for part in parts)


def decode(data: bytes, form: Form) -> Selection:
    """What `encode` wrote; nothing hostile is looked for."""
    counts, width = form.limits, width_of(form)
    sent, body = int(counts.sum()), np.frombuffer(data, np.uint8, offset=1)
    low_end = -(-sent * width // 8)
    sign_end = low_end + -(-sent // 8)
    flat = np.unpackbits(body[:low_end], count=sent * width, bitorder="little")
    gaps = np.zeros(sent, np.int64)
    for bit, plane in enumerate(flat.reshape(width, sent)):
        gaps |= plane.astype(np.int64) << bit
    ones = np.flatnonzero(np.unpackbits(body[sign_end:], bitorder="little"))
    gaps |= (np.diff(ones, prepend=-1) - 1) << width
    positive = np.unpackbits(body[low_end:sign_end], count=sent, bitorder="little")
    return Selection(counts.astype("u2"), _indices(gaps, counts), positive.astype("i2") * 2 - 1)


def _indices(gaps: Whole, counts: Whole) -> NDArray[np.uint16]:
    reached = np.concatenate(([0], np.cumsum(gaps + 1)))
    base = reached[np.cumsum(counts) - counts]
    return (reached[1:] - np.repeat(base, counts) - 1).astype(np.uint16)
