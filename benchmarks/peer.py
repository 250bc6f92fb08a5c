"""pytorch-optimizer's DeMo, the peer that benchmarks of the update compare with.

It is in the extra `bench`, which normal set-up leaves out: `pip install -e '.[bench]'`.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn


class _Group:
    """What DeMo asks of a process group when nothing is sent."""

    def __init__(self, members: int) -> None:
        self.members = members

    def size(self) -> int:
        return self.members


class Peer:
    """A member among `members`, whose payloads are its own, turned over: nothing is sent."""

    def __init__(self, gradients: dict[str, Tensor], *, topk: int, members: int) -> None:
        """Takes its own copies of the gradients; exits with a hint if DeMo is not installed."""
        try:
            from pytorch_optimizer.optimizer.demo import DeMo  # noqa: PLC0415 - an extra
        except ImportError:
            sys.stderr.write("error: no pytorch-optimizer here\n\n")
            sys.stderr.write("hint: .venv/bin/uv pip install einops pytorch-optimizer\n")
            raise SystemExit(2) from None
        self._gradients = list(gradients.values())
        self._parameters = [nn.Parameter(torch.zeros_like(one)) for one in self._gradients]
        self._members = members
        settings = {"compression_decay": 0.95, "compression_chunk": 64, "weight_decay": 0.1}
        group: Any = _Group(members)
        self._optimizer = DeMo(
            self._parameters, lr=1e-3, compression_top_k=topk, process_group=group, **settings
        )
        self._optimizer.demo_all_gather = self._gathered

    def prepare(self) -> None:
        """Gradients as a backward pass would leave them: DeMo overwrites them."""
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient.clone()

    def step(self) -> None:
        """The whole step: decay, transform, select, subtract, average, invert, sign, move."""
        self._optimizer.step()

    def _gathered(self, indices: Tensor, values: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        # Other indices of the same blocks for each member, as other gradients would give.
        others = [(indices + 97 * member) % 4_096 for member in range(self._members)]
        return others, [values] * self._members
