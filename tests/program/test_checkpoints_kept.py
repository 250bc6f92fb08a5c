"""Which checkpoints a run keeps when Cooldown is over."""

from __future__ import annotations

from psyche_sdk._generated.types import (
    CheckpointKept,
)
from psyche_sdk.views import (
    MemberState,
    Phase,
    node_uri,
)
from support.actors import ALICE
from support.agreed import NO, YES, agreed, third
from support.program import sha, world_at
from support.program_checkpoints import (
    confirm,
    confirm_all,
    end_cooldown,
    publish,
    publish_all,
    publishers,
)


def test_time_ends_cooldown_with_the_agreed_digest_and_without_a_checkpoint() -> None:
    world = agreed()
    publish(world, publishers(world)[0])
    world.pass_seconds(world.config.cooldown_seconds)

    world.tick()

    run = world.run
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    assert run.agreed is not None
    assert run.agreed.digest == YES
    assert (run.checkpoints, run.pending_checkpoint) == ((), None)
    assert len(world.roster.slots(MemberState.READY)) == 3


def test_an_unconfirmed_uri_displaces_nothing() -> None:
    world = agreed()
    end_cooldown(world)
    kept = world.run.checkpoints
    world.to_phase(Phase.COOLDOWN)
    world.vote_all(NO)
    world.store_entropy()
    publish(world, publishers(world)[0])
    world.pass_seconds(world.config.cooldown_seconds)

    world.tick()

    assert world.run.epoch == 2
    assert world.run.checkpoints == kept


def test_the_last_two_checkpoints_are_kept() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    words = [sha(bytes([number])) for number in range(3)]
    for word in words:
        world.to_phase(Phase.COOLDOWN)
        world.vote_all(word)
        sent = end_cooldown(world)
        (event,) = [one for one in sent.events if isinstance(one, CheckpointKept)]
        assert bytes(event.digest_after) == word

    assert [one.digest for one in world.run.checkpoints] == words[1:]


def test_of_two_uris_the_one_that_nobody_could_fetch_is_left_out() -> None:
    world = agreed()
    first, second = publishers(world)
    publish(world, first)
    publish(world, second)
    confirm(world, first, place=1)
    confirm(world, third(world), place=1)

    world.tick()

    (only,) = world.run.checkpoints[-1].publications
    assert only.uri == node_uri(second.node_key)
    assert only.publisher == world.member(second).member_id


def test_an_abort_keeps_a_confirmed_checkpoint() -> None:
    world = agreed()
    publish_all(world)
    confirm_all(world)
    world.pass_seconds(11 * world.config.cooldown_seconds)

    world.do("abort", ALICE)

    assert world.run.checkpoints[-1].digest == YES


def test_what_was_published_in_one_cooldown_is_gone_in_the_next() -> None:
    world = agreed()
    publish(world, publishers(world)[0])
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick()

    world.to_phase(Phase.COOLDOWN)

    assert (world.run.pending_checkpoint, world.run.publishers) == (None, ())
