"""Local steps: some AdamW steps of one's own, whose change of the parameters is sent as a gradient.

Formulas: g = theta_before - theta_after of SparseLoCo (arXiv 2508.15706), after DiLoCo, with this
package's update as the outer step; Adam's own of Kingma and Ba (arXiv 1412.6980), algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from psyche_client.optim.errors import LayoutError

#: AdamW's, as in `adamw.train_dense`.
BETAS = (0.9, 0.95)
EPSILON = 1e-8
_KINDS = ("mean", "square")


class Moments:
    """AdamW's running means of gradients and of their squares, and how many steps they have seen.

    They belong to their member, as its momentum does: no parameter depends on them but by what is
    sent. Zeros that are made with the first step.
    """

    def __init__(self) -> None:
        self.count = 0
        self._of: dict[str, tuple[Tensor, Tensor]] = {}

    def of(self, name: str, one: Tensor) -> tuple[Tensor, Tensor]:
        """Both of a parameter, to be changed in place."""
        if name not in self._of:
            self._of[name] = torch.zeros_like(one), torch.zeros_like(one)
        return self._of[name]

    def reset(self) -> None:
        """Back to zeros."""
        self.count = 0
        self._of = {}

    def state_dict(self) -> dict[str, Tensor]:
        """Copies, fit for safetensors."""
        state = {"local.count": torch.tensor([self.count], dtype=torch.int64)}
        for name, both in self._of.items():
            for kind, one in zip(_KINDS, both, strict=True):
                state[f"local.{kind}.{name}"] = one.clone()
        return state

    def load_state_dict(
        self, state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        """Takes back what `state_dict` gave of parameters of these shapes.

        Raises:
            LayoutError: it is another model's, or damaged. Nothing is changed then.
        """
        rest = dict(state)
        count = rest.pop("local.count", torch.empty(0))
        whole = {f"local.{kind}.{name}": shape for kind in _KINDS for name, shape in shapes.items()}
        fits = count.dtype == torch.int64 and count.shape == (1,) and int(count[0]) >= 0
        fits = fits and rest.keys() == (whole.keys() if fits and count[0] else set())
        fits = fits and all(
            one.dtype == torch.float32 and tuple(one.shape) == whole[key]
            for key, one in rest.items()
        )
        if not fits:
            raise LayoutError("saved moments of local steps do not fit the model")
        self.count = int(count[0])
        self._of = {
            name: (rest[f"local.mean.{name}"].clone(), rest[f"local.square.{name}"].clone())
            for name in (shapes if rest else {})
        }


def pseudo_gradient(
    parameters: Mapping[str, nn.Parameter],
    steps: Iterable[Callable[[], None]],
    *,
    rate: float,
    clip: float,
    moments: Moments | None = None,
) -> dict[str, Tensor]:
    """What `DisTrO.generate` takes in a gradient's place; the parameters are as before in the end.

    Without `moments` AdamW starts anew with each call, so that a round is a function of its
    parameters and its data alone, and whoever trains it again finds the same. With them it goes on
    where the last call ended, which loses far less in short rounds; after a call that failed, or
    whose gradients were not finite, they are zeros. AdamW has no weight decay here: `apply` has.
    While it runs it needs three times the parameters' memory besides gradients.

    Args:
        parameters: float32 masters by name.
        steps: each leaves the gradients of its part of the data in the parameters, which have none.
        rate: AdamW's learning rate.
        clip: gradients of a larger norm are scaled down to it; 0 never scales.
        moments: AdamW's, of these parameters; changed.

    Returns:
        before - after by name, float32. It holds what is not finite if a step's gradients did.
    """
    before = {name: one.detach().clone() for name, one in parameters.items()}
    moments, done = moments or Moments(), False
    try:
        for step in steps:
            _forget(parameters.values())
            step()
            if clip:
                nn.utils.clip_grad_norm_(parameters.values(), clip)
            moments.count += 1
            for name, one in parameters.items():
                if one.grad is not None:
                    both = moments.of(name, one.detach())
                    _adam(one.detach(), one.grad, both, moments.count, rate)
        change = {name: before[name] - one.detach() for name, one in parameters.items()}
        done = all(bool(one.isfinite().all()) for one in change.values())
        return change
    finally:
        if not done:
            moments.reset()
        _forget(parameters.values())
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
