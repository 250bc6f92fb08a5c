"""Local steps: some AdamW steps of one's own, whose change of the parameters is sent as a gradient.

Formulas: g = theta_before - theta_after of SparseLoCo (arXiv 2508.15706), after DiLoCo, with this
package's update as the outer step; Adam's own of Kingma and Ba (arXiv 1412.6980), algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

#: AdamW's, as in `adamw.train_dense`.
BETAS = (0.9, 0.95)
EPSILON = 1e-8


def pseudo_gradient(
    parameters: Mapping[str, nn.Parameter],
    steps: Iterable[Callable[[], None]],
    *,
    rate: float,
    clip: float,
) -> dict[str, Tensor]:
    """What `DisTrO.generate` takes in a gradient's place; the parameters are as before in the end.

    AdamW starts anew with each call, so that a round is a function of its parameters and its data
    alone, and whoever trains it again finds the same. It has no weight decay: `apply` has.
    While it runs it needs three times the parameters' memory besides gradients.

    Args:
        parameters: float32 masters by name.
        steps: each leaves the gradients of its part of the data in the parameters, which have none.
        rate: AdamW's learning rate.
        clip: gradients of a larger norm are scaled down to it; 0 never scales.

    Returns:
        before - after by name, float32. It holds what is not finite if a step's gradients did.
    """
    before = {name: one.detach().clone() for name, one in parameters.items()}
    everything = list(parameters.values())
    moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in everything]
    try:
        for number, step in enumerate(steps, 1):
            _forget(everything)
            step()
            if clip:
                nn.utils.clip_grad_norm_(everything, clip)
            for one, moment in zip(everything, moments, strict=True):
                if one.grad is not None:
                    _adam(one.detach(), one.grad, moment, number, rate)
        return {name: before[name] - one.detach() for name, one in parameters.items()}
    finally:
        _forget(everything)
        for name, one in parameters.items():
            one.detach().copy_(before[name])


def _forget(parameters: Iterable[nn.Parameter]) -> None:
    for one in parameters:
        one.grad = None


def _adam(
    one: Tensor, gradient: Tensor, moment: tuple[Tensor, Tensor], number: int, rate: float
) -> None:
    """One step in place, the `number`-th from 1 (torch.optim's would load its compiler first)."""
    mean, square = moment
    mean.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
    square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    unbiased = square.sqrt().div_(math.sqrt(1 - BETAS[1] ** number)).add_(EPSILON)
    one.addcdiv_(mean, unbiased, value=-rate / (1 - BETAS[0] ** number))
