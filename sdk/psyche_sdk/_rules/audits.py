"""Audits of a round's payloads: who checks what, what was said, and until when it counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from psyche_sdk._rules.checks import Source, raw

if TYPE_CHECKING:
    from psyche_sdk._rules.phase import Moment

_SCORES = [
    ("jaccard_permille", "<u2"),
    ("hamming_permille", "<u2"),
    ("manhattan_permille", "<u2"),
    ("alignment_permille", "<i2"),
]
#: An auditor's entry, and a seat's, as they lie in the column (tests/golden/layout.json).
AUDITOR: Final = np.dtype(
    [
        ("member_id", "<u4"),
        ("committee_delay", "<u4"),
        ("slot", "<u2"),
        ("target", "<u2"),
        *_SCORES,
        ("verdict", "u1"),
        ("case_stage", "u1"),
        ("first_seat", "u1"),
        ("seats", "u1"),
    ]
)
SEAT: Final = np.dtype(
    [
        ("sealed", "u1", 32),
        ("member_id", "<u4"),
        ("slot", "<u2"),
        *_SCORES,
        ("case", "u1"),
        ("stage", "u1"),
        ("verdict", "u1"),
        ("reserved", "u1", 7),
    ]
)
#: Auditors, and committee seats, that a record has room for.
AUDITORS_MAX: Final = 64
SEATS_MAX: Final = 64
#: Bytes of the last column, the verifiers': auditors, then seats.
VERIFIERS_BYTES: Final = AUDITORS_MAX * AUDITOR.itemsize + SEATS_MAX * SEAT.itemsize
#: Rounds after its own in which a payload can be spoken about; in the last one seats open.
AGES: Final = 3
#: `target` of an auditor for which there is nothing to audit.
NO_TARGET: Final = 65_535


class VerdictWord(IntEnum):
    """What an auditor or a seat says about a payload."""

    NONE = 0
    PASS = 1
    FAIL = 2


class CaseStage(IntEnum):
    """Where a flag stands."""

    NONE = 0
    OPENED = 1
    DRAWN = 2
    LAPSED = 3
    REJECTED = 4
    CLEARED = 5
    UNDECIDED = 6


class SeatStage(IntEnum):
    """Where a committee's seat stands."""

    DRAWN = 0
    SEALED = 1
    OPENED = 2


class Scores(NamedTuple):
    """What was measured, per mille; alignment may be negative."""

    jaccard: int
    hamming: int
    manhattan: int
    alignment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Who audits a payload of a round, and what came of it.

    Attributes:
        target: slot of the trainer; None if nothing is left for this auditor.
        case: where its flag stands; NONE if it gave none.
        committee_slot: of a flag, chain slot whose hash draws the committee; else 0.
        first_seat, seats: its committee's seats in the record.
    """

    slot: int
    member_id: int
    target: int | None
    verdict: VerdictWord
    scores: Scores
    case: CaseStage
    committee_slot: int
    first_seat: int
    seats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A seat of the committee that judges a flagged payload.

    Attributes:
        case: place of the auditor whose flag opened the case; target: the trainer's slot.
        sealed: sha256(verdict, salt, wallet); zeros until it is sent.
        verdict, scores: once it is opened.
    """

    slot: int
    member_id: int
    case: int
    target: int
    stage: SeatStage
    sealed: bytes
    verdict: VerdictWord
    scores: Scores


class Window(NamedTuple):
    """Which words on a round's payloads count now.

    audit: auditors' verdicts; seal: seats' hashes, and committees are drawn; open: seats' verdicts
    (while seats can seal only those of cases in which all have).
    """

    audit: bool = False
    seal: bool = False
    open: bool = False


def window_of(
    round_: int, present: int, cooldown: tuple[Moment, int, Moment] | None = None
) -> Window:
    """The window of `round_` while the run is in round `present`.

    `cooldown` is given in that phase: when it began, its seconds, and now. Audits end with its
    first quarter, rounded up, sealing with its first half.
    """
    age = present - round_
    half = quarter = False
    if cooldown is not None:
        started, seconds, now = cooldown
        half = started.passed(seconds // 2, now)
        quarter = half or started.passed(-(-seconds // 4), now)
    return Window(
        audit=age == 1 and not quarter,
        seal=age in (1, 2) and not half,
        open=age == AGES or (age in (1, 2) and half),
    )


def decode_audits(
    column: memoryview, header: np.void, capacity: int, source: Source
) -> tuple[tuple[Auditor, ...], tuple[Seat, ...]]:
    """Auditors and seats in a record's last column.

    Raises:
        AccountInvalid: there are more than fit, or a number in them means nothing.
    """
    auditors, seats = int(header["auditors"]), int(header["seats"])
    if auditors > AUDITORS_MAX or seats > SEATS_MAX:
        raise source.invalid(f"{auditors} auditors and {seats} seats")
    started = int(header["train_started_slot"])
    split = AUDITORS_MAX * AUDITOR.itemsize
    rows = np.frombuffer(column[:split], AUDITOR)[:auditors]
    found = tuple(_auditor(row, started, capacity, source) for row in rows)
    seated = np.frombuffer(column[split:], SEAT)[:seats]
    return found, tuple(_seat(row, found, capacity, source) for row in seated)


def _auditor(row: np.void, started: int, capacity: int, source: Source) -> Auditor:
    target = int(row["target"])
    if int(row["slot"]) >= capacity or (target >= capacity and target != NO_TARGET):
        raise source.invalid("an auditor's slot that is none")
    if row["verdict"] > max(VerdictWord) or row["case_stage"] > max(CaseStage):
        raise source.invalid("an unknown verdict or stage of a case")
    case = CaseStage(row["case_stage"])
    return Auditor(
        slot=int(row["slot"]),
        member_id=int(row["member_id"]),
        target=None if target == NO_TARGET else target,
        verdict=VerdictWord(row["verdict"]),
        scores=_scores(row),
        case=case,
        committee_slot=started + int(row["committee_delay"]) if case else 0,
        first_seat=int(row["first_seat"]),
        seats=int(row["seats"]),
    )


def _seat(row: np.void, auditors: tuple[Auditor, ...], capacity: int, source: Source) -> Seat:
    case = int(row["case"])
    target = auditors[case].target if case < len(auditors) else None
    if int(row["slot"]) >= capacity or target is None:
        raise source.invalid("a seat's slot or case that is none")
    if row["verdict"] > max(VerdictWord) or row["stage"] > max(SeatStage):
        raise source.invalid("an unknown verdict or stage of a seat")
    return Seat(
        slot=int(row["slot"]),
        member_id=int(row["member_id"]),
        case=case,
        target=target,
        stage=SeatStage(row["stage"]),
        sealed=raw(row["sealed"]),
        verdict=VerdictWord(row["verdict"]),
        scores=_scores(row),
    )


def _scores(row: np.void) -> Scores:
    return Scores(*(int(row[f"{name}_permille"]) for name in Scores._fields))
