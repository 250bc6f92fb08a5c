"""What a client sees of a run, as plain values: the one place that knows the accounts' layout.

`Sight` is made from one consistent reading of the three accounts; `view` turns it into what
`decide` asks for. Both are pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from psyche_client.decide import Phase, Standing, View, VoteStage
from psyche_client.payloads import PayloadKey, WantedPayload
from psyche_client.store import SettledRound
from psyche_sdk._rules.bloom import Filter
from psyche_sdk._rules.complaints import Complaint, next_complaint

Positions = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A member as the roster has it."""

    slot: int
    member_id: int
    wallet: bytes
    node_key: bytes
    state: Standing
    misses: int = 0
    newcomer: bool = False
    """It joined a moment ago: its node may not have found the others yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What a trainer committed to."""

    key: PayloadKey
    digest: bytes
    size: int
    loss: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSeen:
    """A round's record, and this client's part in it.

    Attributes:
        commitments: by slot.
        accepted: slots, ascending; empty until it is settled.
        witness: this client's place among the witnesses, or None.
        attested_bits: slots that this client attested.
        entropy: E(round); empty until it is stored.
        positions: those that this client trains, in order; empty if it does not train.
        awaited: trainers that are still waited for.
        unattested: witnesses that are still waited for.
        filter: what this client makes a Bloom attestation with; None where slots are named exactly.
        complaints: about missing payloads, by place; empty where none can be raised any more.
        complaint_openers: a bit field by slot.
        entropy_stored: whether its witnesses are drawn, and no second draw waits for its hash.
    """

    epoch: int
    round: int
    step: int
    capacity: int
    drain: bool
    train_closed: bool
    entropy_stored: bool
    settled: bool
    commitments: dict[int, Commitment]
    accepted: tuple[int, ...]
    chain_hash_before: bytes
    chain_hash_after: bytes
    positions: Positions = field(default_factory=lambda: np.empty(0, np.uint64), compare=False)
    witness: int | None = None
    attested_bits: frozenset[int] = frozenset()
    attested: bool = False
    filter: Filter | None = None
    entropy: bytes = b""
    awaited: int = 0
    unattested: int = 0
    complaints: tuple[Complaint | None, ...] = ()
    complaint_openers: bytes = b""

    @property
    def key(self) -> tuple[int, int]:
        """(epoch, round)."""
        return self.epoch, self.round

    def as_settled(self) -> SettledRound:
        """What settling it fixed."""
        members = tuple(
            (slot, self.commitments[slot].key.member_id, self.commitments[slot].digest)
            for slot in self.accepted
        )
        return SettledRound(
            epoch=self.epoch,
            round=self.round,
            step=self.step,
            capacity=self.capacity,
            members=members,
            previous=self.chain_hash_before,
            chain_hash=self.chain_hash_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedState:
    """Parameters that members agreed on; `chain_hash` is over all that is in them."""

    epoch: int
    round: int
    step: int
    digest: bytes
    chain_hash: bytes
    sources: tuple[str, ...] = ()
    """URIs of a kept checkpoint with this digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Parameters that a member published, which this client shall look at.

    Attributes:
        place: as `confirm_checkpoint` names it.
        node_key: of the node that serves them.
        seed: from which the piece is drawn.
    """

    epoch: int
    place: int
    node_key: bytes
    digest: bytes
    seed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSeen:
    """What this client has to do about the checkpoint of an epoch, in its turn."""

    digest: bytes
    publish: bool
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCheckpoint:
    """The newest checkpoint that the run keeps."""

    epoch: int
    step: int
    digest: bytes
    confirmations: int
    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateVoteSeen:
    """The open vote on the parameters whose history has `chain_hash`."""

    epoch: int
    round: int
    step: int
    chain_hash: bytes
    stage: VoteStage
    voted: bool
    revealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A run at one moment, as one wallet sees it."""

    chain_slot: int
    phase: Phase
    epoch: int
    round: int
    step: int
    overlap: int
    deadline: int
    chain_hash: bytes
    standing: Standing
    seat: Seat | None
    seats: tuple[Seat, ...]
    rounds: tuple[RoundSeen, ...]
    states: tuple[AgreedState, ...]
    vote: StateVoteSeen | None
    due: bool
    my_turn: bool
    attest_late: bool
    missing_late: bool = False
    checkpoint: CheckpointSeen | None = None
    kept: KeptCheckpoint | None = None
    ahead: Positions = field(default_factory=lambda: np.empty(0, np.uint64), compare=False)
    """Positions of the next round's share, as far as they are known."""

    @property
    def current(self) -> RoundSeen | None:
        """The record of the round that is under way."""
        return self.find(self.epoch, self.round)

    @property
    def target(self) -> RoundSeen | None:
        """The round whose payloads are attested now."""
        return self.find(self.epoch, self.round - self.overlap)

    def find(self, epoch: int, number: int) -> RoundSeen | None:
        """The record of a round, if it is still kept."""
        return next((r for r in self.rounds if r.key == (epoch, number)), None)

    def next_settled(self, chain_hash: bytes) -> SettledRound | None:
        """The settled round that comes after the history with this hash, if it is still kept."""
        for record in self.rounds:
            if record.settled and record.chain_hash_before == chain_hash:
                settled = record.as_settled()
                return settled if settled.follows(chain_hash) else None
        return None

    def complaint(self, key: tuple[int, int], lacking: Sequence[int]) -> int | None:
        """Which of the payloads that are not here this client shall say is missing now."""
        record = self.find(*key)
        if record is None or self.seat is None:
            return None
        place = (record.complaints, record.complaint_openers, self.seat.slot)
        return next_complaint(*place, lacking)


def wanted_payloads(sight: Sight) -> list[WantedPayload]:
    """Committed payloads of closed rounds: to witness, and to apply."""
    nodes = {seat.member_id: seat.node_key for seat in sight.seats}
    found = []
    for record in sight.rounds:
        if not record.train_closed:
            continue
        for slot, commitment in sorted(record.commitments.items()):
            if record.settled and slot not in record.accepted:
                continue
            found.append(
                WantedPayload(
                    key=commitment.key,
                    commitment=commitment.digest,
                    size=commitment.size,
                    trainer=nodes.get(commitment.key.member_id, b""),
                )
            )
    return found


def view(sight: Sight) -> View:
    """What `decide` needs of what is seen."""
    current, target, vote = sight.current, sight.target, sight.vote
    slot = sight.seat.slot if sight.seat is not None else -1
    attesting = target is not None and target.witness is not None and not target.settled
    in_phase = sight.phase is Phase.WITNESS or (sight.phase is Phase.TRAIN and sight.overlap == 1)
    return View(
        phase=sight.phase,
        standing=sight.standing,
        trains=current is not None and len(current.positions) > 0,
        committed=current is not None and slot in current.commitments,
        witnesses=attesting,
        attest_open=attesting and in_phase and target is not None and target.entropy_stored,
        attest_late=sight.attest_late,
        missing_late=sight.missing_late,
        attestable=frozenset(target.commitments) if target is not None else frozenset(),
        attested=target.attested_bits if target is not None else frozenset(),
        attested_once=target is not None and target.attested,
        vote=vote.stage if vote is not None else VoteStage.CLOSED,
        voted=vote is not None and vote.voted,
        revealed=vote is not None and vote.revealed,
        publishes=sight.checkpoint is not None and sight.checkpoint.publish,
        offers=frozenset(one.place for one in sight.checkpoint.offers)
        if sight.checkpoint is not None
        else frozenset(),
        due=sight.due,
        my_turn=sight.my_turn,
    )
