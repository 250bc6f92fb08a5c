"""Finality and points (PROTOCOL.md section 10a)."""

from __future__ import annotations

from support.model import verify
from support.model.record import Round
from support.model.state import State
from support.model.words import Moment

#: Points stay at it rather than overflow.
MOST = 2**64 - 1


def oldest(state: State) -> Round | None:
    """The round that has to be final before the next one begins, if it is not."""
    record = state.record(state.round - 3)
    return record if record is not None and is_due(state, record) else None


def lowest(state: State) -> Round | None:
    """What is settled and not final, lowest first."""
    left = [one for one in state.records.values() if is_due(state, one)]
    return min(left, key=lambda one: one.number, default=None)


def is_due(state: State, record: Round) -> bool:
    """Only settled rounds are ever final; where nothing can be credited the step is left out."""
    if not record.settled or record.final:
        return False
    config = state.config
    trained = record.accepted and config.points_per_sequence
    attested = record.accepted and record.attested and config.points_per_attestation
    verified = config.points_per_verdict and any(one.word for one in record.audits)
    return bool(trained or attested or verified or record.cases())


def finalise_oldest(state: State, now: Moment) -> None:
    """In round N = T + 3."""
    record = oldest(state)
    assert record is not None
    _end(state, record, now)


def finalise_lowest(state: State, now: Moment) -> None:
    """At the end of Cooldown."""
    record = lowest(state)
    assert record is not None
    _end(state, record, now)


def _end(state: State, record: Round, now: Moment) -> None:
    """A step: first its cases are decided, then it is final."""
    if verify.is_due(record):
        verify.judge(state, record, now)
    else:
        finalise(state, record)


def finalise(state: State, record: Round) -> None:
    """Credits who trained what was accepted, and who attested and holds all of it."""
    record.final = True
    for slot in record.accepted - record.rejected:
        points = record.share_size(slot) * state.config.points_per_sequence
        _credit(state, slot, record.trainer_ids[slot], points)
    for index, slot in enumerate(record.witnesses):
        holds_all = all(index in record.held.get(one, set()) for one in record.accepted)
        if record.accepted and index in record.attested - record.belied and holds_all:
            points = state.config.points_per_attestation
            _credit(state, slot, record.witness_ids[index], points)
    for slot, member_id in verify.right(record):
        _credit(state, slot, member_id, state.config.points_per_verdict)


def _credit(state: State, slot: int, member_id: int, points: int) -> None:
    entry = state.entries[slot]
    if entry.member_id == member_id:
        entry.points = min(MOST, entry.points + points)
