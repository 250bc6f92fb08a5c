"""Votes on the parameters: in Cooldown, and again in Warmup."""

from __future__ import annotations

import pytest

from psyche_sdk.instructions import AttestStateArgs
from psyche_sdk.program_errors import (
    NoOpenVote,
    NoVote,
    UnknownDigest,
    VoteClosed,
    VoteDiffers,
    VoteMismatch,
    VoteNotOpen,
)
from psyche_sdk.views import MemberState, Phase, StateRecord, VoteKind
from support.actors import BOB, CAROL, DAVE, ERIN, TRIO
from support.program import DIGEST, World, sha, world_at
from support.program_checkpoints import end_cooldown

YES, NO, THIRD = sha(b"yes"), sha(b"no"), sha(b"third")


def agreed(world: World) -> StateRecord:
    """The agreed state."""
    state = world.run.agreed
    assert state is not None
    return state


def states(world: World) -> list[MemberState]:
    """Of bob, carol and dave."""
    return [world.member(actor).state for actor in TRIO]


def disagreed() -> World:
    """Everybody said something else, and Cooldown is over."""
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    words = (YES, NO, THIRD)
    for actor, word in zip(TRIO, words, strict=True):
        world.seal(actor, word)
    for actor, word in zip(TRIO, words, strict=True):
        world.reveal(actor, word)
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick()
    return world


def test_cooldown_opens_a_vote_on_what_came_out() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=2)

    vote = world.vote
    assert (vote.kind, vote.step, vote.epoch, vote.round) == (VoteKind.COOLDOWN, 2, 0, 2)
    assert vote.chain_hash == world.run.chain_hash
    assert (vote.eligible, vote.committed, vote.revealed, vote.agreed) == (3, 0, 0, False)


def test_an_agreed_digest_ends_the_epoch_and_leaves_its_voters_ready() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    chain_hash = world.run.chain_hash

    world.vote_all(YES)
    end_cooldown(world)

    state = agreed(world)
    assert (state.digest, state.step, state.chain_hash) == (YES, 1, chain_hash)
    assert (world.run.phase, world.run.epoch) == (Phase.WAITING_FOR_MEMBERS, 1)
    assert states(world) == [MemberState.READY] * 3


def test_two_of_three_agree_and_the_third_is_joined_again() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    for actor, word in zip(TRIO, (YES, YES, NO), strict=True):
        world.seal(actor, word)
    for actor, word in zip(TRIO, (YES, YES, NO), strict=True):
        world.reveal(actor, word)

    end_cooldown(world)

    assert agreed(world).digest == YES
    assert states(world) == [MemberState.READY, MemberState.READY, MemberState.JOINED]


def test_who_differs_has_to_come_back_by_the_agreed_digest() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    for actor, word in zip(TRIO, (YES, YES, NO), strict=True):
        world.seal(actor, word)
    for actor, word in zip(TRIO, (YES, YES, NO), strict=True):
        world.reveal(actor, word)
    end_cooldown(world)

    with pytest.raises(UnknownDigest):
        world.ready(DAVE, digest=NO)
    world.ready(DAVE)

    assert world.member(DAVE).state is MemberState.READY


def test_who_sealed_the_agreed_digest_need_not_open_it() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    for actor in TRIO:
        world.seal(actor, YES)
    world.reveal(BOB, YES)
    world.reveal(CAROL, YES)

    end_cooldown(world)

    assert states(world) == [MemberState.READY] * 3


def test_two_of_three_that_speak_agree_when_the_time_is_up() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.seal(CAROL, YES)
    world.pass_seconds(world.config.cooldown_seconds // 2)
    world.reveal(BOB, YES)
    world.reveal(CAROL, YES)

    end_cooldown(world)

    assert agreed(world).digest == YES
    assert states(world) == [MemberState.READY, MemberState.READY, MemberState.JOINED]


def test_less_than_half_of_those_who_may_vote_agree_on_nothing() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.pass_seconds(world.config.cooldown_seconds // 2)
    world.reveal(BOB, YES)
    world.pass_seconds(world.config.cooldown_seconds)

    world.tick()

    assert agreed(world).digest == DIGEST
    assert states(world) == [MemberState.JOINED] * 3


def test_fewer_than_min_members_agree_on_nothing() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1, min_members=3)
    world.seal(BOB, YES)
    world.seal(CAROL, YES)
    world.pass_seconds(world.config.cooldown_seconds // 2)
    world.reveal(BOB, YES)
    world.reveal(CAROL, YES)

    assert not world.vote.agreed


def test_without_an_agreement_the_agreed_state_stays_and_all_are_joined() -> None:
    world = disagreed()

    assert agreed(world).digest == DIGEST
    assert (world.run.phase, world.run.epoch) == (Phase.WAITING_FOR_MEMBERS, 1)
    assert states(world) == [MemberState.JOINED] * 3


def test_the_same_set_votes_again_in_warmup() -> None:
    world = disagreed()
    chain_hash = world.run.chain_hash
    world.to_phase(Phase.WARMUP)
    assert (world.vote.kind, world.vote.eligible) == (VoteKind.WARMUP, 3)

    world.vote_all(YES, TRIO)

    state = agreed(world)
    assert (state.digest, state.step, state.chain_hash) == (YES, 1, chain_hash)
    for actor in TRIO:
        world.store_entropy()
        world.ready(actor)
    assert world.run.phase is Phase.TRAIN


def test_who_did_not_vote_in_cooldown_has_no_vote_in_warmup() -> None:
    world = disagreed()
    world.join(ERIN)
    world.to_phase(Phase.WARMUP)

    with pytest.raises(NoVote):
        world.seal(ERIN, YES)


def test_who_left_since_cooldown_counts_as_absent_in_warmup() -> None:
    world = disagreed()
    world.leave(DAVE)
    world.join(ERIN)
    world.to_phase(Phase.WARMUP)
    assert (world.vote.eligible, world.vote.absent) == (3, 1)

    world.vote_all(YES, [BOB, CAROL])

    assert agreed(world).digest == YES


def test_a_vote_is_over_when_cooldown_is() -> None:
    world = disagreed()

    with pytest.raises(NoOpenVote):
        world.seal(BOB, YES)


# The rules of a vote


def test_the_same_word_again_changes_nothing_and_another_fails() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    before = world.state()
    world.pass_seconds(1)

    world.seal(BOB, YES)
    assert world.state() == before
    with pytest.raises(VoteDiffers):
        world.seal(BOB, NO)
    assert world.state() == before


def test_the_same_digest_again_changes_nothing_and_another_fails() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    for actor in TRIO:
        world.seal(actor, YES)
    world.reveal(BOB, YES)
    before = world.state()

    world.reveal(BOB, YES)
    assert world.state() == before
    with pytest.raises(VoteDiffers):
        world.reveal(BOB, NO)
    assert world.state() == before


def test_nothing_is_opened_before_all_have_sealed_or_half_of_the_time_went_by() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.pass_seconds(world.config.cooldown_seconds // 2 - 1)
    with pytest.raises(VoteNotOpen):
        world.reveal(BOB, YES)
    world.pass_seconds(1)

    world.reveal(BOB, YES)

    assert world.vote.revealed == 1


def test_a_halted_chain_opens_no_vote() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.pass_time(seconds=10_000, slots=2)

    with pytest.raises(VoteNotOpen):
        world.reveal(BOB, YES)


def test_nothing_is_sealed_once_words_are_opened() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.pass_seconds(world.config.cooldown_seconds // 2)

    with pytest.raises(VoteClosed):
        world.seal(CAROL, YES)


def test_who_left_is_not_waited_for_with_opening() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.seal(CAROL, YES)
    world.leave(DAVE)

    world.reveal(BOB, YES)

    assert (world.vote.absent, world.vote.revealed) == (1, 1)


def test_a_digest_must_be_what_was_sealed() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    for actor in TRIO:
        world.seal(actor, YES)
    before = world.state()

    with pytest.raises(VoteMismatch):
        world.reveal(BOB, NO)

    assert world.state() == before


def test_a_copied_word_cannot_be_opened() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.seal(CAROL, YES, vote=sha(YES, bytes(BOB.wallet)))
    world.seal(DAVE, YES)

    with pytest.raises(VoteMismatch):
        world.reveal(CAROL, YES)


def test_who_sealed_nothing_opens_nothing() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.seal(BOB, YES)
    world.pass_seconds(world.config.cooldown_seconds // 2)

    with pytest.raises(NoVote):
        world.reveal(CAROL, YES)


def test_who_was_not_active_has_no_vote() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.join(ERIN)
    world.ready(ERIN)

    with pytest.raises(NoVote):
        world.seal(ERIN, YES)


def test_before_the_first_cooldown_there_is_no_vote() -> None:
    world = world_at(Phase.TRAIN)
    run = world.run
    args = AttestStateArgs(epoch=run.epoch, round=run.round, slot=0, vote=YES)

    with pytest.raises(NoOpenVote):
        world.do("attest_state", BOB, args)
