"""Losses of a model over token sequences, and the gradient that an update rule takes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from psyche_client.model.lm import CausalLM
from psyche_client.optim.local import Moments, pseudo_gradient
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.optim.schedule import rate_float32
from psyche_client.options import Compute


def gradients(
    model: CausalLM,
    rule: UpdateRule,
    sequences: npt.NDArray[np.int64],
    compute: Compute,
    *,
    step: int = 0,
    moments: Moments | None = None,
    backward: Callable[[npt.NDArray[np.int64]], float] | None = None,
) -> tuple[float, dict[str, torch.Tensor]]:
    """The mean loss of `sequences` in nats, and what `DisTrO.generate` takes.

    One gradient of the mean loss, or `local_steps` steps over equal parts in order (fewer if
    there are fewer sequences) and their pseudo-gradient. The parameters do not change; the moments
    do, which a rule with a kept local state needs.

    Args:
        model: holds the gradient afterwards, where it is one.
        rule: of the run.
        sequences: token ids [n, tokens + 1].
        compute: how many sequences a pass, and in what numbers.
        step: at which the round begins.
        moments: of local steps; none: zeros that are forgotten.
        backward: leaves the gradient of the mean loss of some sequences in the model, and tells
            the loss; where several processes compute it together.
    """
    backward = backward or partial(_backward, model, compute)
    parameters = dict(model.named_parameters())
    if not rule.is_local:
        loss = backward(sequences)
        return loss, {n: p.grad for n, p in parameters.items() if p.grad is not None}
    total = 0.0

    def local_step(part: npt.NDArray[np.int64]) -> None:
        nonlocal total
        total += backward(part) * len(part)

    parts = np.array_split(sequences, min(rule.local_steps, len(sequences)))
    change = pseudo_gradient(
        parameters,
        [partial(local_step, part) for part in parts],
        rate=float(rate_float32(rule.local_rate_at(step))),
        clip=rule.clip_micro / MICRO,
        moments=moments,
    )
    return total / len(sequences), change


def _backward(model: CausalLM, compute: Compute, sequences: npt.NDArray[np.int64]) -> float:
    """Leaves the gradient of the mean loss in the model, and nothing of an earlier one."""
    model.zero_grad(set_to_none=True)
    total = 0.0
    for part in _parts(sequences, compute.micro_batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=compute.bfloat16):
            loss = model.loss(part) * (len(part) / len(sequences))
        torch.autograd.backward(loss)
        total += loss.item()
    return total


@torch.no_grad()
def mean_loss(model: CausalLM, sequences: npt.NDArray[np.int64], compute: Compute) -> float:
    """Mean next-token cross entropy over `sequences` in float32, nats; nothing is changed."""
    total = 0.0
    for part in _parts(sequences, compute.micro_batch):
        total += float(model.loss(part)) * len(part)
    return total / max(1, len(sequences))


def _parts(sequences: npt.NDArray[np.int64], size: int) -> Iterator[torch.Tensor]:
    for start in range(0, len(sequences), size):
        yield torch.from_numpy(sequences[start : start + size])
