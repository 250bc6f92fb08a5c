"""A run with 256 members that notes what each tick cost."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import Phase
from support.actors import ALICE, crowd
from support.program import World, build, sha

MANY = 256


class Costly(World):
    """A world with 256 members that notes what each tick cost."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(crowd(MANY))
        big = {"batch_sequences_start": 2**18, "batch_sequences_end": 2**18}
        settings = {"init_min_members": MANY, "total_steps": 50, "train_seconds": 100, **big}
        self.given_run(capacity=MANY, **(settings | changes))
        self.ticks: list[int] = []

    def tick_all(self) -> None:
        """All that is due is made, step by step; the cost of each is noted."""
        before = len(self.ticks)
        with suppress(TooEarly):
            while True:
                self.ticks.append(self.tick().units)
        assert len(self.ticks) > before

    def start(self) -> None:
        """Everybody joins and is ready; the first round trains."""
        self.do("resume", ALICE)
        for index, actor in enumerate(self.members[:MANY]):
            self.join(actor, slot=index, weight=100 + index * 37 % 901)
        self.tick_all()
        self.pass_time(slots=3)
        self.tick_all()
        for slot, actor in enumerate(self.members[:MANY]):
            args = self.ready_args_of(slot)
            self.do("ready", actor, args, transition=False)
        self.tick_all()
        assert self.run.phase is Phase.TRAIN

    def ready_args_of(self, slot: int) -> build.ReadyArgs:
        """As `ready_args`, but quick."""
        run = self.run
        assert run.agreed is not None
        digest = {"digest": run.agreed.digest, "chain_hash": run.chain_hash}
        place = {"digest_epoch": run.agreed.epoch, "digest_round": run.agreed.round}
        return build.ReadyArgs(epoch=run.epoch, round=run.round, slot=slot, **place, **digest)

    def commit_slots(self, slots: list[int]) -> None:
        """The members in these slots commit, and make no transition."""
        run = self.run
        for slot in slots:
            args = build.CommitArgs(
                epoch=run.epoch,
                round=run.round,
                slot=slot,
                commitment=sha(bytes([run.round]), slot.to_bytes(2)),
                bytes=1_000,
                loss_micronats=1,
                tokens=1,
                train_milliseconds=1,
            )
            self.do("commit", self.members[slot], args, transition=False)

    def close_and_witness(self, slots: list[int], *, attest: bool = True) -> None:
        """The time of Train goes by; the witnesses attest these slots, then are settled."""
        self.pass_seconds(self.config.train_seconds)
        self.tick_all()
        self.pass_time(slots=3)
        self.tick_all()
        if attest:
            for actor in self.witnesses():
                self.attest(actor, slots, transition=False)
        else:
            self.pass_seconds(self.config.witness_seconds)

    def play(self, slots: list[int]) -> None:
        """A round in which only these slots commit."""
        self.commit_slots(slots)
        self.close_and_witness(slots)
        self.tick_all()
