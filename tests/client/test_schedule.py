"""Learning rates: golden vectors, ends, refusals; the rule's JSON."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from psyche_client.optim import RuleError, Schedule, UpdateRule, rate_float32, rate_units
from support.optim import small_rule

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "schedule.json").read_text())
TOPK = json.loads((Path(__file__).parents[1] / "golden" / "topk.json").read_text())
PEAK = rate_units("0.001")


@pytest.mark.parametrize("case", GOLDEN)
def test_rates_equal_the_golden_vectors(case: dict) -> None:
    schedule = Schedule.from_value(case["schedule"])
    assert [[step, schedule.lr_at(step)] for step, _ in case["rates"]] == case["rates"]


@pytest.mark.parametrize("case", TOPK)
def test_what_is_sent_equals_the_golden_vectors(case: dict) -> None:
    sent = case.pop("sent")
    rule = UpdateRule(**case)
    assert [[step, rule.topk_at(step)] for step, _ in sent] == sent
    assert max(k for _, k in sent) <= rule.topk_max


def test_cosine_stays_within_four_millionths_of_the_real_one() -> None:
    schedule = Schedule(kind="cosine", peak=PEAK, total_steps=1000)
    for step in range(1001):
        exact = PEAK * (1 + math.cos(math.pi * step / 1000)) / 2
        assert abs(schedule.lr_at(step) - exact) < 4e-6 * PEAK


@pytest.mark.parametrize("kind", ["linear", "cosine", "wsd"])
def test_a_schedule_climbs_to_its_peak_then_falls_to_its_end_and_stays(kind: str) -> None:
    decay = 30 if kind == "wsd" else 0
    schedule = Schedule(
        kind=kind, peak=PEAK, final=7, warmup_steps=10, total_steps=100, decay_steps=decay
    )
    rates = [schedule.lr_at(step) for step in range(120)]
    assert rates[:10] == [PEAK * (step + 1) // 10 for step in range(10)]
    assert rates[10] == max(rates) == PEAK
    assert all(after <= before for before, after in pairwise(rates[10:]))
    assert rates[100:] == [7] * 20


def test_a_rate_becomes_the_nearest_float32() -> None:
    assert rate_float32(PEAK) == np.float32(0.001)
    assert rate_float32(1 << 40) == 1


@pytest.mark.parametrize("text", ["2", "-0.1", "nan", "1/0", "", "fast"])
def test_a_rate_that_is_no_number_from_0_to_1_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        rate_units(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "exponential"},
        {"peak": -1},
        {"peak": (1 << 40) + 1},
        {"peak": 1.5},
        {"peak": True},
        {"kind": "constant", "total_steps": 5},
        {"kind": "linear", "total_steps": 5, "warmup_steps": 5},
        {"kind": "linear", "total_steps": 5, "decay_steps": 1},
        {"kind": "linear", "total_steps": 5, "final": PEAK + 1},
        {"kind": "wsd", "total_steps": 5},
        {"kind": "wsd", "total_steps": 5, "warmup_steps": 3, "decay_steps": 3},
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(changes: dict) -> None:
    with pytest.raises(RuleError):
        Schedule(**{"peak": PEAK, **changes})


def test_a_negative_step_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Schedule(peak=PEAK).lr_at(-1)


def test_the_rule_comes_back_from_its_json() -> None:
    rule = small_rule(topk=8, embeddings="row", weight_decay_micro=100_000)
    assert UpdateRule.from_value(json.loads(rule.to_json())) == rule


def test_the_rules_json_is_canonical() -> None:
    rule = small_rule()
    again = json.dumps(json.loads(rule.to_json()), sort_keys=True, separators=(",", ":"))
    assert rule.to_json() == again
    assert rule.to_json().isascii()


def _changed(change: dict) -> dict:
    value = small_rule().to_value()
    return {**value, **change}


@pytest.mark.parametrize(
    "change",
    [
        {"colour": 1},
        {"topk": 0},
        {"topk": 4097},
        {"topk": "32"},
        {"beta_micro": 1_000_000},
        {"beta_micro": 0.95},
        {"vote_cap": -1},
        {"local_steps": 0},
        {"local_steps": 65_537},
        {"local_rate": -1},
        {"embeddings": "diagonal"},
        {"schedule": None},
        {"schedule": {"kind": "constant"}},
        {"schedule": {**Schedule(peak=1).to_value(), "pace": 3}},
    ],
)
def test_an_unknown_key_or_impossible_number_in_the_rule_is_refused(change: dict) -> None:
    with pytest.raises(RuleError):
        UpdateRule.from_value(_changed(change))


def test_a_rule_that_lacks_a_key_is_refused() -> None:
    value = small_rule().to_value()
    del value["vote_cap"]
    with pytest.raises(RuleError, match="vote_cap"):
        UpdateRule.from_value(value)
