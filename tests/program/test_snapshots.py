"""Votes on snapshots: the parameters with which a round trains."""

from __future__ import annotations

import pytest

from psyche_sdk.program_errors import (
    VoteNotOpen,
    WrongRound,
)
from psyche_sdk.views import MemberState, Phase, VoteKind
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, TRIO
from support.program import DIGEST, World, sha, world_at

YES, NO, THIRD = sha(b"yes"), sha(b"no"), sha(b"third")


def snapshotting() -> World:
    """Round 2 of an epoch with a snapshot every two rounds: the vote on it is open."""
    world = world_at(Phase.TRAIN, snapshot_rounds=2, total_steps=20)
    for _ in range(2):
        world.finish_round()
    return world


def test_a_snapshot_is_of_the_parameters_with_which_its_round_trains() -> None:
    world = snapshotting()

    vote = world.vote
    assert (vote.kind, vote.epoch, vote.round, vote.step) == (VoteKind.SNAPSHOT, 0, 2, 2)
    assert vote.chain_hash == world.record(2).chain_hash_before == world.run.chain_hash
    assert (vote.reveal_round, vote.close_round) == (3, 4)


def test_a_snapshot_is_opened_in_the_second_half_of_its_rounds() -> None:
    world = snapshotting()
    world.seal(BOB, YES)
    with pytest.raises(VoteNotOpen):
        world.reveal(BOB, YES)
    world.finish_round()

    world.reveal(BOB, YES)

    assert world.run.snapshots == ()


def test_the_last_two_agreed_snapshots_are_kept() -> None:
    world = snapshotting()
    for word in (YES, NO, THIRD):
        world.vote_all(word)
        world.finish_round()
        world.finish_round()

    kept = world.run.snapshots
    assert [(one.digest, one.round, one.step) for one in kept] == [(NO, 4, 4), (THIRD, 6, 6)]
    assert world.run.agreed is not None
    assert world.run.agreed.digest == DIGEST


def test_a_joiner_may_be_ready_from_a_snapshot() -> None:
    world = snapshotting()
    world.vote_all(YES)
    world.join(ERIN)

    world.ready(ERIN, digest_epoch=0, digest_round=2, digest=YES)

    assert world.member(ERIN).state is MemberState.READY


def test_who_differs_from_a_snapshot_gets_no_roles_until_it_is_ready_again() -> None:
    world = snapshotting()
    for actor, word in zip(TRIO, (YES, YES, NO), strict=True):
        world.seal(actor, word)
    for actor, word in zip(TRIO, (YES, YES, NO), strict=True):
        world.reveal(actor, word)

    assert world.member(DAVE).state is MemberState.JOINED
    world.finish_round()
    assert set(world.trainers()) == {BOB, CAROL}


def test_a_snapshot_that_nobody_opened_is_forgotten_when_the_next_begins() -> None:
    world = snapshotting()
    world.seal(BOB, YES)
    world.finish_round()
    world.finish_round()

    assert (world.vote.round, world.vote.committed, world.run.snapshots) == (4, 0, ())
    with pytest.raises(WrongRound):
        world.reveal(BOB, YES, round=2)


def test_cooldown_ends_a_snapshots_vote() -> None:
    world = snapshotting()
    world.seal(BOB, YES)
    world.do("pause", ALICE)
    world.finish_round()

    assert (world.run.phase, world.vote.kind) == (Phase.COOLDOWN, VoteKind.COOLDOWN)
    assert world.vote.committed == 0
