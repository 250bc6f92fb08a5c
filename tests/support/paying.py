"""Passes, bonds and what is collected, in a test of both sides."""

from __future__ import annotations

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import rule
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from support.actors import FAUCET, MALLORY, Actor
from support.knowing import SIX, Knowing, seldom
from support.model import money

actors = st.sampled_from(SIX)


class Paying(Knowing):
    """Who may join, and who gets what."""

    @rule(actor=actors, named=st.sampled_from([None, None, MALLORY]), stranger=seldom)
    def name_join_authority(self, actor: Actor, named: Actor | None, stranger: bool) -> None:
        signer = actor if stranger else self.owner
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
