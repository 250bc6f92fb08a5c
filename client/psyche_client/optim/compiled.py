"""The update's arithmetic by the Rust extension, for float32 on the CPU, without copies.

Parameters move by the very bits of `tiled`. The momentum differs by rounding, as it does between
two processors that run torch. As many threads work as torch has; their number changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from psyche_client.optim import native
from psyche_client.optim.codec import Form, Selection
from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import Layout
from psyche_client.optim.momentum import InFlight
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.optim.table import BASIS
from psyche_client.optim.transform import Step


class Compiled:
    """What `DisTrO` computes, for one layout. Build it with `of`."""

    def __init__(self, module: Any, layout: Layout, rule: UpdateRule) -> None:
        """Takes the extension's module."""
        places = [place for buffer in layout.buffers for place in buffer.placements]
        self._names = [place.name for place in places]
        self._transform = module.Transform(
            [(p.start, p.rows, p.columns, p.edge_rows, p.edge_columns, p.decays) for p in places],
            np.concatenate([basis.ravel() for basis in BASIS]),
        )
        self._vote_max: int = module.VOTE_MAX
        self._rule = rule

    @classmethod
    def of(cls, layout: Layout, rule: UpdateRule) -> Self | None:
        """None where the extension is not installed, or is another version."""
        return cls(native.TRANSFORM, layout, rule) if native.TRANSFORM else None

    def takes(self, *tensors: Tensor) -> bool:
        """Whether it can take what the rule says out of these: signs, as many of each group."""
        return self._rule.is_even and self._rule.value_bits == 1 and self._holds(tensors)

    def moves(self, selections: Sequence[Selection], *tensors: Tensor) -> bool:
        """Whether it can move these tensors by so many payloads: by signs alone."""
        if self._rule.update != "sign":
            return False
        whole = len(selections) << (self._rule.value_bits - 1)
        return min(whole, self._rule.vote_cap or whole) <= self._vote_max and self._holds(tensors)

    def _holds(self, tensors: Sequence[Tensor]) -> bool:
        return all(
            one.device.type == "cpu" and one.dtype == torch.float32 and one.is_contiguous()
            for one in tensors
        )

    def take(
        self,
        momentum: Tensor,
        matrices: Mapping[str, Tensor],
        scale: float,
        form: Form,
        unit: float | None,
    ) -> tuple[Selection, InFlight]:
        """As `Tiled.take`."""
        made = self._transform.generate(
            momentum.numpy(),
            self._arrays(matrices),
            self._rule.beta_micro / MICRO,
            scale,
            form.topk,
            torch.get_num_threads(),
        )
        counts, indices = (np.frombuffer(part, np.uint16) for part in made[:2])
        values = np.frombuffer(made[2], np.float32)
        selection = Selection(counts, indices, np.sign(values).astype(np.int16))
        positions = torch.from_numpy(selection.positions())
        sent = torch.from_numpy(values)
        if unit is not None:
            sent = torch.from_numpy(selection.values.astype(np.float32) * np.float32(unit))
            momentum[positions] = torch.from_numpy(values) - sent
        return selection, InFlight(positions, sent)

    def move(
        self, matrices: Mapping[str, Tensor], selections: Sequence[Selection], step: Step
    ) -> None:
        """Moves parameters by the sign of the inverse transform of the clamped votes.

        Raises:
            LayoutError: a payload has another layout, or parameters share memory.
        """
        payloads = [
            (
                np.ascontiguousarray(one.counts, np.uint16),
                np.ascontiguousarray(one.indices, np.uint16),
                np.ascontiguousarray(one.values, np.int16),
            )
            for one in selections
        ]
        threads = torch.get_num_threads()
        try:
            self._transform.update(
                self._arrays(matrices), payloads, self._rule.vote_cap, *step, threads
            )
        except ValueError as error:
            raise LayoutError(f"the extension cannot move these parameters: {error}") from None

    def _arrays(self, matrices: Mapping[str, Tensor]) -> list[NDArray[np.float32]]:
        return [matrices[name].numpy() for name in self._names]
