"""Phases, places, moments: the words of a run's state (PROTOCOL.md sections 1, 4, 10, 11)."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import NamedTuple


class Phase(IntEnum):
    """Section 4."""

    PAUSED = 0
    WAITING = 1
    WARMUP = 2
    TRAIN = 3
    WITNESS = 4
    COOLDOWN = 5
    FINISHED = 6


class Place(IntEnum):
    """What a slot's holder is (section 10)."""

    EMPTY = 0
    JOINED = 1
    READY = 2
    ACTIVE = 3
    BEHIND = 4
    LEFT = 5
    DROPPED = 6
    EJECTED = 7


#: Members are 1 to 4 (section 10).
MEMBERS = (Place.JOINED, Place.READY, Place.ACTIVE, Place.BEHIND)


class Kind(IntEnum):
    """Kinds of a vote (section 11); none is open with 0."""

    NONE = 0
    SNAPSHOT = 1
    COOLDOWN = 2
    WARMUP = 3


class Word(IntEnum):
    """How far a member's word in the open vote is (section 11)."""

    NONE = 0
    MAY = 1
    SEALED = 2
    OPENED = 3


class Refused(Exception):  # noqa: N818 - not an error of the model's
    """An instruction fails; each of the names is a true reason, and the page orders them not."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(" or ".join(sorted(reasons)))
        self.reasons = frozenset(reasons)


class Moment(NamedTuple):
    """The clock's Unix seconds, and the chain slot (section 1)."""

    time: int
    chain_slot: int

    def over(self, seconds: int, now: Moment) -> bool:
        """Whether so many seconds went by from this moment to now."""
        return now.time >= self.time + seconds and now.chain_slot >= self.chain_slot + seconds


NEVER = Moment(0, 0)


class Interval(NamedTuple):
    """Half open, of positions."""

    start: int
    end: int


def sha(*parts: bytes) -> bytes:
    """sha256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()
