"""What must stand in a run's accounts, by the same names as in `observed`."""

from __future__ import annotations

from typing import Any

from psyche_sdk._generated.types import RUN_CONFIG_CODEC
from support.model import money
from support.model.agreed import Agreed, Checkpoint
from support.model.audits_seen import expect_audits
from support.model.record import Round
from support.model.state import Entry, State
from support.model.words import Moment, Phase, Place, Word

OPEN_END = 2**32 - 1


def _state(one: Agreed) -> Any:
    return (one.epoch, one.round, one.step, one.digest, one.chain_hash)


def expect_run(state: State) -> dict[str, Any]:
    """The run's account."""
    last = state.rounds_in_epoch
    expected: dict[str, Any] = {
        "phase": state.phase,
        "phase_started_at": state.began.time,
        "phase_started_slot": state.began.chain_slot,
        "phase_deadline": state.deadline,
        "step": state.step,
        "fresh_cursor": state.fresh,
        "repeated": state.repeated,
        "accepted": state.accepted,
        "in_flight": state.in_flight,
        "entropy_target_slot": state.noted,
        "epoch": state.epoch,
        "round": state.round,
        "rounds_in_epoch": OPEN_END if last is None else last,
        "next_member_id": state.next_member_id,
        "joined": len(state.slots(Place.JOINED)),
        "ready": len(state.slots(Place.READY)),
        "active": len(state.slots(Place.ACTIVE)),
        "behind": len(state.slots(Place.BEHIND)),
        "pause_requested": int(state.pause_requested),
        "warmup_failures": state.warmup_failures,
        "entropy_stored": int(state.entropy is not None),
        "entropy": state.entropy,
        "chain_hash": state.chain_hash,
        "instance": state.instance,
        "backlog": [tuple(one) for one in state.backlog],
        "agreed": _state(state.agreed),
        "snapshots": [_state(one) for one in state.snapshots],
        "vote": _vote(state),
        "config": RUN_CONFIG_CODEC.encode(state.config),
        "owners": (state.owner, state.proposed),
        "join_authority": state.join_authority or bytes(32),
        "model": state.model,
        "metadata": state.metadata,
        "next_rates": state.next_rates,
        "bonds_lamports": money.bonds(state),
        "forfeited_lamports": state.forfeited,
        "cooling": (state.cooling_noted, state.cooling_entropy),
        "publishers": state.publishers,
        "pending": _checkpoint(state.pending),
        "checkpoints": [_checkpoint(one) for one in state.checkpoints],
    }
    nothing = Moment(0, 0)
    if state.phase is Phase.TRAIN:
        expected["grace"] = (*(state.grace_since or nothing), state.grace_seconds)
    if state.phase is Phase.WAITING:
        expected["enough"] = tuple(state.enough_since or nothing)
    return expected


def _checkpoint(one: Checkpoint | None) -> Any:
    if one is None:
        return None
    return {
        "about": (one.epoch, one.round, one.step, one.digest),
        "at": one.published.time,
        "confirmations": sum(len(place.confirmed) for place in one.places),
        "places": [(place.publisher, place.uri, place.confirmed) for place in one.places],
    }


def _vote(state: State) -> Any:
    vote = state.vote
    if vote is None:
        return None
    return {
        "kind": vote.kind,
        "epoch": vote.epoch,
        "round": vote.round,
        "step": vote.step,
        "opened_at": vote.opened.time,
        "opened_slot": 0 if state.vote_ended else vote.opened.chain_slot,
        "eligible": len(vote.ballots),
        "committed": vote.count(Word.SEALED, Word.OPENED),
        "revealed": vote.count(Word.OPENED),
        "absent": sum(one.absent for one in vote.ballots.values()),
        "agreed": int(vote.agreed),
        "chain_hash": vote.chain_hash,
    }


def expect_roster(state: State) -> list[dict[str, Any]]:
    """The roster's entries, by slot."""
    return [_entry(entry) for entry in state.entries]


def _entry(entry: Entry) -> dict[str, Any]:
    if entry.place is Place.EMPTY:
        return {"place": Place.EMPTY}
    return {
        "place": entry.place,
        "wallet": entry.wallet,
        "node_key": entry.node_key,
        "member_id": entry.member_id,
        "declared_weight": entry.declared,
        "weight": entry.weight,
        "misses": entry.misses,
        "silences": entry.silences,
        "points": entry.points,
        "bond_lamports": entry.bond,
        "points_slashed": entry.slashed,
        "strikes": entry.strikes,
        "strikes_collected": entry.told,
        "rounds_served": entry.rounds,
        "epochs_served": entry.epochs,
        "state_since": entry.since.time,
        "state_since_slot": entry.since.chain_slot,
        "last_seen": entry.seen.time,
        "last_seen_slot": entry.seen.chain_slot,
        "word": entry.word,
        "vote": entry.vote if entry.word in (Word.SEALED, Word.OPENED) else None,
    }


def expect_rounds(state: State) -> dict[int, dict[str, Any]]:
    """The records that are kept, by number mod 4."""
    return {at: _record(record) for at, record in sorted(state.records.items())}


def _record(record: Round) -> dict[str, Any]:
    sizes = {slot: record.share_size(slot) for slot in record.order}
    shared = [slot for slot in record.order if sizes[slot]]
    gone = [slot for slot in shared if slot in record.gone]
    expected: dict[str, Any] = {
        "epoch": record.epoch,
        "round": record.number,
        "step": record.step,
        "train_started_at": record.began.time,
        "train_started_slot": record.began.chain_slot,
        "train_closed_at": record.closed_at,
        "entropy_target_slot": record.noted,
        "sequences": record.sequences,
        "sequences_committed": sum(sizes[slot] for slot in record.committed),
        "sequences_gone": sum(sizes[slot] for slot in gone),
        "sequences_accepted": sum(sizes[slot] for slot in record.accepted),
        "attested": _mask(record.attested),
        "witnesses_gone": _mask(record.witnesses_gone),
        "trainers": len(record.order),
        "expected": len(shared),
        "committed": len(record.committed),
        "gone": len(gone),
        "accepted": len(record.accepted),
        "is_drain": int(record.drain),
        "settled": int(record.settled),
        "entropy_stored": int(record.entropy is not None),
        "draws": record.draws,
        "redraw": record.redraw_noted,
        "witnesses": len(record.witnesses),
        "failed": int(record.failed),
        "finalised": int(record.final),
        "belied": _mask(record.belied),
        "complaints": [one and (one.target, one.voices) for one in record.complaints],
        "openers": record.openers,
        "entropy": record.entropy,
        "hash before": record.before,
        "segments": [tuple(one) for one in record.segments],
        "witness_slots": record.witnesses,
        "witness_ids": record.witness_ids,
        "custody": [record.custody.get(index, bytes(32)) for index in range(32)],
        "order": record.order,
        "share_ends": record.share_ends,
        "positions": list(range(len(record.order))),
        "idle": {65_535},
        "trainer_ids": [record.trainer_ids[slot] for slot in record.order],
        "committed slots": set(record.committed),
        "accepted slots": record.accepted,
        "rejected slots": record.rejected,
        **expect_audits(record),
        "gone slots": record.gone,
        "commitments": {
            slot: (one.digest, one.size, one.loss_micronats, one.tokens, one.milliseconds)
            for slot, one in sorted(record.committed.items())
        },
        "masks": {slot: _mask(record.held.get(slot, set())) for slot in sorted(record.committed)},
    }
    if record.settled:
        expected["hash after"] = record.chain_hash_after
    return expected


def _mask(indices: set[int]) -> int:
    return sum(1 << index for index in indices)
