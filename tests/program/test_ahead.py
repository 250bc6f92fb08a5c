"""The next round's shares, told a round ahead, beside those that the program draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from psyche_sdk.views import Interval, Phase, batch_ahead, batch_of
from support.actors import crowd
from support.program import World, world_at
from support.program_rounds import settle_without

FIVE = crowd(5)

Shares = dict[int, list[int]]


def told(world: World) -> Shares:
    """What each member is told of the next round."""
    run, roster, records = world.run, world.roster, world.rounds
    return {one.slot: batch_ahead(run, roster, records, one).tolist() for one in roster.members()}


def drawn(world: World) -> Shares:
    """What each member trains in this round."""
    record = world.record()
    return {one.slot: batch_of(record, one.slot).tolist() for one in world.roster.members()}


@pytest.mark.parametrize("overlap", [0, 1])
def test_every_share_of_an_epoch_is_told_while_the_round_before_trains(overlap: int) -> None:
    world = world_at(
        Phase.TRAIN, members=FIVE, epoch_rounds=6, overlap=overlap, batch_sequences_start=20,
        batch_sequences_end=30, batch_ramp_steps=4, verification_percent=30,
    )  # fmt: skip
    rounds = 0
    while world.run.round < 5:
        world.store_entropy()
        before = told(world)
        assert sum(map(len, before.values())) > 0
        world.finish_round()
        assert before == drawn(world)
        rounds += 1
    assert rounds == 5
    assert not any(told(world).values())  # only what is in flight is settled from here on


def test_shares_are_told_again_once_a_miss_is_made_good() -> None:
    world = world_at(Phase.TRAIN, members=FIVE, epoch_rounds=8, overlap=0)
    before = told(world)
    settle_without(world, FIVE[2])
    assert before != drawn(world)  # it could not be known that she would not commit
    world.finish_round()  # in which her weight doubles to what it was

    world.store_entropy()
    before = told(world)
    world.finish_round()
    assert before == drawn(world)


def test_what_waits_is_told_before_what_is_fresh() -> None:
    world = world_at(Phase.TRAIN, members=FIVE)
    run = replace(world.run, backlog=(Interval(3, 5), Interval(9, 10)))
    shares = [batch_ahead(run, world.roster, world.rounds, one) for one in world.roster.members()]
    fresh = range(run.fresh_cursor, run.fresh_cursor + 27)
    assert sorted(np.concatenate(shares).tolist()) == [3, 4, 9, *fresh]


def test_nothing_is_told_of_a_round_that_is_not_drawn() -> None:
    for phase in (Phase.WARMUP, Phase.COOLDOWN):
        assert not any(told(world_at(phase, members=FIVE, epoch_rounds=2)).values())
