"""Three clients in one process: the loss falls, and every bit of their parameters is equal."""

from hashlib import sha256

import numpy as np
import pytest

from psyche_client.model.config import MlaConfig
from psyche_client.model.document import DataSection, ModelDocument
from psyche_client.model.presets import preset
from psyche_client.optim.rule import UpdateRule
from psyche_client.optim.schedule import Schedule, rate_units
from psyche_client.payloads import PayloadKey
from psyche_client.trainer import Trainer

INSTANCE = sha256(b"a run").digest()
CLIENTS = 3


def tiny() -> MlaConfig:
    values = preset("demo").to_dict()
    return MlaConfig.from_dict(
        values
        | {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    )


def document(**changes: int) -> ModelDocument:
    rule = UpdateRule(topk=64, schedule=Schedule(peak=rate_units("0.004")), **changes).to_value()
    schedule = rule.pop("schedule")
    return ModelDocument(
        architecture=tiny(),
        init_seed=bytes(32),
        update_rule=rule,
        schedule=schedule,  # type: ignore[arg-type]
        tokenizer_sha256=bytes(32),
        data=DataSection(sequence_tokens=32, sequences=1000, merkle_root=bytes(32)),
    )


def make_trainer(**changes: int) -> Trainer:
    run = document(**changes)
    return Trainer(run, instance=INSTANCE, members_max=8, payload_bytes_max=1 << 20)


def text(seed: int, count: int) -> np.ndarray:
    """Sequences with a rule to learn: each token follows from the one before."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 64, size=(count, 1))
    steps = np.arange(33)
    return (starts + 7 * steps) % 64


def key(number: int, slot: int) -> PayloadKey:
    return PayloadKey(epoch=0, round=number, slot=slot, member_id=slot + 1, step=number)


@pytest.fixture
def trainers() -> list[Trainer]:
    return [make_trainer() for _ in range(CLIENTS)]


def one_round(trainers: list[Trainer], number: int, accepted: set[int]) -> list[float]:
    trained = [
        trainer.train(text(number * CLIENTS + slot, 4), key(number, slot))
        for slot, trainer in enumerate(trainers)
    ]
    payloads = [(key(number, s), t.payload) for s, t in enumerate(trained) if s in accepted]
    for trainer in trainers:
        trainer.settle((0, number), number, payloads)
    return [t.loss for t in trained]


def test_the_loss_falls_and_the_replicas_stay_equal(trainers: list[Trainer]) -> None:
    losses = [np.mean(one_round(trainers, number, {0, 1, 2})) for number in range(24)]
    assert losses[-1] < losses[0] - 0.8
    assert len({trainer.digest(24) for trainer in trainers}) == 1
    assert trainers[0].digest(24) != make_trainer().digest(24)


def test_rounds_of_local_steps_learn_too_and_change_the_parameters_by_payloads_alone() -> None:
    trainers = [make_trainer(local_steps=2) for _ in range(CLIENTS)]
    losses = [np.mean(one_round(trainers, number, {0, 1, 2})) for number in range(8)]
    assert losses[-1] < losses[0] - 0.2
    assert len({trainer.digest(8) for trainer in trainers}) == 1
    short = trainers[0].train(text(1, 1), key(8, 0))  # fewer sequences than steps
    assert short.coefficients > 0
    assert trainers[0].digest(8) == trainers[1].digest(8)


def test_local_steps_send_something_else_than_one_gradient() -> None:
    payloads = {
        make_trainer(local_steps=steps).train(text(0, 4), key(0, 0)).payload for steps in (1, 2, 4)
    }
    assert len(payloads) == 3


def test_a_late_joiner_that_replays_holds_the_same_bits(trainers: list[Trainer]) -> None:
    late = make_trainer()
    for number in range(3):
        trained = [t.train(text(number + s, 2), key(number, s)) for s, t in enumerate(trainers)]
        payloads = [(key(number, s), t.payload) for s, t in enumerate(trained)]
        for trainer in trainers:
            trainer.settle((0, number), number, payloads)
        late.settle((0, number), number, payloads)
    assert late.digest(3) == trainers[0].digest(3)


def test_what_was_not_accepted_returns_to_its_senders_momentum_alone(
    trainers: list[Trainer],
) -> None:
    one_round(trainers, 0, {0, 1})
    assert len({trainer.digest(1) for trainer in trainers}) == 1
    before = make_trainer()
    before.train(text(2, 4), key(0, 2))
    before.optimizer.give_back((0, 0))
    assert (trainers[2].optimizer.momentum == before.optimizer.momentum).all()


def test_an_accepted_payload_of_the_wrong_form_contributes_nothing(
    trainers: list[Trainer],
) -> None:
    good = trainers[0].train(text(0, 2), key(0, 0)).payload
    trainers[0].settle((0, 0), 0, [(key(0, 0), good), (key(0, 1), good)])
    trainers[1].settle((0, 0), 0, [(key(0, 0), good)])
    assert trainers[0].digest(1) == trainers[1].digest(1)


def test_an_empty_round_changes_no_bit(trainers: list[Trainer]) -> None:
    before = trainers[0].digest(0)
    trainers[0].settle((0, 0), 0, [])
    assert trainers[0].digest(0) == before
