"""Members: who is gone, who is dropped, who is admitted (PROTOCOL.md sections 4, 7, 9, 10)."""

from __future__ import annotations

from collections.abc import Iterable

from support.model import grace, shares
from support.model.state import Entry, State
from support.model.words import MEMBERS, Moment, Phase, Place, Word


def put(state: State, slot: int, place: Place, now: Moment) -> None:
    """A member's state changes; in WaitingForMembers the count may pass init_min_members."""
    entry = state.entries[slot]
    entry.place, entry.since = place, now
    state.met[place.name] += 1
    count(state, now)


def count(state: State, now: Moment) -> None:
    """Section 4: since when there are init_min_members, while the run waits for members."""
    enough = len(state.slots(*MEMBERS)) >= state.config.init_min_members
    if state.phase is not Phase.WAITING or not enough:
        state.enough_since = None
    elif state.enough_since is None:
        state.enough_since = now


def step_aside(state: State, slot: int, place: Place, now: Moment) -> None:
    """A member leaves, falls behind, is dropped or loses what it had (sections 4, 9, 10)."""
    member_id = state.entries[slot].member_id
    put(state, slot, place, now)
    ballot = state.vote.ballots.get(slot) if state.vote is not None else None
    if state.entries[slot].word is Word.MAY and place not in MEMBERS:
        state.entries[slot].word = Word.NONE
        if ballot is not None and ballot.member_id == member_id:
            ballot.absent = True
    for record in state.records.values():
        if record.settled:
            continue
        training = state.phase is Phase.TRAIN and record.number == state.round
        trains = record.trainer_ids.get(slot) == member_id
        if training and trains and slot in record.waited_for():
            record.gone.add(slot)
            grace.consider(state, now)
        for index, witness in enumerate(record.witnesses):
            if (witness, record.witness_ids[index]) == (slot, member_id):
                record.witnesses_gone.add(index)


def drop(state: State, slots: Iterable[int], now: Moment) -> None:
    """These members become Dropped."""
    for slot in slots:
        step_aside(state, slot, Place.DROPPED, now)


def drop_unfit(state: State, now: Moment) -> None:
    """Section 10: at a settle."""
    seconds = state.config.ready_seconds
    unfit: list[int] = []
    for slot in state.slots(*MEMBERS):
        entry = state.entries[slot]
        late = entry.place in (Place.JOINED, Place.BEHIND) and entry.since.over(seconds, now)
        if entry.misses >= state.config.misses_max or late:
            unfit.append(slot)
    drop(state, unfit, now)


def unheard(state: State, now: Moment) -> list[int]:
    """Section 10: members that a tick drops while the run is Paused or Finished."""
    if state.phase not in (Phase.PAUSED, Phase.FINISHED):
        return []
    seconds = state.config.ready_seconds
    return [slot for slot in state.slots(*MEMBERS) if state.entries[slot].seen.over(seconds, now)]


def admit(state: State, now: Moment) -> None:
    """Ready members become Active, with their effective weights (section 7, Weights)."""
    ready = state.slots(Place.READY)
    for slot in ready:
        put(state, slot, Place.ACTIVE, now)
    taking_part = [state.entries[slot] for slot in state.slots(Place.ACTIVE)]
    others = [entry.weight for entry in taking_part if entry.weight]
    for slot in ready:
        entry = state.entries[slot]
        if not entry.weight:
            entry.weight = shares.first_weight(entry.declared, others)


def reward(entry: Entry) -> None:
    """An accepted round (sections 7, 10, 10c)."""
    entry.misses = 0
    entry.rounds += 1
    entry.weight = min(entry.declared, entry.weight * 2)


def blame(entry: Entry) -> None:
    """A miss (sections 7, 10)."""
    entry.misses = min(entry.misses + 1, 255)
    entry.weight = max(1, entry.weight // 2)


def awaited(state: State) -> list[int]:
    """Section 4: whom Warmup waits for."""
    there = state.slots(Place.JOINED, Place.BEHIND)
    return [slot for slot in there if state.entries[slot].member_id < state.warmup_member_id]


def strikes_of(state: State, wallet: bytes) -> tuple[int, bool]:
    """Section 10c: strikes of all memberships of a wallet, and whether it is barred by one."""
    mine = [entry for entry in state.entries if entry.wallet == wallet]
    holder = state.holders.get(wallet)
    before = 0 if holder is None else holder.strikes
    ejected = any(entry.place is Place.EJECTED for entry in mine)
    barred = ejected or (holder is not None and holder.barred)
    return min(255, before + sum(entry.strikes - entry.told for entry in mine)), barred


def taken(state: State, slot: int) -> bool:
    """Section 10, join: somebody holds the slot, has points to collect, or is named."""
    entry = state.entries[slot]
    left = entry.points or entry.slashed or entry.bond or entry.strikes > entry.told
    left = bool(left) or entry.place is Place.EJECTED
    return entry.is_member or left or named(state, slot)


def named(state: State, slot: int) -> bool:
    """Section 10, join: whether a record that is kept names the slot."""
    kept = state.records.values()
    return any(
        slot in record.order
        or slot in record.witnesses
        or slot in {verifier for verifier, _ in record.verifiers}
        for record in kept
    )
