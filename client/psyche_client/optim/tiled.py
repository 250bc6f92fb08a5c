"""The update's arithmetic by torch, a tile at a time: on any device, and `compiled`'s oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from psyche_client.optim.codec import GROUP_SIZE, Form, Selection
from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import Layout
from psyche_client.optim.momentum import InFlight
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.optim.select import take_even, take_uneven
from psyche_client.optim.transform import Step, Tile, Transform, gather, move, tiles, votes_of


class Tiled:
    """What `DisTrO` computes, for one layout on one device."""

    def __init__(
        self, layout: Layout, rule: UpdateRule, device: torch.device | None = None
    ) -> None:
        """Takes the device of momentum and parameters, the CPU by default."""
        self._rule, self._largest = rule, rule.form_max(layout.coefficients)
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
        self,
        momentum: Tensor,
        matrices: Mapping[str, Tensor],
        scale: float,
        form: Form,
        unit: float | None,
    ) -> tuple[Selection, InFlight]:
        """M <- beta M + scale DCT(gradients); takes what the form and the rule say out of M.

        `unit` is what 1 stands for in M; without it a sign stands for all of its coefficient.
        """
        ends = self.accumulate(momentum, matrices, scale)
        spare = self._scratch.view(-1)
        if self._rule.is_even:
            positions, values = take_even(momentum, ends, form, spare)
        else:
            energy = self._rule.energy_micro / MICRO
            positions, values = take_uneven(momentum, ends, form, spare, energy)
        positions, values, whole = self._sendable(momentum, positions, values, unit)
        counts = torch.bincount(positions // GROUP_SIZE, minlength=form.groups)
        selection = Selection(
            counts.cpu().numpy().astype("u2"),
            (positions % GROUP_SIZE).cpu().numpy().astype("u2"),
            whole.cpu().numpy().astype("i2"),
        )
        return selection, InFlight(positions, values)

    def _sendable(
        self, momentum: Tensor, positions: Tensor, values: Tensor, unit: float | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Positions, what of the momentum goes there, and the whole numbers that say it.

        Whole numbers leave what they do not say, and take back what they say too much.
        """
        finite = values.isfinite()
        if self._rule.value_bits == 1 or not unit:
            whole = values.sign()
        else:
            most = 1 << (self._rule.value_bits - 1)
            whole = (values / unit).round_().clamp_(-most, most)
        if unit is not None:
            rest = values - whole * unit
            momentum[positions[finite]] = rest[finite]
            values = whole * unit
        sendable = finite & (whole != 0)
        if sendable.all():
            return positions, values, whole
        return positions[sendable], values[sendable], whole[sendable]

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

    # Selections to moved parameters

    def aggregated(self, selections: Sequence[Selection]) -> Iterator[tuple[Tile, Tensor]]:
        """Signs of the inverse transform of the clamped votes, or its means, as the rule has it.

        A mean is fl32(fl64(sums * fl64(2^-28 / payloads))), 2^-14 for rows: roundings that every
        machine makes alike. The next tile may overwrite a tile's.

        Raises:
            LayoutError: a selection has another layout; before the first tile.
        """
        whole = len(selections) * self._largest.value_max
        peak = min(self._rule.vote_cap, whole) if self._rule.vote_cap else whole
        # A block of up to 4,096 coefficients meets two groups at most.
        mass = 2 * self._largest.most * whole
        for tile, tally in self._tallies(selections, whole):
            transform = self._transforms[tile.buffer.edge_rows, tile.buffer.edge_columns]
            if self._rule.update == "mean":
                sums = transform.inverse_sums(tally, peak)
                yield tile, sums.mul_(transform.scale / len(selections)).to(torch.float32)
            else:
                yield tile, transform.inverse_signs(tally, peak, mass, self._scratch[1:])

    def _tallies(
        self, selections: Sequence[Selection], whole: int
    ) -> Iterator[tuple[Tile, Tensor]]:
        """The clamped votes of every tile; the next tile overwrites them."""
        for selection in selections:
            self._check(selection)
        cap = self._rule.vote_cap
        before = [np.insert(np.cumsum(s.counts, dtype=np.int64), 0, 0) for s in selections]
        for tile in self.tiles:
            tally = self._scratch[0, : tile.end - tile.start].zero_()
            for selection, begins in zip(selections, before, strict=True):
                where, values = votes_of(selection, begins, tile)
                index = torch.from_numpy(where).to(self._device)
                tally.index_add_(0, index, torch.from_numpy(values).to(self._device, torch.float32))
            if cap and whole > cap:
                tally.clamp_(-cap, cap)
            yield tile, tally

    def _check(self, selection: Selection) -> None:
        """What `decode` gave fits; what a caller made must, or votes would fall beside it."""
        form, counts, values = self._largest, selection.counts, selection.values
        sent, last = len(selection.indices), int(counts[-1]) if len(counts) else 0
        fits = len(counts) == form.groups and sent == len(values) == int(counts.sum(dtype=np.int64))
        if fits and sent:
            ends = selection.indices[sent - last :].max(initial=0)
            fits = selection.indices.max() < GROUP_SIZE and ends < form.sizes[-1]
            fits &= -form.value_max <= values.min() and values.max() <= form.value_max
        if not fits:
            raise LayoutError("a payload's counts, indices and values are of another layout")

    def move(
        self, matrices: Mapping[str, Tensor], parts: Iterable[tuple[Tile, Tensor]], step: Step
    ) -> None:
        """Moves float32 parameters by what was aggregated of every tile.

        A mean is first rounded to what it moves by: only a sign times the rate is exact.
        """
        is_mean = self._rule.update == "mean"
        rest = Step(1.0, step.shrink) if is_mean else step
        for tile, part in parts:
            row = part.to(self._device, torch.float32)
            move(row * step.rate if is_mean else row, matrices, tile, rest)
