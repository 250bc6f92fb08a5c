"""The update's arithmetic by torch, a tile at a time: on any device, and `compiled`'s oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from psyche_client.optim.codec import GROUP_SIZE, Selection
from psyche_client.optim.layout import Layout
from psyche_client.optim.momentum import InFlight
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.optim.select import largest
from psyche_client.optim.transform import Step, Tile, Transform, gather, move, tiles, votes_of


class Tiled:
    """What `DisTrO` computes, for one layout on one device."""

    def __init__(
        self, layout: Layout, rule: UpdateRule, device: torch.device | None = None
    ) -> None:
        """Takes the device of momentum and parameters, the CPU by default."""
        self._layout, self._rule = layout, rule
        self._device = device or torch.device("cpu")
        self.tiles = tiles(layout)
        self._transforms = {
            (b.edge_rows, b.edge_columns): Transform(b.edge_rows, b.edge_columns, device)
            for b in layout.buffers
        }
        # Kept, because pages that are new each time cost as much as the sums do.
        longest = max(tile.end - tile.start for tile in self.tiles)
        self._scratch = torch.empty(3, longest, device=device)

    # Gradients to a selection

    def take(
        self, momentum: Tensor, matrices: Mapping[str, Tensor], scale: float
    ) -> tuple[Selection, InFlight]:
        """M <- beta M + scale DCT(gradients); takes the largest of each group out of M.

        Groups are searched as soon as their tiles are done, while they are in the cache.
        """
        found, taken, limits = [], [], []
        ends = self.accumulate(momentum, matrices, scale)
        for start, end, size in self._whole_groups(ends):
            limit = -(-size * self._rule.topk // GROUP_SIZE)
            sizes = self._scratch.view(-1)[: end - start]
            torch.abs(momentum[start:end], out=sizes)
            where = largest(sizes.view(-1, size), limit)
            where += torch.arange(start, end, size, device=self._device)[:, None]
            found.append(where.view(-1))
            taken.append(momentum[found[-1]])
            limits += [limit] * len(where)
            # Whatever is not finite leaves the momentum and is not sent.
            momentum[found[-1]] = 0.0
        positions, values = torch.cat(found), torch.cat(taken)
        counts = torch.tensor(limits, device=self._device)
        sendable = values.isfinite() & (values != 0)
        if not sendable.all():
            group = torch.arange(len(counts), device=self._device).repeat_interleave(counts)
            counts = torch.bincount(group[sendable], minlength=len(counts))
            positions, values = positions[sendable], values[sendable]
        selection = Selection(
            counts.cpu().numpy().astype("u2"),
            (positions % GROUP_SIZE).cpu().numpy().astype("u2"),
            values.sign().cpu().numpy().astype("i1"),
        )
        return selection, InFlight(positions, values)

    def accumulate(
        self, momentum: Tensor, matrices: Mapping[str, Tensor], scale: float
    ) -> Iterator[int]:
        """M <- beta M + scale DCT(gradients), a tile at a time; yields the ends of what is done."""
        beta = self._rule.beta_micro / MICRO
        for tile in self.tiles:
            row = momentum[tile.start : tile.end]
            if scale == 0.0:
                row.mul_(beta)
            else:
                part, spare = self._scratch[:2, : tile.end - tile.start]
                gather(part, matrices, tile)
                transform = self._transforms[tile.buffer.edge_rows, tile.buffer.edge_columns]
                transform.accumulate(row, part, spare, beta=beta, scale=scale)
            yield tile.end

    def _whole_groups(self, ends: Iterable[int]) -> Iterator[tuple[int, int, int]]:
        """Start, end and group size of what lies before each of these ends, in whole groups."""
        start, all_of_it = 0, self._layout.coefficients
        full = all_of_it - all_of_it % GROUP_SIZE
        for done in ends:
            end = min(done - done % GROUP_SIZE, full)
            if end > start:
                yield start, end, GROUP_SIZE
                start = end
        if full < all_of_it:
            yield full, all_of_it, all_of_it - full

    # Selections to moved parameters

    def signed(self, selections: Sequence[Selection]) -> Iterator[tuple[Tile, Tensor]]:
        """Signs of the inverse transform of the clamped votes; the next tile overwrites them."""
        cap = self._rule.vote_cap
        peak = min(cap, len(selections)) if cap else len(selections)
        # A block of up to 4,096 coefficients meets two groups at most.
        mass = 2 * self._rule.topk * len(selections)
        before = [np.insert(np.cumsum(s.counts, dtype=np.int64), 0, 0) for s in selections]
        for tile in self.tiles:
            tally = self._scratch[0, : tile.end - tile.start].zero_()
            for selection, begins in zip(selections, before, strict=True):
                where, signs = votes_of(selection, begins, tile)
                index = torch.from_numpy(where).to(self._device)
                tally.index_add_(0, index, torch.from_numpy(signs).to(self._device, torch.float32))
            if cap and len(selections) > cap:
                tally.clamp_(-cap, cap)
            transform = self._transforms[tile.buffer.edge_rows, tile.buffer.edge_columns]
            yield tile, transform.inverse_signs(tally, peak, mass, self._scratch[1:])

    def move(
        self, matrices: Mapping[str, Tensor], parts: Iterable[tuple[Tile, Tensor]], step: Step
    ) -> None:
        """Moves float32 parameters by the signs of every tile."""
        for tile, signs in parts:
            move(signs.float(), matrices, tile, step)
