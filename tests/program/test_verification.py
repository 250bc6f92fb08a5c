"""Audits, flags, committees: from the draw to what becomes of a payload and of its trainer."""

from __future__ import annotations

import pytest

from psyche_sdk._generated.types import CaseClosed, Collected, CommitteeDrawn, PayloadRejected
from psyche_sdk.program_errors import Barred, NotAMember, TooEarly
from psyche_sdk.views import (
    CaseStage,
    MemberState,
    Phase,
    VerdictWord,
    accepted,
    decode_participant,
    my_audit,
    my_seats,
)
from support.bonds import check_books
from support.program_checkpoints import confirm_all, publish_all
from support.program_rounds import share
from support.verifying import Verified

ROUNDS = 40


def points(world: Verified) -> dict[int, int]:
    """Points by slot, also of who is gone."""
    return {slot: world.roster.member(slot).points for slot in range(len(world.members))}


@pytest.mark.parametrize("overlap", [0, 1])
def test_verifiers_of_a_round_audit_other_trainers_of_the_round_before(overlap: int) -> None:
    world = Verified(overlap=overlap).audited(1)
    record, present = world.record(1), world.record()

    auditors = [one.slot for one in record.auditors]
    assert len(auditors) in {2, 3}
    assert sorted([*auditors, *present.order.tolist()]) == list(range(7))
    targets = [one.target for one in record.auditors if one.target is not None]
    assert len(set(targets)) == len(targets) == len(auditors)
    assert set(targets) <= set(record.order.tolist())
    assert all(one.slot != one.target for one in record.auditors)
    assert all(one.verdict is VerdictWord.NONE for one in record.auditors)


def test_in_the_first_round_everybody_trains() -> None:
    assert len(Verified().record().order) == 7


def test_a_run_that_verifies_nothing_draws_no_auditors() -> None:
    world = Verified(verification_percent=0)
    world.play_rounds(2)
    world.tick_all()

    assert len(world.record().order) == 7
    assert not world.record(1).targets_drawn


def test_the_view_tells_a_member_what_it_has_to_audit_and_to_judge() -> None:
    world = Verified().audited()
    auditor = world.auditor()
    member = world.member(world.actor(auditor.slot))
    assert my_audit(world.record(0), member) == auditor
    assert my_audit(world.record(0), None) is None
    seats = world.flag()

    assert all(my_seats(world.record(0), world.member(world.actor(s.slot))) == [s] for s in seats)
    assert my_seats(world.record(0), member) == []


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_payload_that_passes_earns_its_auditor_points(overlap: int) -> None:
    world = Verified(overlap=overlap, points_per_sequence=0).audited()
    auditor = world.auditor()
    world.say(passes=True)
    world.play_rounds(4)

    assert points(world) == {slot: 5 * (slot == auditor.slot) for slot in range(7)}
    assert world.told(CaseClosed) == []


def test_a_committee_has_neither_the_trainer_nor_who_flagged_it() -> None:
    for seed in range(5):
        world = Verified(epoch_rounds=50 + seed).audited(seed)
        seats = world.flag(seed)

        assert len({seat.slot for seat in seats}) == 3
        assert not {seat.slot for seat in seats} & {world.case(seed).slot, world.case(seed).target}


def test_a_committee_waits_for_a_hash_that_nobody_knew_when_the_flag_was_sent() -> None:
    world = Verified().audited()
    world.say(passes=False)
    noted = world.moment.chain_slot + 2
    assert world.case().committee_slot == noted
    world.pass_time(slots=2)
    with pytest.raises(TooEarly):
        world.tick()
    world.pass_time(slots=1)
    world.tick()

    assert [one.chain_slot for one in world.told(CommitteeDrawn)] == [noted]
    assert world.case().case is CaseStage.DRAWN


def test_a_committees_hash_that_was_lost_is_noted_anew() -> None:
    world = Verified(train_seconds=2_000).audited()
    world.say(passes=False)
    world.pass_time(slots=600)
    world.tick()
    assert world.case().committee_slot == world.moment.chain_slot + 2
    world.tick_all()

    assert world.case().case is CaseStage.DRAWN


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_committee_that_rejects_takes_the_points_of_the_round(overlap: int) -> None:
    world = Verified(overlap=overlap).audited()
    world.judge(passes=0, fails=3)
    slot, auditor = world.case().target, world.case().slot
    right = {auditor, *(one.slot for one in world.seats())}
    shares = {one: share(world, world.actor(one), 0) * 10 for one in range(7)}
    world.play_rounds(4)

    expected = {one: shares[one] * (one != slot) + 5 * (one in right) for one in range(7)}
    assert points(world) == expected
    trainer = world.roster.member(slot or 0)
    assert (trainer.points_slashed, trainer.strikes) == (50, 1)
    assert trainer.state is MemberState.ACTIVE
    (closed,) = world.told(CaseClosed)
    assert (closed.stage_after, closed.passes, closed.fails) == (CaseStage.REJECTED, 0, 3)
    (told,) = world.told(PayloadRejected)
    assert (told.slot, told.round, told.state_after) == (slot, 0, MemberState.ACTIVE)


def test_a_committee_that_is_quicker_than_its_round_keeps_the_payload_out() -> None:
    world = Verified(overlap=1).audited()
    assert not world.record(0).settled
    seats = world.flag()
    slot = world.case().target or 0
    for seat in seats:
        world.seal_verdict(seat)
    world.open_verdict(seats[0])
    assert not any(world.record(0).rejected), "one voice of three is no quorum"
    world.open_verdict(seats[1])
    world.play_rounds(2)

    record = world.record(0)
    assert record.settled
    assert record.masks[slot] == record.attested > 0, "all witnesses hold it"
    assert accepted(record) == [one for one in range(7) if one != slot]
    lost = share(world, world.actor(slot), 0)
    assert record.sequences - record.sequences_accepted == lost > 0
    trainer = world.roster.member(slot)
    assert (trainer.misses, trainer.strikes) == (0, 0), "what it costs comes with the decision"
    world.play_rounds(4)
    assert world.roster.member(slot).strikes == 1


def test_what_has_settled_stays_accepted_whatever_a_committee_says() -> None:
    world = Verified().audited()
    world.judge(passes=0, fails=3)
    before = accepted(world.record(0))
    world.play_rounds(2)

    assert accepted(world.record(0)) == before == list(range(7))


def test_a_committee_that_acquits_earns_points_and_who_flagged_does_not() -> None:
    world = Verified(points_per_sequence=0).audited()
    world.judge(passes=2, fails=1)
    seats, slot = world.seats(), world.case().target
    assert [one.verdict for one in seats] == [VerdictWord.PASS] * 2 + [VerdictWord.FAIL]
    world.play_rounds(4)

    right = {one.slot for one in seats[:2]}
    assert points(world) == {one: 5 * (one in right) for one in range(7)}
    trainer = world.roster.member(slot or 0)
    assert (trainer.points_slashed, trainer.strikes) == (0, 0)
    assert [one.stage_after for one in world.told(CaseClosed)] == [CaseStage.CLEARED]


def test_without_two_thirds_nobody_is_blamed_and_nobody_earns() -> None:
    world = Verified(points_per_sequence=0).audited()
    world.judge(passes=0, fails=1)
    world.play_rounds(4)

    assert not any(points(world).values())
    assert [one.stage_after for one in world.told(CaseClosed)] == [CaseStage.UNDECIDED]
    assert world.told(PayloadRejected) == []


def test_a_flag_lapses_where_no_three_others_could_judge() -> None:
    world = Verified(4, points_per_sequence=0).audited()
    world.say(passes=False)
    world.tick_all()
    assert world.case().case is CaseStage.LAPSED
    world.play_rounds(4)

    assert [one.seats for one in world.told(CommitteeDrawn)] == [()]
    assert not any(points(world).values())
    assert world.told(PayloadRejected) == []


def test_a_flag_lapses_when_the_rounds_seats_are_taken() -> None:
    world = Verified(40, capacity=40, committee_size=30).audited()
    auditors = [one for one in world.record(0).auditors if one.target is not None]
    for one in auditors[:3]:
        world.say(passes=False, auditor=one)
    world.tick_all()

    cases = [one.case for one in world.record(0).auditors[:3]]
    assert sorted(cases) == [CaseStage.DRAWN, CaseStage.DRAWN, CaseStage.LAPSED]
    assert len(world.record(0).seats) == 60


def second_strike(*, leaves: bool, **changes: int) -> tuple[Verified, int]:
    """A run in which a trainer's payloads were rejected twice, and the trainer's slot."""
    world = Verified(epoch_rounds=100, total_steps=400, **changes).audited()
    world.judge(passes=0, fails=3)
    victim = world.case().target
    assert victim is not None
    for number in range(1, ROUNDS):
        world.audited(number)
        found = [one for one in world.record(number).auditors if one.target == victim]
        if not found:
            continue
        world.say(passes=False, round_=number, auditor=found[0])
        world.tick_all()
        for seat in world.seats(number):
            world.seal_verdict(seat, round_=number)
        for seat in world.seats(number):
            world.open_verdict(seat, round_=number)
        if leaves:
            world.leave(world.actor(victim))
        world.play_rounds(number + 4)
        return world, victim
    raise AssertionError("the victim was never audited again")


def test_a_wallet_that_was_ejected_forfeits_its_bond_and_is_barred() -> None:
    world, victim = second_strike(leaves=False, bond_lamports=2_000_000)
    actor = world.actor(victim)
    with pytest.raises(Barred):
        world.join(actor, slot=7)

    (first,) = world.collect(victim, actor).events
    world.play_rounds(world.run.round + 4)
    (then,) = world.collect(victim, actor).events

    assert isinstance(first, Collected)
    assert isinstance(then, Collected)
    assert (first.strikes, first.points_slashed, first.bond_to) == (2, 100, 0)
    assert (then.strikes, then.bond_to, then.freed) == (0, 3, 1)
    held = decode_participant(world.data(world.participant_key(actor)))
    assert (held.barred, held.strikes, held.points_slashed) == (True, 2, 100)
    assert world.run.forfeited_lamports == 2_000_000
    check_books(world)
    with pytest.raises(Barred):
        world.join(actor, slot=7)


@pytest.mark.parametrize("leaves", [False, True])
def test_the_second_rejected_payload_ejects_also_who_has_left(leaves: bool) -> None:
    world, victim = second_strike(leaves=leaves)

    trainer = world.roster.member(victim)
    assert trainer.state is MemberState.EJECTED
    assert (trainer.strikes, trainer.points_slashed) == (2, 100)
    before = MemberState.LEFT if leaves else MemberState.ACTIVE
    assert world.told(PayloadRejected)[-1].state_before == before
    actor = next(one for one in world.members if bytes(one.wallet) == trainer.wallet)
    with pytest.raises(Barred):
        world.join(actor, slot=7)


def test_who_is_ejected_has_no_role_any_more() -> None:
    world, victim = second_strike(leaves=False)
    trainer = world.roster.member(victim)
    actor = next(one for one in world.members if bytes(one.wallet) == trainer.wallet)
    world.play_rounds(world.run.round + 1)

    assert victim not in world.record().order
    with pytest.raises(NotAMember):
        world.do("leave", actor, world.here_at(victim))


# The end of an epoch


def in_cooldown(overlap: int = 0) -> Verified:
    """Cooldown, its digest agreed and its checkpoint confirmed, while the last round is audited."""
    world = Verified(overlap=overlap, epoch_rounds=2, cooldown_seconds=40)
    world.to_phase(Phase.COOLDOWN)
    world.vote_all(b"\x01" * 32)
    world.store_entropy()
    publish_all(world)
    confirm_all(world)
    world.tick_all()
    return world


def test_cooldown_waits_for_the_audits_of_the_last_round() -> None:
    world = in_cooldown()
    record = world.record(1)
    assert record.targets_drawn
    assert world.run.phase is Phase.COOLDOWN
    for one in record.auditors:
        if one.target is not None:
            world.say(passes=True, round_=1, auditor=one)
    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS


def test_cooldown_waits_a_quarter_of_its_time_for_auditors_that_say_nothing() -> None:
    world = in_cooldown()
    world.pass_seconds(9)
    with pytest.raises(TooEarly):
        world.tick()
    world.pass_seconds(1)
    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS


def test_a_flag_in_cooldown_is_judged_before_it_ends() -> None:
    world = in_cooldown()
    world.judge(passes=0, fails=3, round_=1)
    slot = world.case(1).target
    world.pass_seconds(10)
    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS
    assert world.roster.member(slot or 0).strikes == 1


def test_seats_that_only_sealed_can_open_in_the_second_half_of_cooldown() -> None:
    world = in_cooldown()
    seats = world.flag(1)
    for seat in seats[:2]:
        world.seal_verdict(seat, round_=1)
    world.pass_seconds(20)
    with pytest.raises(TooEarly):
        world.tick()
    for seat in seats[:2]:
        world.open_verdict(seat, round_=1)
    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS
    assert [one.stage_after for one in world.told(CaseClosed)] == [CaseStage.REJECTED]


def test_the_time_of_cooldown_ends_it_whatever_is_awaited() -> None:
    world = in_cooldown()
    seats = world.flag(1)
    world.seal_verdict(seats[0], round_=1)
    world.pass_seconds(40)
    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS


def test_a_drain_round_audits_the_last_training_round() -> None:
    world = Verified(overlap=1, epoch_rounds=2)
    world.play_rounds(2)
    world.tick_all()

    assert world.record(2).is_drain
    assert world.record(1).targets_drawn
    assert len(world.record(1).auditors) in {2, 3}
