"""Payloads that are nowhere to be had: who takes them out, and what observers see of it."""

from __future__ import annotations

import pytest

from psyche_sdk import instructions as build
from psyche_sdk._generated.types import MissingReported, PayloadRemoved
from psyche_sdk.program_errors import ComplaintClosed
from psyche_sdk.views import Phase
from support.actors import BOB, CAROL, DAVE, Actor
from support.program import World, sha, world_at
from support.program_chain import Sent


def say(world: World, actor: Actor, round_: int, target: Actor) -> Sent:
    """An actor misses another's payload."""
    slots = {"slot": world.member(actor).slot, "target": world.member(target).slot}
    args = build.MissingArgs(epoch=world.run.epoch, round=round_, **slots)
    return world.do("missing", actor, args)


def test_observers_see_who_misses_what_and_what_comes_of_it() -> None:
    world = world_at(Phase.WITNESS)
    while world.run.round == 0:
        world.step()
    before, slot = world.run.chain_hash, world.member(CAROL).slot

    first = say(world, BOB, 0, CAROL)

    told = next(event for event in first.events if isinstance(event, MissingReported))
    assert (told.round, told.target, told.voices, told.active) == (0, slot, 1, 3)
    complaint = world.record(0).complaints[0]
    assert complaint is not None
    assert complaint.target == slot
    assert complaint.voices == world.record(0).complaint_openers

    second = say(world, DAVE, 0, CAROL)

    removed = next(event for event in second.events if isinstance(event, PayloadRemoved))
    assert (removed.chain_hash_before, removed.chain_hash_after) == (before, world.run.chain_hash)
    assert (removed.target, removed.member_id) == (slot, world.member(CAROL).member_id)
    record = world.record(0)
    assert record.complaints == (None, None, None)
    assert record.accepted_count == 2
    assert record.belied == record.masks[slot] > 0
    assert world.run.chain_hash == record.chain_hash_after


def test_what_is_taken_out_is_trained_again() -> None:
    world = world_at(Phase.WITNESS, epoch_rounds=9)
    while world.run.round == 0:
        world.step()
    share = world.record(0).sequences - world.record(0).sequences_accepted
    assert share == 0
    for actor in (BOB, DAVE):
        say(world, actor, 0, CAROL)
    (waiting,) = world.run.backlog

    while world.run.round == 1:
        world.step()

    assert world.record(2).segments[0] == waiting
    assert world.run.backlog == ()


def test_a_payload_in_agreed_parameters_stays() -> None:
    world = world_at(Phase.COOLDOWN, total_steps=1)
    world.vote_all(sha(b"after"))
    before = world.state()

    with pytest.raises(ComplaintClosed):
        say(world, BOB, 0, CAROL)

    assert world.state() == before
