"""Who goes aside, and when: it changes no draw that is due, and hides nothing that was missed."""

from __future__ import annotations

import pytest

from psyche_sdk.views import MemberState, Phase
from support.actors import BOB, CAROL, DAVE, TRIO, crowd
from support.program import World, sha, world_at
from support.program_rounds import close_train_late

YES, NO = sha(b"yes"), sha(b"no")


def closed() -> World:
    """Eight members, of whom a hash that is known and not stored draws two witnesses."""
    world = world_at(Phase.TRAIN, members=crowd(8), capacity=8, witness_count=2, init_min_members=8)
    world.commit_all()
    world.pass_time(slots=3)
    assert world.record().entropy is None
    return world


@pytest.mark.parametrize("name", ["behind", "leave"])
def test_who_goes_aside_has_the_witnesses_drawn_before(name: str) -> None:
    left_alone = closed()
    left_alone.tick()
    world = closed()

    first = world.members[0]
    world.do(name, first, world.here(first), transition=False)

    assert world.record().entropy == left_alone.record().entropy
    assert world.witnesses() == left_alone.witnesses()


def test_being_admitted_again_clears_no_miss() -> None:
    world = world_at(Phase.TRAIN, misses_max=3)
    close_train_late(world, but=[DAVE])
    world.finish_round()
    world.behind(DAVE)
    world.ready(DAVE)

    world.finish_round()

    assert world.member(DAVE).state is MemberState.ACTIVE
    assert world.member(DAVE).misses == 1


def test_who_falls_behind_after_train_has_its_miss_all_the_same() -> None:
    world = world_at(Phase.TRAIN, misses_max=3)
    close_train_late(world, but=[DAVE])
    world.behind(DAVE)

    world.finish_round()

    assert world.member(DAVE).misses == 1


def test_going_aside_before_the_round_settles_saves_nobody_from_being_dropped() -> None:
    world = world_at(Phase.TRAIN, misses_max=1)
    close_train_late(world, but=[DAVE])
    world.behind(DAVE)

    world.finish_round()

    assert world.member(DAVE).state is MemberState.DROPPED


def test_a_wallet_of_a_closed_run_joins_the_next_one_at_its_address() -> None:
    world = World(TRIO)
    world.given_run(capacity=16)
    world.join(BOB, slot=12)
    world.leave(BOB)
    world.close_run()
    world.pass_time(slots=3)
    world.given_run(capacity=8)
    world.join(CAROL, slot=0)

    world.join(BOB, slot=1)

    assert world.member(BOB).state is MemberState.JOINED


def test_a_witness_that_falls_behind_was_silent_all_the_same() -> None:
    world = world_at(Phase.TRAIN)
    world.commit_all()
    world.store_entropy()
    assert DAVE in world.witnesses()
    world.behind(DAVE)

    world.finish_round()

    assert world.member(DAVE).silences == 1


def revote() -> World:
    """Warmup after a Cooldown without an agreement, with four members that may vote again."""
    world = world_at(
        Phase.COOLDOWN,
        members=crowd(4),
        capacity=8,
        epoch_rounds=1,
        init_min_members=4,
        min_members=2,
    )
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick()
    world.pass_seconds(world.config.waiting_seconds)
    world.tick()
    assert world.run.phase is Phase.WARMUP
    return world


def test_an_epoch_does_not_start_with_too_few_of_those_who_agree() -> None:
    world = revote()
    first, second, third, fourth = world.members
    for actor, word in ((first, YES), (second, YES), (third, NO), (fourth, sha(b"other"))):
        world.seal(actor, word)
    world.ready(third, transition=False)
    world.ready(fourth, transition=False)
    for actor, word in ((third, NO), (first, YES), (second, YES)):
        world.reveal(actor, word)
    assert not world.vote.agreed
    step = world.run.step

    world.pass_seconds(world.config.warmup_seconds)
    world.tick()

    assert world.run.phase is not Phase.TRAIN
    assert world.run.step == step


def test_the_word_of_who_left_does_not_count() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1, min_members=1)
    before = world.run.agreed
    for actor, word in ((BOB, YES), (CAROL, YES), (DAVE, NO)):
        world.seal(actor, word)
    world.reveal(BOB, YES)
    world.leave(BOB)
    world.reveal(CAROL, YES)
    world.reveal(DAVE, NO)

    world.pass_seconds(world.config.cooldown_seconds)
    world.tick()

    assert world.run.agreed == before
