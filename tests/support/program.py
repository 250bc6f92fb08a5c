"""A run on LiteSVM with a verb for each thing that its owner and its members do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk._rules.hashing import bit_field
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import MemberState, Phase, bloom_filter, committed, my_role
from support.actors import ALICE, FAUCET, TRIO, Actor
from support.program_chain import Chain, Sent
from support.program_checkpoints import end_cooldown
from support.program_config import config, sha

__all__ = ["DIGEST", "World", "config", "sha", "world_at"]

#: Digest of the run's first parameters.
DIGEST = sha(b"initial")
MODEL_URI = "https://example.org/model.json"
#: More steps than any test needs.
STEPS_MAX = 400


def world_at(
    phase: Phase, *, members: Sequence[Actor] = TRIO, capacity: int = 8, **changes: Any
) -> World:
    """A new world whose run has come to a phase."""
    world = World(members)
    world.given_run(capacity=capacity, **changes)
    world.to_phase(phase)
    return world


class World(Chain):
    """A chain with one run of alice's, and members that may join it."""

    # Alice

    def create_args(self, **changes: Any) -> build.CreateRunArgs:
        """What create_run is given, with changes."""
        args = build.CreateRunArgs(
            run_id=self.run_id,
            capacity=self.capacity,
            config=self.config,
            model_hash=sha(b"model"),
            model_uri=MODEL_URI,
            digest=DIGEST,
        )
        return replace(args, **changes)

    def name_run(self, run_id: str) -> None:
        """From now on another run of alice's on the same chain is meant."""
        self.run_id = run_id
        self._name_accounts()

    def given_run(
        self, *, capacity: int = 8, join_authority: Pubkey | None = None, **changes: Any
    ) -> None:
        """A complete run, Paused, without members."""
        self.capacity, self.config = capacity, config(**changes)
        self.do("create_run", ALICE, self.create_args(join_authority=join_authority))
        while not self.run_is_complete():
            self.do("allocate", ALICE)

    def run_is_complete(self) -> bool:
        """Whether nothing is left to allocate."""
        return self.run.complete

    def update_config(self, **changes: Any) -> Sent:
        """Alice changes the configuration."""
        reset = bool(changes.pop("reset_positions", False))
        changed = replace(self.config, **changes)
        args = build.UpdateConfigArgs(config=changed, reset_positions=reset)
        sent = self.do("update_config", ALICE, args)
        self.config = changed
        return sent

    def close_run(self, **more: Any) -> Sent:
        """Alice closes the run, later than in the slot in which she created it."""
        self.pass_time(slots=1)
        return self.do("close_run", ALICE, **more)

    # Members

    def join(
        self,
        actor: Actor,
        *,
        slot: int | None = None,
        weight: int = 100,
        address: str = "",
        node_key: bytes | None = None,
        bond_lamports_max: int = 2**64 - 1,
        **more: Any,
    ) -> Sent:
        """An actor takes a slot, by default that of its place among the members."""
        if actor not in self.members:
            self.members.append(actor)
        args = build.JoinArgs(
            slot=self.members.index(actor) if slot is None else slot,
            weight=weight,
            node_key=actor.node_key if node_key is None else node_key,
            address=address,
            bond_lamports_max=bond_lamports_max,
        )
        return self.do("join", actor, args, **more)

    def issue_pass(self, actor: Actor, by: Actor, *, seconds: int = 1_000) -> Sent:
        """An actor may join for so many seconds from now on; `by` pays."""
        args = build.IssuePassArgs(wallet=actor.wallet, expiry=self.moment.time + seconds)
        return self.do("issue_pass", by, args)

    def revoke_pass(self, actor: Actor, by: Actor, **more: Any) -> Sent:
        """The pass of an actor is closed by who paid, or by another."""
        return self.do("revoke_pass", by, pass_=self.pass_key(actor), **more)

    def collect(
        self,
        slot: int,
        of: Actor,
        *,
        payee: Pubkey | None = None,
        unpaid: bool = False,
        participant: Pubkey | None = None,
    ) -> Sent:
        """Somebody collects from a slot of an actor, whose payee is by default its wallet."""
        given = {
            "participant": participant or self.participant_key(of),
            "payee": None if unpaid else payee or of.wallet,
        }
        return self.do("collect", FAUCET, build.CollectArgs(slot=slot), **given)

    def join_all(self) -> None:
        """Every member that is not in the run joins it."""
        roster = self.roster
        for actor in list(self.members):
            if roster.find(bytes(actor.wallet)) is None:
                self.join(actor)

    def here(self, actor: Actor) -> build.MemberArgs:
        """(epoch, round, slot) as the run stands."""
        run = self.run
        return build.MemberArgs(epoch=run.epoch, round=run.round, slot=self.member(actor).slot)

    def ready_args(self, actor: Actor, **changes: Any) -> build.ReadyArgs:
        """Ready from the agreed digest, with the run's chain hash."""
        run, here = self.run, self.here(actor)
        agreed = run.agreed
        assert agreed is not None
        args = build.ReadyArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            digest_epoch=agreed.epoch,
            digest_round=agreed.round,
            digest=agreed.digest,
            chain_hash=run.chain_hash,
        )
        return replace(args, **changes)

    def ready(self, actor: Actor, *, transition: bool = True, **changes: Any) -> Sent:
        """A member holds the parameters."""
        args = self.ready_args(actor, **changes)
        return self.do("ready", actor, args, transition=transition)

    def ready_all(self) -> None:
        """Every member that is not Ready says that it is, while Warmup lasts."""
        for slot in self.roster.slots(MemberState.JOINED, MemberState.BEHIND):
            if self.run.phase is Phase.WARMUP:
                self.ready(self.actors([slot])[0])

    def behind(self, actor: Actor) -> Sent:
        """A member cannot follow."""
        return self.do("behind", actor, self.here(actor))

    def leave(self, actor: Actor) -> Sent:
        """A member gives its slot up."""
        return self.do("leave", actor, self.here(actor))

    # Rounds

    def commit_args(self, actor: Actor, **changes: Any) -> build.CommitArgs:
        """A commitment to an invented payload, another in each round."""
        here = self.here(actor)
        args = build.CommitArgs(
            epoch=here.epoch,
            round=here.round,
            slot=here.slot,
            commitment=sha(actor.name.encode(), bytes([here.epoch]), here.round.to_bytes(4)),
            bytes=1_000,
            loss_micronats=2_500_000,
            tokens=160,
            train_milliseconds=900,
        )
        return replace(args, **changes)

    def commit(self, actor: Actor, *, transition: bool = True, **changes: Any) -> Sent:
        """A trainer commits."""
        args = self.commit_args(actor, **changes)
        return self.do("commit", actor, args, transition=transition)

    def attest_args(
        self, actor: Actor, slots: Sequence[int] | None = None, **changes: Any
    ) -> build.AttestArgs:
        """An attestation of what was committed to the target, or of these slots."""
        run, target = self.run, max(self.target, 0)
        held = committed(self.record(target)) if slots is None else slots
        args = build.AttestArgs(
            epoch=run.epoch,
            round=target,
            slot=self.member(actor).slot,
            bits=self._filter(actor, target, held) or bit_field(held, self.capacity),
            custody_root=sha(b"custody", bytes(actor.wallet)) if held else bytes(32),
        )
        return replace(args, **changes)

    def _filter(self, actor: Actor, target: int, held: Sequence[int]) -> bytes:
        """The Bloom filter of an elected witness; empty in a run of exact attestations."""
        if not self.config.attestation_kind:
            return b""
        record = self.record(target)
        place = my_role(record, self.member(actor)).witness
        filter_ = bloom_filter(self.run, record, place) if place is not None else None
        return filter_.made_of((slot, record.commitment(slot)) for slot in held) if filter_ else b""

    def attest(
        self,
        actor: Actor,
        slots: Sequence[int] | None = None,
        *,
        transition: bool = True,
        **changes: Any,
    ) -> Sent:
        """A witness attests all that was committed, or these slots."""
        args = self.attest_args(actor, slots, **changes)
        return self.do("attest", actor, args, transition=transition)

    def tick(self) -> Sent:
        """Somebody without a part in the run makes what is due."""
        return self.do("tick", FAUCET)

    def commit_all(self, *, but: Sequence[Actor] = ()) -> None:
        """Every trainer that is still there commits; Train closes with the last one."""
        done = set(committed(self.record()))
        for actor in self.trainers():
            member = self.member(actor)
            there = member.state is MemberState.ACTIVE and member.slot not in done
            if there and actor not in but:
                self.commit(actor)

    def store_entropy(self) -> None:
        """Enough slots go by, and what was noted is stored (and what is due then is made)."""
        self.pass_time(slots=3)
        try:
            self.tick()
        except TooEarly:
            witnessing = self.run.phase is Phase.WITNESS and self.target >= 0
            assert not witnessing or self.record(self.target).entropy is not None

    def attest_all(self, slots: Sequence[int] | None = None, *, but: Sequence[Actor] = ()) -> None:
        """Every witness that is still there attests; the target settles with the last one."""
        key = (self.run.epoch, self.run.round)
        for actor in self.witnesses():
            run, there = self.run, self.member(actor).state is MemberState.ACTIVE
            same = (run.epoch, run.round, run.phase) == (*key, Phase.WITNESS)
            if same and there and actor not in but:
                self.attest(actor, slots)

    def finish_round(self) -> None:
        """From wherever the round stands to the next one, or to Cooldown."""
        run = self.run
        while self.run.round == run.round and self.run.phase in (Phase.TRAIN, Phase.WITNESS):
            self.step()

    # The vote

    def seal(self, actor: Actor, digest: bytes, **changes: Any) -> Sent:
        """A member seals its word on the parameters."""
        vote = self.vote
        args = build.AttestStateArgs(
            epoch=vote.epoch,
            round=vote.round,
            slot=self.member(actor).slot,
            vote=sha(digest, bytes(actor.wallet)),
        )
        return self.do("attest_state", actor, replace(args, **changes))

    def reveal(self, actor: Actor, digest: bytes, **changes: Any) -> Sent:
        """A member opens its word."""
        vote = self.vote
        slot = self.member(actor).slot
        args = build.RevealStateArgs(epoch=vote.epoch, round=vote.round, slot=slot, digest=digest)
        return self.do("reveal_state", actor, replace(args, **changes))

    def vote_all(self, digest: bytes, actors: Sequence[Actor] | None = None) -> None:
        """These members (by default the Active) seal and open one digest."""
        actors = self.actors(self.roster.slots(MemberState.ACTIVE)) if actors is None else actors
        for actor in actors:
            self.seal(actor, digest)
        for actor in actors:
            self.reveal(actor, digest)

    # From phase to phase

    def step(self) -> None:
        """Everybody does what brings the run one step on."""
        run = self.run
        match run.phase:
            case Phase.PAUSED:
                self.do("resume", ALICE)
            case Phase.WAITING_FOR_MEMBERS:
                self.join_all()
                self.pass_seconds(self.config.waiting_seconds)
                self.tick()
            case Phase.WARMUP:
                self.store_entropy()
                self.ready_all()
            case Phase.TRAIN:
                self.commit_all()
            case Phase.WITNESS:
                self.store_entropy()
                if self.run.phase is Phase.WITNESS and self.target >= 0:
                    self.attest_all()
            case Phase.COOLDOWN:
                if run.vote is None or not run.vote.agreed:
                    self.vote_all(sha(b"epoch", bytes([run.epoch])))
                end_cooldown(self)
            case Phase.FINISHED:
                raise AssertionError("the run is finished")

    def to_phase(self, phase: Phase) -> None:
        """Steps until the run is in a phase."""
        for _ in range(STEPS_MAX):
            if self.run.phase is phase:
                return
            self.step()
        raise AssertionError(f"did not come to {phase.name}")
