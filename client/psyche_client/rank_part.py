"""One rank's part of a share: the model as it has it, whole (DDP) or in shards (FSDP2).

Every rank calls the same in the same order; torch's errors of lost processes go through.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from psyche_client.backward import gradients
from psyche_client.model.document import ModelDocument
from psyche_client.model.lm import CausalLM
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import Compute


class Part:
    """The model as one rank has it, and its part of a share."""

    def __init__(
        self,
        document: ModelDocument,
        compute: Compute,
        device: torch.device,
        model: CausalLM | None,
    ) -> None:
        """Rank 0's `model` computes itself where it is whole and in the right place."""
        self._compute, self._device = compute, device
        self._rule = UpdateRule.from_value(
            {**document.update_rule, "schedule": dict(document.schedule)}
        )
        if model is None or compute.shard or device.type != "cpu":
            with torch.device("meta"):
                model = CausalLM(document.architecture)
            self._holds_master = False
        else:
            self._holds_master = True
        model.model.recomputes = compute.recompute
        self._model = model
        self._loss: nn.Module | None = None
        if compute.shard:
            _shard(model, device)
        if not self._holds_master:
            model.to_empty(device=device)
        if not compute.shard:
            self._loss = DistributedDataParallel(_Loss(model), gradient_as_bucket_view=True)

    def share(
        self,
        sequences: npt.NDArray[np.int64],
        step: int,
        master: dict[str, nn.Parameter] | None,
    ) -> tuple[float, dict[str, Tensor]]:
        """Mean loss of the share, and on rank 0 (where `master` is) what was found, on the CPU."""
        self._take(master)
        loss, found = gradients(
            self._model, self._rule, sequences, self._compute, step=step, backward=self._backward
        )
        kept = {}
        for name in sorted(found):
            whole = _whole(found.pop(name))  # one at a time: another rank needs none
            if master is not None:
                kept[name] = whole.cpu()
        if not self._holds_master:
            self._model.zero_grad(set_to_none=True)
        return loss, kept

    @torch.no_grad()
    def _take(self, master: dict[str, nn.Parameter] | None) -> None:
        """Rank 0's parameters, one after another, bit by bit."""
        for name, own in self._model.named_parameters():
            if self._compute.shard:
                _scatter(own, None if master is None else master[name].to(self._device))
                continue
            if master is not None and not self._holds_master:
                own.copy_(master[name])
            dist.broadcast(own.detach(), src=0)

    def _backward(self, sequences: npt.NDArray[np.int64]) -> float:
        """Leaves the gradient of the mean loss of all ranks' parts; torch divides by the ranks.

        Every rank makes as many passes: sharded layers are gathered in each. One that has nothing
        left repeats a sequence, which counts for nothing.
        """
        self._model.zero_grad(set_to_none=True)
        count, size = dist.get_world_size(), self._compute.micro_batch
        mine = np.array_split(sequences, count)[dist.get_rank()]
        passes = -(-len(sequences) // (count * size))
        total = torch.zeros((), device=self._device)
        for number in range(passes):
            part = mine[number * size : (number + 1) * size]
            weight = len(part) / len(sequences)
            tokens = torch.from_numpy(part if len(part) else sequences[:1]).to(self._device)
            with self._sums(last=number == passes - 1):
                with torch.autocast(
                    self._device.type, torch.bfloat16, enabled=self._compute.bfloat16
                ):
                    loss = self._loss_of(tokens)
                torch.autograd.backward(loss * (weight * count))
            total += loss.detach() * weight
        dist.all_reduce(total)
        return total.item()

    def _loss_of(self, tokens: Tensor) -> Tensor:
        found: Tensor = self._model.loss(tokens) if self._loss is None else self._loss(tokens)
        return found

    def _sums(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """DDP sums once, after the last pass. FSDP sums each, else a rank would hold it whole."""
        if last or not isinstance(self._loss, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._loss.no_sync()


class _Loss(nn.Module):
    """The loss as a forward pass, which is what DDP wraps."""

    def __init__(self, model: CausalLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, sequences: Tensor) -> Tensor:
        """As `CausalLM.loss`."""
        return self.model.loss(sequences)


def _shard(model: CausalLM, device: torch.device) -> None:
    """Every layer in shards, and what is outside of layers: FSDP2."""
    # As late as this, for it takes seconds to load.
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415 - only --shard needs it
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415 - only --shard needs it

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def _scatter(own: Any, whole: Tensor | None) -> None:
    from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415 - only --shard needs it

    sent = torch.empty(own.shape, device=own.device) if whole is None else whole
    mine = distribute_tensor(sent, own.device_mesh, own.placements)
    own.to_local().copy_(mine.to_local())


def _whole(found: Any) -> Tensor:
    """A gradient, all of it, on every rank."""
    full: Tensor = found.full_tensor() if hasattr(found, "full_tensor") else found
    return full
