"""How large a simulation is, and the settings with which its run begins."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from psyche_sdk._rules.bloom import BLOOM_BYTES_MAX, Form


@dataclass(frozen=True)
class Plan:
    """How large a simulation is.

    Attributes:
        wild: how likely something odd happens between two messages.
        seconds: after so long it ends, too.
    """

    members: int = 8
    capacity: int = 8
    rounds: int = 50
    seed: int = 0
    wild: float = 0.02
    seconds: float = math.inf


def first_settings(plan: Plan, rng: random.Random) -> dict[str, Any]:
    """Drawn ones that fit each other."""
    many = max(plan.members // 4, 2)
    rates = [1, 10_000, 500_000] if plan.capacity <= 256 else [200_000, 500_000]
    rates = [one for one in rates if Form.of(plan.capacity, one).bytes <= BLOOM_BYTES_MAX]
    drawn = {
        "overlap": [0, 1],
        "witness_count": [2, 5, 32],
        "misses_max": [1, 2, 3],
        "epoch_rounds": [2, 5, 8] if plan.capacity <= 72 else [5, 20, 60],
        "snapshot_rounds": [0, 2],
        "batch_sequences_end": [5, 30, 4_096, 1 << 18],
    }
    settings = {name: rng.choice(values) for name, values in drawn.items()}
    start = {"batch_sequences_start": max(settings["batch_sequences_end"] // 3, 1)}
    return {
        "init_min_members": many,
        "bond_lamports": rng.choice([0, 1_000, 2_000_000]),
        "points_per_sequence": rng.choice([0, 3]),
        "points_per_attestation": rng.choice([0, 2]),
        "points_per_verdict": rng.choice([0, 5]),
        "slash_points": rng.choice([0, 50]),
        "verification_percent": rng.choice([0, 34, 50]),
        "committee_size": rng.choice([3, 5]),
        "attestation_kind": rng.choice([0, 1]),
        "bloom_false_positive_ppm": rng.choice(rates),
        "total_steps": rng.choice([9, 200]),
        "batch_ramp_steps": 40,
        **start,
    } | settings
