"""What the accepted updates do to the parameters: the same bits on every replica."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from psyche_client.optim import Layout, LayoutError, Selection, rate_float32
from psyche_client.optim.distro import DisTrO, decay_factor
from support.optim import (
    SHAPES,
    TINY,
    bits,
    optimizer,
    random_selection,
    random_tensors,
    reference_signs,
    small_rule,
)

RATE = small_rule().schedule.peak


@pytest.mark.parametrize("embeddings", ["block", "row"])
@pytest.mark.parametrize("cap", [0, 1, 2])
def test_signs_equal_those_of_whole_number_arithmetic(embeddings: str, cap: int) -> None:
    replica = optimizer(embeddings, vote_cap=cap, topk=400)
    selections = [random_selection(seed, replica.form_at(0)) for seed in range(5)]
    signs = replica.aggregate(selections)
    parameters = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    replica.apply(parameters, signs, 1 << 40)
    expected = reference_signs(replica.layout, selections, cap)
    for name, tensor in parameters.items():
        assert np.array_equal(-tensor.numpy(), expected[name]), name


def _alone(replica: DisTrO, position: int, sign: int) -> Selection:
    counts = np.zeros(replica.form_at(0).groups, np.uint16)
    counts[position // 4096] = 1
    index = np.array([position % 4096], np.uint16)
    return Selection(counts, index, np.array([sign], np.int16))


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
    selections = [random_selection(seed, replica.form_at(0)) for seed in range(payloads)]
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
    signs = replica.aggregate([random_selection(1, replica.form_at(0))])
    parameters = random_tensors(5)
    before = {name: tensor.numpy().copy() for name, tensor in parameters.items()}
    replica.apply(parameters, signs, RATE)
    expected = reference_signs(replica.layout, [random_selection(1, replica.form_at(0))], 1)
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
    signs = replica.aggregate([random_selection(1, replica.form_at(0))])
    halves = {name: t.bfloat16() for name, t in random_tensors(1).items()}
    with pytest.raises(LayoutError, match="float32"):
        replica.apply(halves, signs, RATE)
    turned = random_tensors(1)
    turned["lm_head.weight"] = torch.zeros(96, 130).T
    with pytest.raises(LayoutError, match="contiguous"):
        replica.apply(turned, signs, RATE)


def _other(
    good: Selection,
    *,
    counts: NDArray[np.uint16] | None = None,
    indices: NDArray[np.uint16] | None = None,
    values: NDArray[np.int16] | None = None,
) -> Selection:
    return Selection(
        good.counts if counts is None else counts,
        good.indices if indices is None else indices,
        good.values if values is None else values,
    )


DAMAGE: dict[str, Callable[[Selection], Selection]] = {
    "groups": lambda s: _other(s, counts=np.append(s.counts, np.uint16(0))),
    "no groups": lambda s: _other(s, counts=s.counts[:0]),
    "sum": lambda s: _other(s, indices=s.indices[:-1], values=s.values[:-1]),
    "values": lambda s: _other(s, values=s.values[:-1]),
    "index": lambda s: _other(s, indices=s.indices + np.uint16(4096)),
    "index of the last group": lambda s: _other(
        s, indices=np.where(np.arange(len(s.indices)) < len(s.indices) - 1, s.indices, 4_095)
    ),
    "large value": lambda s: _other(s, values=s.values * np.int16(300)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_selection_of_another_layout_is_refused_and_moves_nothing(kind: str) -> None:
    replica = DisTrO(Layout.from_shapes(SHAPES), small_rule(), compiled=False)
    good = random_selection(1, replica.form_at(0))
    parameters = random_tensors(1)
    for call in (replica.aggregate, lambda some: replica.update(parameters, some, RATE)):
        with pytest.raises(LayoutError, match="another layout"):
            call([good, DAMAGE[kind](good)])
    assert bits(parameters) == bits(random_tensors(1))


@pytest.mark.parametrize("rate", [-1, (1 << 40) + 1])
def test_a_rate_below_zero_or_above_one_is_refused(rate: int) -> None:
    replica = optimizer()
    selections, parameters = [random_selection(1, replica.form_at(0))], random_tensors(1)
    signs = replica.aggregate(selections)
    for call in (
        lambda: replica.update(parameters, selections, rate),
        lambda: replica.apply(parameters, signs, rate),
    ):
        with pytest.raises(ValueError, match="from 0 to 1"):
            call()
    assert bits(parameters) == bits(random_tensors(1))


def test_signs_of_another_layout_move_nothing() -> None:
    replica, parameters = optimizer(), random_tensors(1)
    with pytest.raises(LayoutError, match="another layout"):
        replica.apply(parameters, torch.zeros(5, dtype=torch.int8), RATE)
    assert bits(parameters) == bits(random_tensors(1))


def test_more_payloads_than_members_are_refused() -> None:
    replica = DisTrO(Layout.from_shapes(TINY), small_rule(), members_max=2)
    with pytest.raises(ValueError, match="3 payloads"):
        replica.aggregate([random_selection(s, replica.form_at(0)) for s in range(3)])
