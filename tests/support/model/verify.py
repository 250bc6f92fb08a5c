"""Audits, flags, committees (PROTOCOL.md sections 5, 6, 10b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from support.model import draws, members, rounds
from support.model.audited import Audit, Case, Chair, Chaired
from support.model.record import Round
from support.model.state import State
from support.model.words import Moment, Phase, Place

SEATS, STRIKES = 64, 2
#: Points stay at it rather than overflow.
MOST = 2**64 - 1
RUNNING = (Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN)


class Window(NamedTuple):
    """What may be said about a round's payloads."""

    audit: bool = False
    seal: bool = False
    open: bool = False


def window(state: State, record: Round, now: Moment) -> Window:
    """The table of section 10b."""
    if state.phase not in RUNNING or record.judged or record.final:
        return Window()
    age = state.round - record.number
    quarter = half = False
    if state.phase is Phase.COOLDOWN:
        seconds = state.config.cooldown_seconds
        half = state.began.over(seconds // 2, now)
        quarter = half or state.began.over((seconds + 3) // 4, now)
    late = age in (1, 2) and half
    return Window(age == 1 and not quarter, age in (1, 2) and not half, age == 3 or late)


def to_draw(state: State, now: Moment) -> Round | None:
    """The round whose audits are drawn now."""
    record = state.record(state.round - 1)
    if record is None or not state.config.verification_percent:
        return None
    ready = record.entropy is not None and record.committed and not record.audits_drawn
    return record if ready and window(state, record, now).audit else None


def draw_audits(state: State, now: Moment) -> None:
    """Who verifies in the present round audits payloads of the one before."""
    record = to_draw(state, now)
    assert record is not None
    assert record.entropy is not None
    auditors = _auditors(state)
    seed = draws.seed_of(state.instance, state.epoch, record.number, draws.TARGETS, record.entropy)
    drawn = draws.targets(seed, sorted(record.committed), [slot for slot, _ in auditors])
    missing = len(auditors) - len(drawn)
    pairs = zip(auditors, [*drawn, *[None] * missing], strict=True)
    record.audits = [Audit(slot, member_id, target) for (slot, member_id), target in pairs]
    record.audits_drawn = True


def _auditors(state: State) -> list[tuple[int, int]]:
    present = state.record(state.round)
    if present is not None and not present.drain:
        return present.verifiers
    entropy = rounds.roles_entropy(state)
    seed = draws.seed_of(state.instance, state.epoch, state.round, draws.ROLES, entropy)
    active = state.slots(Place.ACTIVE)
    slots, _ = draws.roles(seed, active, state.config.verification_percent)
    return [(slot, state.entries[slot].member_id) for slot in slots]


def store_committee(state: State, hashes: Mapping[int, bytes], now: Moment) -> bool:
    """Draws one committee whose hash is there, or notes another; whether anything was done."""
    for age in (1, 2):
        record = state.record(state.round - age)
        if record is None or not window(state, record, now).seal:
            continue
        for place, audit in enumerate(record.audits):
            if audit.case is Case.OPENED and now.chain_slot > audit.noted:
                entropy, audit.noted = rounds.entropy_at(hashes, audit.noted, now)
                if entropy is not None:
                    _draw_committee(state, record, place, entropy)
                return True
    return False


def _draw_committee(state: State, record: Round, place: int, entropy: bytes) -> None:
    audit = record.audits[place]
    assert audit.target is not None
    seed = draws.seed_of(state.instance, state.epoch, record.number, draws.COMMITTEES, entropy)
    apart = (audit.target, audit.slot)
    items = [slot for slot in state.slots(Place.ACTIVE) if slot not in apart]
    free = SEATS - len(record.chairs)
    drawn = draws.committee(seed, audit.target, items, state.config.committee_size, free)
    audit.case = Case.DRAWN if drawn else Case.LAPSED
    audit.first, audit.seats = len(record.chairs), len(drawn)
    record.chairs += [Chair(slot, state.entries[slot].member_id, place) for slot in drawn]


def awaited(state: State, now: Moment) -> bool:
    """Whether an agreed digest must wait in Cooldown: a word can still be said."""
    if not state.config.verification_percent:
        return False
    return any(_awaits(state, record, now) for record in state.records.values())


def _awaits(state: State, record: Round, now: Moment) -> bool:
    may = window(state, record, now)
    if not record.committed:
        return False
    audits = may.audit and (
        not record.audits_drawn
        or any(
            one.target is not None and not one.word and state.still_member(one.slot, one.member_id)
            for one in record.audits
        )
    )
    hashes = may.seal and any(one.case is Case.OPENED for one in record.audits)
    stages = {Chaired.SEALED} if may != Window() else set()
    stages |= {Chaired.DRAWN} if may.seal else set()
    seats = any(
        one.stage in stages and state.still_member(one.slot, one.member_id) for one in record.chairs
    )
    return audits or hashes or seats


def is_due(record: Round) -> bool:
    """Cases are decided in a step before their round is final."""
    return bool(record.cases()) and not record.judged


def fails(record: Round, audit: Audit) -> bool:
    """Whether two thirds of a committee opened that the payload fails."""
    chairs = record.chairs[audit.first : audit.first + audit.seats]
    said = [one.word for one in chairs if one.stage is Chaired.OPENED]
    return 3 * said.count(2) >= 2 * len(chairs)


def judge(state: State, record: Round, now: Moment) -> None:
    """Decides all cases; who is rejected pays."""
    record.judged = True
    for audit in record.cases():
        chairs = record.chairs[audit.first : audit.first + audit.seats]
        passes = [one.word for one in chairs if one.stage is Chaired.OPENED].count(1)
        if not chairs:
            audit.case = Case.LAPSED
        elif fails(record, audit):
            audit.case = Case.REJECTED
            assert audit.target is not None
            record.rejected.add(audit.target)
        else:
            audit.case = Case.CLEARED if 3 * passes >= 2 * len(chairs) else Case.UNDECIDED
    for audit in record.cases():
        state.met[audit.case.name] += 1
        if audit.case is Case.REJECTED and audit.target is not None:
            _punish(state, audit.target, record.trainer_ids[audit.target], now)


def _punish(state: State, slot: int, member_id: int, now: Moment) -> None:
    entry = state.entries[slot]
    if entry.member_id != member_id:
        return
    entry.slashed = min(MOST, entry.slashed + state.config.slash_points)
    entry.strikes = min(255, entry.strikes + 1)
    if entry.strikes >= STRIKES:
        members.step_aside(state, slot, Place.EJECTED, now)


def right(record: Round) -> list[tuple[int, int]]:
    """Who gave a verdict that agrees with the outcome: slot and member id."""
    found = []
    for audit in record.audits:
        if audit.word == 1 or audit.case is Case.REJECTED:
            found.append((audit.slot, audit.member_id))
        word = {Case.REJECTED: 2, Case.CLEARED: 1}.get(audit.case)
        chairs = record.chairs[audit.first : audit.first + audit.seats]
        found += [(one.slot, one.member_id) for one in chairs if word and one.word == word]
    return found
