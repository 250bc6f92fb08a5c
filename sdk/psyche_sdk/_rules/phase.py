"""The transition table: from what is known about a run to what is due."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from psyche_sdk._rules.tally import Tally

#: Failed warmups in a row that pause a run.
WARMUPS_MAX = 3


class Phase(IntEnum):
    """The states of a run, numbered as the program stores them."""

    PAUSED = 0
    WAITING_FOR_MEMBERS = 1
    WARMUP = 2
    TRAIN = 3
    WITNESS = 4
    COOLDOWN = 5
    FINISHED = 6


class Transition(StrEnum):
    """What is due.

    Beside the table's rows: STORE_ENTROPY changes no phase, but others wait for it. Settling goes
    on with GIVE_BACK (what was not accepted), JUDGE and FINALISE (cases and points of the oldest
    round that is kept) and ADVANCE (what follows). CLOSE_VOTE decides a vote before its phase ends;
    JUDGE and FINALISE come before the end of Cooldown, too. DRAW_TARGETS, in Train, Witness and
    Cooldown, draws who audits what.
    """

    STORE_ENTROPY = "store_entropy"
    DRAW_TARGETS = "draw_targets"
    GIVE_BACK = "give_back"
    JUDGE = "judge"
    FINALISE = "finalise"
    CLOSE_VOTE = "close_vote"
    ADVANCE = "advance"
    START_WARMUP = "start_warmup"
    START_EPOCH = "start_epoch"
    FAIL_WARMUP = "fail_warmup"
    GIVE_UP = "give_up"
    CLOSE_TRAIN = "close_train"
    REDRAW_WITNESSES = "redraw_witnesses"
    SETTLE = "settle"
    SETTLE_FAILED = "settle_failed"
    END_EPOCH = "end_epoch"


class Moment(NamedTuple):
    """A moment, by the chain's clock (Unix seconds) and by its slots."""

    time: int
    chain_slot: int

    def passed(self, seconds: int, now: "Moment") -> bool:
        """Whether ``seconds`` went by until ``now``, on the clock and by counted slots."""
        return now.time >= self.time + seconds and now.chain_slot >= self.chain_slot + seconds


_NEVER = Moment(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """What the table looks at; fields of other phases than the present one may hold anything."""

    now: Moment = _NEVER
    started: Moment = _NEVER
    seconds: int = 0
    entropy_stored: bool = False
    members: int = 0
    init_min_members: int = 0
    capacity: int = 0
    enough_since: Moment = _NEVER
    ready: int = 0
    min_members: int = 0
    awaited: int = 0
    failed_warmups: int = 0
    uncommitted: int = 0
    grace_since: Moment | None = None
    grace_length: int = 0
    commitments: int = 0
    elected: int = 0
    attested: int = 0
    unattested: int = 0
    second_draw: bool = False
    agreed: bool = False
    confirmed: bool = False
    pause_asked: bool = False
    step: int = 0
    total_steps: int = 0


def due(phase: Phase, view: PhaseView) -> Transition | None:
    """The transition that is due in ``phase``, if any."""
    match phase:
        case Phase.PAUSED | Phase.FINISHED:
            return None
        case Phase.WAITING_FOR_MEMBERS:
            return _due_waiting(view)
        case Phase.WARMUP:
            return _due_warmup(view)
        case Phase.TRAIN:
            return _due_train(view)
        case Phase.WITNESS:
            return _due_witness(view)
        case Phase.COOLDOWN:
            over = (view.agreed and view.confirmed) or _timed_out(view)
            return Transition.END_EPOCH if over else None


def _timed_out(view: PhaseView) -> bool:
    return view.started.passed(view.seconds, view.now)


def _due_waiting(view: PhaseView) -> Transition | None:
    enough = view.members >= view.init_min_members
    full = view.members >= view.capacity
    waited = view.enough_since.passed(view.seconds, view.now)
    return Transition.START_WARMUP if enough and (full or waited) else None


def _due_warmup(view: PhaseView) -> Transition | None:
    if view.ready >= view.min_members:
        complete = view.awaited == 0 or _timed_out(view)
        return Transition.START_EPOCH if complete and view.entropy_stored else None
    if not _timed_out(view):
        return None
    third = view.failed_warmups + 1 >= WARMUPS_MAX
    return Transition.GIVE_UP if third else Transition.FAIL_WARMUP


def _due_train(view: PhaseView) -> Transition | None:
    since = view.grace_since
    grace_over = since is not None and since.passed(view.grace_length, view.now)
    over = view.uncommitted == 0 or _timed_out(view) or grace_over
    return Transition.CLOSE_TRAIN if over else None


def _due_witness(view: PhaseView) -> Transition | None:
    if not view.entropy_stored:
        return None
    if view.commitments == 0:
        return Transition.SETTLE
    if view.unattested > 0 and not _timed_out(view):
        return None
    if Tally(view.elected, view.attested).valid:
        return Transition.SETTLE
    return Transition.SETTLE_FAILED if view.second_draw else Transition.REDRAW_WITNESSES


def end_of_epoch(*, step: int, total_steps: int, pause_asked: bool) -> Phase:
    """The phase that follows Cooldown."""
    if step >= total_steps:
        return Phase.FINISHED
    return Phase.PAUSED if pause_asked else Phase.WAITING_FOR_MEMBERS


def grace_begins(trainers: int, committed: int, weight: int, committed_weight: int) -> bool:
    """Whether trainers with two thirds of the weight and half of the number committed."""
    enough = 3 * committed_weight >= 2 * weight and 2 * committed >= trainers
    return committed > 0 and enough


def grace_length(started: int, now: int, grace_seconds: int) -> int:
    """Seconds of grace: at least half of the time since Train began, rounded up."""
    return min(max((max(now - started, 0) + 1) // 2, grace_seconds), 2**32 - 1)


class Next(StrEnum):
    """What follows a settled round."""

    TRAIN = "train"
    DRAIN = "drain"
    COOLDOWN = "cooldown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledView:
    """What decides how an epoch goes on after the Witness phase of ``round``."""

    round: int
    overlap: int
    training_rounds: int | None
    epoch_rounds: int
    step: int
    total_steps: int
    pause_asked: bool
    active: int
    min_members: int
    draws_failed: bool


def after_settle(view: SettledView) -> tuple[Next, int | None]:
    """What follows, and the epoch's number of training rounds once it is fixed."""
    following = view.round + 1
    ends = (
        following >= view.epoch_rounds
        or view.step >= view.total_steps
        or view.pause_asked
        or view.active < view.min_members
        or view.draws_failed
    )
    rounds = view.training_rounds
    if rounds is None:
        if not ends:
            return Next.TRAIN, None
        rounds = following
    if following < rounds:
        return Next.TRAIN, rounds
    return (Next.DRAIN if following < rounds + view.overlap else Next.COOLDOWN), rounds
