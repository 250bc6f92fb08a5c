"""What members agree on: votes, digests, checkpoints (PROTOCOL.md section 11)."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.model.words import Kind, Moment, Word


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
