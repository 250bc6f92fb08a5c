"""Grace: the time that the slow ones still get when most have committed."""

from __future__ import annotations

from psyche_sdk.views import (
    Phase,
)
from support.actors import ALICE, BOB, CAROL, crowd
from support.program import World, world_at
from support.program_rounds import share

FIVE = crowd(5)


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
