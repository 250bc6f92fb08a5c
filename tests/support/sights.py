"""The accounts of a small run as bytes, and what a wallet sees in them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from solders.pubkey import Pubkey

from psyche_client.seen import Sight
from psyche_client.sighting import Turns, read_sight
from psyche_sdk._accounts import AccountData
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._rules.hashing import bit_field
from psyche_sdk.coordinator import Snapshot
from support.accounts import CAPACITY, Round, roster_bytes, rounds_bytes, run_bytes

ALICE, BOB, CAROL = (bytes([number]) * 32 for number in (1, 2, 3))
TRAIN, WITNESS = 3, 4
JOINED, READY, ACTIVE, BEHIND, LEFT, DROPPED, EJECTED = range(1, 8)
START = 1000
MEMBERS: dict[int, dict[str, Any]] = {
    7: {"wallet": ALICE, "node_key": b"a" * 32, "state": ACTIVE, "member_id": 70, "misses": 1},
    2: {"wallet": BOB, "node_key": b"b" * 32, "state": ACTIVE, "member_id": 20},
    9: {"wallet": CAROL, "node_key": b"c" * 32, "state": EJECTED, "member_id": 90},
}
COMMITMENTS = {2: sha256(b"bob's").digest(), 7: sha256(b"alice's").digest()}


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def account(data: bytes) -> AccountData:
    """An account of the program with these bytes."""
    return AccountData(
        address=Pubkey.default(), owner=PROGRAM_ID, lamports=1, data=data, chain_slot=9
    )


def snapshot(
    *rounds: Round, members: dict[int, dict[str, Any]] | None = None, **run: Any
) -> Snapshot:
    """The three accounts: alice in slot 7, bob in 2, carol thrown out of 9; Train of round 5."""
    fields: dict[str, Any] = {"phase": TRAIN, "round": 5, "phase_started_at": START}
    return Snapshot(
        chain_slot=9,
        unix_seconds=START,
        run=account(run_bytes(**(fields | run))),
        roster=account(roster_bytes(MEMBERS if members is None else members)),
        rounds=account(rounds_bytes(list(rounds))),
    )


def a_round(number: int = 5, columns: dict[str, Any] | None = None, **header: Any) -> Round:
    """Slots 7 and 2 train four and six sequences; slot 2 is the witness."""
    segments = np.zeros(8, [("start", "<u8"), ("end", "<u8")])
    segments[0] = (100, 110)
    fixed = {
        "round": number,
        "trainers": 2,
        "expected": 2,
        "sequences": 10,
        "segment_count": 1,
        "segments": segments,
        "witnesses": 1,
        "witness_slots": [2] + [0] * 31,
        "witness_member_ids": [20] + [0] * 31,
    }
    member_ids = [0] * CAPACITY
    member_ids[7], member_ids[2] = 70, 20
    own = {"order": [7, 2], "share_end": [4, 10], "member_id": member_ids}
    return Round(fixed | header, own | (columns or {}))


def a_settled_round(number: int = 4, accepted: tuple[int, ...] = (2, 7)) -> Round:
    """The same, settled: both committed."""
    columns: dict[str, Any] = {
        "commitment": b"".join(COMMITMENTS.get(slot, bytes(32)) for slot in range(CAPACITY)),
        "committed": bit_field(list(COMMITMENTS), CAPACITY),
        "accepted": bit_field(list(accepted), CAPACITY),
        "bytes": [600 + slot for slot in range(CAPACITY)],
        "loss_micronats": [4_500_000] * CAPACITY,
        "tokens": [32] * CAPACITY,
    }
    header = {"settled": 1, "train_closed_at": START, "committed": 2, "entropy_stored": 1}
    return a_round(number, columns, **header, chain_hash_before=b"p" * 32)


def see(
    shot: Snapshot, wallet: bytes = ALICE, now: float = START, turns: Turns | None = None
) -> Sight:
    """What a wallet sees."""
    return read_sight(shot, wallet, turns or Turns(Clock()), now=now)
