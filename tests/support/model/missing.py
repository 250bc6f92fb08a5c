"""Payloads that are nowhere to be had (PROTOCOL.md section 9a)."""

from __future__ import annotations

from psyche_sdk import instructions as build
from support.model import members, settle, shares, votes
from support.model.acts import own, refuse
from support.model.agreed import Ballot, Vote
from support.model.record import Complaint, Round
from support.model.state import State
from support.model.words import Interval, Moment, Place


def missing(state: State, wallet: bytes, args: build.MissingArgs, now: Moment) -> None:
    """A member says that an accepted payload is nowhere."""
    entry, reasons = own(state, wallet, args.slot)
    record = state.record(args.round)
    found = None if record is None else _about(record, args.target)
    refuse(
        {
            **reasons,
            "WrongRound": record is None or args.epoch != state.epoch,
            "ComplaintClosed": record is not None and not is_open(state, record),
            "WrongMemberState": entry.place is not Place.ACTIVE,
            "NotAccepted": record is None or args.target not in record.accepted,
            "ComplaintSpent": record is not None and found is None and args.slot in record.openers,
        }
    )
    assert record is not None
    if found is None:
        found = Complaint(args.target)
        record.complaints[_place(state, record)] = found
        record.openers.add(args.slot)
    if args.slot not in found.voices:
        entry.seen = now
    found.voices.add(args.slot)
    if 3 * _heard(state, found) >= 2 * len(state.slots(Place.ACTIVE)):
        record.complaints[record.complaints.index(found)] = None
        _take_out(state, record, args.target, now)


def is_open(state: State, record: Round) -> bool:
    """Settled, not judged or final, and in no agreed parameters."""
    agreed = (state.agreed, *state.snapshots)
    held = any(one.epoch == state.epoch and _holds(state, one.round, record) for one in agreed)
    return record.settled and not record.judged and not record.final and not held


def _holds(state: State, begun: int, record: Round) -> bool:
    """Whether the parameters with which round `begun` trains hold a round's payloads."""
    return begun >= record.number + 1 + state.config.overlap


def _about(record: Round, target: int) -> Complaint | None:
    return next((one for one in record.complaints if one and one.target == target), None)


def _heard(state: State, one: Complaint) -> int:
    """Voices of members that are Active."""
    return len(one.voices & set(state.slots(Place.ACTIVE)))


def _place(state: State, record: Round) -> int:
    """A free place, else that with the fewest voices, the lowest of equals."""
    counts = [-1 if one is None else _heard(state, one) for one in record.complaints]
    return counts.index(min(counts))


def _take_out(state: State, record: Round, target: int, now: Moment) -> None:
    share = record.share(target)
    size = record.share_size(target)
    record.accepted.remove(target)
    record.belied |= record.held.get(target, set())
    state.accepted -= size
    state.in_flight += size
    if record.to_return and share.end > record.given_to:
        record.to_return = settle.stretches(record)
    else:
        for piece in shares.cut(record.segments, Interval(*share)):
            shares.give_back(state, piece)
    entry = state.entries[target]
    if entry.member_id == record.trainer_ids[target]:
        members.blame(entry)
        entry.rounds = max(entry.rounds - 1, 0)
    _rehash(state, record)
    _ask_again(state, record, now)


def _rehash(state: State, first: Round) -> None:
    """The chain hashes from a round on, and with what later rounds began."""
    later = sorted(state.records.values(), key=lambda one: one.number)
    later = [one for one in later if one.number >= first.number]
    state.chain_hash = first.chain_hash_before
    for record in later:
        if record.settled:
            settle.chain(state, record)
    for record in later:
        before = state.record(record.number - 1 - state.config.overlap)
        if before is not None and before.number >= first.number:
            record.began_with = before.chain_hash_after


def _ask_again(state: State, record: Round, now: Moment) -> None:
    """Section 11: a vote on parameters that held the payload begins again."""
    old = state.vote
    if old is None or old.epoch != state.epoch or not _holds(state, old.round, record):
        return
    last = state.record(old.round - 1 - state.config.overlap)
    assert last is not None
    old.chain_hash = last.chain_hash_after
    if votes.is_open(state):
        ballots = {slot: Ballot(one.member_id) for slot, one in old.ballots.items()}
        about = (old.kind, old.epoch, old.round, old.step, old.chain_hash)
        rounds = (old.reveal_round, old.close_round)
        votes.open_vote(state, Vote(*about, now, ballots, *rounds))
