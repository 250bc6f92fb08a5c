"""Tensors to coefficients and back, a tile at a time.

Shape legend: n = blocks, a = block rows, b = block columns; a piece is a number of whole block
rows of one tensor: d blocks down, c across.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from psyche_client.optim.codec import GROUP_SIZE, Selection
from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import EXACT_FLOAT32_BELOW, Buffer, Layout, Placement
from psyche_client.optim.table import BASIS, SCALE_BITS

#: Coefficients a tile: 6 MiB of scratch. Smaller tiles fit a cache but cost more by their calls.
TILE = 1 << 19


@dataclass(frozen=True, slots=True)
class Piece:
    """Block rows `first` to `first + down` of a tensor, at `offset` in the tile."""

    place: Placement
    first: int
    down: int
    offset: int

    @property
    def size(self) -> int:
        """Coefficients."""
        place = self.place
        return self.down * place.blocks_across * place.edge_rows * place.edge_columns


@dataclass(frozen=True, slots=True)
class Tile:
    """Coefficients start to end of the row, all of one transform shape."""

    buffer: Buffer
    start: int
    end: int
    pieces: tuple[Piece, ...]


class Step(NamedTuple):
    """How far parameters move: by `rate`, after those that decay were multiplied by `shrink`.

    The rate is what a sign, or a mean of 1, moves them by.
    """

    rate: float
    shrink: float


def tiles(layout: Layout, size: int = TILE) -> list[Tile]:
    """Cuts the row into tiles of about this size, at whole block rows of tensors."""
    found: list[Tile] = []
    for buffer in layout.buffers:
        start = at = buffer.start
        pieces: list[Piece] = []
        for place in buffer.placements:
            strip = place.size // place.blocks_down
            first = 0
            while first < place.blocks_down:
                room = (size - (at - start)) // strip
                if room < 1 and pieces:
                    found.append(Tile(buffer, start, at, tuple(pieces)))
                    start, pieces = at, []
                    continue
                down = min(max(room, 1), place.blocks_down - first)
                pieces.append(Piece(place, first, down, at - start))
                at += down * strip
                first += down
        found.append(Tile(buffer, start, at, tuple(pieces)))
    return found


def matrix(tensor: Tensor, place: Placement) -> Tensor:
    """The tensor as the matrix that its placement describes, sharing memory.

    Raises:
        LayoutError: no tensor, another shape, or not contiguous.
    """
    if not isinstance(tensor, Tensor):
        raise LayoutError(f"{place.name} is {tensor!r}: a parameter without a gradient needs zeros")
    if tuple(tensor.shape) != place.shape:
        raise LayoutError(f"{place.name} has shape {tuple(tensor.shape)}, not {place.shape}")
    if not tensor.is_contiguous():
        raise LayoutError(f"{place.name} is not contiguous")
    return tensor.detach().view(place.rows, place.columns)


def votes_of(
    selection: Selection, begins: NDArray[np.int64], tile: Tile
) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Where in a tile a selection votes, and what; `begins` says where each group's votes begin."""
    first, last = tile.start // GROUP_SIZE, -(-tile.end // GROUP_SIZE)
    part = slice(begins[first], begins[last])
    starts = np.arange(first, last, dtype=np.int64) * GROUP_SIZE - tile.start
    where = np.repeat(starts, selection.counts[first:last]) + selection.indices[part]
    values = selection.values[part]
    if tile.start % GROUP_SIZE or tile.end % GROUP_SIZE:
        inside = (where >= 0) & (where < tile.end - tile.start)
        where, values = where[inside], values[inside]
    return where, values


def gather(tile_row: Tensor, matrices: Mapping[str, Tensor], tile: Tile) -> None:
    """Copies the tile's parts of the matrices into `tile_row` in block order, zeros as padding."""
    for piece in tile.pieces:
        place = piece.place
        a, b, c = place.edge_rows, place.edge_columns, place.blocks_across
        part = matrices[place.name][piece.first * a : (piece.first + piece.down) * a]
        pad = (0, c * b - place.columns, 0, piece.down * a - part.shape[0])
        if any(pad):
            part = torch.nn.functional.pad(part, pad)
        blocks = tile_row[piece.offset : piece.offset + piece.size].view(piece.down, c, a, b)
        blocks.copy_(part.reshape(piece.down, a, c, b).permute(0, 2, 1, 3))


def move(tile_row: Tensor, matrices: Mapping[str, Tensor], tile: Tile, step: Step) -> None:
    """p <- fl(p * shrink) where weight decay applies, then p <- fl(p - rate * s); drops padding.

    `tile_row` holds signs, or the rate is 1: such a product is exact, so the subtraction rounds
    once whether a machine fuses it with the product or not. The two steps stay two kernels: fused,
    they would round once.
    """
    for piece in tile.pieces:
        place = piece.place
        a, b, c = place.edge_rows, place.edge_columns, place.blocks_across
        part = matrices[place.name][piece.first * a : (piece.first + piece.down) * a]
        if place.decays and step.shrink != 1.0:
            part.mul_(step.shrink)
        blocks = tile_row[piece.offset : piece.offset + piece.size].view(piece.down, c, a, b)
        whole = blocks.permute(0, 2, 1, 3)
        if part.shape == (piece.down * a, c * b):
            part.view(piece.down, a, c, b).sub_(whole, alpha=step.rate)
        else:
            flat = whole.reshape(piece.down * a, c * b)
            part.sub_(flat[: part.shape[0], : part.shape[1]], alpha=step.rate)


def _basis(points: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(BASIS[points].astype(np.int64)).to(device, dtype)


def _peak(points: int) -> int:
    return int(np.abs(BASIS[points].astype(np.int64)).max())


def whole_float32() -> bool:
    """Whether products of float32 matrices are in float32, not in something shorter."""
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:
        # So torch answers where its backends were set apart: at least one is shorter.
        return False


class Transform:
    """The DCT of one block shape. Bases are kept, so build one a shape and reuse it."""

    def __init__(self, rows: int, columns: int, device: torch.device | None = None) -> None:
        """Takes the block's edges, each from 1 to 64."""
        device = device or torch.device("cpu")
        self.rows, self.columns = rows, columns
        scale = 2.0**-SCALE_BITS
        #: By which `inverse_sums` are too large.
        self.scale = scale if rows == 1 else scale * scale
        self._down32 = _basis(rows, torch.float32, device)
        self._down64 = _basis(rows, torch.float64, device)
        self._across32 = _basis(columns, torch.float32, device)
        self._across64 = _basis(columns, torch.float64, device)
        self._down = self._down32 * scale
        self._across_t = (self._across32 * scale).T.contiguous()
        self._across_peak = _peak(columns)
        # Beyond this times the votes' mass no float32 sum of `rows` products can be off, in any
        # order, fused or not: gamma = rows * 2^-24 / (1 - rows * 2^-24) of the sum of magnitudes,
        # which the largest entries bound. Four times that, to be on the safe side.
        self._doubt = 4.0 * rows * 2.0**-24 * self._across_peak * _peak(rows)

    def accumulate(
        self, momentum: Tensor, flat: Tensor, spare: Tensor, *, beta: float, scale: float
    ) -> None:
        """momentum <- beta momentum + scale DCT(flat), all float32 rows of the same whole blocks.

        Not exact, nor need it be: momentum is its member's own. `spare` is overwritten.
        """
        across = flat.view(-1, self.columns)
        if self.rows == 1:
            momentum.view_as(across).addmm_(across, self._across_t, beta=beta, alpha=scale)
            return
        torch.mm(across, self._across_t, out=spare.view_as(across))
        blocks = spare.view(-1, self.rows, self.columns)
        down = self._down.expand(len(blocks), -1, -1)
        momentum.view_as(blocks).baddbmm_(down, blocks, beta=beta, alpha=scale)

    def inverse_sums(self, votes: Tensor, peak: int) -> Tensor:
        """The exact inverse transform of whole-number votes, times 2^28 (2^14 for rows alone).

        Args:
            votes: float32 row of whole numbers, none larger than `peak` in magnitude.
            peak: bound of the votes; below 2^24, so that float32 holds them.

        Returns:
            float64 row of the same length, every number a whole one, equal in every bit on every
            machine: no partial sum can round.
        """
        across = votes.view(-1, self.columns)
        if self._narrow(peak):
            half = (across @ self._across32).double()
        else:
            half = across.double() @ self._across64
        if self.rows > 1:
            half = self._down64.T @ half.view(-1, self.rows, self.columns)
        return half.view(-1)

    def inverse_signs(self, votes: Tensor, peak: int, mass: int, spare: Tensor) -> Tensor:
        """The signs of `inverse_sums`: float64 works only where float32 may err.

        Args:
            votes: as there; overwritten.
            peak: as there.
            mass: bound of the sum of the votes' magnitudes in a block.
            spare: float32 [2, at least as many], overwritten.

        Returns:
            float32 row of -1, 0 and +1, which may lie in `spare`; the same bits as
            `inverse_sums(votes, peak).sign()`.
        """
        if not self._narrow(peak):
            return self.inverse_sums(votes, peak).sign_().to(torch.float32)
        half, sums = spare[0, : len(votes)], spare[1, : len(votes)]
        torch.mm(votes.view(-1, self.columns), self._across32, out=half.view(-1, self.columns))
        if self.rows == 1:
            return half.sign_()
        shape = (-1, self.rows, self.columns)
        halves, blocks, sizes = half.view(shape), sums.view(shape), votes.view(shape)
        torch.bmm(self._down32.T.expand(len(halves), -1, -1), halves, out=blocks)
        # Columns of a block lie side by side: one pass finds the least of each.
        unsure = torch.abs(blocks, out=sizes).amin(1) <= self._doubt * mass
        block, column = unsure.nonzero(as_tuple=True)
        exact = halves[block, :, column].double() @ self._down64
        blocks[block, :, column] = exact.float()
        return sums.sign_()

    def _narrow(self, peak: int) -> bool:
        """Whether float32 adds the rows' half of the inverse exactly."""
        return peak * self.columns * self._across_peak < EXACT_FLOAT32_BELOW and whole_float32()
