"""Time and entropy: deadlines, clocks that jump, chains that halt, hashes that are gone."""

from __future__ import annotations

import pytest

from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import MemberState, Phase, due_transition
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, TRIO, crowd
from support.program import World, world_at
from support.program_chain import slot_hash

TIMED = (Phase.WARMUP, Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN)
by_phase = pytest.mark.parametrize("phase", TIMED, ids=lambda phase: phase.name.lower())


def timed(phase: Phase) -> tuple[World, int]:
    """A world in which nothing but time is awaited, and the seconds of its phase."""
    world = world_at(phase, epoch_rounds=1)
    if phase is not Phase.TRAIN:
        world.store_entropy()
    seconds = {
        Phase.WARMUP: world.config.warmup_seconds,
        Phase.TRAIN: world.config.train_seconds,
        Phase.WITNESS: world.config.witness_seconds,
        Phase.COOLDOWN: world.config.cooldown_seconds,
    }[phase]
    return world, seconds


def go_to(world: World, *, seconds: int, slots: int) -> None:
    """So many seconds and slots after the phase's start."""
    time, chain_slot = world.run.phase_started
    now = world.moment
    world.pass_time(seconds=time + seconds - now.time, slots=chain_slot + slots - now.chain_slot)


@by_phase
def test_a_phase_ends_when_its_seconds_went_by_on_the_clock_and_in_slots(phase: Phase) -> None:
    world, seconds = timed(phase)
    transitions = world.run.transitions

    go_to(world, seconds=seconds, slots=seconds)
    world.tick()

    assert world.run.transitions > transitions


@by_phase
@pytest.mark.parametrize(("early_clock", "early_slots"), [(1, -100), (-100, 1)])
def test_a_phase_does_not_end_a_second_or_a_slot_before(
    phase: Phase, early_clock: int, early_slots: int
) -> None:
    world, seconds = timed(phase)
    before = world.state()

    go_to(world, seconds=seconds - early_clock, slots=seconds - early_slots)
    with pytest.raises(TooEarly):
        world.tick()

    assert world.state() == before


@by_phase
def test_a_clock_that_jumps_ahead_expires_nothing(phase: Phase) -> None:
    world, _ = timed(phase)
    before = world.state()
    world.pass_time(seconds=1_000_000)

    with pytest.raises(TooEarly):
        world.tick()

    assert world.state() == before


@by_phase
def test_slots_without_time_expire_nothing(phase: Phase) -> None:
    world, seconds = timed(phase)
    world.pass_time(slots=100 * seconds)

    with pytest.raises(TooEarly):
        world.tick()


@by_phase
def test_a_clock_that_goes_back_breaks_nothing(phase: Phase) -> None:
    world, _ = timed(phase)
    before = world.state()
    world.pass_time(seconds=-1_000, slots=1)

    with pytest.raises(TooEarly):
        world.tick()

    assert world.state() == before


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.WAITING_FOR_MEMBERS, Phase.FINISHED])
def test_a_phase_without_a_deadline_waits_for_ever(phase: Phase) -> None:
    world = world_at(phase, total_steps=1)
    for actor in TRIO:
        if world.roster.find(bytes(actor.wallet)) is not None:
            world.leave(actor)
    world.pass_seconds(10_000)

    with pytest.raises(TooEarly):
        world.tick()


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name.lower())
def test_the_views_foretell_what_tick_does(phase: Phase) -> None:
    world = world_at(phase, total_steps=1)
    for seconds in (0, 1, 1, 3, 5, 8, 13):
        world.pass_seconds(seconds)
        due = due_transition(world.run, world.roster, world.rounds, world.moment)
        before = world.state()
        try:
            world.tick()
        except TooEarly:
            assert due is None
        else:
            assert due is not None
            assert world.state() != before


# Waiting and Warmup


def test_the_wait_begins_when_enough_members_are_there() -> None:
    world = world_at(Phase.WAITING_FOR_MEMBERS)
    world.join(BOB)
    world.join(CAROL)
    world.pass_seconds(100)
    world.join(DAVE)
    world.pass_seconds(world.config.waiting_seconds - 1)
    with pytest.raises(TooEarly):
        world.tick()
    world.pass_seconds(1)

    world.tick()

    assert world.run.phase is Phase.WARMUP


def test_the_wait_begins_anew_when_too_few_are_left_meanwhile() -> None:
    world = world_at(Phase.WAITING_FOR_MEMBERS)
    world.join_all()
    world.pass_seconds(world.config.waiting_seconds)
    world.leave(DAVE)
    world.join(DAVE)

    with pytest.raises(TooEarly):
        world.tick()


def test_a_full_run_does_not_wait() -> None:
    world = World(crowd(8))
    world.given_run()
    world.do("resume", ALICE)
    world.join_all()

    world.tick()

    assert world.run.phase is Phase.WARMUP


def test_who_is_not_ready_in_time_is_dropped_and_the_others_start() -> None:
    world = world_at(Phase.WARMUP)
    world.store_entropy()
    world.ready(BOB)
    world.ready(CAROL)
    assert world.run.phase is Phase.WARMUP
    world.pass_seconds(world.config.warmup_seconds)

    world.tick()

    assert world.run.phase is Phase.TRAIN
    assert world.member(DAVE).state is MemberState.DROPPED


def test_who_joined_during_warmup_is_not_waited_for_and_not_dropped() -> None:
    world = world_at(Phase.WARMUP)
    world.join(ERIN)
    world.store_entropy()
    for actor in TRIO:
        world.ready(actor)

    assert world.run.phase is Phase.TRAIN
    assert world.member(ERIN).state is MemberState.JOINED


def test_training_does_not_start_before_the_entropy_is_stored() -> None:
    world = world_at(Phase.WARMUP)
    for actor in TRIO:
        world.ready(actor)
    assert world.run.phase is Phase.WARMUP
    with pytest.raises(TooEarly):
        world.tick()
    world.pass_time(slots=3)

    world.tick()

    assert world.run.phase is Phase.TRAIN


def test_the_third_failed_warmup_in_a_row_pauses_the_run() -> None:
    world = world_at(Phase.WAITING_FOR_MEMBERS)
    phases = []
    for _ in range(3):
        world.to_phase(Phase.WARMUP)
        world.pass_seconds(world.config.warmup_seconds)
        world.tick()
        if world.run.phase is Phase.WARMUP:  # the first tick stored the entropy alone
            world.tick()
        phases.append(world.run.phase)

    assert phases == [Phase.WAITING_FOR_MEMBERS, Phase.WAITING_FOR_MEMBERS, Phase.PAUSED]
    assert world.run.members == 0
    assert world.run.warmup_failures == 0


# Entropy


def test_entropy_is_the_hash_of_two_slots_after_train_closed() -> None:
    world = world_at(Phase.WITNESS)
    noted = world.record().entropy_target_slot
    assert noted == world.moment.chain_slot + 2

    world.pass_time(slots=3)
    world.tick()

    assert world.record().entropy == bytes(slot_hash(noted))


def test_a_skipped_slot_gives_the_hash_of_the_one_before() -> None:
    world = world_at(Phase.WITNESS)
    noted = world.record().entropy_target_slot
    world.pass_time(slots=40)
    present = world.moment.chain_slot
    slots = [one for one in range(present - 1, present - 400, -1) if not noted - 3 < one <= noted]
    world.svm.set_slot_hashes([(one, slot_hash(one)) for one in slots])

    world.tick()

    assert world.record().entropy == bytes(slot_hash(noted - 3))


def test_a_hash_that_has_left_the_sysvar_is_replaced_by_a_later_one() -> None:
    world = world_at(Phase.WITNESS)
    noted = world.record().entropy_target_slot
    world.pass_time(slots=600)

    world.tick()

    assert world.record().entropy is None
    assert world.record().entropy_target_slot == world.moment.chain_slot + 2 > noted
    world.store_entropy()
    assert world.record().entropy == bytes(slot_hash(noted + 600))


def test_the_entropy_of_warmup_may_be_missed_too() -> None:
    world = world_at(Phase.WARMUP)
    world.pass_time(slots=600)

    world.tick()

    assert world.run.entropy is None
    assert world.run.entropy_target_slot == world.moment.chain_slot + 2


def test_the_oldest_hash_of_the_sysvar_still_serves() -> None:
    world = world_at(Phase.WITNESS)
    noted = world.record().entropy_target_slot
    world.pass_time(slots=512 + noted - world.moment.chain_slot)

    world.tick()

    assert world.record().entropy == bytes(slot_hash(noted))
