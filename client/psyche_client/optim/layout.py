"""Where each parameter lies in the flat row of transform coefficients. No torch here.

Every tensor is seen as a matrix, cut into blocks of one transform shape, padded with zeros where
the shape does not divide it. Blocks of the same shape lie side by side, tensors in name order,
so that a transform is a few large operations. Selection groups are 4,096 coefficients each, cut
from the whole row without regard to tensors; the last one may be smaller. docs/payload.md has
the rules in full.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from psyche_client.optim.codec import Form
from psyche_client.optim.errors import ExactnessError, LayoutError
from psyche_client.optim.rule import EMBEDDINGS, UpdateRule
from psyche_client.optim.table import EDGE_MAX, SCALE_BITS, TABLE_SHA256

EDGE_MIN = 32
#: Names that end so are embeddings or output heads: no weight decay, and their own blocks.
EMBEDDING_SUFFIXES = ("embed_tokens.weight", "lm_head.weight")
#: float64 adds whole numbers below this without rounding, in any order.
EXACT_BELOW = 1 << 53
#: The same of float32.
EXACT_FLOAT32_BELOW = 1 << 24
COEFFICIENTS_MAX = 1 << 40
_MATRIX_DIMENSIONS = 2
_DIMENSIONS_MAX = 255
_NAME_BYTES_MAX = 65_535


def edge_of(size: int) -> int:
    """The block edge for a dimension.

    A dimension below 32 is its own edge. Else the largest divisor in 32..64; without one, the
    edge in 32..64 that needs the least padding, the largest of several.
    """
    if size < EDGE_MIN:
        return size
    return min(range(EDGE_MAX, EDGE_MIN - 1, -1), key=lambda edge: -size % edge)


@dataclass(frozen=True, slots=True)
class Placement:
    """One tensor's place: a matrix of blocks, `start` coefficients into the row."""

    name: str
    shape: tuple[int, ...]
    rows: int
    columns: int
    edge_rows: int
    edge_columns: int
    start: int
    #: Weight decay applies.
    decays: bool

    @property
    def blocks_down(self) -> int:
        """Blocks along the rows."""
        return -(-self.rows // self.edge_rows)

    @property
    def blocks_across(self) -> int:
        """Blocks along the columns."""
        return -(-self.columns // self.edge_columns)

    @property
    def size(self) -> int:
        """Coefficients, padding included."""
        return self.blocks_down * self.blocks_across * self.edge_rows * self.edge_columns


@dataclass(frozen=True, slots=True)
class Buffer:
    """All blocks of one transform shape: coefficients start to end of the row."""

    edge_rows: int
    edge_columns: int
    start: int
    end: int
    placements: tuple[Placement, ...]


@dataclass(frozen=True)
class Layout:
    """The whole row of coefficients. Build it with `from_shapes`."""

    embeddings: str
    buffers: tuple[Buffer, ...]

    @classmethod
    def from_shapes(
        cls,
        shapes: Mapping[str, Sequence[int]],
        embeddings: str = "block",
        embedding_suffixes: tuple[str, ...] = EMBEDDING_SUFFIXES,
    ) -> Layout:
        """The layout of parameters with these names and shapes.

        Raises:
            LayoutError: there is no parameter, an empty dimension, or more than 2^40 numbers.
        """
        if embeddings not in EMBEDDINGS:
            raise LayoutError(f"embeddings ({embeddings!r}) must be block or row")
        by_edges: dict[tuple[int, int], list[Placement]] = {}
        for name in sorted(shapes, key=lambda text: text.encode()):
            place = _place(name, tuple(shapes[name]), embeddings, name.endswith(embedding_suffixes))
            by_edges.setdefault((place.edge_rows, place.edge_columns), []).append(place)
        # Large blocks first: then a group of 4,096 is exactly one 64 x 64 block.
        order = sorted(by_edges, key=lambda edges: (-edges[0] * edges[1], edges))
        buffers: list[Buffer] = []
        start = 0
        for edges in order:
            begin, placed = start, []
            for place in by_edges[edges]:
                placed.append(_at(place, start))
                start += place.size
            buffers.append(Buffer(*edges, begin, start, tuple(placed)))
        if not 0 < start <= COEFFICIENTS_MAX:
            raise LayoutError(f"a layout of {start} coefficients is not supported")
        return cls(embeddings, tuple(buffers))

    @cached_property
    def placements(self) -> dict[str, Placement]:
        """Each parameter's placement, in name order."""
        places = [place for buffer in self.buffers for place in buffer.placements]
        return {place.name: place for place in sorted(places, key=lambda p: p.name.encode())}

    @property
    def coefficients(self) -> int:
        """Coefficients in all, padding included."""
        return self.buffers[-1].end

    @property
    def groups(self) -> int:
        """Selection groups, the last perhaps smaller."""
        return self.form(1).groups

    @cached_property
    def parameters(self) -> int:
        """Numbers in all parameters, without padding."""
        return sum(place.rows * place.columns for place in self.placements.values())

    def form(self, topk: int) -> Form:
        """What the codec needs to know of this layout."""
        return Form(coefficients=self.coefficients, topk=topk)

    def digest(self) -> bytes:
        """sha256 that every payload header carries: names, shapes, places and the DCT table."""
        parts = [
            struct.pack("<4sI", b"PSYL", 1),
            bytes.fromhex(TABLE_SHA256),
            struct.pack("<QI", self.coefficients, len(self.placements)),
        ]
        for place in self.placements.values():
            name = place.name.encode()
            parts.append(struct.pack("<H", len(name)) + name)
            parts.append(struct.pack("<B", len(place.shape)))
            parts.append(struct.pack(f"<{len(place.shape)}Q", *place.shape))
            parts.append(struct.pack("<HHQ", place.edge_rows, place.edge_columns, place.start))
        return hashlib.sha256(b"".join(parts)).digest()


def _place(name: str, shape: tuple[int, ...], embeddings: str, embedding: bool) -> Placement:
    fits = len(shape) <= _DIMENSIONS_MAX and len(name.encode()) <= _NAME_BYTES_MAX
    if not fits or any(size < 1 for size in shape):
        raise LayoutError(f"parameter {name!r} has a shape that is not supported: {shape}")
    rows, columns = 1, 1
    for size in shape[:-1]:
        rows *= size
    if shape:
        columns = shape[-1]
    if len(shape) < _MATRIX_DIMENSIONS:
        edges = (1, EDGE_MAX)
    elif embedding and embeddings == "row":
        edges = (1, edge_of(columns))
    else:
        edges = (edge_of(rows), edge_of(columns))
    decays = len(shape) >= _MATRIX_DIMENSIONS and not embedding
    return Placement(name, shape, rows, columns, *edges, 0, decays)


def _at(place: Placement, start: int) -> Placement:
    return Placement(
        place.name,
        place.shape,
        place.rows,
        place.columns,
        place.edge_rows,
        place.edge_columns,
        start,
        place.decays,
    )


def check_exactness(members_max: int, layout: Layout, rule: UpdateRule) -> None:
    """Proves that float32 adds all values, and that sums of the inverse transform are below 2^53.

    A coefficient's sum is at most members * largest value either way, and the vote cap. A member
    sends no more of a block than of the two groups that it may lie in. A basis entry is at most
    2^14.

    Raises:
        ExactnessError: so many members could make a sum that rounds.
    """
    form = rule.form_max(layout.coefficients)
    whole = members_max * form.value_max
    if whole >= EXACT_FLOAT32_BELOW:
        raise ExactnessError(
            f"{members_max} members' values of {rule.value_bits} bits can exceed 2^24: allow fewer "
            "members or bits"
        )
    vote = min(whole, rule.vote_cap) if rule.vote_cap else whole
    for buffer in layout.buffers:
        block = buffer.edge_rows * buffer.edge_columns
        mass = min(vote * block, whole * min(block, 2 * form.most))
        if mass << (2 * SCALE_BITS) >= EXACT_BELOW:
            raise ExactnessError(
                f"{members_max} members' values on blocks of {block} can exceed 2^53: set "
                "vote_cap, or allow fewer members, value_bits or coefficients of a group"
            )
