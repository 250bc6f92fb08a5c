"""Whom a test of both sides knows, and what they send when they err not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from support.actors import ALICE, Actor, crowd
from support.model import State, owner
from support.model.state import Place
from support.side_by_side import Pair

SIX = crowd(6)
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
}
#: What the owner may change.
CHANGES: tuple[dict[str, int], ...] = (
    {"total_steps": 60},
    {"data_sequences": 500},
    {"overlap": 0},
    {"overlap": 1},
    {"witness_count": 2},
    {"snapshot_rounds": 2},
    {"batch_sequences_end": 40},
    {"bond_lamports": 2_000_000},
)


class Knowing(RuleBasedStateMachine):
    """A run on both sides, and who is where in it."""

    pair: Pair

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

    def owner_does(self, name: str, signer: Actor = ALICE) -> None:
        """The owner's instruction of this name, perhaps by somebody else."""
        change = getattr(owner, name)
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
