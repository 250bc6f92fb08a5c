"""What auditors and committees may not say, and when it is too late or too early for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import (
    AuditsNotDrawn,
    NotAVerifier,
    NotYourSlot,
    VerdictClosed,
    VerdictDiffers,
    VerdictMismatch,
    VerdictNotOpen,
    VerdictNotSealed,
    WrongRound,
)
from psyche_sdk.views import CaseStage, SeatStage, VerdictWord
from support.actors import MALLORY, Actor
from support.verifying import Verified, verdict_on


def refused(world: Verified, error: type[ProgramError], name: str, actor: Actor, args: Any) -> None:
    """The instruction is refused with this error, and nothing changes."""
    before = world.state()
    with pytest.raises(error):
        world.do(name, actor, args)
    assert world.state() == before


# Auditors


def test_nobody_gives_a_verdict_before_the_audits_are_drawn() -> None:
    world = Verified(overlap=1)
    world.play_rounds(1)
    slot = next(s for s in range(7) if s not in world.record(1).order.tolist())

    refused(world, AuditsNotDrawn, "verdict", world.actor(slot), world.verdict_args(0, slot, 1))


def test_who_does_not_audit_gives_no_verdict() -> None:
    world = Verified().audited()
    auditors = {one.slot for one in world.record(0).auditors}
    other = next(slot for slot in range(7) if slot not in auditors)
    target = world.auditor().target
    assert target is not None
    args = world.verdict_args(0, other, target)

    refused(world, NotAVerifier, "verdict", world.actor(other), args)
    refused(world, NotYourSlot, "verdict", MALLORY, world.verdict_args(0, other, target))


def test_an_auditor_speaks_about_no_payload_but_its_own() -> None:
    world = Verified().audited()
    auditor = world.auditor()
    for target in (*range(8), 2**16 - 1):
        if target != auditor.target:
            args = world.verdict_args(0, auditor.slot, target)
            refused(world, NotAVerifier, "verdict", world.actor(auditor.slot), args)


@pytest.mark.parametrize("first", [True, False])
def test_a_second_verdict_that_differs_is_refused_and_the_same_changes_nothing(first: bool) -> None:
    world = Verified().audited()
    auditor = world.auditor()
    world.say(passes=first)
    before = world.state()
    world.say(passes=first)
    assert world.state() == before
    assert auditor.target is not None
    args = world.verdict_args(0, auditor.slot, auditor.target, passes=not first)

    refused(world, VerdictDiffers, "verdict", world.actor(auditor.slot), args)
    other = replace(args, verdict=verdict_on(auditor.target, passes=first, alignment_permille=999))
    refused(world, VerdictDiffers, "verdict", world.actor(auditor.slot), other)


def test_an_auditor_that_is_late_by_a_round_is_not_heard() -> None:
    world = Verified().audited()
    auditor = world.auditor()
    assert auditor.target is not None
    world.play_rounds(2)
    args = world.verdict_args(0, auditor.slot, auditor.target)

    refused(world, VerdictClosed, "verdict", world.actor(auditor.slot), args)


def test_a_round_whose_record_is_gone_is_wrong() -> None:
    world = Verified().audited()
    auditor = world.auditor()
    assert auditor.target is not None
    world.play_rounds(4)
    args = world.verdict_args(0, auditor.slot, auditor.target)

    refused(world, WrongRound, "verdict", world.actor(auditor.slot), args)


# Committees


def test_who_has_no_seat_seals_nothing() -> None:
    world = Verified().audited()
    seats = world.flag()
    seated = {seat.slot for seat in seats}
    for slot in range(7):
        if slot not in seated:
            args = replace(world.seal_args(seats[0]), slot=slot)
            refused(world, NotAVerifier, "seal_verdict", world.actor(slot), args)
    elsewhere = replace(world.seal_args(seats[0]), target=7)
    refused(world, NotAVerifier, "seal_verdict", world.actor(seats[0].slot), elsewhere)


def test_a_second_seal_that_differs_is_refused_and_the_same_changes_nothing() -> None:
    world = Verified().audited()
    seat = world.flag()[0]
    world.seal_verdict(seat)
    before = world.state()
    world.seal_verdict(seat)
    assert world.state() == before

    other = world.seal_args(seat, passes=True)
    refused(world, VerdictDiffers, "seal_verdict", world.actor(seat.slot), other)


def test_nobody_seals_in_the_round_in_which_verdicts_are_opened() -> None:
    world = Verified().audited()
    seat = world.flag()[0]
    world.play_rounds(3)

    refused(world, VerdictClosed, "seal_verdict", world.actor(seat.slot), world.seal_args(seat))


def test_nobody_opens_before_all_have_sealed_or_sealing_is_over() -> None:
    world = Verified().audited()
    seats = world.flag()
    for seat in seats[:2]:
        world.seal_verdict(seat)
    for _ in range(2):
        args = world.open_args(seats[0])
        refused(world, VerdictNotOpen, "open_verdict", world.actor(seats[0].slot), args)
        world.play_rounds(2)
    world.play_rounds(3)
    world.open_verdict(seats[0])

    assert world.seats()[0].stage is SeatStage.OPENED


def test_a_seat_that_sealed_nothing_opens_nothing() -> None:
    world = Verified().audited()
    seat = world.flag()[0]
    world.play_rounds(3)

    refused(world, VerdictNotSealed, "open_verdict", world.actor(seat.slot), world.open_args(seat))


def test_only_what_was_sealed_can_be_opened() -> None:
    world = Verified().audited()
    seats = world.flag()
    for seat in seats:
        world.seal_verdict(seat)
    seat, actor = seats[0], world.actor(seats[0].slot)
    args = world.open_args(seat)

    refused(world, VerdictMismatch, "open_verdict", actor, world.open_args(seat, passes=True))
    refused(world, VerdictMismatch, "open_verdict", actor, replace(args, salt=bytes(32)))
    detail = replace(args.verdict, detail=bytes(32))
    refused(world, VerdictMismatch, "open_verdict", actor, replace(args, verdict=detail))
    world.open_verdict(seat)
    before = world.state()
    world.open_verdict(seat)
    assert world.state() == before


def test_a_copied_hash_cannot_be_opened_by_who_copied_it() -> None:
    world = Verified().audited()
    first, second, third = world.flag()
    world.seal_verdict(first)
    copied = replace(world.seal_args(first), slot=second.slot)
    world.do("seal_verdict", world.actor(second.slot), copied)
    world.seal_verdict(third)
    args = replace(world.open_args(first), slot=second.slot)

    refused(world, VerdictMismatch, "open_verdict", world.actor(second.slot), args)


def test_after_the_round_is_final_nothing_is_opened() -> None:
    world = Verified().audited()
    seat = world.flag()[0]
    world.seal_verdict(seat)
    world.play_rounds(4)

    refused(world, WrongRound, "open_verdict", world.actor(seat.slot), world.open_args(seat))


def test_what_was_opened_is_kept_with_its_scores() -> None:
    world = Verified().audited()
    world.judge(passes=1, fails=2)
    first, second, _ = world.seats()

    assert (first.verdict, first.scores) == (VerdictWord.PASS, (990, 0, 0, 985))
    assert (second.verdict, second.scores) == (VerdictWord.FAIL, (100, 900, 800, -20))
    assert world.case().case is CaseStage.DRAWN
