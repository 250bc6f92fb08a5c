"""Rounds as a whole: how many, what is accepted, the backlog, what roles are drawn from."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from psyche_sdk._rules.draw import shuffled, words
from psyche_sdk._rules.hashing import Purpose, bit_field, chain_hash, draw_seed
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import (
    Phase,
    accepted,
    batch_of,
)
from support.actors import BOB, CAROL, DAVE, TRIO, crowd
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
