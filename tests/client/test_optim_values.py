"""Whole numbers in place of signs: what is sent, what stays, and what they add up to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from psyche_client.optim import (
    DisTrO,
    ExactnessError,
    Form,
    Layout,
    RuleError,
    Selection,
    UpdateRule,
    decode,
    encode,
)
from support.optim import (
    TINY,
    accumulate,
    expectation_for,
    header_for,
    optimizer,
    random_selection,
    random_tensors,
    reference_signs,
    small_rule,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "aggregate.json").read_text())
WHOLE = {"value_bits": 5, "value_exponent": -3, "vote_cap": 0, "clip_micro": 0}


def test_a_coefficient_sends_the_nearest_whole_number_of_units_and_keeps_the_rest() -> None:
    trainer, observer = optimizer(topk=400, **WHOLE), optimizer(**WHOLE)
    accumulate(observer, random_tensors(1))
    selection = trainer.generate(random_tensors(1), (0, 0))
    where = torch.from_numpy(selection.positions())
    before, left = observer.momentum[where].double(), trainer.momentum[where].double()
    values = torch.from_numpy(selection.values).double()
    nearest = (before * 8).round()
    assert torch.equal(values, nearest.clamp(-16, 16))
    assert torch.equal(values / 8 + left, before)
    assert (values.abs() == 16).any()
    assert (values.abs() < 16).any()


def test_what_is_less_than_half_a_unit_is_not_sent_and_stays() -> None:
    trainer, observer = (optimizer(topk=400, **WHOLE | {"value_exponent": 2}) for _ in range(2))
    accumulate(observer, random_tensors(1))
    selection = trainer.generate(random_tensors(1), (0, 0))
    kept = observer.momentum.clone()
    where = torch.from_numpy(selection.positions())
    kept[where] -= torch.from_numpy(selection.values) * 4.0
    assert 0 < len(selection.values) < trainer.form_at(0).sent_max
    assert torch.equal(trainer.momentum, kept)


@pytest.mark.parametrize("change", [WHOLE, {**WHOLE, "group_topk_max": 99, "topk": 8}])
def test_a_payload_given_back_leaves_the_momentum_as_if_never_taken(
    change: dict[str, int],
) -> None:
    trainer, plain = optimizer(**change), optimizer(**change)
    accumulate(plain, random_tensors(1))
    trainer.generate(random_tensors(1), (0, 0))
    assert not torch.equal(trainer.momentum, plain.momentum)
    restored = optimizer(**change)
    restored.load_state_dict(trainer.state_dict())
    for one in (trainer, restored):
        one.give_back((0, 0))
        assert torch.equal(one.momentum, plain.momentum)


def test_a_momentum_that_overflowed_is_not_sent_and_heals() -> None:
    trainer = optimizer(**WHOLE)
    trainer.momentum[5] = float("inf")
    trainer.momentum[6] = float("nan")
    selection = trainer.generate(random_tensors(1), (0, 0))
    assert not np.isin([5, 6], selection.positions()).any()
    assert trainer.momentum.isfinite().all()


def test_a_payload_carries_the_values() -> None:
    trainer = optimizer(**WHOLE)
    form = trainer.form_at(0)
    selection = trainer.generate(random_tensors(1), (0, 0))
    data = encode(header_for(), selection, form)
    assert decode(data, expectation_for(header_for(), form)).equals(selection)
    assert len(data) <= form.bytes_max


@pytest.mark.parametrize("cap", [0, 2_048, 5_000])
def test_the_largest_values_of_1024_payloads_give_the_signs_of_whole_numbers(cap: int) -> None:
    rule = small_rule(value_bits=12, vote_cap=cap, topk=7)
    replica = DisTrO(Layout.from_shapes(TINY), rule, members_max=1024)
    form = replica.form_at(0)
    same = random_selection(1, form)
    largest = Selection(same.counts, same.indices, np.sign(same.values) * np.int16(2_048))
    selections = [largest] * 512
    selections += [random_selection(seed, form) for seed in range(512)]
    parameters = {name: torch.zeros(shape) for name, shape in TINY.items()}
    replica.update(parameters, selections, 1 << 40)
    expected = reference_signs(replica.layout, selections, cap)
    for name, tensor in parameters.items():
        assert np.array_equal(-tensor.numpy(), expected[name]), name


def test_a_run_whose_sums_could_round_cannot_begin() -> None:
    rule = small_rule(value_bits=12, vote_cap=0, topk=8)
    with pytest.raises(ExactnessError, match=r"2\^53"):
        DisTrO(Layout.from_shapes({"w": (64, 64)}), rule, members_max=1024)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_signs_are_those_of_the_golden_file(case: dict[str, Any]) -> None:
    rule = UpdateRule.from_value(case["update_rule"])
    layout = Layout.from_shapes(case["shapes"], rule.embeddings)
    replica = DisTrO(layout, rule, members_max=5)
    assert replica.form_at(0) == Form(**case["form"])
    selections = [
        Selection(
            np.array(one["counts"], "u2"),
            np.array(one["indices"], "u2"),
            np.array(one["values"], "i2"),
        )
        for one in case["selections"]
    ]
    for some in (selections, selections[::-1]):
        signs = replica.aggregate(some)
        assert signs is not None
        assert hashlib.sha256(signs.numpy()).hexdigest() == case["signs_sha256"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"value_bits": 0}, "value_bits"),
        ({"value_bits": 13}, "value_bits"),
        ({"value_bits": 2, "vote_cap": 0, "value_exponent": 101}, "value_exponent"),
        ({"value_exponent": -3}, "signs have none"),
        ({"value_bits": 5}, "write 0, or 16 at least"),
        ({"value_bits": 12, "vote_cap": 2_047}, "write 0, or 2048 at least"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(change: dict[str, int], problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        UpdateRule(**change)
