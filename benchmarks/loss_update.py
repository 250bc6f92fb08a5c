"""Other ways from the exact update to moved parameters than its sign, to compare with.

They are no rules of the protocol: means and square roots of real numbers are not equal in every bit
on every machine. Weight decay is the rule's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from psyche_client.optim import Layout, Selection, UpdateRule, rate_float32
from psyche_client.optim.distro import decay_factor
from psyche_client.optim.transform import Step, Transform, matrix, move, tiles, votes_of

#: The soft sign is 1 from so many means of magnitudes on.
SOFTNESS: Final = 2.0
#: Adam's second moment and the number beside its root.
BETA2: Final = 0.95
EPSILON: Final = 1e-8
KINDS: Final = ("soft", "adam")


class OtherUpdate:
    """Moves parameters by the exact update: "soft" bounds it, "adam" divides by its root mean."""

    def __init__(self, layout: Layout, rule: UpdateRule, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"update {kind!r} must be one of {', '.join(KINDS)}")
        self._layout, self._rule, self._kind = layout, rule, kind
        self._tiles = tiles(layout)
        self._transforms = {
            (one.edge_rows, one.edge_columns): Transform(one.edge_rows, one.edge_columns)
            for one in layout.buffers
        }
        self._square = torch.zeros(layout.coefficients)
        self._steps = 0

    def update(
        self, parameters: Mapping[str, Tensor], selections: Sequence[Selection], rate: int
    ) -> None:
        """As `DisTrO.update`."""
        row = self._moved(self.exact(selections))
        places = self._layout.placements
        matrices = {name: matrix(parameters[name], place) for name, place in places.items()}
        shrink = decay_factor(rate, self._rule.weight_decay_micro)
        step = Step(float(rate_float32(rate)), shrink)
        for tile in self._tiles:
            move(row[tile.start : tile.end], matrices, tile, step)

    def exact(self, selections: Sequence[Selection]) -> Tensor:
        """float32 [coefficients]: the inverse transform of the clamped votes, up to a factor."""
        most = self._rule.form_max(self._layout.coefficients).value_max
        peak = len(selections) * most
        cap = self._rule.vote_cap or peak
        before = [np.insert(np.cumsum(s.counts, dtype=np.int64), 0, 0) for s in selections]
        row = torch.empty(self._layout.coefficients)
        for tile in self._tiles:
            tally = torch.zeros(tile.end - tile.start)
            for selection, begins in zip(selections, before, strict=True):
                where, values = votes_of(selection, begins, tile)
                tally.index_add_(0, torch.from_numpy(where), torch.from_numpy(values).float())
            transform = self._transforms[tile.buffer.edge_rows, tile.buffer.edge_columns]
            sums = transform.inverse_sums(tally.clamp_(-cap, cap), min(cap, peak))
            row[tile.start : tile.end] = sums / 2.0**28
        return row

    def _moved(self, exact: Tensor) -> Tensor:
        if self._kind == "soft":
            mean = exact.abs().mean()
            return (exact / (SOFTNESS * mean)).clamp_(-1, 1) if mean else exact
        self._steps += 1
        self._square.mul_(BETA2).addcmul_(exact, exact, value=1 - BETA2)
        return exact / (self._square / (1 - BETA2**self._steps)).sqrt_().add_(EPSILON)
