"""Arguments for runs that tests create: valid as they stand, each value open to change."""

from __future__ import annotations

from typing import Any

from solders.pubkey import Pubkey

from psyche_sdk._generated import layouts
from psyche_sdk.coordinator import Snapshot
from psyche_sdk.instructions import CreateRunArgs, JoinArgs, ReadyArgs, RunConfig

DIGEST = bytes(range(32))


def run_config(**changes: Any) -> RunConfig:
    """A configuration of a small run that three members can train."""
    values: dict[str, Any] = dict.fromkeys(RunConfig.__dataclass_fields__, 0)
    values |= {
        "total_steps": 10,
        "data_sequences": 1000,
        "data_seed": bytes(32),
        "waiting_seconds": 2,
        "warmup_seconds": 60,
        "train_seconds": 60,
        "grace_seconds": 10,
        "witness_seconds": 60,
        "cooldown_seconds": 60,
        "ready_seconds": 60,
        "epoch_rounds": 5,
        "batch_sequences_start": 8,
        "batch_sequences_end": 8,
        "sequence_tokens": 64,
        "payload_bytes_max": 100_000,
        "bloom_false_positive_ppm": 10_000,
        "init_min_members": 2,
        "min_members": 2,
        "admit_anytime": 1,
        "witness_count": 8,
        "committee_size": 15,
        "misses_max": 3,
        "share_percent_max": 100,
        "reserved": bytes(32),
    }
    return RunConfig(**(values | changes))


def create_args(
    run_id: str = "tiny",
    *,
    capacity: int = 16,
    model_uri: str = "",
    join_authority: Pubkey | None = None,
    **config: Any,
) -> CreateRunArgs:
    """What `create_run` takes; further names change the configuration."""
    return CreateRunArgs(
        run_id=run_id,
        capacity=capacity,
        config=run_config(**config),
        model_hash=bytes(32),
        model_uri=model_uri,
        join_authority=join_authority,
        digest=DIGEST,
    )


def join_args(slot: int, **changes: Any) -> JoinArgs:
    """What `join` takes."""
    values: dict[str, Any] = {
        "slot": slot,
        "weight": 1,
        "node_key": bytes([slot + 1]) * 32,
        "bond_lamports_max": 0,
        "address": f"127.0.0.1:{7000 + slot}",
    }
    return JoinArgs(**(values | changes))


def ready_args(snapshot: Snapshot, slot: int) -> ReadyArgs:
    """What `ready` takes of a member that holds the last agreed state."""
    run = layouts.decode_run(snapshot.run.data)
    agreed = run["agreed"]
    return ReadyArgs(
        epoch=int(run["epoch"]),
        round=int(run["round"]),
        slot=slot,
        digest_epoch=int(agreed["epoch"]),
        digest_round=int(agreed["round"]),
        digest=agreed["digest"].tobytes(),
        chain_hash=run["chain_hash"].tobytes(),
    )
