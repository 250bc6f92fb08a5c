"""What a run's accounts mean: pure functions, the same rules as the program's.

Decode the three accounts of one consistent reading, then ask:

    run = decode_run(snapshot.run.data, owner=snapshot.run.owner)
    roster = decode_roster(snapshot.roster.data)
    records = decode_rounds(snapshot.rounds.data)
    role = my_role(record_of(records, run.epoch, run.round), roster.find(wallet))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from psyche_sdk._rules import hashing
from psyche_sdk._rules.account_errors import AccountInvalid
from psyche_sdk._rules.auditing import committee_of, my_audit, my_seats, sealed_verdict
from psyche_sdk._rules.audits import (
    Auditor,
    CaseStage,
    Scores,
    Seat,
    SeatStage,
    VerdictWord,
    Window,
)
from psyche_sdk._rules.backlog import Interval
from psyche_sdk._rules.bloom import Filter, Form
from psyche_sdk._rules.checkpoints import (
    URI_BYTES_MAX,
    Checkpoint,
    Publication,
    checkpoint_confirmed,
    confirmations_needed,
    drawn_piece,
    may_publish,
    node_of,
    node_uri,
    publisher_seed,
    said_agreed,
    to_confirm,
    uri_fits,
)
from psyche_sdk._rules.complaints import Complaint, complaints_open, next_complaint
from psyche_sdk._rules.draw import shuffled, words
from psyche_sdk._rules.due import (
    due_after_attest,
    due_after_commit,
    due_transition,
    record_of,
    target_of,
    verdict_window,
)
from psyche_sdk._rules.hashing import Purpose
from psyche_sdk._rules.join_pass import Pass, decode_pass
from psyche_sdk._rules.participant import Participant, decode_participant
from psyche_sdk._rules.permutation import sequences_at
from psyche_sdk._rules.phase import Moment, Phase, Transition
from psyche_sdk._rules.roster import Member, MemberState, Roster, VoteStage, decode_roster
from psyche_sdk._rules.rounds import RoundRecord, decode_rounds
from psyche_sdk._rules.run import Run, StateRecord, StateVote, VoteKind, decode_run
from psyche_sdk._rules.slots import collects, frees, is_free, is_named

if TYPE_CHECKING:
    from psyche_sdk._generated.types import RunConfig

ATTESTATION_BLOOM = 1
"""`attestation_kind` of a run whose attestations are Bloom filters of commitments."""

__all__ = [
    "URI_BYTES_MAX",
    "AccountInvalid",
    "Auditor",
    "CaseStage",
    "Checkpoint",
    "Complaint",
    "Interval",
    "Member",
    "MemberState",
    "Moment",
    "Participant",
    "Pass",
    "Phase",
    "Publication",
    "Role",
    "Roster",
    "RoundRecord",
    "Run",
    "Scores",
    "Seat",
    "SeatStage",
    "StateRecord",
    "StateVote",
    "Transition",
    "VerdictWord",
    "VoteKind",
    "VoteStage",
    "Window",
    "accepted",
    "attested_by",
    "batch_of",
    "bloom_filter",
    "checkpoint_confirmed",
    "collects",
    "committed",
    "committee_of",
    "complaints_open",
    "confirmations_needed",
    "decode_participant",
    "decode_pass",
    "decode_roster",
    "decode_rounds",
    "decode_run",
    "drawn_piece",
    "due_after_attest",
    "due_after_commit",
    "due_transition",
    "frees",
    "holders",
    "is_free",
    "is_named",
    "loss_nats",
    "may_publish",
    "my_audit",
    "my_role",
    "my_seats",
    "next_chain_hash",
    "next_complaint",
    "node_of",
    "node_uri",
    "publisher_seed",
    "record_of",
    "reveals_open",
    "said_agreed",
    "sealed_verdict",
    "seconds_left",
    "sequence_ids",
    "share_of",
    "shares",
    "target_of",
    "tick_order",
    "tick_turn",
    "to_confirm",
    "uri_fits",
    "verdict_window",
    "witnesses",
]

Positions = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A member's part in a round.

    Attributes:
        share: offsets [start, end) in the round's positions; None if it does not train.
        committed: whether its commitment is there.
        witness: its place among the witnesses, so its bit in the masks; None if it is none.
    """

    share: tuple[int, int] | None = None
    committed: bool = False
    witness: int | None = None

    @property
    def trains(self) -> bool:
        """Whether there is anything to train: a share that is not empty."""
        return self.share is not None and self.share[1] > self.share[0]


def shares(record: RoundRecord) -> list[tuple[int, int, int]]:
    """(slot, start, end) of each trainer in drawn order, empty shares included."""
    ends = record.share_ends.tolist()
    return list(zip(record.order.tolist(), [0, *ends], ends, strict=False))


def share_of(record: RoundRecord, slot: int) -> tuple[int, int] | None:
    """Offsets [start, end) of a slot's share in the round's positions; None: it does not train."""
    return next(((start, end) for one, start, end in shares(record) if one == slot), None)


def my_role(record: RoundRecord | None, member: Member | None) -> Role:
    """What a member does in a round; nothing if its slot was another's when roles were drawn."""
    if record is None or member is None:
        return Role()
    slot = member.slot
    place = (slot, member.member_id)
    witness = record.witnesses.index(place) if place in record.witnesses else None
    if int(record.member_ids[slot]) != member.member_id:
        return Role(witness=witness)
    share = share_of(record, slot)
    return Role(share=share, committed=hashing.bit(record.committed, slot), witness=witness)


def batch_of(record: RoundRecord, slot: int) -> Positions:
    """The positions that a slot trains in a round, in order; empty if none."""
    start, end = share_of(record, slot) or (0, 0)
    found = []
    offset = 0
    for segment in record.segments:
        length = segment.end - segment.start
        low, high = max(start - offset, 0), min(end - offset, length)
        if low < high:
            found.append(np.arange(segment.start + low, segment.start + high, dtype=np.uint64))
        offset += length
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def sequence_ids(config: RunConfig, positions: Positions) -> Positions:
    """The sequences of the data set at positions of the run's order: pass after pass, shuffled."""
    return sequences_at(config.data_seed, config.data_sequences, positions)


def committed(record: RoundRecord) -> list[int]:
    """The slots that committed, ascending."""
    return _slots(record.committed)


def accepted(record: RoundRecord) -> list[int]:
    """The slots whose payloads are applied, ascending; empty until the round is settled."""
    return _slots(record.accepted)


def _slots(field: bytes) -> list[int]:
    slots: list[int] = hashing.set_bits(field).tolist()
    return slots


def witnesses(record: RoundRecord) -> list[int]:
    """The slots of the elected witnesses, in drawn order: the i-th has bit i in the masks."""
    return [slot for slot, _ in record.witnesses]


def attested_by(record: RoundRecord, witness: int) -> list[int]:
    """The slots whose payloads a witness (its place, see `my_role`) said that it holds."""
    slots: list[int] = np.flatnonzero(record.masks >> np.uint32(witness) & np.uint32(1)).tolist()
    return slots


def bloom_filter(run: Run, record: RoundRecord, witness: int) -> Filter | None:
    """What a witness (its place, see `my_role`) makes its attestation with in a run of that kind.

    None where slots are named exactly, or before the entropy of its draw is stored.
    """
    entropy = record.redraw_entropy if record.draws > 1 else record.entropy
    if run.config.attestation_kind != ATTESTATION_BLOOM or entropy is None:
        return None
    return Filter.of(
        Form.of(record.committed_count, run.config.bloom_false_positive_ppm),
        instance=run.instance,
        epoch=record.epoch,
        round_=record.round,
        entropy=entropy,
        witness=witness,
    )


def holders(record: RoundRecord, slot: int) -> list[int]:
    """The slots of the witnesses that said that they hold a slot's payload."""
    mask = int(record.masks[slot])
    return [one for place, one in enumerate(witnesses(record)) if mask >> place & 1]


def loss_nats(record: RoundRecord) -> float | None:
    """The mean loss that committed trainers reported, by sequences; None if nobody committed."""
    slots = [one for one in shares(record) if hashing.bit(record.committed, one[0])]
    weight = sum(end - start for _, start, end in slots)
    total = sum(int(record.losses_micronats[slot]) * (end - start) for slot, start, end in slots)
    return total / weight / 1e6 if weight else None


def next_chain_hash(record: RoundRecord, chosen: Sequence[int] | None = None) -> bytes:
    """The chain hash after a round with these slots accepted, by default those of the record."""
    slots = accepted(record) if chosen is None else sorted(chosen)
    field = hashing.bit_field(slots, record.capacity)
    commitments = [record.commitment(slot) for slot in slots]
    return hashing.chain_hash(
        record.chain_hash_before, record.epoch, record.round, field, commitments
    )


def seconds_left(run: Run, now: int) -> int | None:
    """Seconds until the phase may end by time, 0 if they went by; None if it has no deadline.

    While members are awaited that is when the next epoch may start; grace counts in Train.
    """
    if run.phase is Phase.WAITING_FOR_MEMBERS:
        since = run.waiting_since
        return None if since is None else max(since.time + run.config.waiting_seconds - now, 0)
    if not run.phase_deadline:
        return None
    deadline = run.phase_deadline
    if run.phase is Phase.TRAIN and run.grace_since is not None:
        deadline = min(deadline, run.grace_since.time + run.grace_seconds)
    return max(deadline - now, 0)


def reveals_open(run: Run, now: Moment) -> bool:
    """Whether digests of the open state vote may be shown now."""
    vote = run.vote
    if vote is None:
        return False
    if vote.revealed or vote.committed + vote.absent >= vote.eligible:
        return vote.committed > 0
    if vote.kind is VoteKind.SNAPSHOT:
        return run.epoch == vote.epoch and run.round >= vote.reveal_round
    return vote.opened.passed(vote.reveal_at - vote.opened.time, now)


def tick_order(run: Run, roster: Roster) -> list[int]:
    """Slots in the order in which their members should send `tick`, the same for everybody.

    Active members while a round is under way, else all; drawn anew for each round.
    """
    slots = roster.slots(MemberState.ACTIVE)
    if not slots or run.phase not in (Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN):
        slots = [member.slot for member in roster.members()]
    seed = hashing.draw_seed(run.instance, run.epoch, run.round, Purpose.TICK_ORDER, run.chain_hash)
    return shuffled(words(seed), slots, len(slots))


def tick_turn(run: Run, roster: Roster, slot: int) -> int | None:
    """A slot's place in `tick_order`: how many others to wait for; None if it is not in it."""
    order = tick_order(run, roster)
    return order.index(slot) if slot in order else None
