"""Which slots are free, which are freed by collecting, and what is left on one."""

from __future__ import annotations

from typing import Any

import pytest

from psyche_sdk.views import (
    Member,
    MemberState,
    Run,
    collects,
    decode_roster,
    decode_run,
    frees,
    is_free,
    is_named,
)
from support.accounts import roster_bytes, run_bytes

TRAIN, COOLDOWN = 3, 5
LEFT = {"member_id": 9, "state": MemberState.LEFT, "wallet": bytes([1]) * 32}
NAMED = LEFT | {"weight": 1, "named_epoch": 2, "named_round": 4}


def run(**fields: Any) -> Run:
    return decode_run(run_bytes(**({"phase": TRAIN, "epoch": 2, "round": 5} | fields)))


def member(**fields: Any) -> Member:
    return decode_roster(roster_bytes({3: fields})).member(3)


@pytest.mark.parametrize(
    ("fields", "free"),
    [
        ({}, True),
        (LEFT, True),
        (LEFT | {"state": MemberState.DROPPED}, True),
        (LEFT | {"state": MemberState.EJECTED}, False),
        (LEFT | {"state": MemberState.JOINED}, False),
        (LEFT | {"points": 1}, False),
        (LEFT | {"points_slashed": 1}, False),
        (LEFT | {"bond_lamports": 1}, False),
        (LEFT | {"strikes": 2, "strikes_collected": 1}, False),
        (LEFT | {"strikes": 1, "strikes_collected": 1}, True),
        (NAMED, False),
        (NAMED | {"named_epoch": 1}, True),
        (NAMED | {"weight": 0}, True),
    ],
)
def test_a_slot_is_free_when_nothing_is_left_on_it(fields: dict[str, Any], free: bool) -> None:
    assert is_free(run(), member(**fields)) is free


@pytest.mark.parametrize(
    ("phase", "number", "named"),
    [(TRAIN, 7, True), (TRAIN, 8, False), (COOLDOWN, 8, True), (COOLDOWN, 9, False)],
)
def test_a_record_names_a_slot_for_four_rounds(phase: int, number: int, named: bool) -> None:
    assert is_named(run(phase=phase, round=number), member(**NAMED)) is named
    assert frees(run(phase=phase, round=number), member(**NAMED)) is not named


@pytest.mark.parametrize(
    ("fields", "something"),
    [
        ({}, False),
        (LEFT, True),
        (NAMED, False),
        (NAMED | {"points": 1}, True),
        (NAMED | {"strikes": 1}, True),
        (NAMED | {"bond_lamports": 1}, False),
        (LEFT | {"state": MemberState.ACTIVE, "points_slashed": 1}, True),
        (LEFT | {"state": MemberState.ACTIVE, "bond_lamports": 1}, False),
    ],
)
def test_collecting_does_something_where_there_is_something(
    fields: dict[str, Any], something: bool
) -> None:
    assert collects(run(), member(**fields)) is something


def test_a_run_counts_its_bonds() -> None:
    found = run(bonds_lamports=7, forfeited_lamports=8)

    assert (found.bonds_lamports, found.forfeited_lamports) == (7, 8)
