"""Observers are told what every instruction changed, with before and after."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from psyche_sdk._generated import types as events
from psyche_sdk.views import Phase
from support.actors import ALICE, BOB
from support.call_worlds import paused, training
from support.instruction_table import ACCOUNTS, CALLS, Call
from support.program import MODEL_URI, World, build, sha, world_at

TOLD = {
    "create_run": "RunCreated",
    "update_config": "RunChanged",
    "update_model": "RunChanged",
    "update_metadata": "RunChanged",
    "set_rates": "RatesProposed",
    "set_authority": "AuthorityProposed",
    "accept_authority": "AuthorityChanged",
    "set_join_authority": "JoinAuthorityChanged",
    "set_checkpoint": "CheckpointKept CheckpointSet",
    "resume": "PhaseChanged",
    "pause": "PauseRequested",
    "abort": "MembersChanged PhaseChanged",
    "close_run": "RunClosed",
    "join": "Joined",
    "issue_pass": "PassIssued",
    "revoke_pass": "PassRevoked",
    "collect": "Collected",
    "close_participant": "ParticipantClosed",
    "set_payee": "PayeeChanged",
    "set_endpoint": "EndpointChanged",
    "set_weight": "WeightChanged",
    "ready": "MemberChanged",
    "behind": "MemberChanged",
    "leave": "MemberChanged",
    "tick": "EntropyStored",
    "migrate": "RunMigrated",
    "migrate_participant": "ParticipantMigrated",
    "missing": "MissingReported",
    "verdict": "VerdictGiven",
    "open_verdict": "VerdictGiven",
    "publish_checkpoint": "CheckpointPublished",
    "confirm_checkpoint": "CheckpointConfirmed",
}
#: Only paid for; or told when the round settles, when the vote is decided, when it is opened.
SILENT = {"allocate", "commit", "attest", "attest_state", "reveal_state", "seal_verdict"}


def changes(event: Any) -> list[tuple[Any, Any]]:
    """Every (before, after) of an event."""
    names = [field.name for field in fields(event)]
    pairs = [(one, one.replace("before", "after")) for one in names if "before" in one]
    found = [(getattr(event, one), getattr(event, two, None)) for one, two in pairs]
    return [(before, after) for before, after in found if after is not None]


def test_every_instruction_tells_or_is_known_to_be_silent() -> None:
    assert set(TOLD) | SILENT == set(ACCOUNTS)
    assert not set(TOLD) & SILENT


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_an_instruction_tells_what_it_changed(call: Call) -> None:
    told = call.send(call.given()).events

    assert [type(one).__name__ for one in told] == TOLD.get(call.name, "").split()
    for event in told:
        pairs = changes(event)
        assert not pairs or any(before != after for before, after in pairs)


def test_another_uri_of_the_same_model_is_told() -> None:
    world = paused()
    args = build.UpdateModelArgs(model_hash=sha(b"model"), model_uri="elsewhere")

    (told,) = world.do("update_model", ALICE, args).events

    assert isinstance(told, events.RunChanged)
    assert told.before == sha(sha(b"model"), MODEL_URI.encode())
    assert told.after == sha(sha(b"model"), b"elsewhere")


def test_positions_that_are_reset_are_told() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=1)
    world.do("pause", ALICE)
    world.to_phase(Phase.PAUSED)

    _, told = world.update_config(reset_positions=True).events

    assert isinstance(told, events.PositionsReset)
    assert (told.fresh_cursor_before, told.repeated_before, told.accepted_before) == (30, 0, 30)


def test_rates_that_wait_and_are_dropped_are_told() -> None:
    world = paused()
    rates = {"points_per_sequence": 7, "points_per_attestation": 8, "points_per_verdict": 9}
    world.do("set_rates", ALICE, build.SetRatesArgs(**rates))

    _, told = world.update_config(points_per_sequence=5).events

    assert isinstance(told, events.RatesProposed)
    assert (list(told.before), list(told.after)) == ([7, 8, 9], [5, 0, 0])


def test_a_node_that_moves_is_told() -> None:
    world = training()
    slot = world.member(BOB).slot
    args = build.SetEndpointArgs(slot=slot, node_key=sha(b"new"), address="host:2")

    (told,) = world.do("set_endpoint", BOB, args).events

    assert isinstance(told, events.EndpointChanged)
    assert (told.slot, told.member_id) == (slot, world.member(BOB).member_id)
    assert (told.node_key_before, told.node_key_after) == (BOB.node_key, sha(b"new"))
    assert (told.address_before, told.address_after) == ("", "host:2")


def test_another_weight_is_told_and_what_shares_go_by() -> None:
    world: World = training()
    slot = world.member(BOB).slot

    (told,) = world.do("set_weight", BOB, build.SetWeightArgs(slot=slot, weight=30)).events

    assert isinstance(told, events.WeightChanged)
    assert (told.declared_weight_before, told.declared_weight_after) == (100, 30)
    assert (told.weight_before, told.weight_after) == (100, 30)
