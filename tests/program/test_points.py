"""Points: credited once a round is final, to those who did what they earn for."""

from __future__ import annotations

import pytest

from psyche_sdk.views import Phase
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN
from support.program import World, world_at
from support.program_rounds import share

RATES = {"points_per_sequence": 10, "points_per_attestation": 7}
FOUR = (BOB, CAROL, DAVE, ERIN)


def points(world: World) -> dict[str, int]:
    """Points of each member that are not collected yet."""
    return {actor.name: world.member(actor).points for actor in world.members}


@pytest.mark.parametrize("overlap", [0, 1])
def test_nothing_is_credited_before_three_rounds_later(overlap: int) -> None:
    world = world_at(Phase.TRAIN, overlap=overlap, **RATES)
    for _ in range(3):
        world.finish_round()
    assert not any(points(world).values())
    earned = {actor.name: share(world, actor, 0) * 10 + 7 for actor in world.members}
    world.finish_round()

    assert world.run.round == 4
    assert points(world) == earned


@pytest.mark.parametrize("overlap", [0, 1])
def test_all_rounds_of_an_epoch_are_credited_at_its_end(overlap: int) -> None:
    world = world_at(Phase.TRAIN, overlap=overlap, epoch_rounds=5, **RATES)
    world.to_phase(Phase.COOLDOWN)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    trained, attested = 5 * 30 * 10, 5 * len(world.members) * 7
    assert sum(points(world).values()) == trained + attested


def test_a_share_that_was_not_accepted_earns_nothing() -> None:
    world = world_at(Phase.TRAIN, members=FOUR, epoch_rounds=1, misses_max=9, **RATES)
    world.commit_all(but=[BOB])
    world.pass_seconds(world.config.train_seconds)
    world.tick()
    world.to_phase(Phase.COOLDOWN)
    shares = {actor.name: share(world, actor, 0) for actor in FOUR}
    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    earned = points(world)
    assert earned[BOB.name] == 7
    assert all(earned[one.name] == shares[one.name] * 10 + 7 for one in FOUR[1:])


def test_a_witness_that_lacks_an_accepted_payload_earns_nothing_for_its_word() -> None:
    world = world_at(Phase.WITNESS, members=FOUR, epoch_rounds=1, points_per_attestation=7)
    world.store_entropy()
    lacking, *others = world.witnesses()
    world.attest(lacking, [0, 1, 2])
    for actor in others:
        world.attest(actor)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    assert points(world) == {one.name: 7 * (one is not lacking) for one in FOUR}


def test_who_left_keeps_what_it_earned() -> None:
    world = world_at(Phase.TRAIN, members=FOUR, epoch_rounds=1, **RATES)
    world.to_phase(Phase.COOLDOWN)
    earned = share(world, BOB, 0) * 10 + 7
    world.leave(BOB)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    assert points(world)[BOB.name] == earned


def test_a_run_without_rates_has_no_step_more() -> None:
    counts = []
    for rates in ({}, RATES):
        world = world_at(Phase.TRAIN, epoch_rounds=5, **rates)
        events = []
        while world.run.phase is not Phase.WAITING_FOR_MEMBERS:
            world.step()
        events = [world.run.transitions]
        counts.append(events)

    assert counts[0] == counts[1]


def test_an_abort_credits_what_was_settled() -> None:
    world = world_at(Phase.TRAIN, **RATES)
    world.finish_round()
    earned = {actor.name: share(world, actor, 0) * 10 + 7 for actor in world.members}
    world.pass_seconds(11 * world.config.train_seconds)
    world.do("abort", ALICE)

    assert world.run.phase is Phase.PAUSED
    assert points(world) == earned


def test_the_custody_root_of_the_last_attestation_stands() -> None:
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    first = world.witnesses()[0]
    world.attest(first, [0], custody_root=b"a" * 32)
    world.attest(first, [1], custody_root=b"b" * 32)

    record = world.record(0)
    assert record.custody_roots == (b"b" * 32, bytes(32), bytes(32))
