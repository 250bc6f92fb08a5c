"""Commitments: once, in time, by who trains."""

from __future__ import annotations

import pytest

from psyche_sdk.program_errors import (
    CommitmentDiffers,
    NotAMember,
    NotATrainer,
    TrainerGone,
    WrongPhase,
    WrongRound,
)
from psyche_sdk.views import MemberState, Phase, committed, share_of
from support.actors import BOB, CAROL, DAVE, ERIN, TRIO
from support.program import sha, world_at


def test_a_commitment_stands_in_the_record_with_what_the_trainer_reported() -> None:
    world = world_at(Phase.TRAIN)

    world.commit(BOB, commitment=sha(b"bob's"), bytes=7, loss_micronats=8, tokens=9)

    record, slot = world.record(), world.member(BOB).slot
    assert committed(record) == [slot]
    assert record.commitment(slot) == sha(b"bob's")
    reported = (record.sizes, record.losses_micronats, record.tokens, record.milliseconds)
    assert [int(column[slot]) for column in reported] == [7, 8, 9, 900]


def test_the_same_commit_again_changes_nothing() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    before = world.state()
    world.pass_seconds(1)

    world.commit(BOB)

    assert world.state() == before


def test_a_second_different_commit_fails() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    before = world.state()

    with pytest.raises(CommitmentDiffers):
        world.commit(BOB, commitment=sha(b"second thoughts"))

    assert world.state() == before


@pytest.mark.parametrize(
    "report", [{"bytes": 1}, {"loss_micronats": 1}, {"tokens": 1}, {"train_milliseconds": 1}]
)
def test_what_was_reported_cannot_be_changed_afterwards(report: dict[str, int]) -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    before = world.state()

    world.commit(BOB, **report)

    assert world.state() == before


def test_the_largest_payload_may_be_committed() -> None:
    world = world_at(Phase.TRAIN)

    world.commit(BOB, bytes=1 << 20)

    assert committed(world.record()) == [world.member(BOB).slot]


def test_a_commit_after_train_has_closed_is_refused() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    world.pass_seconds(world.config.train_seconds)
    world.tick()
    assert world.run.phase is Phase.WITNESS

    with pytest.raises(WrongPhase):
        world.commit(CAROL)


def test_a_commit_to_the_round_before_is_refused() -> None:
    world = world_at(Phase.TRAIN)
    late = world.commit_args(BOB)
    world.finish_round()

    with pytest.raises(WrongRound):
        world.do("commit", BOB, late)


@pytest.mark.parametrize("transition", [False, True])
def test_until_somebody_closes_train_a_late_commit_counts(transition: bool) -> None:
    world = world_at(Phase.TRAIN)
    world.pass_seconds(10 * world.config.train_seconds)

    world.commit(BOB, transition=transition)

    assert committed(world.record(0)) == [world.member(BOB).slot]
    assert (world.run.phase is Phase.WITNESS) == transition


def test_who_is_not_admitted_yet_does_not_train() -> None:
    world = world_at(Phase.TRAIN)
    world.join(ERIN)
    with pytest.raises(NotATrainer):
        world.commit(ERIN)
    world.ready(ERIN)

    with pytest.raises(NotATrainer):
        world.commit(ERIN)


def test_an_empty_share_cannot_be_committed_and_is_not_waited_for() -> None:
    world = world_at(Phase.TRAIN, batch_sequences_start=2, batch_sequences_end=2)
    record = world.record()
    shares = {actor: share_of(record, world.member(actor).slot) for actor in TRIO}
    (idle,) = [actor for actor, (start, end) in shares.items() if start == end]

    with pytest.raises(NotATrainer):
        world.commit(idle)
    for actor in TRIO:
        if actor is not idle:
            world.commit(actor)

    assert world.run.phase is Phase.WITNESS


def test_who_fell_behind_cannot_commit_to_the_round_that_it_gave_up() -> None:
    world = world_at(Phase.TRAIN)
    world.behind(BOB)

    with pytest.raises(TrainerGone):
        world.commit(BOB)


def test_who_left_cannot_commit() -> None:
    world = world_at(Phase.TRAIN)
    world.leave(BOB)

    with pytest.raises(NotAMember):
        world.commit(BOB)


def test_what_was_committed_before_leaving_is_accepted() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    slot = world.member(BOB).slot
    world.leave(BOB)

    world.finish_round()

    assert world.member(BOB).state is MemberState.LEFT
    assert world.record(0).accepted[0] >> slot & 1


def test_the_last_commit_closes_train_if_it_pays_for_the_transition() -> None:
    paying, frugal = world_at(Phase.TRAIN), world_at(Phase.TRAIN)
    for world, transition in ((paying, True), (frugal, False)):
        world.commit(BOB)
        world.commit(CAROL)
        world.commit(DAVE, transition=transition)

    assert paying.run.phase is Phase.WITNESS
    assert frugal.run.phase is Phase.TRAIN
    frugal.tick()
    assert frugal.run.phase is Phase.WITNESS
