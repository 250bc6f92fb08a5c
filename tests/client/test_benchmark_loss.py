"""The arithmetic of `benchmarks.loss`: bound, pairs, sweeps, going on, equal data; no training."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import loss, loss_trial
from benchmarks.loss_plan import ADAMW, BASE, LONG, SMOKE, Setup, Variant
from benchmarks.loss_rows import Outcomes, rows, upper_bound
from benchmarks.loss_trial import Corpus, Outcome, Trial, batches, fresh, shares, train_rule
from benchmarks.loss_update import OtherUpdate
from psyche_client.model.init import initial_parameters
from psyche_client.model.lm import build
from psyche_client.model.presets import preset
from psyche_client.optim import DisTrO, Layout, Schedule, UpdateRule

TINY = replace(
    SMOKE, steps=6, workers=2, worker_sequences=2, seeds=(7, 8), tuning_seeds=(0,),
    rates=("0.1", "0.2"), rule_rates=("0.3", "0.4"), variants={BASE: Variant()},
)  # fmt: skip
LOSSES = {"0.1": 2.0, "0.2": 1.0, "0.3": 1.5, "0.4": 2.5}


def outcome(trial: Trial, loss: float | None = None) -> Outcome:
    """Losses differ much between seeds, and by 0.5 between sides with their best rates."""
    loss = LOSSES[trial.rate] + 10 * trial.seed if loss is None else loss
    return Outcome(
        side=trial.side, rate=trial.rate, seed=trial.seed, loss=loss, payload_bytes=1e6, votes=3.0,
        seconds=1.0,
    )  # fmt: skip


def filled(setup: Setup) -> Outcomes:
    outcomes = Outcomes(setup, ())
    while due := outcomes.due():
        outcomes.add(outcome(due[0]))
    return outcomes


def test_the_bound_is_students() -> None:
    assert upper_bound([1.0, 2.0, 3.0]) == pytest.approx(2 + 2.920 / 3**0.5)
    assert upper_bound([1.0] * 20) == 1.0
    for count in (1, 21):
        with pytest.raises(ValueError, match="from 2 to 20"):
            upper_bound([1.0] * count)


def test_differences_are_of_pairs_so_that_what_seeds_do_cancels() -> None:
    names = [row.name for row in rows(filled(TINY))]
    found = dict(zip(names, rows(filled(TINY)), strict=True))
    bound = found[f"smoke: {BASE}: 95 % bound of the difference, to 1 % of the loss"]
    assert bound.ours == pytest.approx(0.5)
    assert bound.peer == pytest.approx(0.01 * 76)


def test_a_rate_is_chosen_by_the_seeds_tuned_on_alone() -> None:
    outcomes = filled(TINY)
    assert (outcomes.best_rate(ADAMW), outcomes.best_rate(BASE)) == ("0.2", "0.3")
    for seed in TINY.seeds:
        trial = Trial(side=ADAMW, rate="0.1", seed=seed)
        outcomes.by_trial[trial] = outcome(trial, 0.0)
    assert outcomes.best_rate(ADAMW) == "0.2"
    assert outcomes.losses(ADAMW) == [71.0, 81.0]


def test_a_rate_that_diverged_is_never_the_best() -> None:
    outcomes = filled(TINY)
    trial = Trial(side=ADAMW, rate="0.2", seed=0)
    outcomes.by_trial[trial] = replace(outcomes.by_trial[trial], loss=None)
    assert outcomes.best_rate(ADAMW) == "0.1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rates": ("0.1",)}, "equal size"),
        ({"seeds": (0, 1)}, "tuned on"),
        ({"variants": {"H": Variant(local_steps=4)}}, "whole number of rounds"),
        ({"variants": {"a": Variant(against="b")}}, "not there"),
    ],
)
def test_an_unfair_comparison_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(TINY, **change)


def test_the_long_version_is_long() -> None:
    assert LONG.steps >= 3_000
    assert LONG.tokens >= 20 * LONG.parameters
    assert len(LONG.rates) >= 5


def test_only_the_long_version_is_judged() -> None:
    assert {row.holds for row in rows(filled(TINY))} == {None}
    assert False in {row.holds for row in rows(filled(replace(TINY, name="long")))}


class CutError(Exception):
    pass


@pytest.fixture
def root() -> list[str]:
    return ["ab"]


@pytest.fixture
def trained(
    monkeypatch: pytest.MonkeyPatch, root: list[str]
) -> tuple[list[Trial], Callable[[int], None]]:
    """Trials that were trained, and a way to be cut off before the n-th from now."""
    done: list[Trial] = []
    left = [99]

    def run(_setup: Setup, _data: Corpus, trial: Trial) -> Outcome:
        if not left[0]:
            raise CutError
        left[0] -= 1
        done.append(trial)
        return outcome(trial)

    empty = np.zeros((0, 9), np.int64)
    monkeypatch.setattr(loss, "run", run)
    monkeypatch.setattr(loss, "corpus", lambda *_: Corpus(empty, empty, root[0]))
    return done, lambda count: left.__setitem__(0, count)


def test_a_run_that_was_ended_goes_on_where_it_was(
    trained: tuple[list[Trial], Callable[[int], None]], tmp_path: Path
) -> None:
    done, cut_after = trained
    cut_after(5)
    with pytest.raises(CutError):
        list(loss.measure(TINY, tmp_path))
    cut_after(99)
    found = list(loss.measure(TINY, tmp_path))
    assert len(done) == len(set(done)) == 2 * (2 + 2)
    assert found == list(rows(filled(TINY)))
    assert list(loss.measure(TINY, tmp_path)) == found
    assert len(done) == 8


@pytest.mark.usefixtures("trained")
def test_trials_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    list(loss.measure(TINY, tmp_path))
    with pytest.raises(loss.OtherSettings, match="other settings"):
        list(loss.measure(replace(TINY, steps=12), tmp_path))


@pytest.mark.usefixtures("trained")
def test_trials_on_other_text_are_not_gone_on_with(root: list[str], tmp_path: Path) -> None:
    list(loss.measure(TINY, tmp_path))
    root[0] = "cd"
    with pytest.raises(loss.OtherSettings, match="other text"):
        list(loss.measure(TINY, tmp_path))


def test_local_steps_take_the_same_sequences_as_the_dense_side() -> None:
    train = np.arange(40 * 9).reshape(40, 9)
    dense = list(batches(TINY, train, 3))
    rounds = list(batches(TINY, train, 3, local_steps=3))
    np.testing.assert_array_equal(np.concatenate(dense), np.concatenate(rounds))
    assert not np.array_equal(dense[0], next(batches(TINY, train, 4)))
    parts = [part.reshape(3, 2, 9) for part in shares(rounds[0], 2, 3)]
    for step in range(3):
        together = np.concatenate([part[step] for part in parts])
        np.testing.assert_array_equal(together, dense[step])


def test_every_sequence_comes_once_before_any_comes_again() -> None:
    train = np.arange(10).reshape(10, 1)
    seen = np.concatenate(list(batches(TINY, train, 0))).ravel()
    assert len(seen) == 24
    assert sorted(seen[:10]) == sorted(seen[10:20]) == list(range(10))


def test_held_out_text_that_is_trained_on_is_left_out() -> None:
    rng = np.random.default_rng(0)
    train, other = rng.integers(0, 500, (2, 20, 65))
    half = np.concatenate([train[:1, :50], other[:1, 50:]], axis=1)
    kept = fresh(np.concatenate([train[3:5], half, other[5:7]]), train)
    np.testing.assert_array_equal(kept, other[5:7])


@pytest.mark.parametrize(("overlap", "order"), [(0, "0a1a2a"), (1, "01a2aa")])
def test_with_overlap_a_gradient_is_older_than_what_it_moves(
    overlap: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = replace(TINY, steps=3, workers=1, variants={BASE: Variant(overlap=overlap)})
    model = build(preset("tiny"), initial_parameters(preset("tiny"), bytes(32)))
    found: list[str] = []

    def gradients(*_: object, **__: object) -> tuple[float, dict[str, torch.Tensor]]:
        found.append(str(len(found) - found.count("a")))
        return 0.0, {name: one.detach().clone() for name, one in model.named_parameters()}

    monkeypatch.setattr(loss_trial, "gradients", gradients)
    monkeypatch.setattr(loss_trial, "_apply", lambda *_: found.append("a"))
    train = np.zeros((6, 9), np.int64)
    sent = train_rule(
        model, setup, train, setup.variants[BASE], Trial(side=BASE, rate="0.001", seed=0)
    )
    assert "".join(found) == order
    assert sent.votes == pytest.approx(3 * 32 / 4096, rel=0.2)
    assert sent.bytes > 3 * 160


def test_a_trial_depends_on_its_seed_and_settings_alone(tmp_path: Path) -> None:
    setup = replace(TINY, steps=2, text_bytes_max=300_000, validation_sequences=8)
    data = loss_trial.corpus(setup, tmp_path)
    assert len(data.validation) == 8
    assert len(data.root) == 64
    first, again, other = (
        loss_trial.run(setup, data, Trial(side=BASE, rate="0.001", seed=seed)) for seed in (1, 1, 2)
    )
    assert first.loss == again.loss != other.loss
    assert first.loss is not None
    assert 5 < first.loss < 7
    same = replace(data, train=np.repeat(data.train[:1], 8, axis=0))
    ends = [
        loss_trial.run(setup, same, Trial(side=BASE, rate="0.001", seed=seed)).loss
        for seed in (1, 2)
    ]
    assert ends[0] != ends[1], "the start is the seed's too"


def test_other_updates_start_from_the_exact_one() -> None:
    shapes = {"a": (64, 64), "b": (40,)}
    layout, rule = Layout.from_shapes(shapes), UpdateRule(topk=8, schedule=Schedule(peak=1))
    generator = torch.Generator().manual_seed(1)
    members = [DisTrO(layout, rule) for _ in range(3)]
    selections = [
        member.generate(
            {name: torch.randn(one, generator=generator) for name, one in shapes.items()}, (0, 0)
        )
        for member in members
    ]
    twice = [selections[0], *selections]
    exact = OtherUpdate(layout, rule, "soft").exact(twice)
    signs = members[0].aggregate(twice)
    assert signs is not None
    assert torch.equal(exact.sign().to(torch.int8), signs)


@pytest.mark.parametrize("path", [one for one in loss.KEPT if one.exists()], ids=lambda p: p.stem)
def test_kept_results_are_of_the_present_settings(path: Path) -> None:
    outcomes = loss.read(path)
    setup = {"smoke": SMOKE, "long": LONG}[outcomes.setup.name]
    assert outcomes.setup == setup
    assert setup is LONG or not outcomes.due()
    assert all(row.name.startswith(f"{setup.name}: ") for row in rows(outcomes))
    assert json.loads(path.read_text())["tokens"] == setup.tokens
