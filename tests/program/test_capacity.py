"""From 8 to 1,024 slots: what capacities there are, and that the largest run really runs."""

from __future__ import annotations

import pytest

from benchmarks.cost_drive import Metered
from psyche_sdk.program_errors import ConfigCapacity
from psyche_sdk.views import MemberState, Phase, accepted
from support.program import World
from support.program_checkpoints import end_cooldown

MANY = 1_024


@pytest.mark.parametrize("capacity", [8, 16, 72, 520, 1_024])
def test_a_run_can_have_so_many_slots(capacity: int) -> None:
    world = World()

    world.given_run(capacity=capacity)

    assert world.run.complete
    assert world.roster.capacity == capacity


@pytest.mark.parametrize("capacity", [0, 4, 9, 12, 1_028, 1_032, 65_528])
def test_a_run_cannot_have_so_many_slots(capacity: int) -> None:
    world = World()

    with pytest.raises(ConfigCapacity):
        world.given_run(capacity=capacity)


def test_1024_members_train_and_agree() -> None:
    world = Metered(MANY, epoch_rounds=3, snapshot_rounds=0)
    everybody = list(range(MANY))
    world.open(MANY)

    for number in range(3):
        slots = everybody if number != 1 else everybody[5:]
        world.play(slots)
        assert accepted(world.record(number)) == slots
    assert world.run.phase is Phase.COOLDOWN
    world.cast_votes(everybody, against=0)
    end_cooldown(world)
    world.tick_all()

    assert (world.run.epoch, world.run.phase) == (1, Phase.WARMUP)
    assert len(world.roster.slots(MemberState.READY)) == MANY
    assert world.run.agreed is not None
    assert world.run.agreed.step == 3
    assert world.run.checkpoints[-1].confirmations > 0
