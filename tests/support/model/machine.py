"""The model: transitions (PROTOCOL.md section 4), and instructions as a whole."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from support.model import checkpoints, entropy, members, points, rounds, settle, verify, votes
from support.model.state import State
from support.model.words import MEMBERS, Kind, Moment, Phase, Place, Refused, Word

Step = Callable[[State, Moment], None]
#: Steps that a member's instruction makes in a row; and `tick`, where the run is small.
STEPS, SMALL = 8, 64
#: Warmups that may fail in a row before the run is Paused.
WARMUPS = 3


def due(state: State, now: Moment) -> Step | None:
    """The step that is due now, by the table of section 4; audits are drawn before all else."""
    if verify.to_draw(state, now) is not None:
        return verify.draw_audits
    match state.phase:
        case Phase.WAITING:
            return _due_in_waiting(state, now)
        case Phase.WARMUP:
            return _due_in_warmup(state, now)
        case Phase.TRAIN:
            record = state.present()
            grace = state.grace_since
            over = state.began.over(state.config.train_seconds, now)
            slow = grace is not None and grace.over(state.grace_seconds, now)
            return rounds.close_train if not record.waited_for() or over or slow else None
        case Phase.WITNESS:
            return _due_in_witness(state, now)
        case Phase.COOLDOWN:
            return _due_in_cooldown(state, now)
        case _:
            return None


def _due_in_waiting(state: State, now: Moment) -> Step | None:
    count, since = len(state.slots(*MEMBERS)), state.enough_since
    waited = since is not None and since.over(state.config.waiting_seconds, now)
    enough = count >= state.config.init_min_members
    return start_warmup if enough and (count >= state.capacity or waited) else None


def _due_in_warmup(state: State, now: Moment) -> Step | None:
    over = state.began.over(state.config.warmup_seconds, now)
    ready = len(state.slots(Place.READY))
    if ready >= state.config.min_members:
        if state.entropy is None or (members.awaited(state) and not over):
            return None
        return decide if _undecided(state) else start_epoch
    if not over:
        return None
    return decide if _undecided(state) else fail_warmup


def _undecided(state: State) -> bool:
    """Whether a vote is open that agreed on nothing yet."""
    return votes.is_open(state) and not (state.vote is not None and state.vote.agreed)


def _snapshot_is_over(state: State) -> bool:
    """Whether the next round ends the vote on a snapshot, of which a word was opened."""
    vote = state.vote
    if vote is None or vote.kind is not Kind.SNAPSHOT or not _undecided(state):
        return False
    return vote.count(Word.OPENED) > 0 and state.round + 1 >= vote.close_round


def _due_in_witness(state: State, now: Moment) -> Step | None:
    target = state.target()
    if target is not None and target.settled:
        if target.to_return:
            return give_back
        if points.oldest(state) is not None:
            return points.finalise_oldest
        return decide if _snapshot_is_over(state) else go_on
    before = state.record(state.round - 1)
    if before is not None and before.entropy is None:
        return None
    if target is None or not target.committed:
        return settle_target
    if target.entropy is None or target.awaits_redraw():
        return None
    if target.silent() and not state.began.over(state.config.witness_seconds, now):
        return None
    if settle.draw_is_valid(target):
        return settle_target
    return redraw if target.draws == 1 else settle_failed


def _due_in_cooldown(state: State, now: Moment) -> Step | None:
    agreed = state.vote is not None and state.vote.agreed
    early = agreed and checkpoints.confirmed(state) and not verify.awaited(state, now)
    if not early:
        if not state.began.over(state.config.cooldown_seconds, now):
            return None
        if not agreed and votes.is_open(state):
            return decide
    return end_epoch if points.lowest(state) is None else points.finalise_lowest


def decide(state: State, now: Moment) -> None:
    """The end of a vote."""
    votes.look(state, now, at_end=True)
    state.vote_ended = True


def start_warmup(state: State, now: Moment) -> None:
    """To Warmup; E(-1) is noted."""
    rounds.enter(state, Phase.WARMUP, now)
    state.noted, state.entropy = now.chain_slot + rounds.LATER, None
    state.warmup_member_id = state.next_member_id
    state.enough_since = None
    votes.open_warmup(state, now)


def start_epoch(state: State, now: Moment) -> None:
    """The awaited are Dropped, Ready become Active, round 0 starts."""
    members.drop(state, members.awaited(state), now)
    members.admit(state, now)
    state.warmup_failures, state.vote = 0, None
    state.round, state.rounds_in_epoch = 0, None
    rounds.start_round(state, now)


def fail_warmup(state: State, now: Moment) -> None:
    """Joined and Behind are Dropped; back to waiting, the third time to Paused."""
    members.drop(state, state.slots(Place.JOINED, Place.BEHIND), now)
    state.warmup_failures += 1
    if state.warmup_failures == WARMUPS:
        pause_now(state, now)
    else:
        rounds.enter(state, Phase.WAITING, now)
        members.count(state, now)


def pause_now(state: State, now: Moment) -> None:
    """To Paused; a vote that is open ends."""
    if votes.is_open(state):
        decide(state, now)
    rounds.enter(state, Phase.PAUSED, now)
    state.pause_requested, state.warmup_failures = False, 0
    state.enough_since = None


def settle_target(state: State, now: Moment) -> None:
    """What must be known is known, and the draw was valid, or nobody committed."""
    target = state.target()
    if target is None:
        go_on(state, now)
        return
    settle.settle(state, target, failed=False)


def settle_failed(state: State, now: Moment) -> None:  # noqa: ARG001 - a step like the others
    """Two draws failed."""
    target = state.target()
    assert target is not None
    settle.settle(state, target, failed=True)


def redraw(state: State, now: Moment) -> None:
    """The second draw."""
    target = state.target()
    assert target is not None
    rounds.redraw(state, target, now)


def give_back(state: State, now: Moment) -> None:  # noqa: ARG001 - a step like the others
    """What was not accepted goes to the backlog."""
    target = state.target()
    assert target is not None
    settle.give_back(state, target)


def go_on(state: State, now: Moment) -> None:
    """Drops; end conditions; admission; the next round, a drain round, or Cooldown."""
    members.drop_unfit(state, now)
    settle.fix_rounds(state)
    number, last = state.round + 1, state.rounds_in_epoch
    if last is None or number < last:
        if state.config.admit_anytime:
            members.admit(state, now)
        state.round = number
        rounds.start_round(state, now)
    elif number < last + state.config.overlap:
        state.round = number
        rounds.start_drain(state, now)
    else:
        if votes.is_open(state):
            votes.look(state, now, at_end=True)
        state.round = number
        rounds.enter(state, Phase.COOLDOWN, now)
        checkpoints.begin(state, now)
        votes.open_cooldown(state, now)


def end_epoch(state: State, now: Moment) -> None:
    """Active members become Ready or Joined; records are cleared; the epoch counts up."""
    checkpoints.finish(state)
    digest = votes.agreed_digest(state)
    for slot in state.slots(Place.ACTIVE):
        state.entries[slot].epochs += 1
        same = digest is not None and votes.said_digest(state, slot, digest)
        members.put(state, slot, Place.READY if same else Place.JOINED, now)
    next_epoch(state)
    if state.step >= state.config.total_steps:
        rounds.enter(state, Phase.FINISHED, now)
        state.pause_requested = False
    elif state.pause_requested:
        pause_now(state, now)
    else:
        rounds.enter(state, Phase.WAITING, now)
        members.count(state, now)


def next_epoch(state: State) -> None:
    """Records are cleared, the epoch counts up; rounds count from 0; new rates hold (section 3)."""
    if state.next_rates is not None:
        sequence, attestation, verdict = state.next_rates
        state.config = replace(
            state.config,
            points_per_sequence=sequence,
            points_per_attestation=attestation,
            points_per_verdict=verdict,
        )
        state.next_rates = None
    state.records = {}
    state.epoch += 1
    state.round, state.rounds_in_epoch = 0, None
    for entry in state.entries:
        entry.silences = 0


def advance(state: State, now: Moment, steps: int) -> int:
    """Makes what is due, at most so many steps; how many it made."""
    for made in range(steps):
        step = due(state, now)
        if step is None:
            return made
        step(state, now)
        state.met[step.__name__] += 1
    return steps


def tick(state: State, hashes: Mapping[int, bytes], now: Moment) -> None:
    """What is due is made by anybody."""
    small = state.capacity <= SMALL
    stored = entropy.store(state, hashes, now)
    unheard = members.unheard(state, now)
    members.drop(state, unheard, now)
    made = 0
    if small or not stored:
        made = advance(state, now, STEPS if small else 1)
    if not (stored or unheard or made):
        raise Refused("TooEarly")


class Model:
    """A run's state, and what becomes of it by instructions, each whole or not at all."""

    def __init__(self, state: State) -> None:
        self.state = state

    def act(self, change: Callable[..., None], *args: Any) -> frozenset[str]:
        """Lets an instruction change the state; its reasons if it is refused, else none."""
        draft: State = pickle.loads(pickle.dumps(self.state))  # a copy, and quicker than deepcopy
        try:
            change(draft, *args)
        except Refused as refused:
            return refused.reasons
        self.state = draft
        return frozenset()
