"""Rounds as a whole: grace, witnesses, acceptance, backlog, draws."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from psyche_sdk._rules.draw import draw_witnesses, shuffled, words
from psyche_sdk._rules.due import due_transition
from psyche_sdk._rules.hashing import Purpose, bit_field, chain_hash, draw_seed
from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import EntropyNotStored, TooEarly
from psyche_sdk.views import (
    Phase,
    Transition,
    accepted,
    batch_of,
    next_chain_hash,
)
from support.actors import ALICE, BOB, CAROL, DAVE, TRIO, crowd
from support.program import World, world_at
from support.program_rounds import settle_without, share, waiting

FIVE = crowd(5)


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_run_ends_with_every_position_accepted_once(overlap: int) -> None:
    world = world_at(Phase.FINISHED, total_steps=6, epoch_rounds=4, overlap=overlap)

    run = world.run
    assert (run.step, run.epoch) == (6, 2)
    assert run.accepted == run.fresh_cursor == 6 * 30
    assert (run.in_flight, run.repeated, run.backlog) == (0, 0, ())


@pytest.mark.parametrize("overlap", [0, 1])
def test_an_epoch_trains_its_rounds_and_drains_the_rest(overlap: int) -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=3, overlap=overlap)

    assert world.run.step == 3
    assert world.run.round == 3 + overlap
    assert all(record.settled for record in world.rounds if not record.is_drain)


# Grace


def test_grace_begins_with_two_thirds_of_the_weight_and_half_of_the_number() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    assert world.run.grace_since is None

    world.commit(CAROL)

    assert world.run.grace_since == world.moment
    assert world.run.grace_seconds == world.config.grace_seconds


def test_train_closes_when_grace_is_over() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    world.commit(CAROL)
    world.pass_seconds(world.config.grace_seconds - 1)
    assert world.run.phase is Phase.TRAIN
    world.pass_seconds(1)

    world.tick()

    assert world.run.phase is Phase.WITNESS


def test_grace_lasts_at_least_half_of_the_time_spent_so_far() -> None:
    world = world_at(Phase.TRAIN, train_seconds=1_000)
    world.pass_seconds(101)
    world.commit(BOB)
    world.commit(CAROL)

    assert world.run.grace_seconds == 51


def test_a_heavy_trainer_alone_starts_no_grace() -> None:
    world = World(FIVE)
    world.given_run(init_min_members=5, batch_sequences_start=3_000, batch_sequences_end=3_000)
    world.do("resume", ALICE)
    for index, actor in enumerate(FIVE):
        world.join(actor, weight=1_000 if index == 0 else 1)
    world.to_phase(Phase.TRAIN)

    world.commit(FIVE[0])

    assert share(world, FIVE[0]) > 2_900
    assert world.run.grace_since is None


# Witnesses


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


@pytest.mark.parametrize("overlap", [0, 1])
def test_the_chain_hash_runs_over_accepted_commitments_in_slot_order(overlap: int) -> None:
    world = world_at(Phase.TRAIN, overlap=overlap)
    value = world.run.chain_hash
    settle_without(world, CAROL)
    for _ in range(2):
        world.finish_round()

    settled = [record for record in world.rounds if record.settled]
    for record in settled:
        slots = accepted(record)
        commitments = [record.commitment(slot) for slot in slots]
        value = chain_hash(value, record.epoch, record.round, bit_field(slots, 8), commitments)
    assert len(settled) == 3 - overlap
    assert accepted(settled[0]) == [0, 2]
    assert world.run.chain_hash == value


# Backlog


def test_what_was_not_committed_is_trained_again_by_the_next_round() -> None:
    world = world_at(Phase.TRAIN)
    missed = batch_of(world.record(), world.member(DAVE).slot).tolist()

    settle_without(world, DAVE)

    record = world.record(1)
    trained = [batch_of(record, slot) for slot in record.order.tolist()]
    assert np.concatenate(trained)[: len(missed)].tolist() == missed
    assert record.sequences == 30
    assert world.run.fresh_cursor == 60 - len(missed)
    assert (world.run.repeated, waiting(world)) == (0, [])


def test_an_empty_round_goes_back_whole_and_counts_a_step() -> None:
    world = world_at(Phase.TRAIN)
    settle_without(world, *TRIO)

    assert (world.run.step, world.run.fresh_cursor, world.run.accepted) == (2, 30, 0)
    assert accepted(world.record(0)) == []
    assert [world.member(actor).misses for actor in TRIO] == [1, 1, 1]


def test_a_backlog_of_many_pieces_is_taken_lowest_first() -> None:
    world = world_at(Phase.TRAIN, members=FIVE, init_min_members=5, misses_max=255)
    for _ in range(4):
        settle_without(world, *world.trainers()[::2])

    record = world.record()
    starts = [segment.start for segment in record.segments]
    assert starts == sorted(starts)
    assert sum(len(batch_of(record, slot)) for slot in record.order.tolist()) == record.sequences
    assert world.run.repeated == 0


def test_in_the_end_every_position_is_trained_though_many_were_missed() -> None:
    world = World(FIVE)
    world.given_run(init_min_members=5, total_steps=12, epoch_rounds=12, misses_max=255, overlap=1)
    world.to_phase(Phase.TRAIN)
    while world.run.phase in (Phase.TRAIN, Phase.WITNESS):
        if world.run.phase is Phase.TRAIN and world.run.round % 3 < 2:
            settle_without(world, *world.trainers()[::2])
        else:
            world.step()

    run = world.run
    assert run.fresh_cursor + run.repeated == run.accepted + run.backlog_positions
    assert run.fresh_cursor < 12 * 30
    assert run.repeated == 0


def test_a_leaving_trainers_share_goes_back_without_a_miss() -> None:
    world = world_at(Phase.TRAIN)
    lost = share(world, DAVE)
    world.leave(DAVE)
    world.commit_all()
    world.finish_round()

    assert world.run.round == 1
    assert world.member(DAVE).misses == 0
    assert world.run.accepted == 30 - lost


# Draws


def test_roles_come_from_the_entropy_of_two_rounds_before() -> None:
    world = world_at(Phase.TRAIN)
    first = world.run.entropy
    for _ in range(3):
        world.finish_round()

    entropies = [record.roles_entropy for record in world.rounds]
    assert entropies == [first, first, world.record(0).entropy, world.record(1).entropy]


def test_the_same_seed_draws_the_same_witnesses_as_the_views() -> None:
    world = world_at(Phase.WITNESS, members=crowd(8), init_min_members=8, witness_count=5)
    world.store_entropy()
    record = world.record()
    assert record.entropy is not None

    seed = draw_seed(world.run.instance, 0, 0, Purpose.WITNESSES, record.entropy)
    assert [slot for slot, _ in record.witnesses] == shuffled(words(seed), list(range(8)), 5)[:5]


# Nobody left


@pytest.mark.parametrize("overlap", [0, 1])
def test_an_epoch_that_everybody_leaves_loses_nothing(overlap: int) -> None:
    world = world_at(Phase.TRAIN, overlap=overlap)
    if overlap:
        world.commit_all()
    world.commit(BOB)
    for actor in TRIO:
        world.leave(actor)
    for _ in range(6):
        world.pass_seconds(100)
        with suppress(TooEarly):
            world.tick()

    run = world.run
    assert (run.phase, run.members, run.in_flight) == (Phase.WAITING_FOR_MEMBERS, 0, 0)
    assert run.fresh_cursor == run.accepted + run.backlog_positions


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
