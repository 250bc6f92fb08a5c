"""Rounds of an epoch: their records, witnesses, entropy (PROTOCOL.md sections 4, 5, 6, 7, 9)."""

from __future__ import annotations

from collections.abc import Mapping

from support.model import checkpoints, draws, shares, votes
from support.model.record import Round
from support.model.state import State
from support.model.words import Moment, Phase, Place, Refused

#: Chain slots between what makes entropy due and the slot whose hash it is (section 5).
LATER = 2


def enter(state: State, phase: Phase, now: Moment) -> None:
    """Section 4: on entering a phase its moment is noted, and its deadline."""
    config = state.config
    seconds = {
        Phase.WARMUP: config.warmup_seconds,
        Phase.TRAIN: config.train_seconds,
        Phase.WITNESS: config.witness_seconds,
        Phase.COOLDOWN: config.cooldown_seconds,
    }.get(phase)
    state.phase, state.began = phase, now
    state.deadline = 0 if seconds is None else now.time + seconds
    if seconds is None and state.vote is not None and state.vote.agreed:
        state.vote = None  # section 11: it is over


def roles_entropy(state: State) -> bytes:
    """Section 5: roles of round N come from E(N - 2); of rounds 0 and 1 from E(-1)."""
    before = state.record(state.round - 2)
    entropy = state.entropy if state.round < 2 else before and before.entropy
    assert entropy is not None
    return entropy


def start_round(state: State, now: Moment) -> None:
    """Round `state.round` trains: roles, positions, shares."""
    vote = state.vote
    if vote is not None and votes.is_open(state) and state.round >= vote.close_round:
        votes.look(state, now, at_end=True)
    enter(state, Phase.TRAIN, now)
    entropy = roles_entropy(state)
    record = Round(
        state.epoch, state.round, state.step, False, now, state.chain_hash, roles_entropy=entropy
    )
    seed = draws.seed_of(state.instance, state.epoch, state.round, draws.ROLES, entropy)
    percent = 0 if state.round == 0 else state.config.verification_percent
    verifiers, record.order = draws.roles(seed, state.slots(Place.ACTIVE), percent)
    record.verifiers = [(slot, state.entries[slot].member_id) for slot in verifiers]
    record.trainer_ids = {slot: state.entries[slot].member_id for slot in record.order}
    record.segments = shares.take(state, shares.batch(state.config, state.step))
    weights = [state.entries[slot].weight for slot in record.order]
    percent_max = state.config.share_percent_max
    record.share_ends = shares.share_ends(weights, record.sequences, percent_max)
    state.records[state.round % 4] = record
    state.step += 1
    state.grace_since, state.grace_seconds = None, 0
    votes.open_snapshot(state, now)


def start_drain(state: State, now: Moment) -> None:
    """A drain round begins in Witness, without trainers and positions."""
    enter(state, Phase.WITNESS, now)
    never = Moment(0, 0)  # nobody trains
    record = Round(state.epoch, state.round, state.step, True, never, state.chain_hash)
    state.records[state.round % 4] = record


def close_train(state: State, now: Moment) -> None:
    """Train to Witness; the round's entropy is noted."""
    record = state.present()
    record.closed_at, record.noted = now.time, now.chain_slot + LATER
    enter(state, Phase.WITNESS, now)


def store_entropy(state: State, hashes: Mapping[int, bytes], now: Moment) -> bool:
    """Section 5: what was noted is stored, or noted anew; whether anything was done."""
    done = False
    pending = state.phase is Phase.WARMUP and state.entropy is None
    if pending and now.chain_slot > state.noted:
        state.entropy, state.noted = entropy_at(hashes, state.noted, now)
        done = True
    for number in range(max(0, state.round - 3), state.round + 1):
        record = state.record(number)
        if record is not None:
            done |= _store(state, record, hashes, now)
    return checkpoints.store(state, hashes, now) or done


def _store(state: State, record: Round, hashes: Mapping[int, bytes], now: Moment) -> bool:
    """E(round) and the first draw; the hash of the second draw, and that draw."""
    done = False
    if record.noted and record.entropy is None and now.chain_slot > record.noted:
        record.entropy, record.noted = entropy_at(hashes, record.noted, now)
        done = True
        if record.entropy is not None and record.committed:
            draw_witnesses(state, record)
    pending = record.redraw_noted and record.redraw_entropy is None
    if pending and now.chain_slot > record.redraw_noted:
        record.redraw_entropy, record.redraw_noted = entropy_at(hashes, record.redraw_noted, now)
        done = True
        if record.redraw_entropy is not None:
            draw_witnesses(state, record)
    return done


def entropy_at(hashes: Mapping[int, bytes], noted: int, now: Moment) -> tuple[bytes | None, int]:
    """The hash of the newest chain slot not above the noted one, else another is noted."""
    if not hashes:
        raise Refused("SlotHashesUnavailable")
    there = [slot for slot in hashes if slot <= noted]
    if there:
        return hashes[max(there)], noted
    return None, now.chain_slot + LATER


def draw_witnesses(state: State, record: Round) -> None:
    """Section 6, Witnesses; the second draw leaves out who was elected first and is silent."""
    again = record.draws == 1
    silent = (
        {
            record.witnesses[one]
            for one in range(len(record.witnesses))
            if one not in record.attested
        }
        if again
        else set()
    )
    active = state.slots(Place.ACTIVE)
    talking = [s for s in active if state.entries[s].silences < state.config.misses_max]
    eligible = [slot for slot in talking if slot not in silent] or active
    purpose = draws.WITNESSES_AGAIN if again else draws.WITNESSES
    entropy = record.redraw_entropy if again else record.entropy
    assert entropy is not None
    seed = draws.seed_of(state.instance, record.epoch, record.number, purpose, entropy)
    record.witnesses = draws.witnesses(seed, eligible, state.config.witness_count)
    record.witness_ids = [state.entries[slot].member_id for slot in record.witnesses]
    record.attested, record.witnesses_gone, record.held = set(), set(), {}
    record.custody = {}
    record.draws += 1


def note_silences(state: State, record: Round) -> None:
    """Section 9: who attested has its silences set to 0, who did not has one more."""
    for index, slot in enumerate(record.witnesses):
        if index in record.attested:
            if state.entries[slot].member_id == record.witness_ids[index]:
                state.entries[slot].silences = 0
        elif state.still_member(slot, record.witness_ids[index]):
            state.entries[slot].silences = min(255, state.entries[slot].silences + 1)


def redraw(state: State, record: Round, now: Moment) -> None:
    """A second draw is decided: its hash is noted, Witness begins anew with a new deadline."""
    note_silences(state, record)
    record.redraw_noted = now.chain_slot + LATER
    enter(state, Phase.WITNESS, now)
