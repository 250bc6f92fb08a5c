"""Means of what members changed: what a sign says, what it leaves, by which bits all move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from psyche_client.optim import (
    DisTrO,
    Layout,
    RuleError,
    Schedule,
    Selection,
    UpdateRule,
    rate_float32,
)
from psyche_client.optim.layout import Placement
from psyche_client.optim.table import BASIS
from support.optim import (
    SHAPES,
    accumulate,
    optimizer,
    random_selection,
    random_tensors,
    small_rule,
)

MEAN = {"update": "mean", "value_exponent": 3, "gain_micro": 1_300_000, "vote_cap": 0}
RATE = 123_456_789


@pytest.mark.parametrize("compiled", [True, False])
def test_a_sign_takes_its_unit_out_and_leaves_the_rest(compiled: bool) -> None:
    trainer, observer = (member(compiled, topk=400, **MEAN) for _ in range(2))
    accumulate(observer, random_tensors(1))
    unit = float(rate_float32(trainer.rule.schedule.lr_at(5))) * 8.0

    selection = trainer.generate(random_tensors(1), (0, 0), step=5)

    said = torch.zeros_like(trainer.momentum)
    said[torch.from_numpy(selection.positions())] = torch.from_numpy(selection.values) * unit
    left = observer.momentum - said
    assert torch.allclose(trainer.momentum, left, atol=1e-5)
    assert compiled or torch.equal(trainer.momentum, left)
    assert len(selection.values) == trainer.form_at(0).sent_max
    trainer.give_back((0, 0))
    assert torch.allclose(trainer.momentum, observer.momentum, atol=1e-5)


def test_a_change_is_not_scaled_down_to_the_norm_of_gradients() -> None:
    wide, narrow = optimizer(**MEAN, clip_micro=0), optimizer(**MEAN, clip_micro=1)
    for one in (wide, narrow):
        one.generate(random_tensors(1), (0, 0))
    assert torch.equal(wide.momentum, narrow.momentum)


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("cap", [0, 8])
def test_parameters_move_by_the_rounded_mean_of_exact_sums(bits: int, cap: int) -> None:
    rule = {**MEAN, "value_bits": bits, "vote_cap": cap, "weight_decay_micro": 100_000}
    members = [optimizer(**rule, topk=64) for _ in range(3)]
    selections = [random_selection(seed, members[0].form_at(0)) for seed in range(3)]
    parameters = random_tensors(9)
    expected = {name: one.clone() for name, one in parameters.items()}

    members[0].update(parameters, selections, RATE)

    row = reference_mean(members[0], selections, cap)
    step = np.float32(RATE * 1_300_000 / ((1 << 40) * 1_000_000)) * np.float32(8)
    moves = row * step
    assert moves.dtype == np.float32
    shrink = np.float32(1 - RATE * 100_000 / (1 << 40) / 1_000_000)
    for name, place in members[0].layout.placements.items():
        one = expected[name].numpy()
        if place.decays:
            one = one * shrink
        assert np.array_equal(one - part_of(moves, place, one.shape), parameters[name].numpy())


def test_update_is_apply_of_aggregate_in_any_order_and_on_any_threads() -> None:
    member = optimizer(**MEAN)
    selections = [random_selection(seed, member.form_at(0)) for seed in range(5)]
    ways = []
    for threads, order in ((1, 1), (2, -1)):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            whole, parts = random_tensors(9), random_tensors(9)
            member.update(whole, selections[::order], RATE)
            row = member.aggregate(selections[::order])
            assert row is not None
            assert row.dtype == torch.float32
            member.apply(parts, row, RATE)
        finally:
            torch.set_num_threads(before)
        ways += [whole, parts]
    for name in ways[0]:
        assert all(torch.equal(ways[0][name], other[name]) for other in ways[1:])
        assert not torch.equal(ways[0][name], random_tensors(9)[name])


def test_compiled_and_torch_say_the_same_of_a_mean() -> None:
    both = [member(compiled, **MEAN) for compiled in (True, False)]
    said = [one.generate(random_tensors(2), (0, 0), step=7) for one in both]
    assert said[0].equals(said[1])


def test_at_a_rate_of_zero_nothing_moves_and_nothing_leaves_the_momentum() -> None:
    for bits in (1, 6):
        trainer = member(False, **MEAN, value_bits=bits, schedule=falling())
        observer = member(False, **MEAN, value_bits=bits, schedule=falling())
        accumulate(observer, random_tensors(2))
        selection = trainer.generate(random_tensors(2), (0, 0), step=100)
        parameters = random_tensors(9)
        trainer.update(parameters, [selection], 0)
        assert torch.equal(trainer.momentum, observer.momentum)
        assert np.isin(selection.values, (-1, 1)).all()
        assert all(torch.equal(one, random_tensors(9)[n]) for n, one in parameters.items())


def member(compiled: bool, **changes: object) -> DisTrO:
    rule = small_rule(**changes)
    return DisTrO(Layout.from_shapes(SHAPES), rule, compiled=compiled)


def falling() -> Schedule:
    return Schedule(kind="linear", peak=1 << 30, total_steps=100)


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ({"update": "median"}, "update"),
        ({"local_state": "lost"}, "local_state"),
        ({"local_state": "kept"}, "local steps"),
        ({"value_exponent": 3}, "means"),
        ({"update": "mean", "value_exponent": 65}, "value_exponent"),
        ({"local_rate": -1}, "local_rate"),
        ({"gain_micro": 2}, "gain_micro"),
        ({"update": "mean", "gain_micro": 0}, "gain_micro"),
    ],
)
def test_what_a_rule_cannot_be_is_refused(numbers: dict[str, object], word: str) -> None:
    with pytest.raises(RuleError, match=word):
        UpdateRule(**numbers)  # type: ignore[arg-type]


def test_units_and_local_rates_follow_the_schedule() -> None:
    rule = small_rule(**MEAN, schedule=falling(), local_rate=0, local_state="kept")
    for step in (0, 50, 99):
        rate = rule.schedule.lr_at(step)
        assert rule.unit_at(step) == float(rate_float32(rate)) * 8.0
        assert rule.local_rate_at(step) == rate
    assert small_rule().unit_at(0) is None
    assert UpdateRule.from_value(rule.to_value()) == rule


def reference_mean(member: DisTrO, selections: list[Selection], cap: int) -> NDArray[np.float32]:
    """float32 [coefficients] by numpy's whole numbers."""
    votes = np.zeros(member.layout.coefficients, np.int64)
    for selection in selections:
        votes[selection.positions()] += selection.values
    if cap:
        votes = votes.clip(-cap, cap)
    row = np.empty(len(votes), np.float32)
    for buffer in member.layout.buffers:
        for place in buffer.placements:
            a, b = place.edge_rows, place.edge_columns
            part = slice(place.start, place.start + place.size)
            sums = votes[part].reshape(-1, a, b) @ BASIS[b].astype(np.int64)
            bits = 14
            if a > 1:
                sums, bits = BASIS[a].astype(np.int64).T @ sums, 28
            scaled = sums.astype(np.float64) * (2.0**-bits / len(selections))
            row[part] = scaled.astype(np.float32).ravel()
    return row


def part_of(
    row: NDArray[np.float32], place: Placement, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """What belongs to one tensor, its padding dropped."""
    a, b = place.edge_rows, place.edge_columns
    down, across = place.blocks_down, place.blocks_across
    blocks = row[place.start : place.start + place.size].reshape(down, across, a, b)
    whole = blocks.transpose(0, 2, 1, 3).reshape(down * a, across * b)
    return whole[: place.rows, : place.columns].reshape(shape)
