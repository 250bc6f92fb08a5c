"""The momentum and what of it is sent: each coefficient once, as what becomes of it decides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from psyche_client.optim import Layout, LayoutError, native
from psyche_client.optim.distro import DisTrO
from psyche_client.optim.select import largest
from support.optim import (
    SHAPES,
    TINY,
    accumulate,
    optimizer,
    random_tensors,
    small_rule,
)

RATE = small_rule().schedule.peak


@pytest.fixture(scope="module", params=["torch", "rust"], autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each way to compute; the Rust one where it is installed."""
    if request.param == "rust" and native.TRANSFORM is None:
        pytest.skip("psyche_codec is not installed: `make native` builds it, with Rust")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch":
            patch.setattr(native, "TRANSFORM", None)
        yield


def test_each_group_sends_its_largest_coefficients_with_their_signs() -> None:
    trainer, observer = optimizer(clip_micro=0), optimizer(clip_micro=0)
    accumulate(observer, random_tensors(1))
    selection = trainer.generate(random_tensors(1), (0, 0))
    assert (selection.counts == trainer.form_at(0).limits).all()
    momentum, start = observer.momentum.numpy(), 0
    for group, count in enumerate(selection.counts):
        part = momentum[group * 4096 : (group + 1) * 4096]
        index = selection.indices[start : start + count]
        assert set(index) == set(np.argsort(-np.abs(part))[:count])
        assert (np.sign(part[index]) == selection.values[start : start + count]).all()
        assert (np.diff(index.astype(int)) > 0).all()
        start += count


@pytest.mark.parametrize("count", [1, 8, 32, 500, 3000, 4096])
@pytest.mark.parametrize("size", [4096, 1600, 7])
def test_the_search_by_columns_finds_what_a_full_sort_finds(size: int, count: int) -> None:
    sizes = torch.randn(5, size, generator=torch.Generator().manual_seed(count)).abs()
    count = min(count, size)
    expected = sizes.sort(descending=True).indices[:, :count].sort().values
    assert torch.equal(largest(sizes, count), expected)


def test_what_is_sent_leaves_the_momentum() -> None:
    trainer = optimizer()
    selection = trainer.generate(random_tensors(1), (0, 0))
    assert not trainer.momentum[torch.from_numpy(selection.positions())].any()


def test_zeros_are_never_sent() -> None:
    gradients = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    gradients["layers.0.norm.weight"] += 1.0
    selection = optimizer().generate(gradients, (0, 0))
    assert 0 < selection.counts.sum() < 96
    assert len(selection.values) == selection.counts.sum()
    assert (np.abs(selection.values) == 1).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_leave_the_momentum_to_decay(bad: float) -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    before = trainer.momentum.clone()
    gradients = random_tensors(2)
    gradients["lm_head.weight"][3, 4] = bad
    selection = trainer.generate(gradients, (0, 1))
    left = before.mul_(0.95)
    left[torch.from_numpy(selection.positions())] = 0.0
    assert torch.equal(trainer.momentum, left)


def test_a_momentum_that_overflowed_is_not_sent_and_heals() -> None:
    trainer = optimizer()
    trainer.momentum[5] = float("inf")
    trainer.momentum[6] = float("nan")
    selection = trainer.generate(random_tensors(1), (0, 0))
    assert not np.isin([5, 6], selection.positions()).any()
    assert selection.counts[0] == trainer.form_at(0).limits[0] - 2
    assert trainer.momentum.isfinite().all()


def test_gradients_are_clipped_to_the_rules_norm() -> None:
    clipped, small = optimizer(clip_micro=500_000), optimizer(clip_micro=0)
    gradients = random_tensors(1)
    norm = torch.cat([g.flatten() for g in gradients.values()]).norm()
    clipped.generate(gradients, (0, 0))
    small.generate({n: g * (0.5 / norm) for n, g in gradients.items()}, (0, 0))
    assert torch.allclose(clipped.momentum, small.momentum, atol=1e-7)


def test_gradients_below_the_rules_norm_are_taken_as_they_are() -> None:
    clipped, plain = optimizer(clip_micro=10**9), optimizer(clip_micro=0)
    for trainer in (clipped, plain):
        trainer.generate(random_tensors(1), (0, 0))
    assert torch.equal(clipped.momentum, plain.momentum)


def test_bf16_gradients_are_taken_as_they_are() -> None:
    gradients = {name: g.bfloat16() for name, g in random_tensors(1).items()}
    same = {name: g.float() for name, g in gradients.items()}
    first, second = optimizer(), optimizer()
    assert first.generate(gradients, (0, 0)).equals(second.generate(same, (0, 0)))


def test_a_missing_tensor_or_another_shape_is_refused() -> None:
    gradients = random_tensors(1)
    del gradients["lm_head.weight"]
    with pytest.raises(LayoutError, match=r"lm_head\.weight"):
        optimizer().generate(gradients, (0, 0))
    gradients["lm_head.weight"] = torch.zeros(96, 130)
    with pytest.raises(LayoutError, match=r"lm_head\.weight"):
        optimizer().generate(gradients, (0, 0))


def test_float64_gradients_are_taken_as_float32() -> None:
    gradients = {name: g.double() for name, g in random_tensors(1).items()}
    first, second = optimizer(clip_micro=0), optimizer(clip_micro=0)
    assert first.generate(gradients, (0, 0)).equals(second.generate(random_tensors(1), (0, 0)))


def test_a_parameter_without_a_gradient_is_refused_by_its_name() -> None:
    gradients = {**random_tensors(1), "lm_head.weight": None}
    with pytest.raises(LayoutError, match=r"lm_head\.weight is None.*zeros"):
        optimizer().generate(gradients, (0, 0))


@pytest.mark.parametrize("members", [0, -4])
def test_an_optimizer_needs_a_member(members: int) -> None:
    with pytest.raises(ValueError, match="1 at least"):
        DisTrO(Layout.from_shapes(TINY), small_rule(), members_max=members)


def test_a_round_is_generated_once() -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    with pytest.raises(ValueError, match="in flight"):
        trainer.generate(random_tensors(1), (0, 0))


# What was not accepted comes back

#: Per round: rounds from its making to its settling, and the verdict.
FATES = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(fates=FATES)
def test_momentum_is_what_it_would_be_had_only_the_accepted_been_sent(
    fates: list[tuple[int, bool]],
) -> None:
    rule = small_rule(topk=64, clip_micro=0)
    trainer = DisTrO(Layout.from_shapes(TINY), rule)
    plain = DisTrO(trainer.layout, rule)
    due: dict[int, list[int]] = {}
    for now, (delay, accepted) in enumerate(fates):
        gradients = random_tensors(now, TINY)
        accumulate(plain, gradients)
        selection = trainer.generate(gradients, (0, now))
        if accepted:
            where = torch.from_numpy(selection.positions())
            plain.momentum[where] -= trainer._in_flight[0, now].values
        due.setdefault(now + delay, []).append(now)
        for settled in due.pop(now, []):
            trainer.settled((0, settled), accepted=fates[settled][1])
    for late in [key for keys in due.values() for key in keys]:
        trainer.settled((0, late), accepted=fates[late][1])
    assert trainer.in_flight == ()
    assert torch.allclose(trainer.momentum, plain.momentum, atol=1e-5)


def test_a_payload_given_back_at_once_leaves_the_momentum_as_if_never_taken() -> None:
    trainer, plain = optimizer(), optimizer()
    accumulate(plain, random_tensors(1))
    trainer.generate(random_tensors(1), (0, 0))
    trainer.give_back((0, 0))
    assert torch.allclose(trainer.momentum, plain.momentum, rtol=0, atol=1e-8)


def test_settling_twice_or_an_unknown_round_changes_nothing() -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    trainer.give_back((0, 0))
    before = trainer.momentum.clone()
    trainer.give_back((0, 0))
    trainer.settled((7, 7), accepted=False)
    assert torch.equal(trainer.momentum, before)


def test_a_restored_optimizer_goes_on_bit_for_bit() -> None:
    first = optimizer()
    for now in range(3):
        first.generate(random_tensors(now), (4, now))
    second = optimizer()
    second.load_state_dict(first.state_dict())
    for trainer in (first, second):
        trainer.give_back((4, 1))
        trainer.settled((4, 0), accepted=True)
    assert second.in_flight == first.in_flight == ((4, 2),)
    assert first.generate(random_tensors(9), (4, 3)).equals(
        second.generate(random_tensors(9), (4, 3))
    )
    assert torch.equal(first.momentum, second.momentum)


def test_saved_state_does_not_change_with_further_training() -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    state = trainer.state_dict()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    trainer.give_back((0, 0))
    trainer.generate(random_tensors(2), (0, 1))
    assert all(torch.equal(state[name], kept[name]) for name in kept)


def test_a_loaded_state_does_not_change_with_the_tensors_that_it_came_from() -> None:
    first, second = optimizer(), optimizer()
    first.generate(random_tensors(1), (0, 0))
    state = first.state_dict()
    second.load_state_dict(state)
    for tensor in state.values():
        tensor.zero_()
    for trainer in (first, second):
        trainer.give_back((0, 0))
    assert torch.equal(first.momentum, second.momentum)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("momentum", torch.zeros(5)),
        ("momentum", None),
        ("layout_digest", torch.zeros(32, dtype=torch.uint8)),
        ("in_flight.positions", torch.tensor([-1])),
        ("in_flight.rounds", torch.tensor([[0, 0, 0, 1 << 40]])),
        ("in_flight.rounds", torch.tensor([[0, 0, 0, -1]])),
        ("in_flight.rounds", torch.tensor([0, 0, 0, 0])),
        ("in_flight.rounds", torch.tensor([[0, 0, -3, 0]])),
        ("in_flight.values", torch.zeros(3, dtype=torch.float64)),
    ],
)
def test_damaged_state_is_refused_and_nothing_changes(name: str, tensor: Tensor | None) -> None:
    trainer = optimizer()
    state = trainer.state_dict()
    trainer.momentum.fill_(2.0)
    if tensor is None:
        del state[name]
    else:
        state[name] = tensor
    with pytest.raises(LayoutError):
        trainer.load_state_dict(state)
    assert (trainer.momentum == 2.0).all()


def test_a_reset_leaves_zeros_and_nothing_in_flight() -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    trainer.reset()
    assert not trainer.momentum.any()
    assert trainer.in_flight == ()
