"""From selections to parameters, as docs/payload.md describes it."""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import demand
from .payload import Selection

EDGE_MIN, EDGE_MAX = 32, 64
VECTOR_EDGE = 64
RATE_BITS = 40
ONE = 1 << 30
SINE = (168_532, 5_027_047, 85_569_295, 693_598_669, 1_686_629_713)
ROW_NAMES = ("embed_tokens.weight", "lm_head.weight")

Parameters = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Rule:
    """What model.json says of the update."""

    topk: int
    topk_end: int
    topk_ramp_steps: int
    group_topk_max: int
    update: str
    value_bits: int
    value_exponent: int
    gain_micro: int
    vote_cap: int
    weight_decay_micro: int
    embeddings: str
    schedule: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Rule":
        """The rule in a parsed model.json."""
        rule = document["update_rule"]
        return cls(
            topk=rule["topk"],
            topk_end=rule["topk_end"],
            topk_ramp_steps=rule["topk_ramp_steps"],
            group_topk_max=rule["group_topk_max"],
            update=rule["update"],
            value_bits=rule["value_bits"],
            value_exponent=rule["value_exponent"],
            gain_micro=rule["gain_micro"],
            vote_cap=rule["vote_cap"],
            weight_decay_micro=rule["weight_decay_micro"],
            embeddings=rule["embeddings"],
            schedule=document["schedule"],
        )

    def topk_at(self, step: int) -> int:
        """How many coefficients a full group sends in a round that begins at this step."""
        if self.topk_ramp_steps == 0:
            return self.topk
        change = (self.topk_end - self.topk) * min(step, self.topk_ramp_steps)
        return self.topk + change // self.topk_ramp_steps


@cache
def dct(n: int) -> NDArray[np.int64]:
    """The n x n matrix D_n, rows by frequency. No entry is near a half, so float64 rounds alike."""
    k, i = np.arange(n)[:, None], np.arange(n)[None, :]
    scale = np.where(k == 0, math.sqrt(1 / n), math.sqrt(2 / n))
    exact = 2**14 * scale * np.cos(np.pi * (2 * i + 1) * k / (2 * n))
    return np.asarray(np.rint(exact), np.int64)


@cache
def table_digest() -> bytes:
    """sha256 of dct2.bin."""
    return sha256(b"".join(dct(n).astype("<i2").tobytes() for n in range(1, 65))).digest()


def edge(length: int) -> int:
    """Edge of the blocks that a dimension is cut into."""
    if length < EDGE_MIN:
        return length
    edges = range(EDGE_MIN, EDGE_MAX + 1)
    divisors = [e for e in edges if length % e == 0]
    padding = {e: -(-length // e) * e - length for e in edges}
    least = [e for e in edges if padding[e] == min(padding.values())]
    return max(divisors or least)


@dataclass(frozen=True)
class Place:
    """Where one parameter's blocks lie in the row of coefficients."""

    rows: int
    columns: int
    block: tuple[int, int]
    start: int
    shape: tuple[int, ...]
    decays: bool

    @property
    def down(self) -> int:
        """Blocks from top to bottom."""
        return -(-self.rows // self.block[0])

    @property
    def across(self) -> int:
        """Blocks from left to right."""
        return -(-self.columns // self.block[1])

    @property
    def coefficients(self) -> int:
        """Coefficients of all blocks, padding included."""
        return self.down * self.across * self.block[0] * self.block[1]


class Layout:
    """Places by name, in the order of the names' bytes."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], embeddings: str) -> None:
        names = sorted(shapes, key=str.encode)
        bare = {name: _place(name, shapes[name], embeddings) for name in names}
        in_row = sorted(names, key=lambda n: (-math.prod(bare[n].block), bare[n].block, n.encode()))
        starts, self.coefficients = {}, 0
        for name in in_row:
            starts[name] = self.coefficients
            self.coefficients += bare[name].coefficients
        self.places = {
            name: Place(p.rows, p.columns, p.block, starts[name], p.shape, p.decays)
            for name, p in bare.items()
        }

    def digest(self) -> bytes:
        """What payloads name this layout by."""
        text = struct.pack("<4sI32s", b"PSYL", 1, table_digest())
        text += struct.pack("<QI", self.coefficients, len(self.places))
        for name, place in self.places.items():
            encoded, dimensions = name.encode(), place.shape
            text += struct.pack("<H", len(encoded)) + encoded
            text += struct.pack(f"<B{len(dimensions)}Q", len(dimensions), *dimensions)
            text += struct.pack("<HHQ", *place.block, place.start)
        return sha256(text).digest()


def _place(name: str, shape: tuple[int, ...], embeddings: str) -> Place:
    columns, rows = shape[-1], math.prod(shape[:-1])
    by_rows = name.endswith(ROW_NAMES)
    if len(shape) == 1:
        block = (1, VECTOR_EDGE)
    elif by_rows and embeddings == "row":
        block = (1, edge(columns))
    else:
        block = (edge(rows), edge(columns))
    return Place(rows, columns, block, 0, shape, decays=len(shape) > 1 and not by_rows)


def learning_rate(schedule: Mapping[str, Any], step: int) -> int:
    """The rate of a step in units of 2^-40."""
    peak, final, kind = schedule["peak"], schedule["final"], schedule["kind"]
    warm_up, total = schedule["warmup_steps"], schedule["total_steps"]
    if step < warm_up:
        return int(peak * (step + 1) // warm_up)
    begin = total - schedule["decay_steps"] if kind == "wsd" else warm_up
    if kind == "constant" or step < begin:
        return int(peak)
    span = total - begin
    done = min(step - begin, span)
    if kind == "cosine":
        return int(final + ((peak - final) * _half_cosine(done, span) >> 30))
    return int(final + (peak - final) * (span - done) // span)


def _half_cosine(done: int, span: int) -> int:
    r = span - 2 * done
    y = (abs(r) << 30) // span
    q = y * y >> 30
    t = 0
    for s in SINE:
        t = s - (q * t >> 30)
    u = y * t >> 30
    return (ONE + u if r >= 0 else ONE - u) >> 1


def votes(selections: Sequence[Selection], coefficients: int, cap: int) -> NDArray[np.int64]:
    """For every coefficient the clamped sum of the members' values."""
    sums = np.zeros(coefficients, np.int64)
    for positions, values in selections:
        sums[positions] += values  # positions are distinct within a payload
    return np.clip(sums, -cap, cap) if cap else sums


def inverse(
    tally: NDArray[np.int64], place: Place, arithmetic: type[np.number[Any]] = np.float64
) -> NDArray[Any]:
    """D_a^T V D_b [shape of the parameter], cut to the parameter; without D_a for rows.

    With float64 every product and partial sum is a whole number of at most sum|V| * 2^28 in size,
    which is checked to stay below 2^53; so no addition rounds, in whatever order it is made.
    """
    a, b = place.block
    blocks = tally[place.start : place.start + place.coefficients].reshape(-1, a, b)
    largest = int(np.abs(blocks).sum(axis=(1, 2)).max())
    demand(largest << 28 < 1 << 53, f"sums of {largest} votes are not exact in float64")
    whole = blocks.astype(arithmetic) @ dct(b).astype(arithmetic)
    if a > 1:
        whole = dct(a).T.astype(arithmetic) @ whole
    grid = whole.reshape(place.down, place.across, a, b).transpose(0, 2, 1, 3)
    matrix = grid.reshape(place.down * a, place.across * b)[: place.rows, : place.columns]
    return matrix.reshape(place.shape)


def step_of(sums: NDArray[np.float64], place: Place, rule: Rule, units: int, count: int) -> Any:
    """What is subtracted, float32: the rate's sign of the sums, or of `count` payloads' mean."""
    if rule.update == "sign":
        return np.float32(units * 2.0**-RATE_BITS) * np.sign(sums).astype(np.float32)
    means = (sums * (2.0 ** (-28 if place.block[0] > 1 else -14) / count)).astype(np.float32)
    unit = np.float32(units * rule.gain_micro / (10**6 << RATE_BITS))
    return means * (unit * np.float32(2.0**rule.value_exponent))


def apply(
    parameters: Parameters, selections: Sequence[Selection], layout: Layout, rule: Rule, step: int
) -> None:
    """Moves the parameters in place by one settled round; without selections nothing changes."""
    if not selections:
        return
    tally = votes(selections, layout.coefficients, rule.vote_cap)
    units = learning_rate(rule.schedule, step)
    shrink = 1 - Fraction(units * rule.weight_decay_micro, 10**6 << RATE_BITS)
    factor = np.float32(float(shrink))
    for name, place in layout.places.items():
        value = parameters[name]
        if place.decays:
            value *= factor
        value -= step_of(inverse(tally, place), place, rule, units, len(selections))
