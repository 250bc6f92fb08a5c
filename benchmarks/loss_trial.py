"""One training run of `benchmarks.loss`: a side, a learning rate, a seed; its validation loss.

A seed is the model's start and the order of the data, so that trials with one seed are pairs.
Workers hold equal parameters by construction, so that one copy serves them all; each has its own
momentum, and trains its own part of each step's sequences by the client's own functions.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import loss_peers
from benchmarks.loss_plan import ADAMW, MICRO, WEIGHT_DECAY_MICRO, Setup, Variant
from benchmarks.loss_sides import Peer
from benchmarks.loss_update import KINDS, OtherUpdate
from psyche_client.backward import gradients, mean_loss
from psyche_client.data.prepare import prepare
from psyche_client.data.shards import Shards
from psyche_client.data.sources import stdlib_sources
from psyche_client.model.init import initial_parameters
from psyche_client.model.lm import CausalLM, build
from psyche_client.model.presets import preset
from psyche_client.optim import DisTrO, Layout, PayloadHeader, Selection, encode
from psyche_client.optim.adamw import train_dense
from psyche_client.optim.local import Moments
from psyche_client.options import Compute

Sequences = npt.NDArray[np.int64]
#: Held-out sequences of which more than half of all runs of so many tokens are trained on are left
#: out: near-duplicates measure memory.
_SHINGLE = 8
_COMPUTE = Compute(micro_batch=64)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Token ids [n, tokens + 1] to train on, and of whole files that are held out.

    `root` is the Merkle root of all of it: another Python's library is another text.
    """

    train: Sequences
    validation: Sequences
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to train."""

    side: str
    rate: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        loss: of the held-out sequences, nats; None where it is no number.
        payload_bytes: of all rounds of one worker, the mean over workers.
        votes: sent of each coefficient by all workers over the run, the mean over coefficients.
    """

    side: str
    rate: str
    seed: int
    loss: float | None
    payload_bytes: float
    votes: float
    seconds: float


def corpus(setup: Setup, folder: Path) -> Corpus:
    """The text of Python's standard library, as the demo takes it; a twentieth is held out."""
    manifest = prepare(
        stdlib_sources(),
        folder,
        vocab_size=preset(setup.model).vocab_size,
        bytes_max=setup.text_bytes_max,
        held_out_fraction=0.05,
        seed=0,
        sequence_tokens=setup.sequence_tokens,
    )
    train, held_out = (_all(Shards(folder, split=split)) for split in ("train", "val"))
    kept = fresh(held_out, train)[: setup.validation_sequences]
    return Corpus(train, kept, manifest.merkle_root().hex())


def _all(shards: Shards) -> Sequences:
    return shards.sequences(np.arange(shards.count))


def fresh(held_out: Sequences, train: Sequences) -> Sequences:
    """Those of `held_out` of which at most half of the runs of eight tokens are in `train`."""
    seen = np.unique(_shingles(train))
    known = np.isin(_shingles(held_out), seen).mean(axis=1)
    kept: Sequences = held_out[known <= 0.5]
    return kept


def _shingles(sequences: Sequences) -> npt.NDArray[np.uint64]:
    """A number [n, tokens + 1 - 7] for each run of eight tokens; equal runs have equal ones."""
    windows = np.lib.stride_tricks.sliding_window_view(sequences.astype(np.uint64), _SHINGLE, 1)
    odd = np.random.default_rng(8).integers(1, 1 << 62, _SHINGLE, np.uint64) * np.uint64(2)
    return np.asarray(windows @ (odd + np.uint64(1)), np.uint64)


def run(setup: Setup, data: Corpus, trial: Trial) -> Outcome:
    """Trains once."""
    started = time.monotonic()
    config = preset(setup.model)
    seed = hashlib.sha256(f"loss-benchmark:{trial.seed}".encode()).digest()
    model = build(config, initial_parameters(config, seed))
    if trial.side == ADAMW:
        train_dense(
            model,
            (torch.from_numpy(batch) for batch in batches(setup, data.train, trial.seed)),
            loss=_loss,
            schedule=setup.schedule(trial.rate),
            weight_decay=WEIGHT_DECAY_MICRO / MICRO,
        )
        sent = Sent(bytes=4.0 * setup.parameters * setup.steps, votes=float(setup.steps))
    elif isinstance(side := setup.variants[trial.side], Peer):
        everything = (
            shares(one, setup.workers, 1) for one in batches(setup, data.train, trial.seed)
        )
        schedule = setup.schedule(trial.rate)
        sent = Sent(*loss_peers.train(model, side, everything, schedule, setup.workers))
    else:
        sent = train_rule(model, setup, data.train, side, trial)
    loss = mean_loss(model, data.validation, _COMPUTE)
    return Outcome(
        side=trial.side,
        rate=trial.rate,
        seed=trial.seed,
        loss=loss if math.isfinite(loss) else None,
        payload_bytes=sent.bytes,
        votes=sent.votes,
        seconds=round(time.monotonic() - started, 1),
    )


def _loss(model: Any, batch: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = model.loss(batch)
    return found


def batches(setup: Setup, train: Sequences, seed: int, local_steps: int = 1) -> Iterator[Sequences]:
    """What all workers train in each round, the same sequences for every side of a seed.

    Every sequence comes once before any comes again.
    """
    each = setup.workers * setup.worker_sequences * local_steps
    needed = setup.steps * setup.workers * setup.worker_sequences
    rng = np.random.default_rng(seed)
    turns = [rng.permutation(len(train)) for _ in range(-(-needed // len(train)))]
    order = np.concatenate(turns)[:needed]
    for start in range(0, needed, each):
        yield train[order[start : start + each]]


@dataclass(slots=True)
class Sent:
    """Bytes of one worker and votes a coefficient."""

    bytes: float = 0.0
    votes: float = 0.0


def train_rule(
    model: CausalLM, setup: Setup, train: Sequences, variant: Variant, trial: Trial
) -> Sent:
    """Trains in place: each worker's gradient and payload, one update; with overlap rounds late."""
    rule = variant.rule(setup.schedule(trial.rate, variant.local_steps))
    parameters = {name: one.data for name, one in model.named_parameters()}
    shapes = {name: tuple(one.shape) for name, one in parameters.items()}
    layout = Layout.from_shapes(shapes, embeddings=rule.embeddings)
    workers = [DisTrO(layout, rule, members_max=setup.workers) for _ in range(setup.workers)]
    moving: DisTrO | OtherUpdate = workers[0]
    if variant.update in KINDS:
        moving = OtherUpdate(layout, rule, variant.update)
    keeps = rule.local_state == "kept"
    moments = [Moments() if keeps else None for _ in workers]
    sent, late = Sent(), list[tuple[int, list[Selection]]]()
    digest = layout.digest()
    everything = batches(setup, train, trial.seed, variant.local_steps)
    for now, batch in enumerate(everything):
        selections = []
        for slot, share in enumerate(shares(batch, setup.workers, variant.local_steps)):
            _, found = gradients(model, rule, share, _COMPUTE, step=now, moments=moments[slot])
            selections.append(workers[slot].generate(found, (0, now), step=now))
            workers[slot].settled((0, now), accepted=True)
            header = PayloadHeader(
                instance=bytes(32),
                epoch=0,
                round=now,
                slot=slot,
                member_id=slot,
                layout_digest=digest,
            )
            sent.bytes += len(encode(header, selections[-1], workers[slot].form_at(now)))
            sent.votes += len(selections[-1].indices) / layout.coefficients
        late.append((now, selections))
        if len(late) > variant.overlap:
            _apply(moving, parameters, late.pop(0), rule.schedule)
    for left in late:
        _apply(moving, parameters, left, rule.schedule)
    sent.bytes /= setup.workers
    return sent


def shares(batch: Sequences, workers: int, local_steps: int) -> list[Sequences]:
    """Each worker's sequences of each of AdamW's steps, its local steps one after the other."""
    parts = batch.reshape(local_steps, workers, -1, batch.shape[-1])
    return [parts[:, worker].reshape(-1, batch.shape[-1]) for worker in range(workers)]


def _apply(moving: Any, parameters: Any, due: tuple[int, list[Selection]], schedule: Any) -> None:
    now, selections = due
    moving.update(parameters, selections, schedule.lr_at(now))
