"""What a run consists of (PROTOCOL.md sections 1, 3, 4, 10, 12)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from psyche_sdk.instructions import RunConfig
from support.model.agreed import Agreed, Checkpoint, Vote
from support.model.record import Round
from support.model.words import MEMBERS, NEVER, Interval, Moment, Phase, Place, Word


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
    rounds: int = 0  # served
    epochs: int = 0

    @property
    def is_member(self) -> bool:
        """Members are Joined, Ready, Active or Behind."""
        return self.place in MEMBERS


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
    claims: int = 0
    rounds: int = 0
    epochs: int = 0


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
