"""Witnesses: who is waited for, second draws, and how many of them accept a payload."""

from __future__ import annotations

import pytest

from psyche_sdk._rules.draw import draw_witnesses
from psyche_sdk._rules.due import due_transition
from psyche_sdk._rules.hashing import Purpose, draw_seed
from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import EntropyNotStored
from psyche_sdk.views import (
    Phase,
    Transition,
    accepted,
    next_chain_hash,
)
from support.actors import BOB, CAROL, DAVE, TRIO, crowd
from support.program import World, world_at
from support.program_rounds import waiting

FIVE = crowd(5)


def test_witnesses_that_say_nothing_are_replaced_once_within_the_round() -> None:
    world = world_at(Phase.WITNESS, members=FIVE, init_min_members=5, witness_count=3)
    world.store_entropy()
    first = world.witnesses()
    world.attest(first[0])
    world.pass_seconds(world.config.witness_seconds)

    world.tick()
    assert world.run.phase_deadline == world.moment.time + world.config.witness_seconds
    world.store_entropy()

    record = world.record()
    assert (world.run.phase, record.draws, record.attested) == (Phase.WITNESS, 2, 0)
    assert not set(world.witnesses()) & set(first[1:])
    assert not record.masks.any()
    assert [world.member(actor).silences for actor in first] == [0, 1, 1]


def redrawing() -> World:
    """Two of three witnesses said nothing: a second draw is decided, and waits for its hash."""
    world = world_at(Phase.WITNESS, members=FIVE, init_min_members=5, witness_count=3)
    world.store_entropy()
    world.attest(world.witnesses()[0])
    world.pass_seconds(world.config.witness_seconds)
    world.tick()
    return world


def due_now(world: World) -> Transition | None:
    """What the SDK says is due."""
    return due_transition(world.run, world.roster, world.rounds, world.moment)


@pytest.mark.parametrize("transition", [False, True])
def test_nobody_attests_between_two_draws(transition: bool) -> None:
    world = redrawing()
    before = world.state()

    assert world.record().redraws
    for actor in world.witnesses():
        with pytest.raises(EntropyNotStored):
            world.attest(actor, transition=transition)

    assert world.state() == before


def test_the_second_draw_comes_from_the_hash_of_the_slot_that_was_noted_then() -> None:
    world = redrawing()
    noted = world.record().redraw_target_slot
    assert noted == world.moment.chain_slot + 2
    assert due_now(world) is None

    world.pass_time(slots=3)
    assert due_now(world) is Transition.STORE_ENTROPY
    world.tick()

    record = world.record()
    assert record.redraw_entropy is not None
    assert not record.redraws
    heard = [world.member(one).slot for one in FIVE if not world.member(one).silences]
    instance, purpose = world.run.instance, Purpose.SECOND_WITNESSES
    seed = draw_seed(instance, 0, 0, purpose, record.redraw_entropy)
    drawn = draw_witnesses(seed, sorted(heard), 3)
    assert record.redraw_entropy != record.entropy
    assert [slot for slot, _ in record.witnesses] == drawn


def test_the_second_draw_settles_the_round() -> None:
    world = redrawing()
    world.store_entropy()

    world.attest_all()

    assert world.run.round == 1
    assert accepted(world.record(0)) == [0, 1, 2, 3, 4]


def test_two_failed_draws_settle_nothing_blame_nobody_and_end_the_epoch() -> None:
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    world.pass_seconds(world.config.witness_seconds)
    world.tick()
    world.store_entropy()
    world.pass_seconds(world.config.witness_seconds)
    world.tick()

    record = world.record(0)
    assert (world.run.phase, record.failed, accepted(record)) == (Phase.COOLDOWN, True, [])
    assert waiting(world) == [(0, 30)]
    assert [world.member(actor).misses for actor in TRIO] == [0, 0, 0]
    assert world.run.chain_hash == next_chain_hash(record, [])


def test_two_thirds_of_the_witnesses_are_enough_when_the_time_is_up() -> None:
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    world.attest_all(but=[DAVE])
    assert world.run.round == 0
    world.pass_seconds(world.config.witness_seconds)

    world.tick()

    assert accepted(world.record(0)) == [0, 1, 2]
    assert world.member(DAVE).silences == 1


def test_a_witness_that_left_is_not_waited_for() -> None:
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    world.attest(BOB)
    world.attest(CAROL)

    world.leave(DAVE)

    assert world.run.round == 1
    assert accepted(world.record(0)) == [0, 1, 2]


def test_a_silent_witness_is_not_drawn_any_more() -> None:
    world = world_at(Phase.TRAIN, members=FIVE, init_min_members=5, misses_max=1)
    silent = FIVE[0]
    world.commit_all()
    world.store_entropy()
    world.attest_all(but=[silent])
    world.pass_seconds(world.config.witness_seconds)
    world.tick()
    assert world.run.round == 1

    world.commit_all()
    world.store_entropy()

    assert set(world.witnesses()) == set(FIVE[1:])


@pytest.mark.parametrize(
    ("votes", "is_accepted", "misses"), [(3, True, 0), (2, True, 0), (1, False, 0), (0, False, 1)]
)
def test_acceptance_needs_two_thirds_of_those_who_attested(
    votes: int, is_accepted: bool, misses: int
) -> None:
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    judged = world.member(DAVE).slot

    for index, actor in enumerate(world.witnesses()):
        world.attest(actor, [0, 1, 2] if index < votes else [0, 1])

    assert (judged in accepted(world.record(0))) == is_accepted
    assert world.member(DAVE).misses == misses


# Chain hash


def test_between_settling_and_going_on_the_target_takes_no_attestation() -> None:
    world = world_at(Phase.WITNESS, capacity=72)
    world.store_entropy()
    for actor in TRIO:
        world.attest(actor, transition=False)
    world.tick()  # a large run settles, and goes on with the next tick
    assert (world.run.phase, world.record().settled) == (Phase.WITNESS, True)
    before = world.state()

    with pytest.raises(ProgramError):
        world.attest(BOB, transition=False)

    assert world.state() == before
    world.tick()
    assert (world.run.phase, world.run.round) == (Phase.TRAIN, 1)
