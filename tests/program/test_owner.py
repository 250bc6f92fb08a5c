"""What the owner does: create, configure, resume, pause, abort, close."""

from __future__ import annotations

from typing import Any

import pytest

from psyche_sdk.program_errors import (
    AlreadyComplete,
    CreatedJustNow,
    MembersRemain,
    PauseAlreadyRequested,
    RunIncomplete,
    TooEarly,
    WrongPhase,
)
from psyche_sdk.views import MemberState, Phase
from support.actors import ALICE, BOB, CAROL, DAVE, TRIO
from support.call_worlds import created
from support.program import DIGEST, World, sha, world_at
from support.program_chain import RefusedError


@pytest.mark.parametrize("run_id", ["a", "0", "-", "a" * 32])
def test_run_ids_of_one_to_32_bytes_are_taken(run_id: str) -> None:
    world = World()
    world.name_run(run_id)

    world.given_run()

    assert world.run.run_id == run_id


def test_a_run_cannot_be_created_twice() -> None:
    world = created()
    before = world.state()

    with pytest.raises(RefusedError, match="Custom"):  # the system program's: already in use
        world.do("create_run", ALICE, world.create_args())

    assert world.state() == before


def test_a_new_run_is_paused_with_the_owners_digest() -> None:
    world = world_at(Phase.PAUSED)

    run = world.run
    assert (run.phase, run.epoch, run.round, run.step) == (Phase.PAUSED, 0, 0, 0)
    assert run.instance == sha(bytes(world.run_key), (1_000).to_bytes(8, "little"))
    assert run.chain_hash == sha(b"psyche", run.instance)
    assert run.agreed is not None
    assert (run.agreed.digest, run.agreed.chain_hash) == (DIGEST, run.chain_hash)


def test_nothing_begins_before_the_accounts_are_complete() -> None:
    world = created()
    before = world.state()

    for name in ("resume", "tick", "join"):
        with pytest.raises(RunIncomplete):
            world.join(BOB) if name == "join" else world.do(name, ALICE)

    assert world.state() == before


def test_a_complete_run_grows_no_further() -> None:
    world = world_at(Phase.PAUSED)

    with pytest.raises(AlreadyComplete):
        world.do("allocate", ALICE)


def test_an_incomplete_run_can_be_closed() -> None:
    world = created()

    world.close_run()

    assert world.state() == (b"", b"", b"")


def test_close_run_gives_the_rent_back_to_who_paid() -> None:
    world = World()
    create = world.instruction("create_run", ALICE, world.create_args(), payer=DAVE.wallet)
    world.send(create, signers=[DAVE, ALICE])
    while not world.run.complete:
        world.do("allocate", DAVE)
    rent = sum(world.svm.get_balance(key) or 0 for key in keys_of(world))
    before = world.svm.get_balance(DAVE.wallet) or 0

    world.close_run(rent_payer=DAVE.wallet)

    assert rent > 0
    assert (world.svm.get_balance(DAVE.wallet) or 0) - before == rent
    assert world.state() == (b"", b"", b"")


def keys_of(world: World) -> tuple[Any, ...]:
    """The addresses of the run's three accounts."""
    return world.run_key, world.roster_key, world.rounds_key


def test_a_run_with_a_member_cannot_be_closed() -> None:
    world = world_at(Phase.PAUSED)
    world.join(BOB)
    with pytest.raises(MembersRemain):
        world.close_run()
    world.leave(BOB)

    world.close_run()

    assert world.data(world.run_key) == b""


def test_a_run_created_again_is_another_instance() -> None:
    world = world_at(Phase.PAUSED)
    first = world.run.instance
    with pytest.raises(CreatedJustNow):
        world.do("close_run", ALICE)
    world.pass_time(slots=1)
    again = [world.instruction("close_run", ALICE)]
    again.append(world.instruction("create_run", ALICE, world.create_args()))

    world.send(*again, signers=[ALICE])

    assert world.run.instance != first


@pytest.mark.parametrize("phase", [Phase.WAITING_FOR_MEMBERS, Phase.WARMUP, Phase.FINISHED])
def test_a_pause_is_immediate_where_nothing_is_in_flight(phase: Phase) -> None:
    world = world_at(phase, total_steps=1)

    world.do("pause", ALICE)

    assert world.run.phase is Phase.PAUSED
    assert not world.run.pause_requested


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("phase", [Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN])
def test_a_pause_in_mid_round_waits_for_draining_and_cooldown(phase: Phase, overlap: int) -> None:
    world = world_at(phase, epoch_rounds=2, overlap=overlap)
    world.do("pause", ALICE)
    assert world.run.phase is phase
    assert world.run.pause_requested
    with pytest.raises(PauseAlreadyRequested):
        world.do("pause", ALICE)

    world.to_phase(Phase.PAUSED)

    run = world.run
    assert (run.epoch, run.in_flight, run.pause_requested) == (1, 0, False)
    assert run.accepted == run.fresh_cursor == run.step * 30
    assert world.roster.slots(MemberState.READY) == [0, 1, 2]


def test_a_finished_run_can_be_extended() -> None:
    world = world_at(Phase.FINISHED, total_steps=1)
    world.do("pause", ALICE)
    world.do("resume", ALICE)
    assert world.run.phase is Phase.FINISHED
    world.do("pause", ALICE)

    world.update_config(total_steps=2)
    world.to_phase(Phase.FINISHED)

    assert (world.run.step, world.run.accepted) == (2, 60)


@pytest.mark.parametrize("phase", [Phase.WARMUP, Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN])
def test_an_abort_needs_ten_lengths_of_the_phase_beyond_its_deadline(phase: Phase) -> None:
    world = world_at(phase, total_steps=1)
    seconds = {
        Phase.WARMUP: world.config.warmup_seconds,
        Phase.TRAIN: world.config.train_seconds,
        Phase.WITNESS: world.config.witness_seconds,
        Phase.COOLDOWN: world.config.cooldown_seconds,
    }[phase]
    world.pass_seconds(11 * seconds - 1)
    with pytest.raises(TooEarly):
        world.do("abort", ALICE)
    world.pass_seconds(1)

    world.do("abort", ALICE)

    assert (world.run.phase, world.run.epoch) == (Phase.PAUSED, 1)


def test_an_abort_gives_all_that_is_in_flight_back() -> None:
    world = world_at(Phase.TRAIN, overlap=1)
    world.commit_all()
    assert (world.run.round, world.run.in_flight) == (1, 60)
    world.pass_seconds(11 * world.config.train_seconds)

    world.do("abort", ALICE)

    run = world.run
    assert [(one.start, one.end) for one in run.backlog] == [(0, 60)]
    assert (run.in_flight, run.repeated, run.step) == (0, 0, 2)
    assert world.roster.slots(MemberState.JOINED) == [0, 1, 2]
    assert world.rounds == []


def test_what_was_aborted_is_trained_first() -> None:
    world = world_at(Phase.TRAIN)
    world.pass_seconds(11 * world.config.train_seconds)
    world.do("abort", ALICE)

    world.to_phase(Phase.TRAIN)

    assert [(one.start, one.end) for one in world.record().segments] == [(0, 30)]
    assert world.run.backlog == ()


def test_a_halted_chain_allows_no_abort() -> None:
    world = world_at(Phase.TRAIN)
    world.pass_time(seconds=100_000, slots=3)

    with pytest.raises(TooEarly):
        world.do("abort", ALICE)


def test_resume_is_for_a_paused_run() -> None:
    world = world_at(Phase.WAITING_FOR_MEMBERS)

    with pytest.raises(WrongPhase):
        world.do("resume", ALICE)


def test_members_that_are_silent_while_the_run_is_paused_may_be_dropped_by_anybody() -> None:
    world = world_at(Phase.PAUSED)
    world.join(BOB)
    world.pass_seconds(world.config.ready_seconds - 1)
    world.join(CAROL)
    with pytest.raises(TooEarly):
        world.tick()
    world.pass_seconds(1)

    world.tick()

    states = [world.member(actor).state for actor in TRIO[:2]]
    assert states == [MemberState.DROPPED, MemberState.JOINED]
