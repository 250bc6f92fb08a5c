"""What stands in a run's accounts, by name, read with the SDK's generated layouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from psyche_sdk._generated import layouts
from support.model.audits_seen import observe_audits
from support.model.words import Phase, Place, Word

#: A run's, a member's and a record's plain fields that the model knows, by their names on chain.
RUN = (
    "phase_started_at", "phase_started_slot", "phase_deadline", "step", "fresh_cursor", "repeated",
    "accepted", "in_flight", "entropy_target_slot", "epoch", "round", "rounds_in_epoch",
    "next_member_id", "joined", "ready", "active", "behind", "pause_requested", "warmup_failures",
    "entropy_stored", "bonds_lamports", "forfeited_lamports",
)  # fmt: skip
MEMBER = (
    "member_id", "declared_weight", "weight", "misses", "silences", "state_since",
    "state_since_slot", "last_seen", "last_seen_slot", "points", "points_slashed", "strikes",
    "strikes_collected", "bond_lamports", "rounds_served", "epochs_served",
)  # fmt: skip
RECORD = (
    "epoch", "round", "step", "train_started_at", "train_started_slot", "train_closed_at",
    "entropy_target_slot", "sequences", "sequences_committed", "sequences_gone",
    "sequences_accepted", "attested", "witnesses_gone", "trainers", "expected", "committed",
    "gone", "accepted", "is_drain", "settled", "entropy_stored", "draws", "witnesses",
    "failed", "finalised", "belied",
)  # fmt: skip
#: Columns by slot (PROTOCOL.md section 12): name, type, bytes before it for each slot.
COLUMNS = (
    ("commitment", "V32", 0), ("bytes", "<u4", 32), ("loss_micronats", "<u4", 36),
    ("tokens", "<u4", 40), ("milliseconds", "<u4", 44), ("mask", "<u4", 48),
    ("member_id", "<u4", 52), ("share_end", "<u4", 56), ("position", "<u2", 60),
    ("order", "<u2", 62),
)  # fmt: skip
URIS = ("uri_first", "uri_second")
RATES = ("sequence", "attestation", "verdict")
BITS = ("committed", "accepted", "rejected", "gone")
VERIFIERS = 64 * 80


def _plain(row: np.void, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: int(row[name]) for name in names}


def _state(row: np.void) -> Any:
    if not row["valid"]:
        return None
    return (
        int(row["epoch"]), int(row["round"]), int(row["step"]), bytes(row["digest"]),
        bytes(row["chain_hash"]),
    )  # fmt: skip


def _intervals(rows: Any, count: int) -> list[tuple[int, int]]:
    return [(int(one["start"]), int(one["end"])) for one in rows[:count]]


def observe_run(data: bytes) -> dict[str, Any]:
    """The run's account."""
    row = layouts.decode_run(data)
    seen = _plain(row, RUN)
    phase = seen["phase"] = Phase(int(row["phase"]))
    seen["chain_hash"], seen["instance"] = bytes(row["chain_hash"]), bytes(row["instance"])
    seen["entropy"] = bytes(row["entropy"]) if row["entropy_stored"] else None
    seen["backlog"] = _intervals(row["backlog"], int(row["backlog_count"]))
    seen["agreed"] = _state(row["agreed"])
    seen["snapshots"] = [one for one in map(_state, row["snapshots"]) if one is not None]
    seen["config"] = row["config"].tobytes()
    seen["owners"] = (bytes(row["authority"]), bytes(row["proposed_authority"]))
    seen["join_authority"] = bytes(row["join_authority"])
    seen["model"] = (bytes(row["model_hash"]), _text(row, "model_uri"))
    seen["metadata"] = _text(row, "metadata")
    seen["next_rates"] = (
        tuple(int(row[f"next_points_per_{name}"]) for name in RATES)
        if row["rates_pending"]
        else None
    )
    if phase is Phase.TRAIN:
        names = ("grace_since", "grace_since_slot", "grace_seconds")
        seen["grace"] = tuple(int(row[name]) for name in names)
    if phase is Phase.WAITING:
        seen["enough"] = (int(row["waiting_since"]), int(row["waiting_since_slot"]))
    seen["vote"] = _vote(row["vote"])
    stored = row["cooldown_entropy_stored"]
    entropy = bytes(row["cooldown_entropy"]) if stored else None
    seen["cooling"] = (int(row["cooldown_entropy_slot"]), entropy)
    pairs = zip(row["publisher_slots"].tolist(), row["publisher_member_ids"].tolist(), strict=True)
    seen["publishers"] = list(pairs)[: int(row["publishers"])]
    seen["pending"] = _checkpoint(row["pending_checkpoint"])
    kept = map(_checkpoint, row["checkpoints"])
    seen["checkpoints"] = [one for one in kept if one is not None]
    return seen


def _text(row: np.void, name: str) -> str:
    return bytes(row[name])[: int(row[f"{name}_len"])].decode()


def _checkpoint(row: np.void) -> Any:
    if not row["valid"]:
        return None
    ids, lengths = row["publishers"].tolist(), row["uri_len"].tolist()
    uris = [bytes(row[name])[:size].decode() for name, size in zip(URIS, lengths, strict=True)]
    seats = row["confirmed_by"].tolist()
    confirmed = [[one for one in part if one] for part in (seats[:2], seats[2:])]
    places = zip(ids, uris, confirmed, strict=True)
    return {
        "about": (
            int(row["epoch"]), int(row["round"]), int(row["step"]), bytes(row["digest"])
        ),
        "at": int(row["published_at"]),
        "confirmations": int(row["confirmations"]),
        "places": [place for place in places if place[0] or place[1]],
    }  # fmt: skip


def _vote(row: np.void) -> Any:
    if not row["kind"]:
        return None
    names = ("kind", "epoch", "round", "step", "opened_at", "opened_slot", "eligible", "committed",
             "revealed", "absent", "agreed")  # fmt: skip
    return {**_plain(row, names), "chain_hash": bytes(row["chain_hash"])}


def observe_holder(data: bytes) -> dict[str, Any]:
    """A participant's account."""
    row = layouts.decode_participant(data)
    names = {
        "joins": "joins",
        "earned": "points_earned",
        "waiting": "bond_lamports",
        "slashed": "points_slashed",
        "strikes": "strikes",
        "barred": "barred",
        "claims": "claims",
        "rounds": "rounds_served",
        "epochs": "epochs_served",
    }
    return {name: int(row[field]) for name, field in names.items()} | {"payee": bytes(row["payee"])}


def observe_roster(data: bytes) -> list[dict[str, Any]]:
    """The roster's entries, by slot."""
    size = layouts.ROSTER_HEADER.itemsize + 8
    rows = np.frombuffer(data, layouts.ROSTER_ENTRY, offset=size)
    return [_entry(row) for row in rows]


def _entry(row: np.void) -> dict[str, Any]:
    place = Place(int(row["state"]))
    if place is Place.EMPTY:
        return {"place": place}
    seen = {"place": place, "wallet": bytes(row["wallet"]), **_plain(row, MEMBER)}
    seen["word"] = word = Word(int(row["vote_stage"]))
    seen["node_key"] = bytes(row["node_key"])
    seen["vote"] = bytes(row["vote"]) if word in (Word.SEALED, Word.OPENED) else None
    return seen


def observe_rounds(data: bytes, capacity: int) -> dict[int, dict[str, Any]]:
    """The records that are kept, by number mod 4."""
    head = 8 + layouts.ROUNDS_HEADER.itemsize
    rows = np.frombuffer(data, layouts.ROUND_HEADER, 4, head)
    block = 64 * capacity + 8 * (capacity // 8) + VERIFIERS
    first = head + 4 * layouts.ROUND_HEADER.itemsize
    return {
        at: _record(row, data[first + at * block : first + (at + 1) * block], capacity)
        for at, row in enumerate(rows)
        if row["valid"]
    }


def _record(row: np.void, block: bytes, capacity: int) -> dict[str, Any]:
    seen = _plain(row, RECORD)
    seen["entropy"] = bytes(row["entropy"]) if row["entropy_stored"] else None
    seen["redraw"] = int(row["redraw_target_slot"])
    seen["hash before"] = bytes(row["chain_hash_before"])
    if row["settled"]:
        seen["hash after"] = bytes(row["chain_hash_after"])
    seen["segments"] = _intervals(row["segments"], int(row["segment_count"]))
    elected = int(row["witnesses"])
    seen["witness_slots"] = row["witness_slots"][:elected].tolist()
    seen["witness_ids"] = row["witness_member_ids"][:elected].tolist()
    seen["custody"] = [bytes(root) for root in row["custody_roots"]]
    columns = {
        name: np.frombuffer(block, kind, capacity, before * capacity)
        for name, kind, before in COLUMNS
    }
    order = columns["order"][: seen["trainers"]].tolist()
    seen["order"] = order
    seen["share_ends"] = columns["share_end"][: seen["trainers"]].tolist()
    seen["positions"] = [int(columns["position"][slot]) for slot in order]
    idle = [slot for slot in range(capacity) if slot not in order]
    seen["idle"] = {int(columns["position"][slot]) for slot in idle} | {65_535}
    seen["trainer_ids"] = [int(columns["member_id"][slot]) for slot in order]
    fields = _fields(block, capacity)
    seen.update({f"{name} slots": slots for name, slots in fields.items()})
    names = ("commitment", "bytes", "loss_micronats", "tokens", "milliseconds")
    seen["commitments"] = {
        slot: tuple(
            columns[name][slot].tobytes() if name == "commitment" else int(columns[name][slot])
            for name in names
        )
        for slot in sorted(fields["committed"])
    }
    seen.update(observe_audits(row, block[-VERIFIERS:]))
    seen.update(_complaints(row, block, capacity))
    seen["masks"] = {slot: int(columns["mask"][slot]) for slot in sorted(fields["committed"])}
    return seen


def _complaints(row: np.void, block: bytes, capacity: int) -> dict[str, Any]:
    rows = np.frombuffer(block, np.uint8, capacity // 2, 64 * capacity + 4 * (capacity // 8))
    bits = np.unpackbits(rows.reshape(4, -1), axis=1, bitorder="little")
    *voices, openers = (set(np.flatnonzero(one).tolist()) for one in bits)
    targets = row["complaint_slots"].tolist()
    places = zip(targets, voices, strict=True)
    return {
        "complaints": [
            one if row["complaints"] >> at & 1 else None for at, one in enumerate(places)
        ],
        "openers": openers,
    }


def _fields(block: bytes, capacity: int) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for place, name in enumerate(BITS):
        at = 64 * capacity + place * (capacity // 8)
        field = np.frombuffer(block, np.uint8, capacity // 8, at)
        bits = np.unpackbits(field, bitorder="little")
        found[name] = set(np.flatnonzero(bits).tolist())
    return found
