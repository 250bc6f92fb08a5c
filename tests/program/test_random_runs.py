"""Runs in which anybody does anything at any time: what must always hold, holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import (
    MemberState,
    Phase,
    accepted,
    batch_of,
    committed,
    due_transition,
    next_chain_hash,
    shares,
)
from support.actors import ALICE, Actor, crowd
from support.program import World, build, sha

SIX = crowd(6)
#: Errors that say that the program broke its own rules.
BROKEN = ("InvariantMembers", "InvariantPositions", "Overflow", "IndexOutOfRange", "LayoutMismatch")
actors = st.sampled_from(SIX)
words = st.sampled_from([sha(b"yes"), sha(b"yes"), sha(b"no")])


class Runs(RuleBasedStateMachine):
    """A run and, beside it, the positions that were accepted."""

    world: World

    @initialize(
        capacity=st.sampled_from([8, 72]),  # above 64 slots, `tick` makes one step at a time
        overlap=st.integers(0, 1),
        witness_count=st.sampled_from([2, 32]),
        misses_max=st.integers(1, 3),
        epoch_rounds=st.integers(1, 6),
        snapshot_rounds=st.sampled_from([0, 2]),
        admit_anytime=st.integers(0, 1),
        min_members=st.integers(1, 2),
        batch_sequences_end=st.sampled_from([3, 30]),
    )
    def begin(self, **chosen: int) -> None:
        """Alice creates a run and resumes it."""
        self.world = World(SIX)
        start = {"batch_sequences_start": chosen["batch_sequences_end"], "ready_seconds": 40}
        self.world.given_run(init_min_members=2, total_steps=25, **start, **chosen)
        self.world.to_phase(Phase.TRAIN)
        self.accepted: set[int] = set()
        self.settled: set[tuple[int, int]] = set()
        self.chain_hash = self.world.run.chain_hash

    def attempt(self, act: Callable[..., Any], *args: Any, **more: Any) -> None:
        """Somebody tries something; the program may refuse, but not because it is broken."""
        try:
            act(*args, **more)
        except ProgramError as error:
            if error.name in BROKEN:
                raise
        self.follow()

    def follow(self) -> None:
        """Notes what was settled, and that the history is one chain."""
        for record in self.world.rounds:
            key = (record.epoch, record.round)
            if record.is_drain or not record.settled or key in self.settled:
                continue
            self.settled.add(key)
            assert record.chain_hash_before == self.chain_hash
            assert record.chain_hash_after == next_chain_hash(record)
            self.chain_hash = record.chain_hash_after
            for slot in accepted(record):
                positions = set(batch_of(record, slot).tolist())
                assert not positions & self.accepted, "trained twice"
                self.accepted |= positions

    def holds(self, actor: Actor) -> bool:
        """Whether an actor is in the roster at all, as a member or a former one."""
        roster = self.world.roster
        return any(
            roster.member(slot).wallet == bytes(actor.wallet) for slot in range(roster.capacity)
        )

    @rule(actor=actors, slot=st.integers(0, 7), weight=st.sampled_from([1, 50, 1_000]))
    def join(self, actor: Actor, slot: int, weight: int) -> None:
        self.attempt(self.world.join, actor, slot=slot, weight=weight)

    @rule(actor=actors, act=st.sampled_from(["leave", "behind"]))
    def step_aside(self, actor: Actor, act: str) -> None:
        if self.holds(actor):
            self.attempt(getattr(self.world, act), actor)

    @rule(actor=actors, transition=st.booleans())
    def be_ready(self, actor: Actor, transition: bool) -> None:
        if self.holds(actor):
            self.attempt(self.world.ready, actor, transition=transition)

    @rule(actor=actors, transition=st.booleans())
    def commit(self, actor: Actor, transition: bool) -> None:
        if self.holds(actor):
            self.attempt(self.world.commit, actor, transition=transition)

    @rule(actor=actors, weight=st.integers(1, 1_000))
    def set_weight(self, actor: Actor, weight: int) -> None:
        if self.holds(actor):
            args = build.SetWeightArgs(slot=self.world.member(actor).slot, weight=weight)
            self.attempt(self.world.do, "set_weight", actor, args)

    @rule(actor=actors, kept=st.integers(0, 255), transition=st.booleans())
    def attest(self, actor: Actor, kept: int, transition: bool) -> None:
        world, run = self.world, self.world.run
        present = any(record.key == (run.epoch, world.target) for record in world.rounds)
        if self.holds(actor) and present:
            slots = [one for one in committed(world.record(world.target)) if kept >> one & 1]
            self.attempt(world.attest, actor, slots, transition=transition)

    @rule(actor=actors, word=words)
    def seal(self, actor: Actor, word: bytes) -> None:
        if self.holds(actor) and self.world.run.vote is not None:
            self.attempt(self.world.seal, actor, word)

    @rule(actor=actors, word=words)
    def reveal(self, actor: Actor, word: bytes) -> None:
        if self.holds(actor) and self.world.run.vote is not None:
            self.attempt(self.world.reveal, actor, word)

    @rule(seconds=st.sampled_from([0, 1, 5, 20]), slots=st.sampled_from([0, 3, 20, 600]))
    def wait(self, seconds: int, slots: int) -> None:
        self.world.pass_time(seconds=seconds, slots=slots)

    @rule(name=st.sampled_from(["pause", "resume", "resume", "resume", "abort"]))
    def alice_acts(self, name: str) -> None:
        self.attempt(self.world.do, name, ALICE)

    @rule(missing=st.lists(actors, max_size=2))
    def everybody_goes_on(self, missing: list[Actor]) -> None:
        """What most members do most of the time, so that runs get somewhere."""
        world, phase = self.world, self.world.run.phase
        if phase is Phase.TRAIN:
            self.attempt(world.commit_all, but=missing)
            world.pass_seconds(world.config.train_seconds)
        elif phase is not Phase.FINISHED:
            self.attempt(world.step)

    everybody_goes_on_again = everybody_goes_on
    everybody_goes_on_still = everybody_goes_on

    @rule()
    def who_is_gone_comes_back(self) -> None:
        world = self.world
        held = [member.slot for member in world.roster.members()]
        gone = [actor for actor in SIX if world.roster.find(bytes(actor.wallet)) is None]
        for actor, slot in zip(gone, set(range(8)) - set(held), strict=False):
            self.attempt(world.join, actor, slot=slot, weight=100)
        for slot in world.roster.slots(MemberState.JOINED, MemberState.BEHIND):
            self.attempt(world.ready, world.actors([slot])[0])

    @rule()
    def tick(self) -> None:
        """The views foretell whether anything is due."""
        world = self.world
        due = due_transition(world.run, world.roster, world.rounds, world.moment)
        try:
            world.tick()
        except TooEarly:
            assert due is None
        else:
            idle = world.run.phase in (Phase.PAUSED, Phase.FINISHED)
            assert due is not None or idle  # silent members are dropped there
        self.follow()

    @invariant()
    def the_counts_are_those_of_the_roster(self) -> None:
        run, roster = self.world.run, self.world.roster
        counted = [len(roster.slots(state)) for state in (1, 2, 3, 4)]
        assert [run.joined, run.ready, run.active, run.behind] == counted
        wallets = [member.wallet for member in roster.members()]
        assert len(wallets) == len(set(wallets))

    @invariant()
    def every_position_is_in_one_place(self) -> None:
        run = self.world.run
        assert len(self.accepted) == run.accepted
        if run.repeated:
            return
        places = set(self.accepted)
        for one in run.backlog:
            places |= set(range(one.start, one.end))
        flying = [record for record in self.world.rounds if not record.settled]
        for record in flying:
            for segment in record.segments:
                places |= set(range(segment.start, segment.end))
        assert places == set(range(run.fresh_cursor))

    @invariant()
    def shares_cover_their_round(self) -> None:
        for record in self.world.rounds:
            ends = [end for _, _, end in shares(record)]
            assert not ends or ends[-1] == record.sequences

    @invariant()
    def nobody_active_is_without_a_weight(self) -> None:
        for slot in self.world.roster.slots(MemberState.ACTIVE):
            member = self.world.roster.member(slot)
            assert 1 <= member.weight <= member.declared_weight


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=15, stateful_step_count=60, deadline=None)
