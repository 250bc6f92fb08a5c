"""What a simulation remembers of a run's past, to hold the present against."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from support.simulator.snapshot import Record, Snapshot

Intervals = list[tuple[int, int]]


class BrokenError(AssertionError):
    """An invariant does not hold; `number` is that of docs/INVARIANTS.md."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"I{number}: {text}")
        self.number = number


def must(number: int, holds: object, text: str) -> None:
    """Raises `BrokenError` unless a fact holds."""
    if not holds:
        raise BrokenError(number, text)


@dataclass
class Past:
    """What was seen so far.

    Attributes:
        hash_at: the hash of the newest chain slot that is not above the given one, if it is known.
        wallets: by member id.
        placed: accepted positions of rounds that are not kept any more, merged.
        settled: what a kept round looked like when it settled, by (epoch, round).
        chain_hash: over all rounds that settled.
        met: how often what happened that no outcome tells.
        removed: payloads that left their accepted sets.
    """

    hash_at: Callable[[int], bytes | None]
    chain_hash: bytes = b""
    wallets: dict[int, bytes] = field(default_factory=dict)
    placed: Intervals = field(default_factory=list)
    settled: dict[tuple[int, int], tuple[bytes, ...]] = field(default_factory=dict)
    rents: tuple[int, int, int] = (0, 0, 0)
    rounds_settled: int = 0
    met: Counter[str] = field(default_factory=Counter)
    removed: int = 0

    def begin(self, now: Snapshot) -> None:
        """Starts from a run that nobody joined yet."""
        self.chain_hash = now.hash("chain_hash")
        self.rents = now.lamports


def merged(intervals: Iterable[tuple[int, int]]) -> Intervals:
    """The union, ascending."""
    found: Intervals = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def measure(intervals: Iterable[tuple[int, int]]) -> int:
    """How many positions intervals have, each counted."""
    return sum(end - start for start, end in intervals)


def positions_of(record: Record, offsets: Iterable[tuple[int, int]]) -> Intervals:
    """Offset ranges of a round's segments as positions."""
    found: Intervals = []
    segments, base = record.segments(), 0
    wanted = merged(offsets)
    for start, end in segments:
        size = end - start
        for first, last in wanted:
            low, high = max(first, base), min(last, base + size)
            if low < high:
                found.append((start + low - base, start + high - base))
        base += size
    return found


def accepted_offsets(record: Record) -> Intervals:
    """The shares that were accepted."""
    starts, ends = record.shares()
    chosen = record.bits("accepted")[record.order()]
    return list(zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True))


def flying_offsets(record: Record) -> Intervals:
    """What of a round is neither accepted nor back in the backlog."""
    sequences, back = record.number("sequences"), record.number("returned_to")
    if not record.settled:
        return [(0, sequences)]
    starts, ends = record.shares()
    open_ = ~record.bits("accepted")[record.order()] & (ends > back)
    found = list(zip(starts[open_].tolist(), ends[open_].tolist(), strict=True))
    found.append((int(ends[-1]) if len(ends) else 0, sequences))
    return [(max(start, back), end) for start, end in found if end > max(start, back)]


def next_hash(before: bytes, record: Record) -> bytes:
    """The chain hash after a round, by its accepted set."""
    place = record.number("epoch").to_bytes(4, "little") + record.number("round").to_bytes(
        4, "little"
    )
    chosen = record.commitments()[record.bits("accepted")]
    field_ = bytes(record.columns["accepted"])
    return hashlib.sha256(before + place + field_ + chosen.tobytes()).digest()


def ones(words: np.ndarray) -> np.ndarray:
    """How many bits are set, of each 32-bit word."""
    octets = np.ascontiguousarray(words, "<u4").view(np.uint8).reshape(-1, 4)
    return np.unpackbits(octets, axis=1).sum(axis=1)
