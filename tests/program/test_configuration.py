"""The configuration: each field's range, sums that must fit, and when it may change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from psyche_sdk import program_errors
from psyche_sdk.errors import AnchorError
from psyche_sdk.program_errors import DataInUse
from psyche_sdk.views import Phase
from support.actors import ALICE
from support.program import World, build, sha, world_at

DAYS_30 = 30 * 24 * 3600
#: Values out of each field's range.
BROKEN: dict[str, list[Any]] = {
    "total_steps": [0, 2**40 + 1],
    "batch_ramp_steps": [2**40 + 1],
    "data_sequences": [0, 2**48 + 1],
    "bond_lamports": [2**48 + 1, 2**64 - 1],
    "slash_points": [2**48 + 1],
    "waiting_seconds": [0, 1, DAYS_30 + 1],
    "warmup_seconds": [0, 1, DAYS_30 + 1],
    "train_seconds": [0, 1, DAYS_30 + 1],
    "grace_seconds": [0, 1, DAYS_30 + 1],
    "witness_seconds": [0, 1, DAYS_30 + 1],
    "cooldown_seconds": [0, 1, DAYS_30 + 1],
    "ready_seconds": [0, 1, DAYS_30 + 1],
    "epoch_rounds": [0, 1_000_001],
    "snapshot_rounds": [1, 1_000_001],
    "batch_sequences_start": [0],
    "batch_sequences_end": [29],
    "sequence_tokens": [0, 2**24 + 1],
    "payload_bytes_max": [0, 159, 2**30 + 1],
    "bloom_false_positive_ppm": [0, 500_001],
    "init_min_members": [0, 9],
    "min_members": [0],
    "jaccard_min_permille": [1_001],
    "hamming_max_permille": [1_001],
    "manhattan_max_permille": [1_001],
    "alignment_min_permille": [1_001],
    "overlap": [2, 255],
    "attestation_kind": [2],
    "admit_anytime": [2],
    "witness_count": [0, 33],
    "verification_percent": [51, 255],
    "committee_size": [2, 65],
    "misses_max": [0],
    "share_percent_max": [0, 101],
    "reserved": [b"\x01" + bytes(31), bytes(31) + b"\x01"],
}
SUMS: dict[str, dict[str, Any]] = {
    "ConfigRoundTokens": {"batch_sequences_end": 2**20, "sequence_tokens": 2**12},
    "ConfigRoundBytes": {"payload_bytes_max": 2**30},
    "ConfigPositions": {"total_steps": 2**40, "batch_sequences_end": 2**21, "sequence_tokens": 1},
}
CAPACITIES = {"ConfigRoundBytes": 264}
UNBOUND = {"data_seed", "points_per_sequence", "points_per_attestation", "points_per_verdict"}


def error_of(field: str) -> type:
    """The error of a field, by its name."""
    found: type = getattr(program_errors, "Config" + field.title().replace("_", ""))
    return found


def test_every_field_has_values_that_are_refused() -> None:
    fields = set(build.RunConfig.__dataclass_fields__)

    assert set(BROKEN) == fields - UNBOUND


@pytest.mark.parametrize("field", BROKEN)
def test_a_run_with_a_field_out_of_its_range_cannot_be_created(field: str) -> None:
    world = World()

    for value in BROKEN[field]:
        args = world.create_args(config=replace(world.config, **{field: value}))
        with pytest.raises(error_of(field)):
            world.do("create_run", ALICE, args)

    assert world.data(world.run_key) == b""


@pytest.mark.parametrize("field", BROKEN)
def test_no_field_can_be_changed_to_what_is_out_of_its_range(field: str) -> None:
    world = world_at(Phase.PAUSED)
    before = world.state()

    for value in BROKEN[field]:
        with pytest.raises(error_of(field)):
            world.update_config(**{field: value})

    assert world.state() == before


@pytest.mark.parametrize("name", SUMS)
def test_sums_that_do_not_fit_are_refused(name: str) -> None:
    world = World()
    broken = replace(world.config, **SUMS[name])
    args = world.create_args(config=broken, capacity=CAPACITIES.get(name, 8))

    with pytest.raises(getattr(program_errors, name)):
        world.do("create_run", ALICE, args)


@pytest.mark.parametrize("capacity", [0, 1, 7, 9, 12, 1_025, 1_032, 2**16 - 1])
def test_another_capacity_is_refused(capacity: int) -> None:
    world = World()

    with pytest.raises((program_errors.ConfigCapacity, AnchorError)):
        world.do("create_run", ALICE, world.create_args(capacity=capacity))

    assert world.data(world.run_key) == b""


def test_the_data_set_is_kept_while_positions_wait() -> None:
    world = world_at(Phase.TRAIN)
    world.pass_seconds(11 * world.config.train_seconds)
    world.do("abort", ALICE)
    for change in ({"data_seed": sha(b"x")}, {"data_sequences": 7}, {"sequence_tokens": 8}):
        with pytest.raises(DataInUse):
            world.update_config(**change)
    world.update_config(train_seconds=21)

    world.update_config(data_sequences=7, reset_positions=True)

    run = world.run
    assert (run.fresh_cursor, run.repeated, run.accepted, run.backlog) == (0, 0, 0, ())


def test_the_data_set_may_change_when_nothing_waits() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=1)
    world.do("pause", ALICE)
    world.to_phase(Phase.PAUSED)

    world.update_config(data_sequences=7)

    assert world.run.config.data_sequences == 7
    assert world.run.fresh_cursor == 30


def test_the_configuration_is_checked_against_the_runs_capacity() -> None:
    world = world_at(Phase.PAUSED)

    with pytest.raises(program_errors.ConfigInitMinMembers):
        world.update_config(init_min_members=9)
