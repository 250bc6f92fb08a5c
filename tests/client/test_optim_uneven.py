"""Dynamic k: how many coefficients a round sends, and which groups have more of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from psyche_client.optim import Form, Layout, RuleError, UpdateRule, decode, encode
from psyche_client.optim.distro import DisTrO
from psyche_client.optim.select import take_uneven
from psyche_client.optim.transform import Transform
from psyche_client.trainer import Trainer
from support.client import CAPACITY, INSTANCE, PAYLOAD_BYTES_MAX, key, tiny_document, tokens
from support.optim import (
    SHAPES,
    expectation_for,
    header_for,
    optimizer,
    random_selection,
    random_tensors,
    reference_signs,
    small_rule,
)

RAMP = {"topk": 8, "topk_end": 40, "topk_ramp_steps": 4}


def taken(momentum: Tensor, form: Form, energy: float) -> list[Tensor]:
    """The row afterwards, positions and values."""
    row = momentum.clone()
    return [row, *take_uneven(row, [len(row)], form, torch.empty(len(row)), energy)]


def test_each_round_sends_the_k_of_its_step() -> None:
    trainer = optimizer(**RAMP)
    for step, topk in ((0, 8), (1, 16), (3, 32), (4, 40), (99, 40)):
        form = trainer.form_at(step)
        selection = trainer.generate(random_tensors(step), (0, step), step=step)
        assert form.topk == topk
        assert (selection.counts == form.plain).all()
        data = encode(header_for(), selection, form)
        assert decode(data, expectation_for(header_for(), form)).equals(selection)
        assert len(data) <= small_rule(**RAMP).form_max(form.coefficients).bytes_max


def test_a_payload_of_another_steps_k_contributes_nothing() -> None:
    document = tiny_document()
    rule = {**document.update_rule, **RAMP}
    trainers = [
        Trainer(
            replace(document, update_rule=rule),
            instance=INSTANCE,
            members_max=CAPACITY,
            payload_bytes_max=PAYLOAD_BYTES_MAX,
        )
        for _ in range(2)
    ]
    payload = trainers[0].train(tokens(1), replace(key(3, 0), step=1)).payload
    assert trainers[1].read(payload, replace(key(3, 0), step=1)) is not None
    assert trainers[1].read(payload, key(3, 0)) is None


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    coefficients=st.integers(1, 3 * 4096),
    topk=st.sampled_from([1, 4, 32]),
    most=st.sampled_from([32, 100]),
    energy=st.sampled_from([0.01, 0.2, 0.6, 1.0]),
)
def test_groups_send_the_fewest_that_have_the_energy(
    seed: int, coefficients: int, topk: int, most: int, energy: float
) -> None:
    """Against a plain search: the same share for all groups, the largest that fits."""
    rng = np.random.default_rng(seed)
    form = Form(coefficients=coefficients, topk=topk, most=most)
    scales = np.repeat(rng.uniform(0, 3, form.groups) ** 4, 4096)[:coefficients]
    momentum = (rng.standard_normal(coefficients) * scales).astype(np.float32)
    row, positions, values = taken(torch.from_numpy(momentum), form, energy)

    found = positions.numpy()
    counts = np.bincount(found // 4096, minlength=form.groups)
    assert (np.diff(found) > 0).all()
    assert (values.numpy() == momentum[found]).all()
    assert not row[positions].any()
    row[positions] = values
    assert torch.equal(row, torch.from_numpy(momentum))
    before = []  # of each coefficient that could be sent: the share that the larger ones have
    for group, limit in enumerate(form.limits.tolist()):
        squares = momentum[4096 * group : 4096 * (group + 1)].astype(np.float64) ** 2
        largest = np.sort(squares)[::-1]
        part = np.flatnonzero(found // 4096 == group)
        assert np.allclose(np.sort(squares[found[part] % 4096])[::-1], largest[: counts[group]])
        before.append((np.cumsum(largest) - largest)[:limit] / squares.sum())
    target = np.sort(np.concatenate(before))[: form.sent_max + 1]
    least = min(energy, target[-1]) if len(target) > form.sent_max else energy
    assert counts.tolist() == [int((share < least).sum()) for share in before]


def test_without_a_target_the_payload_is_full_and_goes_where_the_energy_is() -> None:
    trainer = optimizer(topk=8, group_topk_max=64)
    gradients = random_tensors(1, scale=1e-3)
    gradients["layers.0.attn.weight"][:64, :48] += torch.outer(
        torch.linspace(-1, 1, 64), torch.linspace(1, 2, 48)
    )
    counts = trainer.generate(gradients, (0, 0)).counts
    assert counts.sum() == trainer.form_at(0).sent_max
    assert counts.max() <= 64
    assert len(set(counts[:-1].tolist())) > 1


def test_a_small_target_sends_less_than_there_is_room_for() -> None:
    counts = optimizer(topk=64, energy_micro=50_000).generate(random_tensors(1), (0, 0)).counts
    assert 0 < counts.max() < 64


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_sent_and_goes(bad: float) -> None:
    momentum = torch.arange(1.0, 5001.0)
    momentum[[3, 4096, 4500]] = bad
    row, positions, values = taken(momentum, Form(coefficients=5000, topk=8, most=30), 1.0)
    assert values.isfinite().all()
    assert row.isfinite().all()
    assert not set(positions.tolist()) & {3, 4096, 4500}


def test_zeros_are_never_sent() -> None:
    rule = small_rule(topk=8, group_topk_max=64)
    trainer = DisTrO(Layout.from_shapes(SHAPES), rule)
    zeros = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    assert len(trainer.generate(zeros, (0, 0)).indices) == 0


def test_the_bound_of_a_blocks_votes_holds_where_one_takes_the_whole_payload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says how far float32 can err, so it follows from `group_topk_max`, not from k."""
    replica = DisTrO(
        Layout.from_shapes({"w": (64, 64 * 64)}),
        small_rule(topk=64, group_topk_max=4_096),
        compiled=False,
    )
    form = replica.form_at(0)
    selection = random_selection(1, form, [4_096] + [0] * (form.groups - 1))
    real, bounds = Transform.inverse_signs, []

    def look(self: Transform, votes: Tensor, peak: int, mass: int, spare: Tensor) -> Tensor:
        bounds.append((int(votes.view(-1, 4096).abs().sum(1).max()), mass))
        return real(self, votes, peak, mass, spare)

    monkeypatch.setattr(Transform, "inverse_signs", look)
    parameters = {"w": torch.zeros(64, 64 * 64)}
    replica.update(parameters, [selection], 1 << 40)
    assert bounds[0][0] == 4_096
    assert all(found <= mass for found, mass in bounds)
    expected = reference_signs(replica.layout, [selection], 1)
    assert np.array_equal(-parameters["w"].numpy(), expected["w"])


@pytest.mark.parametrize(
    "change",
    [
        {"topk_end": 4},
        {"topk_ramp_steps": 4},
        {"topk_end": 5_000, "topk_ramp_steps": 4},
        {"group_topk_max": 7},
        {"group_topk_max": 20, "topk_end": 40, "topk_ramp_steps": 4},
        {"group_topk_max": 4_097},
        {"energy_micro": 0},
        {"energy_micro": 1_000_001},
    ],
)
def test_numbers_that_do_not_fit_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(RuleError):
        UpdateRule(topk=8, **change)
