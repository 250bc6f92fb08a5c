"""Who audits and who judges a round's payloads (PROTOCOL.md section 10b)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Case(IntEnum):
    """Where a flag stands (section 10b)."""

    NONE = 0
    OPENED = 1
    DRAWN = 2
    LAPSED = 3
    REJECTED = 4
    CLEARED = 5
    UNDECIDED = 6


class Chaired(IntEnum):
    """Where a seat stands (section 10b)."""

    DRAWN = 0
    SEALED = 1
    OPENED = 2


@dataclass
class Audit:
    """Who audits whom, and what it said: 0 nothing, 1 that it passes, 2 that it fails."""

    slot: int
    member_id: int
    target: int | None
    word: int = 0
    scores: tuple[int, int, int, int] = (0, 0, 0, 0)
    case: Case = Case.NONE
    noted: int = 0
    first: int = 0
    seats: int = 0


@dataclass
class Chair:
    """A seat of the committee of a case, which is the place of an auditor."""

    slot: int
    member_id: int
    case: int
    stage: Chaired = Chaired.DRAWN
    sealed: bytes = bytes(32)
    word: int = 0
    scores: tuple[int, int, int, int] = (0, 0, 0, 0)
