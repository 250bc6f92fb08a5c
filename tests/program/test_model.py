"""The model of the protocol runs beside the program, and they never differ.

The model (tests/support/model) is written from docs/PROTOCOL.md alone. After every instruction the
accounts say what the model says, and an instruction fails on chain for a reason that the model has.

By hand, with fresh seeds and longer:

    MODEL_EXAMPLES=2000 MODEL_STEPS=120 .venv/bin/pytest --timeout 0 tests/program/test_model.py

With MODEL_NO_SHRINK=1, too, the first difference is told at once, with all the steps to it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from support.actors import ALICE, FAUCET, MALLORY, Actor
from support.knowing import CHANGES, KINDS, SIX
from support.missing_rules import Missing
from support.model import acts, checkpoint_acts, money, owner
from support.model.state import Phase, Place, sha
from support.side_by_side import Pair

actors = st.sampled_from(SIX)
words = st.sampled_from([sha(b"yes"), sha(b"yes"), sha(b"yes"), sha(b"no")])
#: Rarely true: what is usually right is wrong then.
seldom = st.integers(0, 9).map(lambda n: n == 9)
flags = st.booleans()


class Sides(Missing):
    """A run, and everything that anybody may do to it."""

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
        self.known: set[Actor] = set()
        self.owner_does("resume")
        for index, actor in enumerate(SIX[:members]):
            self.join(actor, index, 100, False)
        for _ in range(ahead):
            self.go_on(True, None)

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

    # Owner

    @rule(
        name=st.sampled_from(["pause", "resume", "resume", "resume", "abort"]),
        stranger=seldom,
    )
    def own(self, name: str, stranger: bool) -> None:
        self.owner_does(name, MALLORY if stranger else ALICE)

    @rule(really=seldom, short=seldom)
    def abort_late(self, really: bool, short: bool) -> None:
        """A phase is long over, and the owner gives its rounds up."""
        config = self.state.config
        seconds = {
            Phase.WARMUP: config.warmup_seconds,
            Phase.TRAIN: config.train_seconds,
            Phase.WITNESS: config.witness_seconds,
            Phase.COOLDOWN: config.cooldown_seconds,
        }.get(self.state.phase)
        if really and seconds is not None:
            self.pair.pass_time(seconds=11 * seconds - short, slots=11 * seconds)
            self.owner_does("abort")

    @rule(
        changes=st.sampled_from(CHANGES),
        reset=seldom,
    )
    def configure(self, changes: dict[str, int], reset: bool) -> None:
        config = replace(self.state.config, **changes)
        args = build.UpdateConfigArgs(config=config, reset_positions=reset)
        given = (bytes(ALICE.wallet), config, reset, self.pair.now)
        self.pair.act("update_config", ALICE, args, owner.update_config, *given)

    @rule(rate=st.integers(0, 2**32 - 1), stranger=seldom)
    def set_rates(self, rate: int, stranger: bool) -> None:
        signer = MALLORY if stranger else ALICE
        args = build.SetRatesArgs(
            points_per_sequence=rate, points_per_attestation=1, points_per_verdict=2
        )
        given = (bytes(signer.wallet), (rate, 1, 2), self.pair.now)
        self.pair.act("set_rates", signer, args, owner.set_rates, *given)

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
        chain_hash = kept[which].began_with if which < len(kept) else state.chain_hash
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

    # Money

    @rule(actor=actors, named=st.sampled_from([None, None, MALLORY]), stranger=seldom)
    def name_join_authority(self, actor: Actor, named: Actor | None, stranger: bool) -> None:
        signer = actor if stranger else ALICE
        key = named.wallet if named else None
        args = build.SetJoinAuthorityArgs(join_authority=key)
        given = (bytes(signer.wallet), bytes(key) if key else None)
        self.pair.act("set_join_authority", signer, args, money.set_join_authority, *given)

    @rule(actor=actors, seconds=st.sampled_from([-1, 0, 1, 50, 10_000]), stranger=seldom)
    def issue_pass(self, actor: Actor, seconds: int, stranger: bool) -> None:
        signer, now = (actor if stranger else MALLORY), self.pair.now
        args = build.IssuePassArgs(wallet=actor.wallet, expiry=now.time + seconds)
        given = (bytes(signer.wallet), bytes(actor.wallet), args.expiry, now)
        self.pair.act("issue_pass", signer, args, money.issue_pass, *given)

    @rule(actor=actors, stranger=seldom)
    def revoke_pass(self, actor: Actor, stranger: bool) -> None:
        if bytes(actor.wallet) not in self.state.permits:
            return
        signer, world = (actor if stranger else MALLORY), self.pair.world
        more = {"pass_": world.pass_key(actor), "rent_payer": MALLORY.wallet}
        given = (signer, actor, MALLORY)
        keys = [bytes(one.wallet) for one in given]
        change = money.revoke_pass
        self.pair.act("revoke_pass", signer, None, change, *keys, self.pair.now, **more)

    @rule(actor=actors, to=st.sampled_from([MALLORY.wallet, None, None, Pubkey.default()]))
    def set_payee(self, actor: Actor, to: Pubkey | None) -> None:
        """To a stranger, back to itself, or to the run's own account, which takes nothing."""
        wallet, world = bytes(actor.wallet), self.pair.world
        if wallet in self.state.holders:
            odd = self.state.round % 2
            payee = to or (world.run_key if odd else actor.wallet)
            args = build.SetPayeeArgs(payee=payee if to != Pubkey.default() else to)
            given = (wallet, bytes(args.payee))
            self.pair.act("set_payee", actor, args, money.set_payee, *given)

    @rule(slot=st.integers(0, 8), other=seldom, actor=actors, payee=st.integers(0, 9))
    def collect(self, slot: int, other: bool, actor: Actor, payee: int) -> None:
        """From a slot; mostly into its holder's account, and for its payee."""
        held = [one for one in SIX if self.slot_of(one) == slot]
        holder = held[0] if held and not other else actor
        if bytes(holder.wallet) not in self.state.holders:
            return
        to, takes = self.payee_of(holder, payee)
        accounts = {"participant": self.pair.world.participant_key(holder), "payee": to}
        args = build.CollectArgs(slot=slot)
        given = (slot, bytes(holder.wallet), bytes(to) if to else None)
        change = partial(money.collect, takes=takes)
        self.pair.act("collect", FAUCET, args, change, *given, **accounts)

    @rule(actor=actors, payee=st.integers(0, 3))
    def close_participant(self, actor: Actor, payee: int) -> None:
        if bytes(actor.wallet) not in self.state.holders:
            return
        to, takes = self.payee_of(actor, payee)
        given = (bytes(actor.wallet), bytes(to) if to else None)
        change = partial(money.close_participant, takes=takes)
        if self.pair.act("close_participant", actor, None, change, *given, payee=to):
            self.known.discard(actor)

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

    @rule(actor=actors, kept=st.integers(0, 255), wrong=st.integers(0, 30), transition=flags)
    def attest(self, actor: Actor, kept: int, wrong: int, transition: bool) -> None:
        state, here = self.state, self.here(actor, wrong)
        target = state.target()
        slots = set() if target is None else set(target.committed)
        field = bytearray(state.capacity // 8 + (wrong == 10))
        for slot in slots | ({7} if wrong == 11 else set()):
            if kept >> slot & 1 or kept > 99:
                field[slot // 8] |= 1 << slot % 8
        args = build.AttestArgs(
            epoch=here.epoch,
            round=max(here.round - state.config.overlap, 0),
            slot=here.slot,
            bits=bytes(field),
            custody_root=sha(b"root", bytes([kept])) if kept % 3 else bytes(32),
        )
        self.pair.member("attest", actor, args, acts.attest, transition=transition)

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
        uri = {10: "", 11: "a" * 97, 12: "a b", 13: "é", 14: "x" * 96}.get(wrong, actor.name)
        args = build.PublishCheckpointArgs(uri=uri, **self.checkpoint_key(actor, wrong))
        self.pair.member("publish_checkpoint", actor, args, checkpoint_acts.publish, self.pair.now)

    @rule(actor=actors, place=st.sampled_from([0, 0, 0, 1, 2, 255]), wrong=st.integers(0, 20))
    def confirm(self, actor: Actor, place: int, wrong: int) -> None:
        args = build.ConfirmCheckpointArgs(place=place, **self.checkpoint_key(actor, wrong))
        self.pair.member("confirm_checkpoint", actor, args, checkpoint_acts.confirm, self.pair.now)

    @rule(uri=st.sampled_from(["", "file:///x", "a b"]), digest=words, wrong=seldom, really=flags)
    def set_checkpoint(self, uri: str, digest: bytes, wrong: bool, really: bool) -> None:
        if self.state.phase is not Phase.PAUSED and not (wrong and really):
            return  # it would only be refused
        signer = MALLORY if wrong and not really else ALICE
        args = build.SetCheckpointArgs(digest=bytes(32) if wrong else digest, uri=uri)
        given = (bytes(signer.wallet), args, self.pair.now)
        self.pair.act("set_checkpoint", signer, args, checkpoint_acts.set_checkpoint, *given)

    @rule()
    def tick(self) -> None:
        self.pair.tick()

    # What brings runs on

    @rule(transition=flags, but=st.sampled_from([None, None, *SIX]))
    def go_on(self, transition: bool, but: Actor | None) -> None:
        """What most members do most of the time."""
        state, pair = self.state, self.pair
        match state.phase:
            case Phase.PAUSED:
                self.owner_does("resume")
            case Phase.WAITING:
                for slot in range(4):
                    self.collect(slot, False, SIX[slot], 9)
                for index, actor in enumerate(SIX[:4]):
                    self.join(actor, index, 100, False)
                pair.pass_time(seconds=5, slots=12)
                pair.tick()
            case Phase.WARMUP:
                pair.pass_time(slots=3)
                self.everybody(Place.JOINED, lambda a: self.ready(a, 0, 9, transition), but)
                pair.tick()
            case Phase.TRAIN:
                self.everybody(Place.ACTIVE, lambda a: self.commit(a, 0, transition), but)
                if but is not None:
                    pair.pass_time(seconds=20, slots=50)
                pair.tick()
            case Phase.WITNESS:
                pair.pass_time(slots=3)
                pair.tick()
                self.everybody(Place.ACTIVE, lambda a: self.attest(a, 255, 0, transition), but)
                pair.tick()
            case Phase.COOLDOWN:
                self.everybody(Place.ACTIVE, lambda a: self.seal(a, sha(b"yes"), 0), but)
                if but is not None:
                    pair.pass_time(seconds=6, slots=6)
                self.everybody(Place.ACTIVE, lambda a: self.reveal(a, sha(b"yes"), 0), but)
                pair.pass_time(slots=3)
                pair.tick()
                self.everybody(Place.ACTIVE, lambda a: self.publish(a, 0), but)
                self.everybody(Place.ACTIVE, lambda a: self.confirm(a, 0, 0), but)
                pair.tick()
            case _:
                pair.tick()

    go_on_again = go_on
    go_on_still = go_on
    go_on_and_on = go_on


#: Without shrinking a difference is found sooner, and told at greater length.
PHASES = list(Step) if "MODEL_NO_SHRINK" not in os.environ else [Step.generate]
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "30"))
STEPS = int(os.environ.get("MODEL_STEPS", "50"))
TestSides = Sides.TestCase
TestSides.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=PHASES,
    report_multiple_bugs=False,
    database=None,
    derandomize="MODEL_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
