"""Instructions of members (PROTOCOL.md sections 4, 7, 8, 9, 10, 11, 13).

Every instruction finds all reasons against it before it changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from psyche_sdk import instructions as build
from support.model import entropy, grace, machine, members, money, verify, votes
from support.model.record import Commitment
from support.model.state import Entry, Holder, State
from support.model.words import Moment, Phase, Place, Refused, Word, sha

Hashes = Mapping[int, bytes]


class Call(NamedTuple):
    """What comes with an instruction: who signs, when, and whether transitions are asked for."""

    wallet: bytes
    transition: bool
    hashes: Hashes
    now: Moment


NOBODY = bytes(32)


def refuse(reasons: Mapping[str, bool]) -> None:
    """Fails if any of the named reasons holds."""
    true = [name for name, holds in reasons.items() if holds]
    if true:
        raise Refused(*true)


def own(state: State, wallet: bytes, slot: int) -> tuple[Entry, dict[str, bool]]:
    """Section 13: the wallet's own slot, and what speaks against it."""
    known = slot < state.capacity
    entry = state.entries[slot] if known else Entry()
    return entry, {
        "UnknownSlot": not known,
        "NotYourSlot": known and entry.wallet != wallet,
        "NotAMember": known and not entry.is_member,
    }


def with_transition(state: State, call: Call, body: Callable[[], None]) -> None:
    """Section 4: entropy at the beginning, what is due at the end."""
    if call.transition:
        entropy.store(state, call.hashes, call.now)
    body()
    if call.transition:
        machine.advance(state, call.now, machine.STEPS)


def join(state: State, wallet: bytes, args: build.JoinArgs, now: Moment) -> None:
    """Section 10: takes a free slot."""
    held = [one for one in state.entries if one.is_member and one.wallet == wallet]
    known = args.slot < state.capacity
    strikes, barred = members.strikes_of(state, wallet)
    refuse(
        {
            "UnknownSlot": not known,
            "AlreadyAMember": bool(held),
            "Barred": barred or strikes >= verify.STRIKES,
            "SlotTaken": known and members.taken(state, args.slot),
            "WeightOutOfRange": not 1 <= args.weight <= 1_000,
            "NodeKeyZero": args.node_key == NOBODY,
            "AddressTooLong": len(args.address.encode()) > 96,
            "BondAboveLimit": state.config.bond_lamports > args.bond_lamports_max,
            **money.admission(state, wallet, now),
        }
    )
    state.entries[args.slot] = Entry(
        wallet,
        args.node_key,
        state.next_member_id,
        seen=now,
        declared=args.weight,
        bond=state.config.bond_lamports,
        strikes=strikes,
        told=strikes,
    )
    state.holders.setdefault(wallet, Holder(wallet)).joins += 1
    state.next_member_id += 1
    members.put(state, args.slot, Place.JOINED, now)


def set_endpoint(state: State, wallet: bytes, args: build.SetEndpointArgs, now: Moment) -> None:
    """Where the node is found."""
    entry, reasons = own(state, wallet, args.slot)
    refuse(
        {
            **reasons,
            "NodeKeyZero": args.node_key == NOBODY,
            "AddressTooLong": len(args.address.encode()) > 96,
        }
    )
    entry.node_key, entry.seen = args.node_key, now


def set_weight(state: State, wallet: bytes, args: build.SetWeightArgs, now: Moment) -> None:
    """Section 7: declaring less lowers the effective weight at once."""
    entry, reasons = own(state, wallet, args.slot)
    refuse(
        {
            **reasons,
            "WeightOutOfRange": not 1 <= args.weight <= 1_000,
        }
    )
    entry.declared, entry.seen = args.weight, now
    entry.weight = min(entry.weight, args.weight)


def ready(state: State, args: build.ReadyArgs, call: Call) -> None:
    """Section 10: Joined or Behind become Ready."""

    def body() -> None:
        entry, reasons = own(state, call.wallet, args.slot)
        known = [state.agreed, *state.snapshots]
        named = (args.digest_epoch, args.digest_round, args.digest)
        hashes_known = {state.chain_hash, *(one.before for one in state.records.values())}
        refuse(
            {
                **reasons,
                "WrongRound": (args.epoch, args.round) != (state.epoch, state.round),
                "WrongMemberState": entry.place not in (Place.JOINED, Place.BEHIND),
                "UnknownDigest": named not in [(k.epoch, k.round, k.digest) for k in known],
                "UnknownChainHash": args.chain_hash not in hashes_known,
            }
        )
        entry.seen = call.now
        members.put(state, args.slot, Place.READY, call.now)

    with_transition(state, call, body)


def aside(state: State, args: build.MemberArgs, place: Place, call: Call) -> None:
    """Sections 5, 10: `behind` and `leave`; both store entropy whatever their flag."""
    entropy.store(state, call.hashes, call.now)
    entry, reasons = own(state, call.wallet, args.slot)
    able = (Place.READY, Place.ACTIVE) if place is Place.BEHIND else ()
    refuse(
        {
            **reasons,
            "WrongRound": (args.epoch, args.round) != (state.epoch, state.round),
            "WrongMemberState": bool(able) and entry.place not in able,
        }
    )
    entry.seen = call.now
    members.step_aside(state, args.slot, place, call.now)
    if call.transition:
        machine.advance(state, call.now, machine.STEPS)


def commit(state: State, args: build.CommitArgs, call: Call) -> None:
    """Section 8: a trainer's commitment, in Train."""

    def body() -> None:
        entry, reasons = own(state, call.wallet, args.slot)
        record = state.record(state.round)
        before = record.committed.get(args.slot) if record is not None else None
        trains = record is not None and record.trainer_ids.get(args.slot) == entry.member_id
        refuse(
            {
                **reasons,
                "WrongPhase": state.phase is not Phase.TRAIN,
                "WrongRound": (args.epoch, args.round) != (state.epoch, state.round),
                "WrongMemberState": entry.place is not Place.ACTIVE,
                "NotATrainer": not trains
                or record is None
                or args.slot not in record.order
                or not record.share_size(args.slot),
                "TrainerGone": record is not None and trains and args.slot in record.gone,
                "CommitmentDiffers": before is not None and before.digest != args.commitment,
                "CommitmentZero": args.commitment == NOBODY,
                "PayloadTooLarge": not 0 < args.bytes <= state.config.payload_bytes_max,
            }
        )
        assert record is not None
        if before is None:
            entry.seen = call.now
            record.committed[args.slot] = Commitment(
                args.commitment,
                args.bytes,
                args.loss_micronats,
                args.tokens,
                args.train_milliseconds,
            )
            grace.consider(state, call.now)

    with_transition(state, call, body)


def attest_state(state: State, wallet: bytes, args: build.AttestStateArgs, now: Moment) -> None:
    """Section 11: seals a word."""
    (entry, reasons), vote = own(state, wallet, args.slot), state.vote
    if vote is None or not votes.is_open(state):
        raise Refused("NoOpenVote", *(name for name, true in reasons.items() if true))
    again = entry.word is Word.SEALED and entry.vote == args.vote
    refuse(
        {
            **reasons,
            "WrongRound": (args.epoch, args.round) != (vote.epoch, vote.round),
            "NoVote": entry.word is Word.NONE,
            "VoteClosed": not again and votes.is_revealing(state, now),
            "VoteDiffers": entry.word in (Word.SEALED, Word.OPENED) and entry.vote != args.vote,
        }
    )
    if again:
        return
    entry.word, entry.vote, entry.seen = Word.SEALED, args.vote, now
    vote.ballots[args.slot].word = Word.SEALED


def reveal_state(
    state: State, wallet: bytes, args: build.RevealStateArgs, hashes: Hashes, now: Moment
) -> None:
    """Section 11: opens a word; the same again changes nothing, and stores nothing (section 13)."""
    if not _said_already(state, wallet, args):
        entropy.store(state, hashes, now)
    (entry, reasons), vote = own(state, wallet, args.slot), state.vote
    if vote is None or not votes.is_open(state):
        raise Refused("NoOpenVote", *(name for name, true in reasons.items() if true))
    opened = entry.word is Word.OPENED
    refuse(
        {
            **reasons,
            "WrongRound": (args.epoch, args.round) != (vote.epoch, vote.round),
            "NoVote": entry.word in (Word.NONE, Word.MAY),
            "VoteNotOpen": not votes.is_revealing(state, now),
            "VoteMismatch": entry.word is Word.SEALED and entry.vote != sha(args.digest, wallet),
            "VoteDiffers": opened and entry.vote != args.digest,
        }
    )
    if opened:
        return
    entry.word, entry.vote, entry.seen = Word.OPENED, args.digest, now
    vote.ballots[args.slot].word = Word.OPENED
    if vote.agreed:
        if args.digest != votes.agreed_digest(state):
            votes.correct(state, args.slot, now)
    else:
        votes.look(state, now, at_end=False)


def _said_already(state: State, wallet: bytes, args: build.RevealStateArgs) -> bool:
    entry, reasons = own(state, wallet, args.slot)
    vote = state.vote
    asked = vote is not None and (args.epoch, args.round) == (vote.epoch, vote.round)
    mine = asked and votes.is_open(state) and not any(reasons.values())
    return mine and entry.word is Word.OPENED and entry.vote == args.digest
