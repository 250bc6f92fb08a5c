"""What is drawn is drawn by a hash that nobody could know, and by nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import Phase, witnesses
from support import program_chain
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, MALLORY, Actor
from support.later import LATER, first_hash, later_hash
from support.program import World, sha, world_at

FIVE = (BOB, CAROL, DAVE, ERIN, MALLORY)


def closed(**changes: int) -> World:
    """Train has just closed with the last commitment; two of five will witness."""
    settings = {"witness_count": 2, "overlap": 0} | changes
    world = world_at(Phase.TRAIN, members=FIVE, **settings)
    world.commit_all()
    assert world.run.phase is Phase.WITNESS
    return world


def drawn(world: World) -> list[int]:
    """Who witnesses, in drawn order."""
    return witnesses(world.record(world.target))


def new_weight(world: World) -> None:
    """A member changes its weight."""
    world.do("set_weight", BOB, program_weight(world, BOB))


def program_weight(world: World, actor: Actor) -> object:
    """Arguments of set_weight."""
    builders = program_chain.build
    return builders.SetWeightArgs(slot=world.member(actor).slot, weight=7)


def newcomer(world: World) -> None:
    """Somebody joins."""
    world.join(Actor("latecomer"), slot=7)


def pause(world: World) -> None:
    """The owner asks for a pause."""
    world.do("pause", ALICE)


def early_tick(world: World) -> None:
    """Somebody tries before it is time."""
    with pytest.raises(TooEarly):
        world.tick()


def gone(world: World) -> None:
    """A member leaves as soon as it can see the hash."""
    world.pass_time(slots=3)
    world.leave(BOB)


@pytest.mark.parametrize("slots", LATER)
def test_the_sender_of_a_tick_cannot_choose_the_witnesses_by_its_moment(slots: int) -> None:
    expected = closed()
    expected.store_entropy()
    world = closed()

    world.pass_time(slots=slots)
    world.tick()

    assert drawn(world) == drawn(expected)
    assert world.record(world.target).entropy == expected.record(expected.target).entropy


@pytest.mark.parametrize(
    "before", [new_weight, newcomer, pause, early_tick, gone], ids=lambda one: one.__name__
)
def test_what_others_do_before_the_tick_changes_no_draw(before: Callable[[World], None]) -> None:
    expected = closed()
    expected.store_entropy()
    world = closed()

    before(world)
    if world.record(world.target).entropy is None:
        world.store_entropy()

    assert drawn(world) == drawn(expected)


def test_who_is_elected_is_decided_by_what_comes_after_the_last_commitment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Counter[int] = Counter()
    states = set()
    for number in range(40):
        monkeypatch.setattr(program_chain, "slot_hash", first_hash)
        world = closed(witness_count=1)
        states.add(sha(*world.state()))

        monkeypatch.setattr(program_chain, "slot_hash", later_hash(world.moment.chain_slot, number))
        world.store_entropy()

        seen.update(drawn(world))

    # One and the same bytes on chain at the last commitment; afterwards everybody is possible.
    assert len(states) == 1
    assert set(seen) == {world.member(actor).slot for actor in FIVE}


def test_roles_after_the_next_round_are_not_on_chain_at_the_last_commitment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orders = Counter[tuple[int, ...]]()
    states = set()
    for number in range(12):
        monkeypatch.setattr(program_chain, "slot_hash", first_hash)
        world = closed()
        states.add(sha(*world.state()))

        monkeypatch.setattr(program_chain, "slot_hash", later_hash(world.moment.chain_slot, number))
        world.finish_round()
        world.finish_round()

        orders[tuple(world.record().order.tolist())] += 1

    assert len(states) == 1
    assert len(orders) > 6
