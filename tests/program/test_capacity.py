"""From 8 to 1,024 slots: what capacities there are, and that the largest run really runs."""

from __future__ import annotations

import pytest

from benchmarks.cost_drive import Metered
from psyche_sdk.instructions import MissingArgs
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
    world = Metered(MANY, epoch_rounds=4, snapshot_rounds=0)
    everybody = list(range(MANY))
    world.open(MANY)

    for number in range(4):
        slots = everybody if number != 1 else everybody[5:]
        world.play(slots)
        assert accepted(world.record(number)) == slots
    assert world.run.phase is Phase.COOLDOWN
    # The dearest call by memory: four chain hashes anew, in the 32 KiB that a program has.
    enough = -(-2 * MANY // 3)
    for slot in everybody[:enough]:
        args = MissingArgs(epoch=world.run.epoch, round=0, slot=slot, target=MANY - 1)
        world.do("missing", world.members[slot], args)
    assert accepted(world.record(0)) == everybody[:-1]
    assert world.run.chain_hash == world.record(3).chain_hash_after
    world.cast_votes(everybody, against=0)
    end_cooldown(world)
    world.tick_all()

    assert (world.run.epoch, world.run.phase) == (1, Phase.WARMUP)
    assert len(world.roster.slots(MemberState.READY)) == MANY
    assert world.run.agreed is not None
    assert world.run.agreed.step == 4
    assert world.run.checkpoints[-1].confirmations > 0
