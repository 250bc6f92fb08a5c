"""Votes on the parameters (PROTOCOL.md section 11)."""

from __future__ import annotations

from collections import Counter

from support.model import members
from support.model.agreed import Agreed, Ballot, Vote
from support.model.state import State
from support.model.words import Kind, Moment, Phase, Place, Word, sha


def open_vote(state: State, vote: Vote) -> None:
    """A vote opens; each of the voters that is still there may say its word."""
    state.vote, state.vote_ended = vote, False
    for slot, entry in enumerate(state.entries):
        ballot = vote.ballots.get(slot)
        there = ballot is not None and state.still_member(slot, ballot.member_id)
        entry.word, entry.vote = Word.MAY if there else Word.NONE, bytes(32)
        if ballot is not None:
            ballot.absent = not there


def forget(state: State) -> None:
    """A vote ends with an abort, undecided."""
    state.vote = None
    for entry in state.entries:
        entry.word, entry.vote = Word.NONE, bytes(32)


def about_now(state: State, kind: Kind, number: int, now: Moment) -> Vote:
    """A vote of the Active members on the parameters as they are now."""
    ballots = {s: Ballot(state.entries[s].member_id) for s in state.slots(Place.ACTIVE)}
    return Vote(kind, state.epoch, number, state.step, state.chain_hash, now, ballots)


def open_snapshot(state: State, now: Moment) -> None:
    """Snapshot: when a training round starts that is a multiple of snapshot_rounds."""
    rounds = state.config.snapshot_rounds
    if rounds == 0 or state.round == 0 or state.round % rounds:
        return
    vote = about_now(state, Kind.SNAPSHOT, state.round, now)
    vote.step -= 1  # the round that starts is counted already
    vote.reveal_round = state.round + -(-rounds // 2)
    vote.close_round = state.round + rounds
    open_vote(state, vote)


def open_cooldown(state: State, now: Moment) -> None:
    """Cooldown: about the parameters that one past the epoch's last round would train with."""
    open_vote(state, about_now(state, Kind.COOLDOWN, state.round, now))


def open_warmup(state: State, now: Moment) -> None:
    """Warmup: if the vote of Cooldown agreed on nothing, the same set votes again."""
    last = state.vote
    if last is None or last.agreed or last.kind is Kind.SNAPSHOT:
        state.vote = None
        return
    ballots = {slot: Ballot(one.member_id) for slot, one in last.ballots.items()}
    about = (last.epoch, last.round, last.step, last.chain_hash)
    open_vote(state, Vote(Kind.WARMUP, *about, now, ballots))


def is_open(state: State) -> bool:
    """Whether words can be said: a vote lasts as long as its phase, or its rounds."""
    vote = state.vote
    if vote is None or state.vote_ended:
        return False
    match vote.kind:
        case Kind.COOLDOWN:
            return state.phase is Phase.COOLDOWN
        case Kind.WARMUP:
            return state.phase is Phase.WARMUP
        case _:
            return state.phase in (Phase.TRAIN, Phase.WITNESS)


def there(state: State, vote: Vote) -> list[int]:
    """Those of who may vote that are still members."""
    return [s for s, ballot in vote.ballots.items() if state.still_member(s, ballot.member_id)]


def is_revealing(state: State, now: Moment) -> bool:
    """Whether words are opened, and no new one can be sealed."""
    vote = state.vote
    assert vote is not None
    if vote.count(Word.OPENED):
        return True
    missing = [slot for slot in there(state, vote) if vote.ballots[slot].word is Word.MAY]
    if vote.count(Word.SEALED) and not missing:
        return True
    if vote.kind is Kind.SNAPSHOT:
        return state.round >= vote.reveal_round
    config = state.config
    cooldown = vote.kind is Kind.COOLDOWN
    seconds = config.cooldown_seconds if cooldown else config.warmup_seconds
    return vote.opened.over(seconds // 2, now)


def look(state: State, now: Moment, *, at_end: bool) -> None:
    """Looks whether a digest is agreed: with each opening, and at the end of the vote."""
    vote = state.vote
    assert vote is not None
    if vote.agreed:
        return
    opened = [slot for slot in there(state, vote) if vote.ballots[slot].word is Word.OPENED]
    k = vote.count(Word.OPENED) if at_end else vote.count(Word.SEALED, Word.OPENED)
    n = len(vote.ballots)
    for digest, s in Counter(state.entries[slot].vote for slot in opened).items():
        if 3 * s >= 2 * k and 2 * s >= n and s >= state.config.min_members:
            agree(state, digest, now)
            return


def agree(state: State, digest: bytes, now: Moment) -> None:
    """A digest is agreed; who opened another word becomes Joined."""
    vote = state.vote
    assert vote is not None
    vote.agreed = True
    found = Agreed(vote.epoch, vote.round, vote.step, digest, vote.chain_hash)
    if vote.kind is Kind.SNAPSHOT:
        state.snapshots = [*state.snapshots, found][-2:]
    else:
        state.agreed = found
    for slot in there(state, vote):
        if vote.ballots[slot].word is Word.OPENED and state.entries[slot].vote != digest:
            correct(state, slot, now)


def correct(state: State, slot: int, now: Moment) -> None:
    """Active and Ready members that opened another word become Joined."""
    if state.entries[slot].place in (Place.ACTIVE, Place.READY):
        members.step_aside(state, slot, Place.JOINED, now)


def agreed_digest(state: State) -> bytes | None:
    """The digest on which the vote agreed."""
    vote = state.vote
    if vote is None or not vote.agreed:
        return None
    return state.snapshots[-1].digest if vote.kind is Kind.SNAPSHOT else state.agreed.digest


def said_digest(state: State, slot: int, digest: bytes) -> bool:
    """Section 10: whether a member said this digest, sealed or opened."""
    entry = state.entries[slot]
    if entry.word is Word.OPENED:
        return entry.vote == digest
    return entry.word is Word.SEALED and entry.vote == sha(digest, entry.wallet)
