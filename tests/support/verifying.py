"""Runs in which payloads are audited, and what auditors and committees say there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from psyche_sdk import instructions as build
from psyche_sdk._generated.events import Event
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import (
    Auditor,
    CaseStage,
    Phase,
    Seat,
    committee_of,
    due_transition,
    sealed_verdict,
)
from support.actors import BOB, ERIN, OLIVIA, TRIO, Actor, crowd
from support.program import World, sha
from support.program_chain import Sent

E = TypeVar("E")
#: Scores of a payload that passes, and of one that does not.
GOOD = {"jaccard_permille": 990, "hamming_permille": 0, "manhattan_permille": 0}
BAD = {"jaccard_permille": 100, "hamming_permille": 900, "manhattan_permille": 800}
SETTINGS: dict[str, Any] = {
    "verification_percent": 40,
    "committee_size": 3,
    "jaccard_min_permille": 900,
    "manhattan_max_permille": 300,
    "slash_points": 50,
    "points_per_sequence": 10,
    "points_per_verdict": 5,
}


class Verified(World):
    """A run whose verifiers speak when they are told to."""

    def __init__(
        self, count: int = 7, *, members: Sequence[Actor] = (), later: int = 0, **changes: Any
    ) -> None:
        """So many members, or these; `later` lets other hashes decide."""
        super().__init__(members or crowd(count))
        self.events: list[Event] = []
        everybody = {"init_min_members": len(self.members), "misses_max": 9}
        self.given_run(**(SETTINGS | everybody | changes))
        self.pass_time(slots=later)
        self.to_phase(Phase.TRAIN)

    def send(self, *args: Any, **more: Any) -> Sent:
        """As ever; what observers were told is kept."""
        sent = super().send(*args, **more)
        self.events.extend(sent.events)
        return sent

    def tick(self) -> Sent:
        """As ever; the view says the same of what is due."""
        due = due_transition(self.run, self.roster, self.rounds, self.moment)
        try:
            sent = super().tick()
        except TooEarly:
            assert due is None
            raise
        assert due is not None
        return sent

    def told(self, kind: type[E]) -> list[E]:
        """What observers were told of a kind."""
        return [one for one in self.events if isinstance(one, kind)]

    # Rounds

    def play_rounds(self, number: int) -> None:
        """Rounds in which everybody trains and attests, until this one trains."""
        while self.run.round < number:
            self.finish_round()

    def audited(self, round_: int = 0) -> Verified:
        """The run in Train of the round after, with the audits of `round_` drawn."""
        self.play_rounds(round_ + 1)
        self.tick_all()
        assert self.record(round_).targets_drawn
        return self

    def tick_all(self) -> None:
        """Some slots go by, and all that is due is made."""
        self.pass_time(slots=3)
        try:
            while True:
                self.tick()
        except TooEarly:
            return

    # Who

    def auditor(self, round_: int = 0) -> Auditor:
        """The first auditor that has something to audit."""
        return next(one for one in self.record(round_).auditors if one.target is not None)

    def actor(self, slot: int) -> Actor:
        """Who holds a slot."""
        return self.actors([slot])[0]

    def seats(self, round_: int = 0) -> tuple[Seat, ...]:
        """The committee of the first case."""
        record = self.record(round_)
        case = next(one for one in record.auditors if one.case is not CaseStage.NONE)
        return committee_of(record, case)

    def case(self, round_: int = 0) -> Auditor:
        """The first auditor that flagged."""
        auditors = self.record(round_).auditors
        return next(one for one in auditors if one.case is not CaseStage.NONE)

    # What they say

    def verdict_args(
        self, round_: int, slot: int, target: int, *, passes: bool = True, **changes: Any
    ) -> build.VerdictArgs:
        """What `verdict` is given."""
        found = verdict_on(target, passes=passes)
        args = build.VerdictArgs(epoch=self.run.epoch, round=round_, slot=slot, verdict=found)
        return replace(args, **changes)

    def say(self, *, passes: bool, round_: int = 0, auditor: Auditor | None = None) -> Sent:
        """An auditor, by default the first one, gives its verdict."""
        one = auditor or self.auditor(round_)
        assert one.target is not None
        args = self.verdict_args(round_, one.slot, one.target, passes=passes)
        return self.do("verdict", self.actor(one.slot), args)

    def seal_args(
        self, seat: Seat, *, passes: bool = False, round_: int = 0
    ) -> build.SealVerdictArgs:
        """What `seal_verdict` is given."""
        wallet = bytes(self.actor(seat.slot).wallet)
        found = verdict_on(seat.target, passes=passes)
        return build.SealVerdictArgs(
            epoch=self.run.epoch,
            round=round_,
            slot=seat.slot,
            target=seat.target,
            sealed=sealed_verdict(found, salt_of(seat), wallet),
        )

    def open_args(
        self, seat: Seat, *, passes: bool = False, round_: int = 0
    ) -> build.OpenVerdictArgs:
        """What `open_verdict` is given."""
        found = verdict_on(seat.target, passes=passes)
        return build.OpenVerdictArgs(
            epoch=self.run.epoch, round=round_, slot=seat.slot, verdict=found, salt=salt_of(seat)
        )

    def seal_verdict(self, seat: Seat, *, passes: bool = False, round_: int = 0) -> Sent:
        """A seat seals its word."""
        args = self.seal_args(seat, passes=passes, round_=round_)
        return self.do("seal_verdict", self.actor(seat.slot), args)

    def open_verdict(self, seat: Seat, *, passes: bool = False, round_: int = 0) -> Sent:
        """A seat opens its word."""
        args = self.open_args(seat, passes=passes, round_=round_)
        return self.do("open_verdict", self.actor(seat.slot), args)

    def here_at(self, slot: int) -> build.MemberArgs:
        """(epoch, round, slot) for who is no member any more."""
        return build.MemberArgs(epoch=self.run.epoch, round=self.run.round, slot=slot)

    def flag(self, round_: int = 0) -> tuple[Seat, ...]:
        """The first auditor flags, and the committee is drawn."""
        self.say(passes=False, round_=round_)
        self.tick_all()
        return self.seats(round_)

    def judge(self, passes: int, fails: int, *, round_: int = 0) -> None:
        """After a flag so many of the committee say so, and open it at once."""
        seats = self.flag(round_)
        words = [True] * passes + [False] * fails
        said = list(zip(seats, words, strict=False))
        for seat, word in said:
            self.seal_verdict(seat, passes=word, round_=round_)
        if len(said) < len(seats):
            self.play_rounds(round_ + 3)
        for seat, word in said:
            self.open_verdict(seat, passes=word, round_=round_)


def verdict_on(target: int, *, passes: bool, **changes: Any) -> build.Verdict:
    """A verdict on a trainer's payload."""
    scores = GOOD if passes else BAD
    alignment = 985 if passes else -20
    detail = sha(b"what was measured")
    found = build.Verdict(
        target=target, passes=passes, alignment_permille=alignment, detail=detail, **scores
    )
    return replace(found, **changes)


def salt_of(seat: Seat) -> bytes:
    """A seat's invented salt."""
    return _salt(seat.slot)


def _salt(slot: int) -> bytes:
    return sha(b"salt", bytes([slot]))


# Worlds in which it is bob's turn

FIVE = (*TRIO, ERIN, OLIVIA)
LATER_MAX = 100


def auditing() -> Verified:
    """Bob may give a verdict on a payload of round 0."""
    return _found(_audits)


def judging() -> Verified:
    """Bob has a seat in the committee of a case about round 0."""
    world = _found(_judges)
    world.flag()
    return world


def opening() -> Verified:
    """The same, and every seat has sealed that the payload fails."""
    world = judging()
    for seat in world.seats():
        world.seal_verdict(seat)
    return world


def _audits(world: Verified) -> bool:
    slot = world.member(BOB).slot
    return any(one.slot == slot and one.target is not None for one in world.record(0).auditors)


def _judges(world: Verified) -> bool:
    first = world.auditor()
    return world.member(BOB).slot not in {first.slot, first.target}


def _found(fits: Callable[[Verified], bool]) -> Verified:
    return Verified(members=FIVE, later=_later(fits)).audited()


@cache
def _later(fits: Callable[[Verified], bool]) -> int:
    """How many chain slots later a run has to begin so that it fits."""
    every = range(LATER_MAX)
    return next(n for n in every if fits(Verified(members=FIVE, later=n).audited()))


def bobs_verdict(world: World) -> build.VerdictArgs:
    """What bob says of the payload that it audits, as the run stands."""
    run, slot = world.run, world.member(BOB).slot
    round_ = max(run.round - 1, 0)
    target = next((one.target for one in _auditors(world, round_) if one.slot == slot), None)
    found = verdict_on(target or 0, passes=True)
    return build.VerdictArgs(epoch=run.epoch, round=round_, slot=slot, verdict=found)


def bobs_seal(world: World) -> build.SealVerdictArgs:
    """What bob seals about the first case."""
    run, slot = world.run, world.member(BOB).slot
    found = verdict_on(_target(world), passes=False)
    return build.SealVerdictArgs(
        epoch=run.epoch,
        round=max(run.round - 1, 0),
        slot=slot,
        target=found.target,
        sealed=sealed_verdict(found, _salt(slot), bytes(BOB.wallet)),
    )


def bobs_opening(world: World) -> build.OpenVerdictArgs:
    """The same, opened."""
    args = bobs_seal(world)
    found = verdict_on(_target(world), passes=False)
    return build.OpenVerdictArgs(
        epoch=args.epoch, round=args.round, slot=args.slot, verdict=found, salt=_salt(args.slot)
    )


def _auditors(world: World, round_: int) -> tuple[Auditor, ...]:
    found = (one for one in world.rounds if one.key == (world.run.epoch, round_))
    return next((one.auditors for one in found), ())


def _target(world: World) -> int:
    auditors = _auditors(world, max(world.run.round - 1, 0))
    flags = (one.target for one in auditors if one.case is not CaseStage.NONE)
    return next(flags, None) or 0
