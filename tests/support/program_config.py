"""The configuration of runs in tests of the program."""

from __future__ import annotations

import hashlib
from typing import Any

from psyche_sdk.instructions import RunConfig

DEFAULTS: dict[str, Any] = {
    "total_steps": 6,
    "batch_ramp_steps": 0,
    "data_sequences": 1_000,
    "bond_lamports": 0,
    "slash_points": 0,
    "data_seed": bytes(32),
    "waiting_seconds": 5,
    "warmup_seconds": 10,
    "train_seconds": 20,
    "grace_seconds": 4,
    "witness_seconds": 8,
    "cooldown_seconds": 12,
    "ready_seconds": 600,
    "epoch_rounds": 100,
    "snapshot_rounds": 0,
    "batch_sequences_start": 30,
    "batch_sequences_end": 30,
    "sequence_tokens": 16,
    "payload_bytes_max": 1 << 20,
    "bloom_false_positive_ppm": 10_000,
    "points_per_sequence": 0,
    "points_per_attestation": 0,
    "points_per_verdict": 0,
    "init_min_members": 3,
    "min_members": 1,
    "jaccard_min_permille": 500,
    "hamming_max_permille": 100,
    "manhattan_max_permille": 100,
    "alignment_min_permille": 500,
    "overlap": 0,
    "attestation_kind": 0,
    "admit_anytime": 1,
    "witness_count": 32,
    "verification_percent": 0,
    "committee_size": 15,
    "misses_max": 2,
    "share_percent_max": 100,
    "reserved": bytes(32),
}


def config(**changes: Any) -> RunConfig:
    """A small run's configuration, with changes."""
    return RunConfig(**(DEFAULTS | changes))


def sha(*parts: bytes) -> bytes:
    """sha256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()
