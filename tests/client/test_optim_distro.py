"""The update: what is sent, what comes back, and that all replicas hold the same bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from psyche_client.optim import Layout, LayoutError, Selection, rate_float32
from psyche_client.optim.distro import DisTrO, decay_factor
from support.optim import (
    SHAPES,
    random_selection,
    random_tensors,
    reference_signs,
    small_rule,
)

RATE = small_rule().schedule.peak


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def optimizer(embeddings: str = "block", **changes: object) -> DisTrO:
    rule = small_rule(embeddings=embeddings, **changes)
    return DisTrO(Layout.from_shapes(SHAPES, embeddings), rule)


def bits(tensors: dict[str, Tensor]) -> bytes:
    return b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))


# generate


def test_each_group_sends_its_largest_coefficients_with_their_signs() -> None:
    trainer, observer = optimizer(clip_micro=0), optimizer(clip_micro=0)
    observer._accumulate(observer._matrices(random_tensors(1)))
    selection = trainer.generate(random_tensors(1), (0, 0))
    assert (selection.counts == trainer.form.limits).all()
    momentum, start = observer.momentum.numpy(), 0
    for group, count in enumerate(selection.counts):
        part = momentum[group * 4096 : (group + 1) * 4096]
        index = selection.indices[start : start + count]
        assert set(index) == set(np.argsort(-np.abs(part))[:count])
        assert (np.sign(part[index]) == selection.signs[start : start + count]).all()
        assert (np.diff(index.astype(int)) > 0).all()
        start += count


def test_what_is_sent_leaves_the_momentum() -> None:
    trainer = optimizer()
    selection = trainer.generate(random_tensors(1), (0, 0))
    assert not trainer.momentum[torch.from_numpy(selection.positions())].any()


def test_zeros_are_never_sent() -> None:
    gradients = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    gradients["layers.0.norm.weight"] += 1.0
    selection = optimizer().generate(gradients, (0, 0))
    assert 0 < selection.counts.sum() < 96
    assert len(selection.signs) == selection.counts.sum()
    assert (np.abs(selection.signs) == 1).all()


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
    assert selection.counts[0] == trainer.form.limits[0] - 2
    assert trainer.momentum.isfinite().all()


def test_gradients_are_clipped_to_the_rules_norm() -> None:
    clipped, small = optimizer(clip_micro=500_000), optimizer(clip_micro=0)
    gradients = random_tensors(1)
    norm = torch.cat([g.flatten() for g in gradients.values()]).norm()
    clipped.generate(gradients, (0, 0))
    small.generate({n: g * (0.5 / norm) for n, g in gradients.items()}, (0, 0))
    assert torch.allclose(clipped.momentum, small.momentum, atol=1e-7)


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


def test_a_round_is_generated_once() -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    with pytest.raises(ValueError, match="in flight"):
        trainer.generate(random_tensors(1), (0, 0))


# What was not accepted comes back

#: Per round: rounds from its making to its settling, and the verdict.
FATES = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6)
TINY = {"w": (40, 32), "b": (20,)}


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
        plain._accumulate(plain._matrices(gradients))
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
    plain._accumulate(plain._matrices(random_tensors(1)))
    trainer.generate(random_tensors(1), (0, 0))
    trainer.give_back((0, 0))
    assert torch.equal(trainer.momentum, plain.momentum)


def test_settling_twice_or_an_unknown_round_changes_nothing() -> None:
    trainer = optimizer()
    trainer.generate(random_tensors(1), (0, 0))
    trainer.give_back((0, 0))
    before = trainer.momentum.clone()
    trainer.give_back((0, 0))
    trainer.settled((7, 7), accepted=False)
    assert torch.equal(trainer.momentum, before)


# aggregate and apply


@pytest.mark.parametrize("embeddings", ["block", "row"])
@pytest.mark.parametrize("cap", [0, 1, 2])
def test_signs_equal_those_of_whole_number_arithmetic(embeddings: str, cap: int) -> None:
    replica = optimizer(embeddings, vote_cap=cap, topk=400)
    selections = [random_selection(seed, replica.form) for seed in range(5)]
    signs = replica.aggregate(selections)
    parameters = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    replica.apply(parameters, signs, 1 << 40)
    expected = reference_signs(replica.layout, selections, cap)
    for name, tensor in parameters.items():
        assert np.array_equal(-tensor.numpy(), expected[name]), name


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("cap", [0, 1])
def test_bits_are_equal_for_any_threads_and_any_order(cap: int) -> None:
    shapes = {**SHAPES, "wide.weight": (640, 1024)}
    replica = DisTrO(Layout.from_shapes(shapes), small_rule(vote_cap=cap, topk=64))
    selections = [random_selection(seed, replica.form) for seed in range(7)]
    results = set()
    for count in (1, 2, 4):
        torch.set_num_threads(count)
        for order in (selections, selections[::-1], selections[3:] + selections[:3]):
            parameters = random_tensors(9, shapes)
            replica.apply(parameters, replica.aggregate(order), RATE)
            results.add(bits(parameters))
    assert len(results) == 1


def _alone(replica: DisTrO, position: int, sign: int) -> Selection:
    counts = np.zeros(replica.form.groups, np.uint16)
    counts[position // 4096] = 1
    index = np.array([position % 4096], np.uint16)
    return Selection(counts, index, np.array([sign], np.int8))


def test_copies_of_a_payload_weigh_no_more_than_the_cap() -> None:
    shapes = {"w": (64, 64)}
    capped = DisTrO(Layout.from_shapes(shapes), small_rule(vote_cap=1))
    honest = [_alone(capped, 0, 1), _alone(capped, 7, 1), _alone(capped, 450, -1)]
    copies = [_alone(capped, 900, 1)] * 8
    once = capped.aggregate([*honest, copies[0]])
    assert torch.equal(capped.aggregate([*honest, *copies]), once)
    plain = DisTrO(capped.layout, small_rule(vote_cap=0))
    assert not torch.equal(plain.aggregate([*honest, *copies]), once)


@pytest.mark.parametrize("payloads", [0, 1, 5])
def test_an_update_by_tiles_gives_the_bits_of_aggregate_and_apply(payloads: int) -> None:
    shapes = {**SHAPES, "wide.weight": (640, 1024)}
    rule = small_rule(weight_decay_micro=100_000)
    replica = DisTrO(Layout.from_shapes(shapes), rule)
    selections = [random_selection(seed, replica.form) for seed in range(payloads)]
    once, twice = random_tensors(4, shapes), random_tensors(4, shapes)
    replica.update(once, selections, RATE)
    replica.apply(twice, replica.aggregate(selections), RATE)
    assert bits(once) == bits(twice)


def test_votes_that_cancel_move_nothing() -> None:
    replica = DisTrO(Layout.from_shapes({"w": (64, 64)}), small_rule())
    signs = replica.aggregate([_alone(replica, 70, 1), _alone(replica, 70, -1)])
    assert not signs.any()


def test_an_empty_accepted_set_changes_nothing_not_even_by_weight_decay() -> None:
    replica = optimizer(weight_decay_micro=100_000)
    parameters = random_tensors(1)
    before = bits(parameters)
    replica.apply(parameters, replica.aggregate([]), RATE)
    assert bits(parameters) == before


def test_parameters_move_by_two_roundings_and_decay_where_the_layout_says() -> None:
    replica = optimizer(weight_decay_micro=300_000)
    signs = replica.aggregate([random_selection(1, replica.form)])
    parameters = random_tensors(5)
    before = {name: tensor.numpy().copy() for name, tensor in parameters.items()}
    replica.apply(parameters, signs, RATE)
    expected = reference_signs(replica.layout, [random_selection(1, replica.form)], 1)
    shrink = np.float32(decay_factor(RATE, 300_000))
    rate = rate_float32(RATE)
    for name, place in replica.layout.placements.items():
        shrunk = before[name] * shrink if place.decays else before[name]
        moved = shrunk - rate * expected[name].astype(np.float32)
        assert np.array_equal(parameters[name].numpy(), moved), name


def test_the_decay_factor_is_the_rounded_exact_quotient() -> None:
    assert decay_factor(1 << 40, 500_000) == 0.5
    assert decay_factor(0, 500_000) == 1.0
    assert decay_factor(RATE, 100_000) == float(np.float32(1 - RATE * 2.0**-40 * 0.1))


def test_parameters_that_are_not_float32_masters_are_refused() -> None:
    replica = optimizer()
    signs = replica.aggregate([random_selection(1, replica.form)])
    halves = {name: t.bfloat16() for name, t in random_tensors(1).items()}
    with pytest.raises(LayoutError, match="float32"):
        replica.apply(halves, signs, RATE)
    turned = random_tensors(1)
    turned["lm_head.weight"] = torch.zeros(96, 130).T
    with pytest.raises(LayoutError, match="contiguous"):
        replica.apply(turned, signs, RATE)


def test_more_payloads_than_members_are_refused() -> None:
    replica = DisTrO(Layout.from_shapes(TINY), small_rule(), members_max=2)
    with pytest.raises(ValueError, match="3 payloads"):
        replica.aggregate([random_selection(s, replica.form) for s in range(3)])


# State


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
