"""Who misses payloads in a test of both sides."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from psyche_sdk import instructions as build
from support.actors import Actor
from support.judging import Judging
from support.knowing import SIX, spoil
from support.model import missing
from support.model.words import Place

actors = st.sampled_from(SIX)
ages = st.sampled_from([1, 1, 1, 0, 2, 3, 4])


class Missing(Judging):
    """Complaints: mostly about what was accepted, sometimes about anything."""

    @rule(actor=actors, age=ages, which=st.integers(0, 8), wrong=st.integers(0, 25))
    def miss(self, actor: Actor, age: int, which: int, wrong: int) -> None:
        here = spoil(self.aged(actor, age), wrong)
        args = build.MissingArgs(
            epoch=here.epoch, round=here.round, slot=here.slot, target=self.named(here, which)
        )
        self.pair.member("missing", actor, args, missing.missing, self.pair.now)

    @rule(age=ages, which=st.integers(0, 5), but=st.sampled_from([None, None, *SIX]))
    def all_miss(self, age: int, which: int, but: Actor | None) -> None:
        """Every Active member misses the same payload; one perhaps does not."""
        for actor in SIX:
            slot = self.slot_of(actor)
            there = slot is not None and self.state.entries[slot].place is Place.ACTIVE
            if there and actor is not but:
                self.miss(actor, age, which, 25)

    def named(self, here: build.MemberArgs, number: int) -> int:
        """The accepted slot of that number; where there is none, the slot of that number."""
        record = self.state.record(here.round)
        accepted = sorted(record.accepted) if record is not None else []
        return accepted[number] if number < len(accepted) else number
