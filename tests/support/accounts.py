"""Accounts as bytes, made field by field: what the program could have written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from psyche_sdk._generated import accounts as heads
from psyche_sdk._generated import layouts
from psyche_sdk._rules.rounds import COLUMNS, VERIFIERS_BYTES, columns_bytes

CAPACITY = 16
INSTANCE = bytes(range(32))

CONFIG: dict[str, Any] = {
    "total_steps": 100,
    "data_sequences": 1000,
    "data_seed": bytes([9]) * 32,
    "waiting_seconds": 10,
    "warmup_seconds": 20,
    "train_seconds": 30,
    "grace_seconds": 4,
    "witness_seconds": 12,
    "cooldown_seconds": 40,
    "init_min_members": 3,
    "min_members": 2,
}


def fill(row: np.void, values: dict[str, Any]) -> None:
    """Sets fields of a record; bytes and dicts go where they fit, texts to their front."""
    for name, value in values.items():
        if isinstance(value, dict):
            fill(row[name], value)
        elif isinstance(value, bytes):
            row[name][: len(value)] = np.frombuffer(value, np.uint8)
        else:
            row[name] = value


def run_bytes(*, config: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A `Run` account; fields are those of the account, zero if not named."""
    row = np.zeros((), layouts.RUN)
    fill(row, {"version": 2, "capacity": CAPACITY, "complete": 1, "instance": INSTANCE})
    fill(row, {"rounds_in_epoch": 2**32 - 1, "config": CONFIG | (config or {})})
    fill(row, fields)
    return heads.RUN_DISCRIMINATOR + row.tobytes()


def roster_bytes(members: dict[int, dict[str, Any]], capacity: int = CAPACITY) -> bytes:
    """A `Roster` account with these entries by slot."""
    header = np.zeros((), layouts.ROSTER_HEADER)
    fill(header, {"version": 2, "capacity": capacity})
    entries = np.zeros(capacity, layouts.ROSTER_ENTRY)
    for slot, member in members.items():
        fill(entries[slot], member)
    return heads.ROSTER_DISCRIMINATOR + header.tobytes() + entries.tobytes()


@dataclass
class Round:
    """A record to be: its header's fields, and columns by name, shorter than the slots or not."""

    header: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)


def rounds_bytes(rounds: list[Round], capacity: int = CAPACITY) -> bytes:
    """A `Rounds` account with these records, in their places of the ring."""
    fixed = np.zeros((), layouts.ROUNDS)
    fill(fixed["header"], {"version": 2, "capacity": capacity})
    blocks = [bytes(columns_bytes(capacity))] * 4
    for one in rounds:
        place = one.header.get("round", 0) % 4
        fill(fixed["records"][place], {"valid": 1} | one.header)
        blocks[place] = _columns(one.columns, capacity)
    return heads.ROUNDS_DISCRIMINATOR + fixed.tobytes() + b"".join(blocks)


def _columns(values: dict[str, Any], capacity: int) -> bytes:
    found = b""
    for name, bits in COLUMNS:
        size = bits * capacity // 8
        value = values.get(name, b"")
        if not isinstance(value, bytes):
            value = np.array(value, {32: "<u4", 16: "<u2"}[bits]).tobytes()
        found += value.ljust(size, b"\0")
    return found + bytes(VERIFIERS_BYTES)
