"""A run on the real program that notes what each instruction, and each kind of tick, costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The driver of the program's tests drives the measurements too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from psyche_sdk import instructions as build
from psyche_sdk._generated.types import (
    Admitted,
    AuditsDrawn,
    CaseClosed,
    CommitteeDrawn,
    DigestAgreed,
    Dropped,
    EntropyStored,
    PhaseChanged,
    PointsCredited,
    PublishersDrawn,
    RoundSettled,
    WitnessesDrawn,
)
from psyche_sdk._rules.hashing import bit_field
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import MemberState, Phase, bloom_filter, witnesses
from support.actors import ALICE, FAUCET, crowd
from support.program import World, sha
from support.program_chain import ADVANCING, Sent

#: Kinds of tick by the phases before and after.
PHASES = {
    (Phase.WAITING_FOR_MEMBERS, Phase.WARMUP): "start warmup",
    (Phase.WARMUP, Phase.TRAIN): "start epoch",
    (Phase.TRAIN, Phase.WITNESS): "close train",
    (Phase.WITNESS, Phase.WITNESS): "redraw witnesses",
    (Phase.WITNESS, Phase.TRAIN): "advance",
    (Phase.WITNESS, Phase.COOLDOWN): "advance to cooldown",
    (Phase.COOLDOWN, Phase.WAITING_FOR_MEMBERS): "end epoch",
}


def kind_of_change(changed: PhaseChanged) -> str:
    """What a change of phase is called."""
    before, after = Phase(changed.phase_before), Phase(changed.phase_after)
    if before is after is Phase.WITNESS and changed.round_before != changed.round_after:
        return "advance to a drain round"
    return PHASES.get((before, after), f"{before.name.lower()} to {after.name.lower()}")


def filter_rate(count: int) -> int:
    """One false positive in a hundred, or six where such filters would not fit; in a million."""
    return 10_000 if count <= 256 else 60_000


class Metered(World):
    """A run with `count` members whose calls make no transition unless they say so."""

    def __init__(self, count: int, **changes: Any) -> None:
        super().__init__(crowd(count))
        self.count = count
        self.ticks = self.ticks_a_round = 0
        for member in self.members:  # LiteSVM's purse is too small for what tests are given
            self.svm.airdrop(member.wallet, 10**10)
        # Long shares, so that what comes back does not merge by chance.
        batch = {"batch_sequences_start": 1 << 18, "batch_sequences_end": 1 << 18}
        settings = {"init_min_members": count, "total_steps": 50, "train_seconds": 100, **batch}
        self.given_run(capacity=count, **(settings | changes))
        self.do("resume", ALICE)

    def note(self, name: str, units: int) -> None:
        """Keeps the dearest call of each kind."""
        self.units[name] = max(self.units.get(name, 0), units)

    # Ticks

    def tick_once(self) -> Sent:
        """One tick, kept under the name of what it did."""
        sent = self.send(self.instruction("tick", FAUCET), signers=[FAUCET])
        self.ticks += 1
        self.note(f"tick: {self.kind_of(sent)}", sent.units)
        return sent

    def tick_all(self) -> None:
        """Ticks until nothing is due; returns at once if nothing was."""
        try:
            while True:
                self.tick_once()
        except TooEarly:
            return

    def kind_of(self, sent: Sent) -> str:
        """What a tick did, by its events; a small run does more than one thing in a tick."""
        by_type = {type(event): event for event in sent.events}
        dropped = ", others dropped" if Dropped in by_type else ""
        settled, changed = by_type.get(RoundSettled), by_type.get(PhaseChanged)
        if isinstance(settled, RoundSettled):
            accepted = sum(byte.bit_count() for byte in settled.accepted)
            how = "all" if accepted == self.count else "some" if accepted else "none"
            return f"settle, {how} accepted{dropped}"
        if isinstance(changed, PhaseChanged):
            kind = kind_of_change(changed)
            late = kind == "advance" and Admitted in by_type
            late |= kind == "start epoch" and changed.epoch_after > 0
            return f"{kind}{', a newcomer at the median' if late else ''}{dropped}"
        if CommitteeDrawn in by_type:
            return "draw a committee"
        if EntropyStored in by_type:
            drawn = WitnessesDrawn in by_type
            if PublishersDrawn in by_type:
                return "store entropy, draw publishers"
            return "store entropy" + (", draw witnesses" if drawn else "")
        rest = {
            AuditsDrawn: "draw audits",
            CaseClosed: "decide cases",
            PointsCredited: "make a round final",
            DigestAgreed: "decide a vote",
        }
        return next((name for kind, name in rest.items() if kind in by_type), "give shares back")

    # Phases

    def open(self, members: int) -> None:
        """So many members join and are ready, and the first round trains."""
        for slot in range(members):
            self.enter(slot)
        self.pass_seconds(self.config.waiting_seconds)
        self.tick_all()
        self.pass_time(slots=3)
        self.tick_all()
        for slot in range(members):
            self.say_ready(slot)
        self.tick_all()
        assert self.run.phase is Phase.TRAIN

    def enter(self, index: int, *, slot: int | None = None, kind: str = "") -> None:
        """A member joins, by default into its own slot, with a weight like no neighbour's."""
        args = build.JoinArgs(
            slot=index if slot is None else slot,
            weight=self.weight(index),
            node_key=bytes([1]) * 32,
            address="a" * 96,
            bond_lamports_max=self.config.bond_lamports,
        )
        member = self.members[index]
        sent = self.send(self.instruction("join", member, args), signers=[member])
        self.note(f"join, {kind}" if kind else "join", sent.units)

    def collect_from(self, slot: int, index: int) -> None:
        """Somebody collects what a member has on a slot; its bond goes to its payee."""
        member = self.members[index]
        accounts = {"participant": self.participant_key(member), "payee": member.wallet}
        self.do("collect", FAUCET, build.CollectArgs(slot=slot), **accounts)

    def weight(self, slot: int) -> int:
        """What a member says of its speed."""
        return 100 + slot * 37 % 901

    def call(self, name: str, slot: int, args: Any, kind: str = "", form: str = "") -> None:
        """A member's instruction of some form; it makes what is due if `kind` says what that is."""
        member = self.members[slot]
        given = {"args": args}
        if name in ADVANCING:
            given["transition"] = bool(kind)
        sent = self.send(self.instruction(name, member, **given), signers=[member])
        self.note(", ".join(filter(None, (name, form, kind))), sent.units)

    def say_ready(self, slot: int, kind: str = "") -> None:
        """A member holds the agreed parameters."""
        run = self.run
        assert run.agreed is not None
        args = build.ReadyArgs(
            epoch=run.epoch,
            round=run.round,
            slot=slot,
            digest_epoch=run.agreed.epoch,
            digest_round=run.agreed.round,
            digest=run.agreed.digest,
            chain_hash=run.chain_hash,
        )
        self.call("ready", slot, args, kind)

    def say_commit(self, slot: int, kind: str = "") -> None:
        """A member commits."""
        run = self.run
        args = build.CommitArgs(
            epoch=run.epoch,
            round=run.round,
            slot=slot,
            commitment=sha(run.round.to_bytes(4), slot.to_bytes(2)),
            bytes=1_000,
            loss_micronats=1,
            tokens=1,
            train_milliseconds=1,
        )
        self.call("commit", slot, args, kind)

    def say_attest(self, slot: int, held: list[int], kind: str = "") -> None:
        """A witness attests these slots."""
        run, filled = self.run, self.filter_of(slot, held)
        bits = bit_field(held, self.capacity) if filled is None else filled
        args = build.AttestArgs(
            epoch=run.epoch, round=self.target, slot=slot, bits=bits, custody_root=bytes(32)
        )
        rate = f"Bloom at {self.config.bloom_false_positive_ppm / 10_000:g} %"
        self.call("attest", slot, args, kind, rate if filled is not None else "")

    def filter_of(self, slot: int, held: list[int]) -> bytes | None:
        """A witness's filter; none where attestations are exact."""
        record = self.record(self.target)
        filter_ = bloom_filter(self.run, record, witnesses(record).index(slot))
        return (
            None
            if filter_ is None
            else filter_.made_of((one, record.commitment(one)) for one in held)
        )

    def go(self, name: str, index: int, kind: str = "", *, held: int | None = None) -> None:
        """A member leaves its slot, or another that it holds, or says that it is behind."""
        run, slot = self.run, index if held is None else held
        args = build.MemberArgs(epoch=run.epoch, round=run.round, slot=slot)
        self.call(name, index, args, kind)

    def train(self, slots: list[int]) -> None:
        """These slots commit, the time for it goes by, and witnesses are drawn."""
        for slot in slots:
            self.say_commit(slot)
        self.pass_seconds(self.config.train_seconds)
        self.tick_once()
        self.pass_time(slots=3)
        self.tick_once()

    def witness(self, slots: list[int]) -> None:
        """The witnesses attest these slots, and all that follows is made by ticks."""
        for slot in witnesses(self.record()):
            self.say_attest(slot, slots)
        self.tick_all()

    def play(self, slots: list[int]) -> None:
        """A round in which only these slots commit."""
        self.train(slots)
        self.witness(slots)

    def trainers_now(self) -> list[int]:
        """The present round's trainers that are members still, in drawn order."""
        order: list[int] = self.record().order.tolist()
        active = set(self.roster.slots(MemberState.ACTIVE))
        return [slot for slot in order if slot in active]

    def every_second(self, first: int = 1) -> list[int]:
        """Every second of the present round's trainers in drawn order: no failures side by side."""
        order: list[int] = self.record().order.tolist()
        return order[first::2]

    def cast_votes(self, slots: Sequence[int], *, against: int) -> None:
        """These members vote; of three, `against` for another digest than the rest."""
        vote = self.vote
        place = {"epoch": vote.epoch, "round": vote.round}
        words = {slot: sha(b"no" if slot % 3 < against else b"yes") for slot in slots}
        for slot, word in words.items():
            actor = self.members[slot]
            sealed = sha(word, bytes(actor.wallet))
            self.do("attest_state", actor, build.AttestStateArgs(slot=slot, vote=sealed, **place))
        for slot, word in words.items():
            args = build.RevealStateArgs(slot=slot, digest=word, **place)
            self.do("reveal_state", self.members[slot], args)
