"""The owner's own checkpoint of a paused run."""

from __future__ import annotations

from psyche_sdk import instructions as build
from psyche_sdk._generated.types import (
    CheckpointSet,
)
from psyche_sdk._rules.hashing import reset_chain_hash
from psyche_sdk.views import (
    MemberState,
    Phase,
)
from support.actors import ALICE
from support.agreed import NO, YES, agreed
from support.program import DIGEST, World, world_at
from support.program_checkpoints import (
    end_cooldown,
)


def resting() -> World:
    """A run that was paused after an epoch."""
    world = agreed()
    end_cooldown(world)
    world.do("pause", ALICE)
    return world


def set_checkpoint(world: World, digest: bytes = NO, uri: str = "") -> object:
    """The owner sets one."""
    args = build.SetCheckpointArgs(digest=digest, uri=uri)
    return world.do("set_checkpoint", ALICE, args)


def test_the_owner_sets_a_checkpoint_and_a_new_chain_hash_begins() -> None:
    world = resting()
    run = world.run

    sent = world.do(
        "set_checkpoint", ALICE, build.SetCheckpointArgs(digest=NO, uri="file:///model")
    )

    after = world.run
    assert after.chain_hash == reset_chain_hash(run.chain_hash, NO)
    assert after.agreed is not None
    assert (after.agreed.digest, after.agreed.step) == (NO, run.step)
    assert after.agreed.chain_hash == after.chain_hash
    assert (after.step, after.fresh_cursor, after.epoch) == (run.step, run.fresh_cursor, run.epoch)
    assert [one.digest for one in after.checkpoints] == [YES, NO]
    assert [one.uri for one in after.checkpoints[-1].publications] == ["file:///model"]
    (event,) = [one for one in sent.events if isinstance(one, CheckpointSet)]
    assert bytes(event.chain_hash_before) == run.chain_hash


def test_who_was_ready_must_follow_to_the_owners_checkpoint() -> None:
    world = resting()
    assert len(world.roster.slots(MemberState.READY)) == 3

    set_checkpoint(world)

    assert len(world.roster.slots(MemberState.JOINED)) == 3
    world.to_phase(Phase.TRAIN)
    world.finish_round()
    assert world.run.phase is Phase.COOLDOWN


def test_snapshots_and_votes_of_before_are_void_after_the_owners_checkpoint() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick()
    world.do("pause", ALICE)
    assert world.run.vote is not None

    set_checkpoint(world)

    assert (world.run.vote, world.run.snapshots) == (None, ())
    world.to_phase(Phase.WARMUP)
    assert world.run.vote is None


def test_a_new_run_may_begin_from_other_parameters() -> None:
    world = world_at(Phase.PAUSED)

    set_checkpoint(world, YES)

    assert world.run.agreed is not None
    assert world.run.agreed.digest == YES != DIGEST
    world.to_phase(Phase.TRAIN)
