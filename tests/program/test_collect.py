"""Who collects what, and into which account."""

from __future__ import annotations

import pytest

from psyche_sdk.program_errors import (
    NothingToCollect,
    NotTheHolder,
    UnknownSlot,
    WrongAccount,
)
from psyche_sdk.views import MemberState, Phase
from support.actors import BOB, CAROL, DAVE, MALLORY, TRIO
from support.bonds import (
    given,
    participant,
    told,
    write,
)
from support.program import world_at


def test_nobody_collects_into_the_account_or_purse_of_another() -> None:
    world = given()
    for actor in (BOB, CAROL, MALLORY):
        world.join(actor)
    world.leave(BOB)
    before = world.state()

    for other in (CAROL, MALLORY):
        with pytest.raises(NotTheHolder):
            world.collect(0, other)
    with pytest.raises(WrongAccount):
        world.collect(0, BOB, payee=MALLORY.wallet)
    for slot in (world.capacity, 2**16 - 1):
        with pytest.raises(UnknownSlot):
            world.collect(slot, BOB)
    for slot in (5, 7):
        with pytest.raises(NothingToCollect):
            world.collect(slot, BOB)

    assert world.state() == before


def test_an_account_of_the_same_wallet_in_another_run_is_none() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.name_run("other")
    world.given_run()
    world.join(BOB)
    other = world.participant_key(BOB)
    world.name_run("demo")

    with pytest.raises(WrongAccount):
        world.collect(0, BOB, participant=other)


def test_points_of_a_member_are_collected_and_its_slot_stays() -> None:
    world = world_at(Phase.TRAIN)
    write(world, 0, points=70, points_slashed=30)

    sent = world.collect(0, BOB)

    held = participant(world, BOB)
    assert (held.points_earned, held.points_slashed) == (70, 30)
    assert (told(sent).points, told(sent).points_slashed, told(sent).freed) == (70, 30, 0)
    assert world.member(BOB).state is MemberState.ACTIVE
    write(world, 0, points=5)
    world.collect(0, BOB)
    assert participant(world, BOB).points_earned == 75


def test_points_that_are_earned_are_those_that_are_collected() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=2, points_per_sequence=3)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)
    on_roster = {actor: world.member(actor).points for actor in TRIO}
    assert sum(on_roster.values()) == 2 * 30 * 3

    for actor in TRIO:
        world.collect(world.member(actor).slot, actor)

    assert {actor: participant(world, actor).points_earned for actor in TRIO} == on_roster


def test_rounds_and_epochs_that_were_served_are_counted_and_collected() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=2, points_per_sequence=3)
    world.finish_round()
    world.commit_all(but=[DAVE])
    world.pass_seconds(world.config.train_seconds)
    world.tick()
    world.to_phase(Phase.WAITING_FOR_MEMBERS)
    on_roster = {actor: world.member(actor) for actor in TRIO}
    served = [(one.rounds_served, one.epochs_served) for one in on_roster.values()]
    assert served == [(2, 1), (2, 1), (1, 1)]

    sent = world.collect(0, BOB)

    found = told(sent)
    assert (found.rounds_served, found.epochs_served) == (2, 1)
    held = participant(world, BOB)
    assert (held.rounds_served, held.epochs_served, held.claims) == (2, 1, 1)
    assert (world.member(BOB).rounds_served, world.member(BOB).epochs_served) == (0, 0)
    world.leave(BOB)
    world.collect(0, BOB)
    held = participant(world, BOB)
    assert (held.rounds_served, held.epochs_served, held.claims) == (2, 1, 1), "no points, no claim"


def test_points_stay_at_the_end_of_their_type_and_stop_nobody() -> None:
    world = world_at(Phase.TRAIN)
    for points in (2**64 - 1, 1):
        write(world, 0, points=points)
        world.collect(0, BOB)

    assert participant(world, BOB).points_earned == 2**64 - 1
    assert world.member(BOB).points == 0
