"""A run of the client's own parts, in one process, written as the demo writes its folder."""

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np

from psyche_client import optim
from psyche_client.model.checkpoint import save
from psyche_client.model.config import MlaConfig
from psyche_client.model.document import DataSection, ModelDocument
from psyche_client.model.presets import preset
from psyche_client.payloads import PayloadKey
from psyche_client.store import SettledRound, Store, next_chain_hash
from psyche_client.trainer import Trainer
from support.replay.folder import GOLDEN, config_field

INSTANCE = sha256(b"a run").digest()
CLIENTS, CAPACITY, ROUNDS, EPOCH_ROUNDS = 3, 8, 8, 5
BYTES_MAX = 1 << 20
SNAPSHOT_STEP = 4
ACCEPTED = {2: (0, 2), 4: (), 5: (1,)}
"""Rounds in which not all payloads are accepted."""
BROKEN = (6, 1)
"""Round and slot of an accepted payload that breaks the format."""


#: A rule of means in place of the sample's signs.
MEANS = {
    "update": "mean",
    "value_bits": 2,
    "value_exponent": 2,
    "gain_micro": 1_300_000,
    "local_steps": 2,
    "local_rate": 0,
    "local_state": "kept",
}


def document(changes: Mapping[str, object]) -> ModelDocument:
    sizes = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 100, "num_hidden_layers": 1}
    schedule = optim.Schedule(
        kind="cosine", peak=optim.rate_units("0.004"), warmup_steps=2, total_steps=ROUNDS
    )
    rule = optim.UpdateRule(
        topk=48,
        topk_end=20,
        topk_ramp_steps=5,
        group_topk_max=100,
        energy_micro=400_000,
        value_bits=5,
        value_exponent=-12,
        vote_cap=20,
        weight_decay_micro=100_000,
        embeddings="row",
        schedule=schedule,
    ).to_value()
    rule.pop("schedule")
    return ModelDocument(
        architecture=MlaConfig.from_dict(preset("demo").to_dict() | sizes),
        init_seed=bytes(32),
        update_rule=rule | changes,
        schedule=schedule.to_value(),
        tokenizer_sha256=bytes(32),
        data=DataSection(sequence_tokens=32, sequences=1000, merkle_root=bytes(32)),
    )


def payloads_of(
    trainers: list[Trainer], number: int, rng: np.random.Generator
) -> dict[PayloadKey, bytes]:
    made = {}
    for slot, trainer in enumerate(trainers):
        key = PayloadKey(
            epoch=number // EPOCH_ROUNDS,
            round=number % EPOCH_ROUNDS,
            slot=slot,
            member_id=slot + 10,
            step=number,
        )
        payload = trainer.train(rng.integers(0, 64, (2, 33)), key).payload
        if (number, slot) == BROKEN:
            payload = payload[:-1] + b"\0"
        if slot in ACCEPTED.get(number, (0, 1, 2)):
            made[key] = payload
    return made


def settle(store: Store, step: int, made: dict[PayloadKey, bytes], previous: bytes) -> SettledRound:
    members = [
        (key.slot, key.member_id, store.put_payload(key.epoch, key.round, key.slot, payload))
        for key, payload in made.items()
    ]
    draft = SettledRound(
        epoch=step // EPOCH_ROUNDS,
        round=step % EPOCH_ROUNDS,
        step=step,
        capacity=CAPACITY,
        members=tuple(members),
        previous=previous,
        chain_hash=bytes(32),
    )
    settled = replace(draft, chain_hash=next_chain_hash(draft))
    store.append_round(settled)
    return settled


def account(kind: str, values: dict[str, bytes]) -> bytes:
    about, start = GOLDEN["types"][kind], GOLDEN["discriminator_bytes"] * (kind == "Run")
    data = bytearray(start + about["size"])
    for field in about["fields"]:
        value = values.get(field["name"], b"")
        at = start + field["offset"]
        data[at : at + len(value)] = value
    return bytes(data)


def state(trainer: Trainer, step: int, chain_hash: bytes) -> bytes:
    values = {
        "step": step.to_bytes(8, "little"),
        "digest": trainer.digest(step),
        "chain_hash": chain_hash,
        "valid": b"\1",
    }
    return account("StateRecord", values)


def run_account(model: ModelDocument, chain_hash: bytes, agreed: bytes, snapshot: bytes) -> bytes:
    at, size = config_field("payload_bytes_max")
    values = {
        "capacity": CAPACITY.to_bytes(2, "little"),
        "instance": INSTANCE,
        "config": bytes(at) + BYTES_MAX.to_bytes(size, "little"),
        "model_hash": model.sha256(),
        "step": ROUNDS.to_bytes(8, "little"),
        "chain_hash": chain_hash,
        "agreed": agreed,
        "snapshots": bytes(len(snapshot)) + snapshot,
    }
    return account("Run", values)


def write_run(out: Path, changes: Mapping[str, object] = MappingProxyType({})) -> list[Trainer]:
    """Trains and writes the folder; returns the trainers at their end."""
    model = document(changes)
    trainers = [
        Trainer(model, instance=INSTANCE, members_max=CAPACITY, payload_bytes_max=BYTES_MAX)
        for _ in range(CLIENTS)
    ]
    store, rng = Store(out), np.random.default_rng(7)
    chain_hash, snapshot = sha256(b"psyche" + INSTANCE).digest(), b""
    save(out / "initial.safetensors", trainers[0].parameters(), step=0, chain_hash=bytes(32))
    for step in range(ROUNDS):
        made = payloads_of(trainers, step, rng)
        chain_hash = settle(store, step, made, chain_hash).chain_hash
        for trainer in trainers:
            trainer.settle(divmod(step, EPOCH_ROUNDS), step, list(made.items()))
        if step + 1 == SNAPSHOT_STEP:
            snapshot = state(trainers[0], step + 1, chain_hash)
    for number, trainer in enumerate(trainers):
        home = out / f"client-{number}"
        home.mkdir()
        path = home / "model.safetensors"
        made_digest = save(path, trainer.parameters(), step=ROUNDS, chain_hash=chain_hash)
        stop = {"t": 0.0, "event": "stop", "digest": made_digest.hex()}
        (home / "events.jsonl").write_text(json.dumps(stop) + "\n")
    (out / "model.json").write_bytes(model.encode())
    (out / "accounts").mkdir()
    agreed = state(trainers[0], ROUNDS, chain_hash)
    (out / "accounts" / "run.bin").write_bytes(run_account(model, chain_hash, agreed, snapshot))
    return trainers
