"""What a configuration may be (PROTOCOL.md section 3)."""

from __future__ import annotations

from psyche_sdk.instructions import RunConfig
from support.model import bloom

DAYS = 2_592_000
MILLION, PERMILLE = 1_000_000, 1_000
#: Field: least and most.
RANGES: dict[str, tuple[int, int]] = {
    "total_steps": (1, 2**40),
    "batch_ramp_steps": (0, 2**40),
    "data_sequences": (1, 2**48),
    "bond_lamports": (0, 2**48),
    "slash_points": (0, 2**48),
    "waiting_seconds": (2, DAYS),
    "warmup_seconds": (2, DAYS),
    "train_seconds": (2, DAYS),
    "grace_seconds": (2, DAYS),
    "witness_seconds": (2, DAYS),
    "cooldown_seconds": (2, DAYS),
    "ready_seconds": (2, DAYS),
    "epoch_rounds": (1, MILLION),
    "snapshot_rounds": (0, MILLION),
    "batch_sequences_start": (1, 2**32 - 1),
    "sequence_tokens": (1, 2**24),
    "payload_bytes_max": (160, 2**30),
    "bloom_false_positive_ppm": (1, 500_000),
    "min_members": (1, 2**16 - 1),
    "jaccard_min_permille": (0, PERMILLE),
    "hamming_max_permille": (0, PERMILLE),
    "manhattan_max_permille": (0, PERMILLE),
    "alignment_min_permille": (0, PERMILLE),
    "overlap": (0, 1),
    "attestation_kind": (0, 1),
    "admit_anytime": (0, 1),
    "witness_count": (1, 32),
    "verification_percent": (0, 50),
    "committee_size": (3, 64),
    "misses_max": (1, 255),
    "share_percent_max": (1, 100),
}


def wrong(config: RunConfig, capacity: int) -> dict[str, bool]:
    """What speaks against a configuration: an error a field, and one a sum."""
    tokens = config.batch_sequences_end * config.sequence_tokens
    positions = config.total_steps * config.batch_sequences_end
    ppm = max(config.bloom_false_positive_ppm, 1)
    filters = config.attestation_kind == 1 and bloom.shape(capacity, ppm).size > 800
    ranges = {
        _error(name): not low <= getattr(config, name) <= high
        for name, (low, high) in RANGES.items()
    }
    return {
        **ranges,
        "ConfigSnapshotRounds": ranges["ConfigSnapshotRounds"] or config.snapshot_rounds == 1,
        "ConfigBatchSequencesEnd": config.batch_sequences_end < config.batch_sequences_start,
        "ConfigInitMinMembers": not config.min_members <= config.init_min_members <= capacity,
        "ConfigReserved": any(config.reserved),
        "ConfigRoundTokens": tokens >= 2**32,
        "ConfigRoundBytes": config.payload_bytes_max * capacity > 2**38,
        "ConfigPositions": positions > 2**60,
        "ConfigBloomBytes": filters,
    }


def _error(field: str) -> str:
    return f"Config{field.title().replace('_', '')}"
