"""How a client computes its gradients is its own business, and what it may not change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from psyche_client import joining
from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.optim import LayoutError
from psyche_client.options import Compute, JoinOptions
from psyche_client.ranks import RankError, Ranks
from psyche_client.trainer import Trainer
from support.client import CAPACITY, INSTANCE, PAYLOAD_BYTES_MAX, key, tiny_document, tokens

#: Recomputing imports for seconds what test_planning.py and test_model_lm.py import, too.
pytestmark = pytest.mark.xdist_group("shapes")


def trainer_of(compute: Compute | None = None) -> Trainer:
    document = tiny_document()
    two_layers = replace(document.architecture, num_hidden_layers=2)
    return Trainer(
        replace(document, architecture=two_layers),
        instance=INSTANCE,
        members_max=CAPACITY,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
        compute=compute,
    )


def momentum(trainer: Trainer, count: int = 7) -> torch.Tensor:
    """The transformed gradient: with nothing sent, all that a round leaves."""
    trainer.train(tokens(3, count), key(0, 1))
    trainer.optimizer.give_back((0, 0))
    return trainer.optimizer.momentum


@pytest.mark.parametrize("micro_batch", [1, 3, 7])
def test_a_gradient_is_the_same_mean_in_one_pass_and_in_several(micro_batch: int) -> None:
    whole, parts = momentum(trainer_of()), momentum(trainer_of(Compute(micro_batch=micro_batch)))

    assert (whole - parts).norm() < 1e-5 * whole.norm()


def test_recomputed_layers_give_the_same_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, again = trainer_of(), trainer_of(Compute(recompute=True))
    runs: list[int] = []
    layer = type(again.model.model.layers[0])
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda *args: (runs.append(1), forward(*args))[1])

    payloads = [t.train(tokens(3), key(0, 1)).payload for t in (plain, again)]

    assert payloads[0] == payloads[1]
    assert len(runs) == 2 + 4  # two layers once, then each twice


def test_bfloat16_changes_the_gradient_little_and_the_parameters_type_not_at_all() -> None:
    exact, coarse = trainer_of(), trainer_of(Compute(bfloat16=True))

    error = (momentum(exact) - momentum(coarse)).norm() / momentum(exact).norm()

    assert 1e-6 < error < 0.05
    assert all(value.dtype == np.float32 for value in coarse.parameters().values())
    assert exact.validation_loss(tokens(5)) == coarse.validation_loss(tokens(5))


def test_clients_that_compute_differently_hold_equal_parameters() -> None:
    ways = [Compute(), Compute(bfloat16=True), Compute(micro_batch=1, recompute=True)]
    trainers = [trainer_of(way) for way in ways]
    payloads = [
        (key(0, slot), trainer.train(tokens(slot), key(0, slot)).payload)
        for slot, trainer in enumerate(trainers)
    ]

    for trainer in trainers:
        trainer.settle((0, 0), 0, payloads)

    assert len({trainer.digest(1) for trainer in trainers}) == 1


def test_gradients_do_not_outlive_their_round() -> None:
    trainer = trainer_of()
    trainer.train(tokens(0), key(0, 1))

    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_the_flags_of_join_say_how_to_compute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[JoinOptions] = []
    monkeypatch.setattr(joining, "main", lambda options, *_: given.append(options))
    wallet = str(tmp_path / "id.json")
    assert run(["wallet", "new", "--out", wallet]) == Code.OK
    line = [
        "join",
        "a/b",
        "--wallet",
        wallet,
        "--url",
        "http://127.0.0.1:1",
        "--home",
        str(tmp_path),
    ]

    assert run(line) == Code.OK
    assert run([*line, "--micro-batch", "2", "--bf16", "--recompute"]) == Code.OK

    chosen = Compute(micro_batch=2, bfloat16=True, recompute=True)
    assert [options.compute for options in given] == [Compute(), chosen]


def test_a_pass_without_a_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="micro_batch"):
        Compute(micro_batch=0)


def keeping_trainer(ranks: Ranks | None = None) -> Trainer:
    """Of a run of means whose trainers keep AdamW's moments."""
    document = tiny_document()
    rule = {"update": "mean", "local_steps": 2, "local_rate": 0, "local_state": "kept"}
    return Trainer(
        replace(document, update_rule={**document.update_rule, **rule}),
        instance=INSTANCE,
        members_max=CAPACITY,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
        ranks=ranks,
    )


def test_a_trainer_goes_on_with_the_moments_that_it_saved() -> None:
    first, second, anew = (keeping_trainer() for _ in range(3))
    first.train(tokens(3, 4), key(0, 1))
    saved = first.momentum_state()
    second.take_momentum(saved)
    anew.take_momentum(anew.momentum_state())

    payloads = [t.train(tokens(5, 4), key(1, 1)).payload for t in (first, second, anew)]

    assert payloads[0] == payloads[1] != payloads[2]
    with pytest.raises(LayoutError, match="moments"):
        second.take_momentum({n: one for n, one in saved.items() if not n.startswith("local.")})
    assert not second.optimizer.momentum.any()
    first.load_initial()
    assert first.momentum_state()["local.count"].tolist() == [0]


def test_moments_that_no_rule_keeps_are_refused() -> None:
    saved = keeping_trainer().momentum_state()
    with pytest.raises(LayoutError, match="moments"):
        trainer_of().take_momentum(saved)


def test_several_ranks_cannot_keep_moments() -> None:
    with pytest.raises(RankError, match="one process"):
        keeping_trainer(cast("Ranks", object()))
