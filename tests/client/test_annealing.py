"""A checkpoint annealed alone: held-out loss falls, and the folder says where it came from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from psyche_client import annealing
from psyche_client.annealing import Plan, anneal
from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.data.errors import DataError
from psyche_client.data.manifest import Manifest
from psyche_client.data.prepare import prepare
from psyche_client.data.shards import Shards
from psyche_client.data.sources import file_sources
from psyche_client.model.checkpoint import load, save
from psyche_client.model.document import DataSection, ModelDocument
from psyche_client.model.errors import CheckpointError
from psyche_client.optim import DisTrO, RuleError, Schedule, UpdateRule, rate_units
from psyche_client.payloads import PayloadKey
from psyche_client.trainer import Trainer
from support.client import CAPACITY, INSTANCE, PAYLOAD_BYTES_MAX, tiny_document

TRAINED, STEPS, LENGTH = 20, 12, 32
PEAK = rate_units("0.01")
WSD = Schedule(kind="wsd", peak=PEAK, warmup_steps=4, total_steps=1_000, decay_steps=100)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences that a small model learns, some of them held out."""
    texts, folder = tmp_path_factory.mktemp("texts"), tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(7)
    words = ["the", "red", "fox", "sees", "a", "dog", "and", "runs", "home", "."]
    for number in range(40):
        (texts / f"{number:02}.txt").write_text(" ".join(rng.choice(words, 300)))
    prepare(
        file_sources([texts]),
        folder,
        vocab_size=270,
        bytes_max=1 << 20,
        held_out_fraction=0.1,
        seed=0,
        sequence_tokens=LENGTH,
    )
    return folder


def document_of(data: Path) -> ModelDocument:
    manifest = Manifest.read(data)
    tiny = tiny_document()
    rule = UpdateRule(topk=64, weight_decay_micro=100_000).to_value()
    del rule["schedule"]
    return replace(
        tiny,
        architecture=replace(tiny.architecture, vocab_size=manifest.vocab_size),
        update_rule=rule,
        schedule=WSD.to_value(),
        tokenizer_sha256=manifest.tokenizer_sha256,
        data=DataSection(
            sequence_tokens=LENGTH,
            sequences=manifest.sequences,
            merkle_root=manifest.merkle_root(),
        ),
    )


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client's folder after some rounds of a run whose rate is at its peak."""
    folder, document = tmp_path_factory.mktemp("client"), document_of(data)
    trainer = Trainer(
        document, instance=INSTANCE, members_max=CAPACITY, payload_bytes_max=PAYLOAD_BYTES_MAX
    )
    text = Shards(data, sequence_tokens=LENGTH)
    for step in range(TRAINED):
        key = PayloadKey(epoch=0, round=step, slot=0, member_id=1, step=step)
        ids = np.arange(4 * step, 4 * step + 4) % text.count
        payload = trainer.train(text.sequences(ids), key).payload
        trainer.settle(key.round_key, step, [(key, payload)])
    save(folder / "model.safetensors", trainer.parameters(), step=TRAINED, chain_hash=b"\7" * 32)
    (folder / "model.json").write_bytes(document.encode())
    return folder


def test_held_out_loss_falls_and_the_folder_is_one_of_its_kind(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "annealed"
    line = ["model", "anneal", str(trained), str(out), "--data", str(data)]
    assert run([*line, "--steps", str(STEPS), "--sequences", "4", "--json"]) == Code.OK

    facts = json.loads(capsys.readouterr().out)
    assert facts["validation_loss_after"] < facts["validation_loss_before"] - 0.1
    assert json.loads((out / "annealed.json").read_text()) == facts
    before, after = (load(folder / "model.safetensors") for folder in (trained, out))
    texts = [(folder / "model.json").read_bytes() for folder in (trained, out)]
    assert [facts["from"][name] for name in ("model_sha256", "step", "digest", "chain_hash")] == [
        sha256(texts[0]).hexdigest(), TRAINED, before.digest.hex(), "07" * 32,
    ]  # fmt: skip
    assert [facts["to"][name] for name in ("model_sha256", "step", "digest")] == [
        sha256(texts[1]).hexdigest(), TRAINED + STEPS, after.digest.hex(),
    ]  # fmt: skip
    assert after.step == TRAINED + STEPS
    made = ModelDocument.decode(texts[1])
    assert made.update_rule == {**ModelDocument.decode(texts[0]).update_rule, "topk": 512}
    schedule = Schedule.from_value(dict(made.schedule))
    assert [schedule.lr_at(step) for step in range(TRAINED + 1)] == [
        WSD.lr_at(step) for step in range(TRAINED + 1)
    ]
    assert schedule.lr_at(TRAINED + STEPS) == 0


def test_the_same_checkpoint_and_data_give_the_same_bits(
    trained: Path, data: Path, tmp_path: Path
) -> None:
    plan = Plan(steps=2, sequences=3)
    found = [anneal(trained, tmp_path / name, data, plan) for name in "ab"]
    assert found[0] == found[1]
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_the_rate_falls_from_the_runs_and_steps_are_a_tenth_if_not_given(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[int] = []
    monkeypatch.setattr(DisTrO, "update", lambda *arguments: rates.append(arguments[-1]))
    reports: list[tuple[int, int]] = []
    facts = anneal(trained, tmp_path, data, Plan(sequences=1), lambda *now: reports.append(now))
    assert facts["steps"] == TRAINED // 10
    assert reports == [(1, 2), (2, 2)]
    assert rates == [PEAK, PEAK // 2]


@pytest.mark.parametrize(
    ("step", "schedule", "problem"),
    [
        (3, WSD, "not at its peak"),
        (950, WSD, "not at its peak"),
        (30, replace(WSD, kind="cosine", decay_steps=0), "this cosine schedule"),
    ],
)
def test_a_rate_that_climbs_or_falls_already_is_refused(
    step: int, schedule: Schedule, problem: str
) -> None:
    with pytest.raises(RuleError, match=problem):
        schedule.annealed(step, 10)


def test_a_run_at_a_constant_rate_can_be_annealed_from_any_step_after_its_warm_up() -> None:
    constant = Schedule(peak=PEAK, warmup_steps=4)
    assert constant.annealed(4, 8).lr_at(8) == PEAK // 2


def test_a_loss_that_is_no_number_leaves_nothing(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annealing, "gradients", lambda *_, **__: (math.nan, {}))
    with pytest.raises(CheckpointError, match="the loss is nan at step 0 of 2"):
        anneal(trained, tmp_path, data, Plan(steps=2))
    assert list(tmp_path.iterdir()) == []


def test_data_without_held_out_text_is_refused(trained: Path, data: Path, tmp_path: Path) -> None:
    bare = replace(Manifest.read(data), val=replace(Manifest.read(data).val, shards=()))
    for file in data.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "manifest.json").write_bytes(bare.encode())
    with pytest.raises(DataError, match="text held out"):
        anneal(trained, tmp_path / "out", tmp_path, Plan(steps=1))


def test_what_is_there_is_not_written_over(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["model", "anneal", str(trained), str(trained), "--data", str(data)]
    assert run(line) == Code.USAGE
    assert "is not empty" in capsys.readouterr().err


def test_weight_decay_skips_vectors_and_embeddings(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without gradients only the decay moves a parameter."""
    monkeypatch.setattr(annealing, "gradients", _no_gradient)
    anneal(trained, tmp_path, data, Plan(steps=1))
    before, after = (load(f / "model.safetensors").parameters for f in (trained, tmp_path))
    moved = {name for name, value in after.items() if not np.array_equal(value, before[name])}
    matrices = {name for name, value in before.items() if value.ndim > 1}
    assert moved == {name for name in matrices if "embed" not in name and "lm_head" not in name}


def _no_gradient(
    model: torch.nn.Module, *_: object, **__: object
) -> tuple[float, dict[str, torch.Tensor]]:
    return 0.0, {name: torch.zeros_like(one) for name, one in model.named_parameters()}
