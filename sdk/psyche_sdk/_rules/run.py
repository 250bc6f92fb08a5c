"""The `Run` account as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from psyche_sdk._generated.types import RUN_CONFIG_CODEC, RunConfig
from psyche_sdk._rules import checkpoints, checks
from psyche_sdk._rules.backlog import Interval
from psyche_sdk._rules.checkpoints import Checkpoint
from psyche_sdk._rules.checks import Source, raw
from psyche_sdk._rules.phase import Moment, Phase

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

#: `rounds_in_epoch` while the number is not fixed yet.
ROUNDS_OPEN: Final = 2**32 - 1


class VoteKind(IntEnum):
    """What a state vote is about."""

    NONE = 0
    SNAPSHOT = 1
    COOLDOWN = 2
    WARMUP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRecord:
    """Parameters that members agreed on, ready to train ``step``."""

    step: int
    epoch: int
    round: int
    digest: bytes
    chain_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StateVote:
    """The vote on the parameters whose history has ``chain_hash``.

    Attributes:
        opened: when it was opened.
        reveal_at: from when digests may be shown, Unix seconds; 0 in a snapshot's vote.
        reveal_round: a snapshot's vote: the first round in which digests may be shown.
        close_round: a snapshot's vote: the first round in which it is closed.
        eligible, committed, revealed, absent: members that may vote, sent a hash, showed a
            digest, are gone without a hash.
    """

    kind: VoteKind
    step: int
    epoch: int
    round: int
    chain_hash: bytes
    opened: Moment
    reveal_at: int
    reveal_round: int
    close_round: int
    eligible: int
    committed: int
    revealed: int
    absent: int
    agreed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run: what its owner chose, its phase and its counters.

    Attributes:
        proposed_authority: who may accept to own the run; None: nobody was proposed.
        join_authority: whose passes joining needs; None: anyone may join.
        next_rates: points for a sequence, an attestation, a verdict from the next epoch on; None:
            those of the configuration stay.
        training_rounds: of this epoch, once that is fixed.
        entropy: E(-1) of this epoch, once it is stored.
        entropy_target_slot: chain slot whose hash is E(-1); 0: none is noted.
        waiting_since: when there were enough members to start; None while there are not.
        grace_since: when grace began in this Train phase.
        warmup_member_id: members with smaller ids joined before Warmup began.
        bonds_lamports: bonds on the roster, which lie in the run's account above its rent.
        forfeited_lamports: bonds of the ejected, which lie there too.
        snapshots: the agreed ones, older first.
        checkpoints: the confirmed ones and the owner's, older first.
        pending_checkpoint: what was published in this Cooldown so far.
        publishers: (slot, member id) of those drawn to publish in it, in drawn order.
        cooldown_entropy: from which they were drawn, once it is stored.
        cooldown_entropy_slot: chain slot whose hash that is; 0: there was no Cooldown yet.
    """

    capacity: int
    complete: bool
    creation_slot: int
    instance: bytes
    creator: bytes
    authority: bytes
    proposed_authority: bytes | None
    join_authority: bytes | None
    rent_payer: bytes
    roster: bytes
    rounds: bytes
    run_id: str
    config: RunConfig
    next_rates: tuple[int, int, int] | None
    model_hash: bytes
    model_uri: str
    metadata: str
    phase: Phase
    phase_started: Moment
    phase_deadline: int
    grace_since: Moment | None
    grace_seconds: int
    waiting_since: Moment | None
    step: int
    fresh_cursor: int
    repeated: int
    accepted: int
    in_flight: int
    transitions: int
    entropy_target_slot: int
    entropy: bytes | None
    chain_hash: bytes
    epoch: int
    round: int
    training_rounds: int | None
    joined: int
    ready: int
    active: int
    behind: int
    pause_requested: bool
    warmup_failures: int
    warmup_member_id: int
    end_reason: int
    bonds_lamports: int
    forfeited_lamports: int
    backlog: tuple[Interval, ...]
    agreed: StateRecord | None
    snapshots: tuple[StateRecord, ...]
    vote: StateVote | None
    checkpoints: tuple[Checkpoint, ...]
    pending_checkpoint: Checkpoint | None
    publishers: tuple[tuple[int, int], ...]
    cooldown_entropy: bytes | None
    cooldown_entropy_slot: int

    @property
    def members(self) -> int:
        """Members that hold a slot: Joined, Ready, Active or Behind."""
        return self.joined + self.ready + self.active + self.behind

    @property
    def backlog_positions(self) -> int:
        """Positions that wait to be trained again."""
        return sum(one.end - one.start for one in self.backlog)


def decode_run(data: bytes, *, owner: Pubkey | None = None, address: object = "?") -> Run:
    """The run in an account's bytes, discriminator included.

    Raises:
        AccountError: owner, discriminator, version, length or contents are wrong.
    """
    source = Source(address, owner)
    record = checks.fixed_part(data, checks.RUN, source)
    checks.exact_length(data, checks.HEAD_BYTES + checks.RUN.dtype.itemsize, source)
    snapshots = tuple(_state(one) for one in record["snapshots"] if one["valid"])
    return Run(
        capacity=checks.checked_capacity(int(record["capacity"]), source),
        complete=bool(record["complete"]),
        **checks.numbers(record, _NUMBERS),
        **checks.hashes(record, _BYTES),
        run_id=checks.text(record["run_id"], int(record["run_id_len"]), source),
        model_uri=checks.text(record["model_uri"], int(record["model_uri_len"]), source),
        metadata=checks.text(record["metadata"], int(record["metadata_len"]), source),
        proposed_authority=_key(record["proposed_authority"]),
        join_authority=_key(record["join_authority"]),
        next_rates=_next_rates(record),
        config=RUN_CONFIG_CODEC.decode(record["config"].tobytes()),
        phase=_phase(int(record["phase"]), source),
        phase_started=Moment(int(record["phase_started_at"]), int(record["phase_started_slot"])),
        grace_since=_moment(record, "grace_since"),
        waiting_since=_moment(record, "waiting_since"),
        entropy=raw(record["entropy"]) if record["entropy_stored"] else None,
        training_rounds=_rounds(int(record["rounds_in_epoch"])),
        pause_requested=bool(record["pause_requested"]),
        backlog=_backlog(record, source),
        agreed=_state(record["agreed"]) if record["agreed"]["valid"] else None,
        snapshots=snapshots,
        vote=_vote(record["vote"], source),
        **checkpoints.kept(record, source),
    )


_NUMBERS: Final = (
    "creation_slot",
    "phase_deadline",
    "grace_seconds",
    "step",
    "fresh_cursor",
    "repeated",
    "accepted",
    "in_flight",
    "transitions",
    "entropy_target_slot",
    "epoch",
    "round",
    "joined",
    "ready",
    "active",
    "behind",
    "warmup_failures",
    "warmup_member_id",
    "end_reason",
    "bonds_lamports",
    "forfeited_lamports",
)
_BYTES: Final = (
    "instance",
    "creator",
    "authority",
    "rent_payer",
    "roster",
    "rounds",
    "model_hash",
    "chain_hash",
)


def _key(field: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes | None:
    found = raw(field)
    return found if any(found) else None


def _next_rates(record: np.void) -> tuple[int, int, int] | None:
    names = ("sequence", "attestation", "verdict")
    first, second, third = (int(record[f"next_points_per_{name}"]) for name in names)
    return (first, second, third) if record["rates_pending"] else None


def _phase(byte: int, source: Source) -> Phase:
    try:
        return Phase(byte)
    except ValueError:
        raise source.invalid(f"phase {byte}") from None


def _moment(record: np.void, name: str) -> Moment | None:
    chain_slot = int(record[f"{name}_slot"])
    return Moment(int(record[name]), chain_slot) if chain_slot else None


def _rounds(number: int) -> int | None:
    return None if number == ROUNDS_OPEN else number


def _backlog(record: np.void, source: Source) -> tuple[Interval, ...]:
    count = int(record["backlog_count"])
    if count > len(record["backlog"]):
        raise source.invalid(f"a backlog of {count} intervals")
    return tuple(Interval(int(one["start"]), int(one["end"])) for one in record["backlog"][:count])


def _state(record: np.void) -> StateRecord:
    return StateRecord(
        step=int(record["step"]),
        epoch=int(record["epoch"]),
        round=int(record["round"]),
        digest=raw(record["digest"]),
        chain_hash=raw(record["chain_hash"]),
    )


def _vote(record: np.void, source: Source) -> StateVote | None:
    kind = int(record["kind"])
    if kind not in list(VoteKind):
        raise source.invalid(f"a vote of kind {kind}")
    if kind == VoteKind.NONE:
        return None
    names = ("step", "epoch", "round", "reveal_at", "reveal_round", "close_round")
    counts = ("eligible", "committed", "revealed", "absent")
    return StateVote(
        kind=VoteKind(kind),
        **checks.numbers(record, (*names, *counts)),
        chain_hash=raw(record["chain_hash"]),
        opened=Moment(int(record["opened_at"]), int(record["opened_slot"])),
        agreed=bool(record["agreed"]),
    )
