"""Settling a target (PROTOCOL.md sections 4, 7, 9)."""

from __future__ import annotations

from support.model import members, rounds, shares
from support.model.record import Round
from support.model.state import State
from support.model.words import Interval, Place, sha

#: Stretches of shares that go back to the backlog in a step (section 4).
STRETCHES = 27


def draw_is_valid(record: Round) -> bool:
    """Section 9: e > 0 and 3a >= 2e."""
    e, a = len(record.witnesses), len(record.attested)
    return e > 0 and 3 * a >= 2 * e


def is_accepted(record: Round, slot: int) -> bool:
    """Section 9: it committed, 3v >= 2a and 2v > e, and it is not rejected."""
    e, a, v = len(record.witnesses), len(record.attested), len(record.held.get(slot, ()))
    votes = 3 * v >= 2 * a and 2 * v > e
    return slot in record.committed and votes and slot not in record.rejected


def is_miss(record: Round, slot: int) -> bool:
    """Section 9: it did not commit, or 3v < a; not of one who was gone before committing."""
    if slot in record.gone:
        return False
    a, v = len(record.attested), len(record.held.get(slot, ()))
    return slot not in record.committed or 3 * v < a


def settle(state: State, record: Round, *, failed: bool) -> None:
    """Tally, chain hash, silences; what goes back is only found here."""
    record.failed = failed
    for slot in record.with_share():
        accepted = not failed and is_accepted(record, slot)
        if accepted:
            record.accepted.add(slot)
        entry = state.entries[slot]
        if entry.member_id != record.trainer_ids[slot]:
            continue
        if accepted:
            members.reward(entry)
        elif not failed and is_miss(record, slot):
            members.blame(entry)
    chain(state, record)
    record.settled = True
    counted = sum(record.share_size(slot) for slot in record.accepted)
    state.accepted += counted
    state.in_flight -= counted
    record.to_return = stretches(record)
    if not failed:
        rounds.note_silences(state, record)


def chain(state: State, record: Round) -> None:
    """Section 9, Chain hash."""
    field = bytearray(state.capacity // 8)
    for slot in record.accepted:
        field[slot // 8] |= 1 << slot % 8
    head = record.epoch.to_bytes(4, "little") + record.number.to_bytes(4, "little")
    committed = [record.committed[slot].digest for slot in sorted(record.accepted)]
    record.chain_hash_before = state.chain_hash
    state.chain_hash = sha(state.chain_hash, head, bytes(field), *committed)
    record.chain_hash_after = state.chain_hash


def stretches(record: Round) -> list[Interval]:
    """Offsets that go back: neighbouring shares together, in drawn order (section 9)."""
    found: list[Interval] = []
    for slot in record.with_share():
        start, end = record.share(slot)
        if slot in record.accepted or end <= record.given_to:
            continue
        if found and found[-1].end == start:
            found[-1] = Interval(found[-1].start, end)
        else:
            found.append(Interval(start, end))
    return found


def give_back(state: State, record: Round) -> None:
    """A step of giving back: at most 27 stretches."""
    for stretch in record.to_return[:STRETCHES]:
        for piece in shares.cut(record.segments, stretch):
            shares.give_back(state, piece)
        record.given_to = stretch.end
    record.to_return = record.to_return[STRETCHES:]


def give_back_all(state: State) -> None:
    """Section 4, abort: what is not settled goes back whole; of the settled, what is left."""
    for record in sorted(state.records.values(), key=lambda one: one.number):
        if not record.settled:
            record.to_return = [Interval(0, record.sequences)]
        while record.to_return:
            give_back(state, record)


def fix_rounds(state: State) -> None:
    """Section 4: the number of training rounds is fixed where the epoch has to end."""
    config, record = state.config, state.target()
    ends = (
        state.round + 1 >= config.epoch_rounds,
        state.step >= config.total_steps,
        state.pause_requested,
        len(state.slots(Place.ACTIVE)) < config.min_members,
        record is not None and record.failed,
    )
    if state.rounds_in_epoch is None and any(ends):
        state.rounds_in_epoch = state.round + 1
