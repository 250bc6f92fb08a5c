"""Local steps: what they change is sent, and nothing of it stays."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn

from psyche_client.optim.errors import LayoutError
from psyche_client.optim.local import Moments, pseudo_gradient

RATE, CLIP = 0.01, 0.5


def make_model() -> nn.Linear:
    model = nn.Linear(6, 3)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def backward(model: nn.Linear, seed: int) -> None:
    points = torch.randn(8, 6, generator=torch.Generator().manual_seed(seed))
    model(points).square().sum().backward()


def test_the_change_is_that_of_so_many_adamw_steps_with_clipped_gradients() -> None:
    model, plain = make_model(), make_model()
    steps = [partial(backward, model, seed) for seed in range(3)]
    change = pseudo_gradient(dict(model.named_parameters()), steps, rate=RATE, clip=CLIP)
    mean = square = torch.zeros(21)
    for number in (1, 2, 3):
        plain.zero_grad()
        backward(plain, number - 1)
        gradient = torch.cat([p.grad.flatten() for p in plain.parameters()])
        assert gradient.norm() > CLIP
        gradient *= CLIP / gradient.norm()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        unbiased = mean / (1 - 0.9**number), square / (1 - 0.95**number)
        moved = RATE * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
        with torch.no_grad():
            for parameter, move in zip(plain.parameters(), moved.split([18, 3]), strict=True):
                parameter.sub_(move.view_as(parameter))
    for name, parameter in plain.named_parameters():
        assert torch.allclose(change[name], model.get_parameter(name) - parameter, atol=1e-5)


def test_a_round_leaves_the_parameters_as_they_were_though_a_step_fails() -> None:
    model = make_model()
    parameters = dict(model.named_parameters())

    def fail() -> None:
        raise RuntimeError("out of memory")

    for steps in ([partial(backward, model, 1)] * 2, [partial(backward, model, 1), fail]):
        try:
            pseudo_gradient(parameters, steps, rate=RATE, clip=CLIP)
        except RuntimeError:
            assert fail in steps
        for name, parameter in make_model().named_parameters():
            assert torch.equal(parameters[name], parameter)
            assert parameters[name].grad is None


@pytest.mark.parametrize("clip", [0.0, CLIP])
def test_gradients_that_are_not_finite_show_in_the_change(clip: float) -> None:
    model = make_model()

    def poison() -> None:
        model(torch.full((1, 6), float("inf"))).sum().backward()

    change = pseudo_gradient(dict(model.named_parameters()), [poison], rate=RATE, clip=clip)
    assert not all(one.isfinite().all() for one in change.values())


def test_kept_moments_go_on_where_the_last_round_ended() -> None:
    model, anew, moments = make_model(), make_model(), Moments()
    everything = [partial(backward, model, seed) for seed in range(4)]
    named = dict(model.named_parameters())

    first = pseudo_gradient(named, everything[:2], rate=RATE, clip=CLIP, moments=moments)
    move(model, first)
    second = pseudo_gradient(named, everything[2:], rate=RATE, clip=CLIP, moments=moments)

    # One call over all four steps makes the same: in between, the parameters were moved as here.
    steps = [partial(backward, anew, seed) for seed in range(4)]
    whole = pseudo_gradient(dict(anew.named_parameters()), steps, rate=RATE, clip=CLIP)
    assert moments.count == 4
    for name, change in whole.items():
        assert torch.allclose(change, first[name] + second[name], atol=1e-6)


def move(model: nn.Linear, change: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.sub_(change[name])


@pytest.mark.parametrize("fails", [True, False])
def test_moments_are_zeros_again_after_a_round_that_failed_or_was_not_finite(fails: bool) -> None:
    model, moments = make_model(), Moments()
    parameters = dict(model.named_parameters())

    def poison() -> None:
        if fails:
            raise RuntimeError("out of memory")
        model(torch.full((1, 6), float("inf"))).sum().backward()

    pseudo_gradient(
        parameters, [partial(backward, model, 1)], rate=RATE, clip=CLIP, moments=moments
    )
    assert moments.count == 1
    steps = [partial(backward, model, 2), poison]
    with pytest.raises(RuntimeError) if fails else nullcontext():
        pseudo_gradient(parameters, steps, rate=RATE, clip=CLIP, moments=moments)

    assert moments.count == 0
    assert moments.state_dict().keys() == {"local.count"}


def test_moments_come_back_from_what_was_saved_and_from_nothing_else() -> None:
    model, moments, other = make_model(), Moments(), Moments()
    parameters = dict(model.named_parameters())
    shapes = {name: tuple(one.shape) for name, one in parameters.items()}
    other.load_state_dict(moments.state_dict(), shapes)
    assert other.count == 0
    steps = [partial(backward, model, seed) for seed in range(2)]
    pseudo_gradient(parameters, steps, rate=RATE, clip=CLIP, moments=moments)
    state = moments.state_dict()

    other.load_state_dict(state, shapes)

    kept = [
        pseudo_gradient(parameters, steps, rate=RATE, clip=CLIP, moments=one)
        for one in (moments, other)
    ]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in shapes)
    for wrong in (
        {},
        {**state, "local.count": torch.tensor([0])},
        {**state, "local.count": torch.tensor([-1])},
        {**state, "local.count": torch.tensor([1.0])},
        {**state, "local.mean.weight": torch.zeros(3, 5)},
        {**state, "local.square.bias": torch.zeros(3, dtype=torch.float64)},
        {**state, "local.mean.more": torch.zeros(3)},
        {name: one for name, one in state.items() if name != "local.mean.bias"},
    ):
        with pytest.raises(LayoutError, match="moments"):
            other.load_state_dict(wrong, shapes)
    assert other.count == 4
