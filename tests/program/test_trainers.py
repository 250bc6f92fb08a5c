"""Trainers: misses and drops, admission, weights and shares."""

from __future__ import annotations

from psyche_sdk.views import (
    MemberState,
    Phase,
    accepted,
    my_role,
)
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, TRIO, crowd
from support.program import World, world_at
from support.program_rounds import settle_without, share

FIVE = crowd(5)


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
