"""The `Rounds` account as plain values: records of the last four rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from psyche_sdk._generated import layouts
from psyche_sdk._rules import checks
from psyche_sdk._rules.audits import VERIFIERS_BYTES, Auditor, Seat, decode_audits
from psyche_sdk._rules.backlog import SEGMENTS, Interval
from psyche_sdk._rules.checks import Source, raw
from psyche_sdk._rules.complaints import Complaint
from psyche_sdk._rules.draw import MAX_WITNESSES
from psyche_sdk._rules.hashing import HASH_BYTES

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

#: Records in the ring; round N of an epoch is in record N % 4.
RECORDS: Final = 4
#: Name and bits a slot of each column, in the order in which they lie.
COLUMNS: Final = (
    ("commitment", 256),
    ("bytes", 32),
    ("loss_micronats", 32),
    ("tokens", 32),
    ("milliseconds", 32),
    ("mask", 32),
    ("member_id", 32),
    ("share_end", 32),
    ("position", 16),
    ("order", 16),
    ("committed", 1),
    ("accepted", 1),
    ("rejected", 1),
    ("gone", 1),
    ("missing", 4),
)

Numbers = npt.NDArray[np.uint32]
Slots = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoundRecord:
    """All that settling a round needs, and what came of it.

    Attributes:
        step: the round's start number over the run's life.
        train_closed_at: Unix seconds; None while the round trains.
        entropy_target_slot: chain slot whose hash is E(round); 0: not noted yet.
        entropy: E(round), once it is stored.
        roles_entropy: what decided roles and shares.
        draws: witness draws so far: 0, 1 or 2.
        redraw_target_slot: chain slot whose hash decides the second draw; 0: there is none.
        redraw_entropy: what decided it, once it is made.
        segments: the round's positions, in order.
        order: slots of the trainers, in drawn order; share_ends: where their shares end.
        witnesses: (slot, member id) of the elected, in drawn order.
        attested, witnesses_gone: masks of witnesses.
        custody_roots: by place among the witnesses.
        returned_to: settled: offset up to which what was not accepted is in the backlog again.
        complaints: by place; None where none stands. complaint_openers: a bit field by slot.
        belied: mask of the witnesses that attested a payload which was nowhere.
        judged, finalised: cases are decided; points are credited, and nothing changes any more.
        targets_drawn: it is drawn who audits; auditors in drawn order, seats by committee.
        expected: trainers whose share is not empty; gone: of them, who left uncommitted.
        committed, accepted, rejected: bit fields by slot.
        commitments, sizes, losses_micronats, tokens, milliseconds, masks, member_ids: by slot.
    """

    capacity: int
    epoch: int
    round: int
    step: int
    train_started_at: int
    train_started_slot: int
    train_closed_at: int | None
    entropy_target_slot: int
    entropy: bytes | None
    roles_entropy: bytes
    chain_hash_before: bytes
    chain_hash_after: bytes
    is_drain: bool
    settled: bool
    failed: bool
    draws: int
    redraw_target_slot: int
    redraw_entropy: bytes | None
    segments: tuple[Interval, ...]
    sequences: int
    sequences_committed: int
    sequences_gone: int
    sequences_accepted: int
    expected: int
    committed_count: int
    accepted_count: int
    gone: int
    returned_to: int
    finalised: bool
    judged: bool
    targets_drawn: bool
    verdicts: int
    cases: int
    auditors: tuple[Auditor, ...]
    seats: tuple[Seat, ...]
    order: Slots
    share_ends: Numbers
    witnesses: tuple[tuple[int, int], ...]
    attested: int
    witnesses_gone: int
    custody_roots: tuple[bytes, ...]
    belied: int
    complaints: tuple[Complaint | None, ...]
    complaint_openers: bytes
    committed: bytes
    accepted: bytes
    rejected: bytes
    commitments: npt.NDArray[np.uint8]
    sizes: Numbers
    losses_micronats: Numbers
    tokens: Numbers
    milliseconds: Numbers
    masks: Numbers
    member_ids: Numbers

    @property
    def redraws(self) -> bool:
        """Whether a second witness draw waits for its entropy: nobody can attest meanwhile."""
        return self.redraw_target_slot > 0 and self.draws <= 1

    @property
    def key(self) -> tuple[int, int]:
        """(epoch, round)."""
        return self.epoch, self.round

    def commitment(self, slot: int) -> bytes:
        """The sha256 of a slot's payload; zeros if it did not commit."""
        return raw(self.commitments[slot])


def columns_bytes(capacity: int) -> int:
    """Bytes of a record's block of columns."""
    return sum(bits for _, bits in COLUMNS) * capacity // 8 + VERIFIERS_BYTES


def rounds_bytes(capacity: int) -> int:
    """Bytes of an account of this capacity, discriminator included."""
    fixed = checks.HEAD_BYTES + layouts.ROUNDS.itemsize
    return fixed + RECORDS * columns_bytes(capacity)


def columns_of(data: bytes, capacity: int, index: int) -> dict[str, memoryview]:
    """The columns of record ``index`` by name."""
    offset = checks.HEAD_BYTES + layouts.ROUNDS.itemsize + index * columns_bytes(capacity)
    view = memoryview(data)
    found = {}
    for name, bits in COLUMNS:
        size = bits * capacity // 8
        found[name] = view[offset : offset + size]
        offset += size
    found["verifiers"] = view[offset : offset + VERIFIERS_BYTES]
    return found


def decode_rounds(
    data: bytes, *, owner: Pubkey | None = None, address: object = "?"
) -> list[RoundRecord]:
    """The records in an account's bytes (discriminator included), oldest first.

    Raises:
        AccountError: owner, discriminator, version, length or contents are wrong.
    """
    source = Source(address, owner)
    fixed = checks.fixed_part(data, checks.ROUNDS, source)
    capacity = checks.checked_capacity(int(fixed["header"]["capacity"]), source)
    checks.exact_length(data, rounds_bytes(capacity), source)
    found = [
        _record(header, columns_of(data, capacity, index), capacity, source)
        for index, header in enumerate(fixed["records"])
        if header["valid"]
    ]
    return sorted(found, key=lambda record: record.key)


def _record(
    header: np.void, columns: dict[str, memoryview], capacity: int, source: Source
) -> RoundRecord:
    trainers = int(header["trainers"])
    if trainers > capacity:
        raise source.invalid(f"{trainers} trainers of {capacity} slots")
    order: Slots = np.frombuffer(columns["order"], "<u2")[:trainers]
    ends = np.frombuffer(columns["share_end"], "<u4")[:trainers]
    segments = _segments(header, source)
    _check_shares(order, ends, segments, header, capacity, source)
    closed = int(header["train_closed_at"])
    numbers = (
        *("epoch", "round", "step", "train_started_at", "train_started_slot"),
        *("entropy_target_slot", "redraw_target_slot", "draws"),
        *("sequences", "sequences_committed", "sequences_gone", "sequences_accepted"),
        *("expected", "gone", "attested", "witnesses_gone"),
        *("returned_to", "verdicts", "cases", "belied"),
    )
    auditors, seats = decode_audits(columns["verifiers"], header, capacity, source)
    return RoundRecord(
        capacity=capacity,
        auditors=auditors,
        seats=seats,
        targets_drawn=bool(header["targets_drawn"]),
        **checks.numbers(header, numbers),
        train_closed_at=closed or None,
        entropy=raw(header["entropy"]) if header["entropy_stored"] else None,
        redraw_entropy=raw(header["redraw_entropy"]) if header["draws"] > 1 else None,
        roles_entropy=raw(header["roles_entropy"]),
        chain_hash_before=raw(header["chain_hash_before"]),
        chain_hash_after=raw(header["chain_hash_after"]),
        is_drain=bool(header["is_drain"]),
        settled=bool(header["settled"]),
        failed=bool(header["failed"]),
        committed_count=int(header["committed"]),
        accepted_count=int(header["accepted"]),
        finalised=bool(header["finalised"]),
        judged=bool(header["judged"]),
        segments=segments,
        order=order,
        share_ends=ends,
        witnesses=(elected := _witnesses(header, capacity, source)),
        custody_roots=tuple(map(raw, header["custody_roots"][: len(elected)])),
        **_by_slot(columns, capacity),
        **_complaints(header, bytes(columns["missing"])),
    )


def _complaints(header: np.void, fields: bytes) -> dict[str, Any]:
    slots, standing = header["complaint_slots"].tolist(), int(header["complaints"])
    size = len(fields) // (len(slots) + 1)
    *voices, openers = (fields[at : at + size] for at in range(0, len(fields), size))
    places = enumerate(zip(slots, voices, strict=True))
    found = (Complaint(*one) if standing >> at & 1 else None for at, one in places)
    return {"complaints": tuple(found), "complaint_openers": openers}


def _by_slot(columns: dict[str, memoryview], capacity: int) -> dict[str, Any]:
    words = {
        "sizes": "bytes",
        "losses_micronats": "loss_micronats",
        "tokens": "tokens",
        "milliseconds": "milliseconds",
        "masks": "mask",
        "member_ids": "member_id",
    }
    commitments = np.frombuffer(columns["commitment"], np.uint8)
    return {
        "commitments": commitments.reshape(capacity, HASH_BYTES),
        **{name: np.frombuffer(columns[column], "<u4") for name, column in words.items()},
        **{name: bytes(columns[name]) for name in ("committed", "accepted", "rejected")},
    }


def _segments(header: np.void, source: Source) -> tuple[Interval, ...]:
    count = int(header["segment_count"])
    if count > SEGMENTS:
        raise source.invalid(f"{count} segments")
    found = tuple(
        Interval(int(one["start"]), int(one["end"])) for one in header["segments"][:count]
    )
    if any(one.end < one.start for one in found):
        raise source.invalid("a segment that ends before it begins")
    if sum(one.end - one.start for one in found) != int(header["sequences"]):
        raise source.invalid("segments that are not the round's sequences")
    return found


def _check_shares(  # noqa: PLR0917  (the parts of one record)
    order: Slots,
    ends: Numbers,
    segments: tuple[Interval, ...],
    header: np.void,
    capacity: int,
    source: Source,
) -> None:
    if (order >= capacity).any() or len(np.unique(order)) != len(order):
        raise source.invalid("a trainer's slot that is none, or is there twice")
    if (ends[1:] < ends[:-1]).any() or (len(ends) and ends[-1] > header["sequences"]):
        raise source.invalid("shares that overlap or go past the round")
    if len(order) and not segments and header["sequences"]:
        raise source.invalid("sequences without positions")


def _witnesses(header: np.void, capacity: int, source: Source) -> tuple[tuple[int, int], ...]:
    count = int(header["witnesses"])
    if count > MAX_WITNESSES:
        raise source.invalid(f"{count} witnesses")
    slots = header["witness_slots"][:count].tolist()
    if any(slot >= capacity for slot in slots):
        raise source.invalid("a witness's slot that is none")
    return tuple(zip(slots, header["witness_member_ids"][:count].tolist(), strict=True))
