"""A round's record, and what a round itself says (PROTOCOL.md sections 4, 5, 7, 9, 12)."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.model.audited import Audit, Case, Chair
from support.model.words import Interval, Moment


@dataclass(frozen=True)
class Commitment:
    """What a trainer says of its payload (section 13, commit)."""

    digest: bytes
    size: int
    loss_micronats: int
    tokens: int
    milliseconds: int


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
