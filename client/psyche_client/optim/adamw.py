"""AdamW with dense gradients: what one machine alone would do, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from psyche_client.optim.schedule import Schedule


def train_dense(
    model: nn.Module,
    batches: Iterable[Tensor],
    *,
    loss: Callable[[nn.Module, Tensor], Tensor],
    schedule: Schedule,
    weight_decay: float = 0.1,
    clip: float = 1.0,
) -> list[float]:
    """Trains the model in place by torch's AdamW, one step a batch; returns each step's loss.

    Betas are .9 and .95. Weight decay skips 1-D tensors, as the update rule does. `loss` maps
    the model and a batch to a scalar.
    """
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.95),
    )
    losses = []
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = float(schedule.lr_float32(step))
        value = loss(model, batch)
        torch.autograd.backward([value])
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(value.detach()))
    return losses
