"""A run's checkpoint annealed into a second, smoothed model, alone on this machine.

The rule by which the run was trained does it, at the rate at which it was, so the new model.json
says all of it. Alone nothing is sent, and nobody else votes: so each group gives many coefficients.
docs/owner.md has what was measured, AdamW beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from psyche_client.backward import gradients, mean_loss
from psyche_client.data.errors import DataError
from psyche_client.data.shards import Shards
from psyche_client.model.checkpoint import Checkpoint, load, save
from psyche_client.model.document import ModelDocument
from psyche_client.model.errors import CheckpointError
from psyche_client.model.lm import CausalLM, build, parameters_of
from psyche_client.optim.distro import DisTrO
from psyche_client.optim.layout import Layout
from psyche_client.optim.local import Moments
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.options import Compute
from psyche_client.store import write_durably
from psyche_sdk._rules.permutation import sequences_at

MODEL, PARAMETERS, PROVENANCE = "model.json", "model.safetensors", "annealed.json"
HELD_OUT_SEQUENCES = 256
TOPK = 512
"""What each 4,096 coefficients give, or more where the run has more."""
NO_HISTORY = bytes(32)
"""What is trained outside a run has no chain hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to anneal.

    Attributes:
        steps: over which the learning rate falls to 0; 0 for a tenth of what was trained.
        sequences: of each step.
    """

    steps: int = 0
    sequences: int = 32
    compute: Compute = field(default_factory=Compute)


def anneal(
    source: Path,
    out: Path,
    data: Path,
    plan: Plan,
    report: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, Any]:
    """Anneals a folder's checkpoint, writes another such folder and says what came of it.

    Both have `model.json` and `model.safetensors`; the new one has `annealed.json`, too, which is
    what this returns. Equal inputs, threads and torch give equal bits.

    Args:
        source: of a client, or made by this function's like.
        out: the new folder. Nothing is written before all is done.
        data: prepared with the run's tokenizer; need not be the run's.
        plan: how.
        report: called with steps done and steps in all.

    Raises:
        DataError: the data has another tokenizer, or nothing held out.
        ModelError: model or checkpoint is damaged, or the loss is no number any more.
        RuleError: the checkpoint does not stand where annealing can begin.
    """
    document = ModelDocument.decode((source / MODEL).read_bytes())
    start = load(source / PARAMETERS)
    rule = UpdateRule.from_value({**document.update_rule, "schedule": dict(document.schedule)})
    steps = plan.steps or max(1, start.step // 10)
    rule = _alone(rule, start.step, steps)
    text, held_out = _open(document, data)
    model = build(document.architecture, start.parameters)
    model.model.recomputes = plan.compute.recompute
    before = mean_loss(model, held_out, plan.compute)
    for done, loss in enumerate(_train(model, rule, text, start, plan)):
        report(done + 1, steps)
        if not math.isfinite(loss):
            raise CheckpointError(
                f"the loss is {loss} at step {done} of {steps}; nothing was written",
                hint="look at the checkpoint's own loss, or compute without --bf16",
            )
    after = mean_loss(model, held_out, plan.compute)

    last, made = start.step + steps, _documented(document, rule)
    digest = save(out / PARAMETERS, parameters_of(model), step=last, chain_hash=NO_HISTORY)
    write_durably(out / MODEL, made.encode())
    facts = {
        "version": 1,
        "from": _names(document, start.step, start.digest) | {"chain_hash": start.chain_hash.hex()},
        "to": _names(made, last, digest),
        "steps": steps,
        "sequences": plan.sequences,
        "data_merkle_root": text.manifest.merkle_root().hex(),
        "held_out_sequences": len(held_out),
        "validation_loss_before": before,
        "validation_loss_after": after,
    }
    write_durably(out / PROVENANCE, (json.dumps(facts, indent=1) + "\n").encode())
    return facts


def _alone(rule: UpdateRule, step: int, steps: int) -> UpdateRule:
    """The rule of a single trainer whose rate falls to 0 over the steps that follow `step`."""
    return replace(
        rule,
        topk=max(rule.topk_max, TOPK),
        topk_end=0,
        topk_ramp_steps=0,
        group_topk_max=0,
        energy_micro=MICRO,
        schedule=rule.schedule.annealed(step, steps),
    )


def _train(
    model: CausalLM, rule: UpdateRule, text: Shards, start: Checkpoint, plan: Plan
) -> Iterator[float]:
    """Trains the model from the checkpoint's step to the rule's last; yields each step's loss.

    The data's order, pass after pass, is that of the checkpoint's digest as a seed.
    """
    layout = Layout.from_shapes(model.config.parameter_shapes(), rule.embeddings)
    optimizer = DisTrO(layout, rule, members_max=1)
    parameters = {name: parameter.data for name, parameter in model.named_parameters()}
    moments = Moments() if rule.local_state == "kept" else None
    for number in range(rule.schedule.decay_steps):
        positions = np.arange(plan.sequences, dtype=np.uint64) + np.uint64(number * plan.sequences)
        ids = sequences_at(start.digest, text.count, positions)
        loss, found = gradients(
            model,
            rule,
            text.sequences(ids.astype(np.int64)),
            plan.compute,
            step=start.step + number,
            moments=moments,
        )
        yield loss
        selection = optimizer.generate(found, (0, number), step=start.step + number)
        optimizer.settled((0, number), accepted=True)
        optimizer.update(parameters, [selection], rule.schedule.lr_at(start.step + number))


def _open(document: ModelDocument, data: Path) -> tuple[Shards, npt.NDArray[np.int64]]:
    """What is trained on, and the sequences whose loss is measured."""
    train, held_out = (
        Shards(
            data,
            split=split,
            sequence_tokens=document.data.sequence_tokens,
            tokenizer_sha256=document.tokenizer_sha256,
        )
        for split in ("train", "val")
    )
    if not train.count or not held_out.count:
        raise DataError(
            f"{data} needs text to train on and text held out, a sequence of each at least",
            hint="prepare it with `--held-out-percent` of 5 or so",
        )
    return train, held_out.sequences(np.arange(min(HELD_OUT_SEQUENCES, held_out.count)))


def _documented(document: ModelDocument, rule: UpdateRule) -> ModelDocument:
    """The same with another rule."""
    value = rule.to_value()
    schedule = value.pop("schedule")
    assert isinstance(schedule, dict)
    return replace(document, update_rule=value, schedule=schedule)


def _names(document: ModelDocument, step: int, digest: bytes) -> dict[str, Any]:
    return {"model_sha256": document.sha256().hex(), "step": step, "digest": digest.hex()}
