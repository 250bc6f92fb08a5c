"""A run on both sides, the program and the model, and everything that anybody may do to it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from psyche_sdk import instructions as build
from support.actors import Actor
from support.attesting import LIES, Attesting
from support.knowing import KINDS, SIX, flags, seldom, words
from support.missing_rules import Missing
from support.model import acts, checkpoint_acts
from support.model.words import Phase, Place, sha
from support.owning import Owning
from support.paying import Paying
from support.side_by_side import Pair

actors = st.sampled_from(SIX)


class Sides(Attesting, Missing, Owning, Paying):
    """What members do, and what brings a run on; the other parts are inherited.

    Attributes:
        met: what happened in all runs so far.
    """

    met: ClassVar[Counter[str]] = Counter()

    @initialize(
        batch=st.sampled_from([(1, 1, 0), (3, 3, 0), (4, 24, 7), (30, 30, 0)]),
        members=st.integers(1, 6),
        ahead=st.sampled_from([0, 4, 8]),
        chosen=st.fixed_dictionaries(KINDS),
    )
    def begin(
        self, batch: tuple[int, int, int], members: int, ahead: int, chosen: dict[str, int]
    ) -> None:
        first, last, ramp = batch
        self.pair = Pair(
            SIX,
            batch_sequences_start=first,
            batch_sequences_end=last,
            batch_ramp_steps=ramp,
            ready_seconds=40,
            **chosen,
        )
        self.known = set()
        self.owner_does("resume")
        for index, actor in enumerate(SIX[:members]):
            self.join(actor, index, 100, False)
        for _ in range(ahead):
            self.go_on(True, None, None, None)

    # Time

    @rule(seconds=st.sampled_from([0, 0, 1, 5]), slots=st.sampled_from([0, 1, 2, 3, 12]))
    def wait(self, seconds: int, slots: int) -> None:
        self.pair.pass_time(seconds=seconds, slots=slots)

    @rule(seconds=st.sampled_from([4, 8, 10, 12, 20, 40, 220]), whole=flags)
    def wait_long(self, seconds: int, whole: bool) -> None:
        """As on a healthy chain, or as on a slow one."""
        self.pair.pass_time(seconds=seconds, slots=seconds * 5 // 2 if whole else seconds)

    @rule(
        seconds=st.sampled_from([-30, -5, -1, 0, 100]),
        slots=st.sampled_from([0, 3, 30, 511, 600]),
        skipped=st.sampled_from([0, 1, 2, 5, 600]),
    )
    def odd_time(self, seconds: int, slots: int, skipped: int) -> None:
        """The clock jumps, blocks are missing, hashes leave the sysvar."""
        self.pair.pass_time(seconds=seconds, slots=slots, skipped=skipped)

    # Members

    @rule(
        actor=actors,
        slot=st.integers(0, 7),
        weight=st.sampled_from([1, 7, 100, 1_000]),
        wrong=seldom,
    )
    def join(self, actor: Actor, slot: int, weight: int, wrong: bool) -> None:
        args = build.JoinArgs(
            slot=slot,
            weight=1_001 if wrong else weight,
            node_key=actor.node_key,
            address="",
            bond_lamports_max=1_000_000 if weight == 7 else 2**64 - 1,
        )
        given = (bytes(actor.wallet), args, self.pair.now)
        if self.pair.act("join", actor, args, acts.join, *given):
            self.known.add(actor)

    @rule(actor=actors, weight=st.integers(0, 1_001))
    def set_weight(self, actor: Actor, weight: int) -> None:
        args = build.SetWeightArgs(slot=self.slot_of(actor) or 0, weight=weight)
        self.pair.member("set_weight", actor, args, acts.set_weight, self.pair.now)

    @rule(actor=actors, key=st.sampled_from([bytes(32), sha(b"key")]))
    def set_endpoint(self, actor: Actor, key: bytes) -> None:
        if actor not in self.known:
            return
        args = build.SetEndpointArgs(slot=self.slot_of(actor) or 0, node_key=key, address="x")
        self.pair.member("set_endpoint", actor, args, acts.set_endpoint, self.pair.now)

    @rule(actor=actors, wrong=st.integers(0, 40), which=st.integers(0, 9), transition=flags)
    def ready(self, actor: Actor, wrong: int, which: int, transition: bool) -> None:
        state, here = self.state, self.here(actor, wrong)
        known = [*state.snapshots, state.agreed]
        named = known[which] if which < len(known) else state.agreed
        kept = list(state.records.values())
        chain_hash = kept[which].before if which < len(kept) else state.chain_hash
        args = build.ReadyArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            digest_epoch=named.epoch,
            digest_round=named.round + (wrong == 10),
            digest=sha(b"another") if wrong == 11 else named.digest,
            chain_hash=sha(b"another") if wrong == 12 else chain_hash,
        )
        self.pair.member("ready", actor, args, acts.ready, transition=transition)

    @rule(actor=actors, leave=flags, wrong=st.integers(0, 20), transition=flags)
    def step_aside(self, actor: Actor, leave: bool, wrong: int, transition: bool) -> None:
        name, place = ("leave", Place.LEFT) if leave else ("behind", Place.BEHIND)
        args = self.here(actor, wrong)
        self.pair.member(name, actor, args, acts.aside, place, transition=transition)

    # Rounds

    @rule(actor=actors, wrong=st.integers(0, 30), transition=flags)
    def commit(self, actor: Actor, wrong: int, transition: bool) -> None:
        here = self.here(actor, wrong)
        mark = bytes([here.slot % 256, here.round % 256, here.epoch % 256, wrong == 10])
        args = build.CommitArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            commitment=bytes(32) if wrong == 11 else sha(b"payload", mark),
            bytes={12: 0, 13: (1 << 20) + 1}.get(wrong, 1_000 + wrong),
            loss_micronats=2_500_000 + here.slot,
            tokens=160 + here.slot,
            train_milliseconds=900,
        )
        self.pair.member("commit", actor, args, acts.commit, transition=transition)

    # Votes

    @rule(actor=actors, word=words, wrong=st.integers(0, 20))
    def seal(self, actor: Actor, word: bytes, wrong: int) -> None:
        epoch, number = self.vote_key(wrong)
        sealed = sha(word, bytes(actor.wallet))
        slot = self.here(actor, wrong % 3).slot
        args = build.AttestStateArgs(epoch=epoch, round=number, slot=slot, vote=sealed)
        self.pair.member("attest_state", actor, args, acts.attest_state, self.pair.now)

    @rule(actor=actors, word=words, wrong=st.integers(0, 20))
    def reveal(self, actor: Actor, word: bytes, wrong: int) -> None:
        epoch, number = self.vote_key(wrong)
        slot = self.here(actor, wrong % 3).slot
        args = build.RevealStateArgs(epoch=epoch, round=number, slot=slot, digest=word)
        given = (self.pair.hashes, self.pair.now)
        self.pair.member("reveal_state", actor, args, acts.reveal_state, *given)

    @rule(odd=st.sampled_from([None, *SIX]), word=words)
    def vote(self, odd: Actor | None, word: bytes) -> None:
        """Everybody says its word at once; one perhaps another one."""
        number = 0 if self.state.vote is None else len(self.state.vote.ballots)
        for say in (self.seal, self.reveal):
            for actor in SIX if number else ():
                say(actor, sha(b"odd") if actor is odd else word, 0)

    # Checkpoints

    @rule(actor=actors, wrong=st.integers(0, 20))
    def publish(self, actor: Actor, wrong: int) -> None:
        uri = {10: "", 11: "a" * 97, 12: "a b", 13: "é", 14: "x" * 96}.get(
            wrong, f"file:///{SIX.index(actor)}"
        )
        args = build.PublishCheckpointArgs(uri=uri, **self.checkpoint_key(actor, wrong))
        self.pair.member("publish_checkpoint", actor, args, checkpoint_acts.publish, self.pair.now)

    @rule(actor=actors, place=st.sampled_from([0, 0, 0, 1, 2, 255]), wrong=st.integers(0, 20))
    def confirm(self, actor: Actor, place: int, wrong: int) -> None:
        args = build.ConfirmCheckpointArgs(place=place, **self.checkpoint_key(actor, wrong))
        self.pair.member("confirm_checkpoint", actor, args, checkpoint_acts.confirm, self.pair.now)

    @rule()
    def tick(self) -> None:
        self.pair.tick()

    # What brings runs on

    def gather(self) -> None:
        """Slots are cleared, and four members join."""
        for slot in range(4):
            self.collect(slot, False, SIX[slot], 9)
        for index, actor in enumerate(SIX[:4]):
            self.join(actor, index, 100, False)
        self.pair.pass_time(seconds=5, slots=12)

    def witness(self, transition: bool, but: Actor | None, lie: str | None) -> None:
        """Entropy comes, and witnesses attest."""
        self.pair.pass_time(slots=3)
        self.pair.tick()
        if but is not None and lie is not None:
            self.attest(but, 255, lie, 0, transition)
        self.everybody(Place.ACTIVE, lambda a: self.attest(a, 255, "held", 0, transition), but)

    def cool_down(self, but: Actor | None) -> None:
        """A digest is agreed on, and its parameters are published."""
        self.everybody(Place.ACTIVE, lambda a: self.seal(a, sha(b"yes"), 0), but)
        if but is not None:
            self.pair.pass_time(seconds=6, slots=6)
        self.everybody(Place.ACTIVE, lambda a: self.reveal(a, sha(b"yes"), 0), but)
        self.pair.pass_time(slots=3)
        self.pair.tick()
        self.everybody(Place.ACTIVE, lambda a: self.publish(a, 0), but)
        self.everybody(Place.ACTIVE, lambda a: self.confirm(a, 0, 0), but)

    @rule(
        transition=flags,
        but=st.sampled_from([None, None, *SIX]),
        lie=st.sampled_from([None, *LIES]),
        upheld=st.sampled_from([None, True, True, False]),
    )
    def go_on(
        self, transition: bool, but: Actor | None, lie: str | None, upheld: bool | None
    ) -> None:
        """What most members do most of the time; one is silent, or lies where it witnesses.

        Auditors flag what they audit, and committees uphold it or do not; with None nobody judges.
        """
        if upheld is not None and self.state.phase in (Phase.TRAIN, Phase.COOLDOWN):
            self.judge_all(True, upheld, but)
        match self.state.phase:
            case Phase.PAUSED:
                self.owner_does("resume")
            case Phase.WAITING:
                self.gather()
            case Phase.WARMUP:
                self.pair.pass_time(slots=3)
                self.everybody(Place.JOINED, lambda a: self.ready(a, 0, 9, transition), but)
            case Phase.TRAIN:
                self.everybody(Place.ACTIVE, lambda a: self.commit(a, 0, transition), but)
                if but is not None:
                    self.pair.pass_time(seconds=20, slots=50)
            case Phase.WITNESS:
                self.witness(transition, but, lie)
            case Phase.COOLDOWN:
                self.cool_down(but)
            case _:
                pass
        self.pair.tick()

    go_on_again = go_on
    go_on_still = go_on
    go_on_and_on = go_on

    # The end

    def teardown(self) -> None:
        """Everybody goes, all is collected, and the run can be closed."""
        if sys.exc_info()[0] is None:  # else the first difference is what matters
            self.wind_up()
            self.met.update(self.pair.met + self.state.met)

    def wind_up(self) -> None:
        """From wherever the run stands."""
        state, pair = self.state, self.pair
        for actor in SIX:
            slot = self.slot_of(actor)
            if slot is not None and state.entries[slot].is_member:
                self.step_aside(actor, True, 0, False)
        pair.pass_time(seconds=10_000, slots=10_000)
        if self.state.phase in (Phase.WAITING, Phase.WARMUP):
            self.owner_does("pause")
        elif self.state.phase not in (Phase.PAUSED, Phase.FINISHED):
            self.owner_does("abort")
        for slot, entry in enumerate(self.state.entries):
            if entry.member_id:
                self.collect(slot, False, SIX[0], 9)
        for actor in SIX:
            self.close_participant(actor, 9)
        pair.close(self.owner)
