"""What auditors and committees do in a test of both sides."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from psyche_sdk import instructions as build
from support.actors import Actor
from support.knowing import SIX, Knowing, spoil
from support.model import verdicts
from support.model.audited import Audit, Chair
from support.model.record import Round
from support.model.words import Place, sha

SALT, DETAIL = sha(b"salt"), sha(b"what was measured")
actors = st.sampled_from(SIX)
flags = st.booleans()
numbers = st.integers(0, 25)


class Judging(Knowing):
    """Verdicts: mostly such as fit the run, sometimes any."""

    @rule(actor=actors, fails=flags, wrong=numbers)
    def verdict(self, actor: Actor, fails: bool, wrong: int) -> None:
        record = self.state.record(self.state.round - 1)
        slot = self.slot_of(actor)
        audits: list[Audit] = [] if record is None else record.audits
        target = next((one.target for one in audits if one.slot == slot), None)
        self.say(actor, 1, 0 if target is None else target, fails, wrong)

    def say(self, actor: Actor, age: int, target: int, fails: bool, wrong: int) -> None:
        """An auditor's word about a round so long ago."""
        here = spoil(self.aged(actor, age + (wrong == 5)), wrong)
        args = build.VerdictArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            verdict=self.found(target + (wrong == 10), fails, wrong),
        )
        self.pair.member("verdict", actor, args, verdicts.verdict, self.pair.now)

    @rule(actor=actors, fails=flags, age=st.integers(1, 3), wrong=numbers)
    def seal_verdict(self, actor: Actor, fails: bool, age: int, wrong: int) -> None:
        target = self.judged(actor, age)
        here = spoil(self.aged(actor, age), wrong)
        word = self.found(target, fails, 0)
        args = build.SealVerdictArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            target=target + (wrong == 10),
            sealed=verdicts.sealed(word, SALT, bytes(actor.wallet)),
        )
        self.pair.member("seal_verdict", actor, args, verdicts.seal, self.pair.now)

    @rule(actor=actors, fails=flags, age=st.integers(1, 3), wrong=numbers)
    def open_verdict(self, actor: Actor, fails: bool, age: int, wrong: int) -> None:
        target = self.judged(actor, age)
        here = spoil(self.aged(actor, age), wrong)
        args = build.OpenVerdictArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            verdict=self.found(target + (wrong == 10), fails, wrong),
            salt=bytes(32) if wrong == 13 else SALT,
        )
        self.pair.member("open_verdict", actor, args, verdicts.show, self.pair.now)

    @rule(fails=flags, upheld=flags, odd=st.sampled_from([None, None, *SIX]))
    def judge_all(self, fails: bool, upheld: bool, odd: Actor | None) -> None:
        """Everybody who has something to say about payloads says it; one perhaps differs."""
        if not self.state.config.verification_percent:
            return
        for actor in SIX:
            if self.busy(actor, 1):
                self.verdict(actor, fails, 0)
        self.pair.pass_time(slots=3)
        self.pair.tick()
        for say in (self.seal_verdict, self.open_verdict):
            for age in (3, 2, 1):
                for actor in SIX:
                    if self.sits(actor, age):
                        say(actor, upheld != (actor is odd), age, 0)

    def aged(self, actor: Actor, age: int) -> build.MemberArgs:
        """(epoch, round, slot), the round being so many before the present one."""
        here = self.here(actor, 0)
        return build.MemberArgs(epoch=here.epoch, round=max(here.round - age, 0), slot=here.slot)

    def found(self, target: int, fails: bool, wrong: int) -> build.Verdict:
        """A verdict, with a score that is none or on the wrong side if `wrong` says so."""
        return build.Verdict(
            target=target,
            passes=not fails,
            jaccard_permille=1_001 if wrong == 11 else 100 if fails or wrong == 12 else 990,
            hamming_permille=7,
            manhattan_permille=20,
            alignment_permille=-20 if fails else 980,
            detail=DETAIL,
        )

    def judged(self, actor: Actor, age: int) -> int:
        """Whose payload the actor judges, of a round so long ago; 0 if nobody's."""
        record, chair = self._chair(actor, age)
        target = record.audits[chair.case].target if record and chair else None
        return target or 0

    def sits(self, actor: Actor, age: int) -> bool:
        """Whether it has a seat, and its slot."""
        return self._chair(actor, age)[1] is not None

    def busy(self, actor: Actor, age: int) -> bool:
        """Whether it is an Active auditor of a round so long ago."""
        record, slot = self.state.record(self.state.round - age), self.slot_of(actor)
        if record is None or slot is None:
            return False
        there = self.state.entries[slot].place is Place.ACTIVE
        return there and any(one.slot == slot for one in record.audits)

    def _chair(self, actor: Actor, age: int) -> tuple[Round | None, Chair | None]:
        record, slot = self.state.record(self.state.round - age), self.slot_of(actor)
        if record is None or slot is None:
            return None, None
        mine = [one for one in record.chairs if one.slot == slot]
        return record, (mine[0] if mine else None)
