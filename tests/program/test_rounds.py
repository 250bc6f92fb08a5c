"""Rounds as a whole: grace, witnesses, acceptance, backlog, drops, admission, weights, shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from psyche_sdk._rules.draw import shuffled, words
from psyche_sdk._rules.hashing import Purpose, bit_field, chain_hash, draw_seed
from psyche_sdk.views import (
    MemberState,
    Phase,
    accepted,
    batch_of,
    my_role,
    next_chain_hash,
    share_of,
)
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, TRIO, Actor, crowd
from support.program import World, world_at

FIVE = crowd(5)


def share(world: World, actor: Actor, number: int | None = None) -> int:
    """Sequences of an actor's share."""
    start, end = share_of(world.record(number), world.member(actor).slot) or (0, 0)
    return end - start


def waiting(world: World) -> list[tuple[int, int]]:
    """The backlog."""
    return [(one.start, one.end) for one in world.run.backlog]


def close_train_late(world: World, *, but: Sequence[Actor]) -> None:
    """All but some commit, and the time of Train goes by."""
    world.commit_all(but=but)
    if world.run.phase is Phase.TRAIN:
        world.pass_seconds(world.config.train_seconds)
        world.tick()


def settle_without(world: World, *missing: Actor) -> None:
    """A round in which some trainers do not commit, while all witnesses attest."""
    number = world.run.round
    close_train_late(world, but=missing)
    while world.run.round == number and world.run.phase is Phase.WITNESS:
        world.step()


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

    record = world.record()
    assert (world.run.phase, record.draws, record.attested) == (Phase.WITNESS, 2, 0)
    assert not set(world.witnesses()) & set(first[1:])
    assert not record.masks.any()
    assert world.run.phase_deadline == world.moment.time + world.config.witness_seconds
    assert [world.member(actor).silences for actor in first] == [0, 1, 1]


def test_the_second_draw_settles_the_round() -> None:
    world = world_at(Phase.WITNESS, members=FIVE, init_min_members=5, witness_count=3)
    world.store_entropy()
    world.pass_seconds(world.config.witness_seconds)
    world.tick()

    world.attest_all()

    assert world.run.round == 1
    assert accepted(world.record(0)) == [0, 1, 2, 3, 4]


def test_two_failed_draws_settle_nothing_blame_nobody_and_end_the_epoch() -> None:
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    for _ in range(2):
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


# Drops and admission


def test_misses_in_a_row_drop_a_trainer() -> None:
    world = world_at(Phase.TRAIN, misses_max=2)
    settle_without(world, DAVE)
    assert world.member(DAVE).state is MemberState.ACTIVE

    settle_without(world, DAVE)

    assert world.member(DAVE).state is MemberState.DROPPED
    assert world.run.active == 2
    assert set(world.trainers()) == {BOB, CAROL}


def test_an_accepted_share_clears_the_misses() -> None:
    world = world_at(Phase.TRAIN, misses_max=2)
    settle_without(world, DAVE)
    world.finish_round()
    assert world.member(DAVE).misses == 0

    settle_without(world, DAVE)

    assert world.member(DAVE).state is MemberState.ACTIVE


def test_a_dropped_member_comes_back_with_a_new_member_id_and_trains_again() -> None:
    world = world_at(Phase.TRAIN, misses_max=1)
    old = world.member(DAVE)
    settle_without(world, DAVE)

    world.join(DAVE, slot=5)
    world.ready(DAVE)
    world.finish_round()

    new = world.member(DAVE)
    assert (new.slot, new.state, new.admitted) == (5, MemberState.ACTIVE, (0, 2))
    assert new.member_id > old.member_id
    assert DAVE in world.trainers()


def test_too_few_active_members_end_the_epoch() -> None:
    world = world_at(Phase.TRAIN, min_members=3)
    world.leave(DAVE)
    world.commit_all()
    world.finish_round()

    assert world.run.phase is Phase.COOLDOWN


def test_a_late_member_is_admitted_at_the_next_settle() -> None:
    world = world_at(Phase.TRAIN)
    world.join(ERIN)
    world.ready(ERIN)
    assert world.member(ERIN).state is MemberState.READY

    world.finish_round()

    assert world.member(ERIN).admitted == (0, 1)
    assert my_role(world.record(1), world.member(ERIN)).trains
    world.finish_round()
    assert world.member(ERIN).slot in accepted(world.record(1))


def test_a_late_member_waits_for_the_next_epoch_where_the_owner_wants_it_so() -> None:
    world = world_at(Phase.TRAIN, admit_anytime=0, epoch_rounds=2)
    world.join(ERIN)
    world.ready(ERIN)
    world.to_phase(Phase.COOLDOWN)
    assert world.member(ERIN).state is MemberState.READY

    world.to_phase(Phase.TRAIN)

    assert world.member(ERIN).admitted == (1, 0)


def test_who_stays_joined_too_long_is_dropped_at_a_settle() -> None:
    world = world_at(Phase.TRAIN, ready_seconds=60, train_seconds=1_000)
    world.join(ERIN)
    world.pass_seconds(60)
    world.finish_round()

    assert world.member(ERIN).state is MemberState.DROPPED


def test_who_fell_behind_gets_no_roles_until_it_is_ready_again() -> None:
    world = world_at(Phase.TRAIN)
    world.behind(DAVE)
    world.finish_round()
    assert set(world.trainers()) == {BOB, CAROL}
    world.ready(DAVE)
    world.finish_round()

    assert set(world.trainers()) == set(TRIO)
    assert world.member(DAVE).misses == 0


# Weights


def test_an_earned_weight_doubles_with_accepted_rounds_up_to_the_declared() -> None:
    world = world_at(Phase.TRAIN)
    world.join(ERIN, weight=350)
    world.ready(ERIN)
    weights = []
    for _ in range(4):
        world.finish_round()
        weights.append(world.member(ERIN).weight)

    assert weights == [100, 200, 350, 350]


def test_a_weight_halves_with_each_miss_and_never_goes_below_one() -> None:
    big = {"batch_sequences_start": 900, "batch_sequences_end": 900}
    world = world_at(Phase.TRAIN, misses_max=255, total_steps=9, **big)
    weights = []
    for _ in range(8):
        settle_without(world, DAVE)
        weights.append(world.member(DAVE).weight)

    assert weights == [50, 25, 12, 6, 3, 1, 1, 1]


def test_who_comes_late_begins_with_at_most_the_lower_median() -> None:
    world = World(TRIO)
    world.given_run()
    world.do("resume", ALICE)
    for actor, weight in zip(TRIO, (10, 200, 1_000), strict=True):
        world.join(actor, weight=weight)
    world.to_phase(Phase.TRAIN)
    world.join(ERIN, weight=1_000)
    world.ready(ERIN)

    assert [world.member(actor).weight for actor in TRIO] == [10, 200, 1_000]
    world.finish_round()
    assert world.member(ERIN).weight == 200


def test_shares_follow_the_weights() -> None:
    world = World(TRIO)
    world.given_run()
    world.do("resume", ALICE)
    for actor, weight in zip(TRIO, (100, 200, 300), strict=True):
        world.join(actor, weight=weight)
    world.to_phase(Phase.TRAIN)

    assert [share(world, actor) for actor in TRIO] == [5, 10, 15]


def test_no_share_is_above_the_clamp() -> None:
    world = World(TRIO)
    world.given_run(share_percent_max=40)
    world.do("resume", ALICE)
    for actor, weight in zip(TRIO, (100, 100, 800), strict=True):
        world.join(actor, weight=weight)
    world.to_phase(Phase.TRAIN)

    assert [share(world, actor) for actor in TRIO] == [5, 5, 20]


def test_the_batch_grows_along_the_ramp() -> None:
    world = world_at(
        Phase.TRAIN, batch_sequences_start=10, batch_sequences_end=31, batch_ramp_steps=4
    )
    sizes = []
    for _ in range(5):
        sizes.append(world.record().sequences)
        world.finish_round()

    assert sizes == [10, 15, 20, 25, 31]


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
