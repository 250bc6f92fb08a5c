"""Whom a test of both sides knows, and what they send when they err not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk._generated import layouts
from support.actors import ALICE, MALLORY, Actor, crowd
from support.model import State, owner, settings
from support.model.words import Place, sha
from support.side_by_side import Pair

SIX = crowd(6)
#: Rarely true: what is usually right is wrong then.
seldom = st.integers(0, 9).map(lambda n: n == 9)
flags = st.booleans()
words = st.sampled_from([sha(b"yes"), sha(b"yes"), sha(b"yes"), sha(b"no")])
#: What a run may be like.
KINDS: dict[str, st.SearchStrategy[int]] = {
    "capacity": st.sampled_from([8, 8, 8, 72]),
    "overlap": st.integers(0, 1),
    "witness_count": st.sampled_from([1, 2, 3, 32]),
    "misses_max": st.integers(1, 3),
    "epoch_rounds": st.sampled_from([1, 2, 3, 5, 100, 100]),
    "snapshot_rounds": st.sampled_from([0, 2, 2, 3]),
    "admit_anytime": st.integers(0, 1),
    "init_min_members": st.integers(2, 3),
    "min_members": st.integers(1, 2),
    "share_percent_max": st.sampled_from([20, 40, 100]),
    "total_steps": st.sampled_from([3, 8, 40]),
    "verification_percent": st.sampled_from([0, 0, 34, 50]),
    "committee_size": st.sampled_from([3, 3, 4, 15]),
    "slash_points": st.sampled_from([0, 50]),
    "points_per_verdict": st.sampled_from([0, 5]),
    "points_per_sequence": st.sampled_from([0, 0, 10]),
    "points_per_attestation": st.sampled_from([0, 0, 7]),
    "bond_lamports": st.sampled_from([0, 0, 1_000_000]),
    "attestation_kind": st.sampled_from([0, 0, 1]),
    "bloom_false_positive_ppm": st.sampled_from([1, 10_000, 138_634, 500_000]),
}
#: What the owner may change while the run is Paused.
MORE: dict[str, st.SearchStrategy[int]] = {
    "data_sequences": st.sampled_from([500, 1_000]),
    "batch_sequences_start": st.sampled_from([1, 30]),
    "batch_sequences_end": st.sampled_from([30, 40]),
    "waiting_seconds": st.sampled_from([2, 5]),
}
CHANGES = st.one_of(
    [st.tuples(st.just(name), of) for name, of in (KINDS | MORE).items() if name != "capacity"]
)
FIELDS = tuple(settings.RANGES)
#: The largest number that an instruction can carry in a field.
LARGEST = {
    name: int(np.iinfo(kind).max)
    for name, (kind, _) in (layouts.RUN["config"].fields or {}).items()
    if kind.kind == "u"
}


class Knowing(RuleBasedStateMachine):
    """A run on both sides, and who is where in it."""

    pair: Pair
    known: set[Actor]

    @property
    def state(self) -> State:
        """What the model says."""
        return self.pair.state

    def slot_of(self, actor: Actor) -> int | None:
        """The slot that an actor holds, or held."""
        mine = [s for s, e in enumerate(self.state.entries) if e.wallet == bytes(actor.wallet)]
        held = [s for s in mine if self.state.entries[s].is_member]
        return next(iter(held or mine), None)

    def here(self, actor: Actor, wrong: int) -> build.MemberArgs:
        """(epoch, round, slot), one of them wrong if `wrong` says so."""
        state, slot = self.state, self.slot_of(actor)
        args = build.MemberArgs(epoch=state.epoch, round=state.round, slot=slot or 0)
        return spoil(args, wrong)

    @property
    def owner(self) -> Actor:
        """Who owns the run."""
        return ALICE if self.state.owner == bytes(ALICE.wallet) else MALLORY

    @property
    def stranger(self) -> Actor:
        """Who would like to."""
        return MALLORY if self.owner is ALICE else ALICE

    def owner_does(self, name: str, signer: Actor | None = None) -> None:
        """The owner's instruction of this name, perhaps by somebody else."""
        change, signer = getattr(owner, name), signer or self.owner
        self.pair.act(name, signer, None, change, bytes(signer.wallet), self.pair.now)

    def checkpoint_key(self, actor: Actor, wrong: int) -> dict[str, int]:
        """Epoch and slot, one of them wrong if `wrong` says so."""
        here = self.here(actor, {2: 0}.get(wrong, wrong))
        return {"epoch": here.epoch, "slot": here.slot}

    def vote_key(self, wrong: int) -> tuple[int, int]:
        """(epoch, round) of the vote, wrong if `wrong` says so."""
        vote = self.state.vote
        if vote is None:
            return (self.state.epoch, self.state.round)
        return (vote.epoch, vote.round + (wrong == 3))

    def payee_of(self, holder: Actor, choice: int) -> tuple[Pubkey | None, bool]:
        """Mostly a holder's payee, and whether it can take lamports; else none, or a stranger."""
        own = Pubkey(self.state.holders[bytes(holder.wallet)].payee)
        named = {0: None, 1: SIX[0].wallet}.get(choice, own)
        return named, named != self.pair.world.run_key

    def actor_at(self, slot: int) -> Actor:
        """Who holds a slot."""
        wallet = self.state.entries[slot].wallet
        return next(actor for actor in SIX if bytes(actor.wallet) == wallet)

    def everybody(self, place: Place, act: Callable[[Actor], None], but: Actor | None) -> None:
        """Everybody in a state acts, as long as the phase lasts."""
        phase = self.state.phase
        for slot in self.state.slots(place):
            actor = self.actor_at(slot)
            same = self.state.phase is phase and self.state.entries[slot].place is place
            if actor is not but and same:
                act(actor)


def spoil(args: build.MemberArgs, wrong: int) -> build.MemberArgs:
    """The same, or with something wrong."""
    match wrong:
        case 1:
            return replace(args, epoch=args.epoch + 1)
        case 2:
            return replace(args, round=args.round + 1)
        case 3:
            return replace(args, slot=(args.slot + 1) % 8)
        case 4:
            return replace(args, slot=2_000)
        case _:
            return args
