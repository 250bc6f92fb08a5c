"""Tensors to coefficients and back, a tile at a time.

Shape legend: n = blocks, a = block rows, b = block columns; a piece is a number of whole block
rows of one tensor: d blocks down, c across.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import Buffer, Layout, Placement
from psyche_client.optim.table import BASIS, SCALE_BITS

#: Coefficients a tile: a float64 tile and its two intermediates stay below 64 MiB of scratch,
#: and mostly in the cache.
TILE = 1 << 18
#: float32 adds whole numbers below this without rounding, in any order.
EXACT_FLOAT32_BELOW = 1 << 24


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
        LayoutError: another shape, or not contiguous.
    """
    if tuple(tensor.shape) != place.shape:
        raise LayoutError(f"{place.name} has shape {tuple(tensor.shape)}, not {place.shape}")
    if not tensor.is_contiguous():
        raise LayoutError(f"{place.name} is not contiguous")
    return tensor.detach().view(place.rows, place.columns)


def gather(tile_row: Tensor, matrices: dict[str, Tensor], tile: Tile) -> None:
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


def subtract(tile_row: Tensor, matrices: dict[str, Tensor], tile: Tile) -> None:
    """Subtracts the tile's numbers from the matrices in place; padding is dropped."""
    for piece in tile.pieces:
        place = piece.place
        a, b, c = place.edge_rows, place.edge_columns, place.blocks_across
        part = matrices[place.name][piece.first * a : (piece.first + piece.down) * a]
        blocks = tile_row[piece.offset : piece.offset + piece.size].view(piece.down, c, a, b)
        whole = blocks.permute(0, 2, 1, 3)
        if part.shape == (piece.down * a, c * b):
            part.view(piece.down, a, c, b).sub_(whole)
        else:
            flat = whole.reshape(piece.down * a, c * b)
            part.sub_(flat[: part.shape[0], : part.shape[1]])


def _basis(points: int, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(BASIS[points].astype(np.int64)).to(dtype)


class Transform:
    """The DCT of one block shape. Bases are kept, so build one a shape and reuse it."""

    def __init__(self, rows: int, columns: int) -> None:
        """Takes the block's edges, each from 1 to 64."""
        self.rows, self.columns = rows, columns
        scale = 2.0**-SCALE_BITS
        self._down = _basis(rows, torch.float32) * scale
        self._across_t = (_basis(columns, torch.float32) * scale).T.contiguous()
        self._down64_t = _basis(rows, torch.float64).T.contiguous()
        self._across32 = _basis(columns, torch.float32)
        self._across64 = _basis(columns, torch.float64)
        self._across_peak = int(np.abs(BASIS[columns].astype(np.int64)).max())

    def forward(self, flat: Tensor) -> Tensor:
        """Coefficients of blocks in a float32 row; the same length. Not exact, nor need it be."""
        out = flat.view(-1, self.columns) @ self._across_t
        if self.rows > 1:
            out = self._down @ out.view(-1, self.rows, self.columns)
        return out.view(-1)

    def inverse_sums(self, votes: Tensor, peak: int) -> Tensor:
        """The exact inverse transform of whole-number votes, times 2^28 (2^14 for rows alone).

        Args:
            votes: float32 row of whole numbers, none larger than `peak` in magnitude.
            peak: bound of the votes; below 2^24, so that float32 holds them.

        Returns:
            float64 row of the same length (float32 where that is exact too), every number a
            whole one, equal in every bit on every machine: no partial sum can round.
        """
        narrow = (
            peak * self.columns * self._across_peak < EXACT_FLOAT32_BELOW
            and torch.get_float32_matmul_precision() == "highest"
        )
        if narrow:
            out = (votes.view(-1, self.columns) @ self._across32).double()
        else:
            out = votes.double().view(-1, self.columns) @ self._across64
        if self.rows > 1:
            out = self._down64_t @ out.view(-1, self.rows, self.columns)
        return out.view(-1)
