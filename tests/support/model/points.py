"""Finality and points (PROTOCOL.md section 10a)."""

from __future__ import annotations

from support.model.state import Moment, Round, State

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
    if not record.settled or record.final or not record.accepted:
        return False
    config = state.config
    attested = config.points_per_attestation and record.attested
    return bool(config.points_per_sequence or attested)


def finalise_oldest(state: State, now: Moment) -> None:  # noqa: ARG001 - a step like the others
    """In round N = T + 3."""
    record = oldest(state)
    assert record is not None
    finalise(state, record)


def finalise_lowest(state: State, now: Moment) -> None:  # noqa: ARG001 - a step like the others
    """At the end of Cooldown."""
    record = lowest(state)
    assert record is not None
    finalise(state, record)


def finalise(state: State, record: Round) -> None:
    """Credits who trained what was accepted, and who attested and holds all of it."""
    record.final = True
    for slot in record.accepted:
        points = record.share_size(slot) * state.config.points_per_sequence
        _credit(state, slot, record.trainer_ids[slot], points)
    for index, slot in enumerate(record.witnesses):
        holds_all = all(index in record.held.get(one, set()) for one in record.accepted)
        if index in record.attested and holds_all:
            points = state.config.points_per_attestation
            _credit(state, slot, record.witness_ids[index], points)


def _credit(state: State, slot: int, member_id: int, points: int) -> None:
    entry = state.entries[slot]
    if entry.member_id == member_id:
        entry.points = min(MOST, entry.points + points)
