"""What a run consists of (PROTOCOL.md sections 1, 3, 4, 10, 12)."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from psyche_sdk.instructions import RunConfig
from support.model.audited import Audit, Case, Chair


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


@dataclass(frozen=True)
class Commitment:
    """What a trainer says of its payload (section 13, commit)."""

    digest: bytes
    size: int
    loss_micronats: int
    tokens: int
    milliseconds: int


@dataclass
class Entry:
    """A slot of the roster (sections 7, 9, 10, 11)."""

    wallet: bytes = bytes(32)
    node_key: bytes = bytes(32)
    member_id: int = 0
    place: Place = Place.EMPTY
    since: Moment = NEVER
    seen: Moment = NEVER
    declared: int = 0
    weight: int = 0
    misses: int = 0
    silences: int = 0
    points: int = 0
    slashed: int = 0
    strikes: int = 0
    told: int = 0  # strikes that were collected
    word: Word = Word.NONE
    vote: bytes = bytes(32)
    bond: int = 0

    @property
    def is_member(self) -> bool:
        """Members are Joined, Ready, Active or Behind."""
        return self.place in MEMBERS


@dataclass
class Complaint:
    """About a payload that members say is nowhere (section 9a)."""

    target: int
    voices: set[int] = field(default_factory=set)


@dataclass
class Round:
    """A round's record (sections 4, 5, 7, 9, 12)."""

    epoch: int
    number: int
    step: int
    drain: bool
    began: Moment
    began_with: bytes
    roles_entropy: bytes = bytes(32)
    closed_at: int = 0
    noted: int = 0
    entropy: bytes | None = None
    segments: list[Interval] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    share_ends: list[int] = field(default_factory=list)
    trainer_ids: dict[int, int] = field(default_factory=dict)
    committed: dict[int, Commitment] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    draws: int = 0
    redraw_noted: int = 0
    redraw_entropy: bytes | None = None
    witnesses: list[int] = field(default_factory=list)
    witness_ids: list[int] = field(default_factory=list)
    attested: set[int] = field(default_factory=set)
    witnesses_gone: set[int] = field(default_factory=set)
    held: dict[int, set[int]] = field(default_factory=dict)
    custody: dict[int, bytes] = field(default_factory=dict)  # by index of the witness
    settled: bool = False
    failed: bool = False
    accepted: set[int] = field(default_factory=set)
    chain_hash_before: bytes = bytes(32)
    chain_hash_after: bytes = bytes(32)
    to_return: list[Interval] = field(default_factory=list)
    given_to: int = 0
    complaints: list[Complaint | None] = field(default_factory=lambda: [None] * 3)
    openers: set[int] = field(default_factory=set)
    belied: set[int] = field(default_factory=set)
    final: bool = False
    verifiers: list[tuple[int, int]] = field(default_factory=list)  # slots and member ids
    audits_drawn: bool = False
    audits: list[Audit] = field(default_factory=list)
    chairs: list[Chair] = field(default_factory=list)
    judged: bool = False
    rejected: set[int] = field(default_factory=set)

    @property
    def before(self) -> bytes:
        """The chain hash before it: with which it began, and once it settled, just before that."""
        return self.chain_hash_before if self.settled else self.began_with

    @property
    def sequences(self) -> int:
        """Section 7: the sum of the segments."""
        return sum(one.end - one.start for one in self.segments)

    def share(self, slot: int) -> Interval:
        """A trainer's offsets in the segments laid end to end (section 7, Shares)."""
        place = self.order.index(slot)
        return Interval(self.share_ends[place - 1] if place else 0, self.share_ends[place])

    def share_size(self, slot: int) -> int:
        """Sequences of a trainer's share."""
        start, end = self.share(slot)
        return end - start

    def with_share(self) -> list[int]:
        """Trainers whose share is not empty, in drawn order."""
        return [slot for slot in self.order if self.share_size(slot)]

    def waited_for(self) -> list[int]:
        """Section 4: trainers with a share who did not commit and are not gone."""
        there = [slot for slot in self.with_share() if slot not in self.gone]
        return [slot for slot in there if slot not in self.committed]

    def cases(self) -> list[Audit]:
        """Audits that flagged."""
        return [one for one in self.audits if one.case is not Case.NONE]

    def awaits_redraw(self) -> bool:
        """Section 5: a second draw is decided, and its hash is not stored."""
        return bool(self.redraw_noted) and self.redraw_entropy is None

    def silent(self) -> list[int]:
        """Section 4: indices of witnesses that neither attested nor are gone."""
        every = range(len(self.witnesses))
        return [one for one in every if one not in self.attested | self.witnesses_gone]


@dataclass
class Agreed:
    """Parameters that members agreed on (section 11)."""

    epoch: int
    round: int
    step: int
    digest: bytes
    chain_hash: bytes


@dataclass
class Published:
    """A URI of a checkpoint, and who confirmed it, by member ids (section 11)."""

    publisher: int
    uri: str
    confirmed: list[int] = field(default_factory=list)


@dataclass
class Checkpoint:
    """Parameters that were published (section 11)."""

    epoch: int
    round: int
    step: int
    digest: bytes
    published: Moment
    places: list[Published] = field(default_factory=list)


@dataclass
class Ballot:
    """Of one that may vote; it stays when the member is gone (section 11)."""

    member_id: int
    word: Word = Word.MAY
    absent: bool = False


@dataclass
class Vote:
    """A vote on the parameters (section 11)."""

    kind: Kind
    epoch: int
    round: int
    step: int
    chain_hash: bytes
    opened: Moment
    ballots: dict[int, Ballot]  # by slot: who may vote
    reveal_round: int = 0
    close_round: int = 0
    agreed: bool = False

    def count(self, *words: Word) -> int:
        """How many of those who may vote are so far."""
        return sum(ballot.word in words for ballot in self.ballots.values())


@dataclass
class Holder:
    """What a run keeps about a wallet (section 10c)."""

    payee: bytes
    joins: int = 0
    earned: int = 0
    slashed: int = 0
    strikes: int = 0
    barred: bool = False
    waiting: int = 0


@dataclass(frozen=True)
class Permit:
    """A pass (section 10)."""

    issuer: bytes
    expiry: int


@dataclass
class State:
    """All of a run."""

    capacity: int
    config: RunConfig
    owner: bytes
    instance: bytes
    chain_hash: bytes
    agreed: Agreed
    entries: list[Entry]
    model: tuple[bytes, str]
    proposed: bytes = bytes(32)
    metadata: str = ""
    phase: Phase = Phase.PAUSED
    began: Moment = NEVER
    deadline: int = 0
    epoch: int = 0
    round: int = 0
    rounds_in_epoch: int | None = None
    step: int = 0
    pause_requested: bool = False
    warmup_failures: int = 0
    next_rates: tuple[int, int, int] | None = None
    warmup_member_id: int = 0
    next_member_id: int = 1
    enough_since: Moment | None = None
    grace_since: Moment | None = None
    grace_seconds: int = 0
    noted: int = 0
    entropy: bytes | None = None
    fresh: int = 0
    repeated: int = 0
    accepted: int = 0
    in_flight: int = 0
    forfeited: int = 0
    backlog: list[Interval] = field(default_factory=list)
    records: dict[int, Round] = field(default_factory=dict)  # by number mod 4
    snapshots: list[Agreed] = field(default_factory=list)
    vote: Vote | None = None
    vote_ended: bool = False
    join_authority: bytes | None = None
    permits: dict[bytes, Permit] = field(default_factory=dict)  # by wallet
    holders: dict[bytes, Holder] = field(default_factory=dict)  # by wallet
    cooling_noted: int = 0
    cooling_entropy: bytes | None = None
    publishers: list[tuple[int, int]] = field(default_factory=list)  # slot, member id
    pending: Checkpoint | None = None
    checkpoints: list[Checkpoint] = field(default_factory=list)
    #: What happened so far; tests ask whether they met enough.
    met: Counter[str] = field(default_factory=Counter)

    def record(self, number: int) -> Round | None:
        """The record of a round of this epoch, if it is kept (section 12)."""
        found = self.records.get(number % 4) if number >= 0 else None
        return found if found is not None and found.number == number else None

    def present(self) -> Round:
        """The record of the present round."""
        found = self.record(self.round)
        assert found is not None
        return found

    def target(self) -> Round | None:
        """Section 4, Rounds of an epoch: the record of round N - V."""
        return self.record(self.round - self.config.overlap)

    def slots(self, *places: Place) -> list[int]:
        """The slots whose holders are one of these, ascending."""
        return [slot for slot, entry in enumerate(self.entries) if entry.place in places]

    def still_member(self, slot: int, member_id: int) -> bool:
        """Whether the same membership still holds the slot."""
        entry = self.entries[slot]
        return entry.is_member and entry.member_id == member_id


def sha(*parts: bytes) -> bytes:
    """sha256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()
