"""What is due in a run: its accounts as the transition table wants to see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from psyche_sdk._rules.audits import CaseStage, SeatStage, VerdictWord, Window, window_of
from psyche_sdk._rules.checkpoints import checkpoint_confirmed
from psyche_sdk._rules.phase import Moment, Phase, PhaseView, Transition, due
from psyche_sdk._rules.points import Worth
from psyche_sdk._rules.roster import MemberState, Roster
from psyche_sdk._rules.rounds import RECORDS, RoundRecord
from psyche_sdk._rules.run import Run


def record_of(records: Sequence[RoundRecord], epoch: int, round_: int) -> RoundRecord | None:
    """The record of a round, if it is still kept."""
    return next((record for record in records if record.key == (epoch, round_)), None)


def target_of(run: Run, records: Sequence[RoundRecord]) -> RoundRecord | None:
    """The record of the round whose payloads are attested and settled in the present one."""
    return record_of(records, run.epoch, run.round - run.config.overlap)


def due_transition(
    run: Run, roster: Roster, records: Sequence[RoundRecord], now: Moment
) -> Transition | None:
    """What `tick` would do now; None: it would fail with `TooEarly`."""
    if _entropy_due(run, records, now):
        return Transition.STORE_ENTROPY
    if _audits_to_draw(run, records, now):
        return Transition.DRAW_TARGETS
    target = target_of(run, records)
    if run.phase is Phase.WITNESS and target is not None and target.settled:
        return _after_settle(run, records, target)
    following = due(run.phase, _phase_view(run, roster, records, now))
    if following is None or run.phase not in (Phase.WARMUP, Phase.COOLDOWN):
        return following
    if run.vote is not None and run.vote.opened.chain_slot and not run.vote.agreed:
        return Transition.CLOSE_VOTE
    left = (one for one in records if run.phase is Phase.COOLDOWN and to_finalise(run, one))
    oldest = next(left, None)
    return following if oldest is None else _last_step(oldest)


def _last_step(record: RoundRecord) -> Transition:
    """What makes a round final: first its cases are decided."""
    undecided = record.cases > 0 and not record.judged
    return Transition.JUDGE if undecided else Transition.FINALISE


def to_finalise(run: Run, record: RoundRecord) -> bool:
    """Whether a round is settled, not final, and has something to credit or to decide."""
    worth = Worth(
        accepted=record.accepted_count,
        attested=record.attested,
        verdicts=record.verdicts,
        cases=record.cases,
        per_sequence=run.config.points_per_sequence,
        per_attestation=run.config.points_per_attestation,
        per_verdict=run.config.points_per_verdict,
    )
    return record.settled and not record.finalised and worth.any


def _after_settle(run: Run, records: Sequence[RoundRecord], target: RoundRecord) -> Transition:
    """What is left to do of a round whose target is settled."""
    if target.returned_to < target.sequences:
        return Transition.GIVE_BACK
    oldest = record_of(records, run.epoch, run.round - RECORDS + 1)
    if oldest is not None and to_finalise(run, oldest):
        return _last_step(oldest)
    return Transition.ADVANCE


def due_after_commit(
    run: Run, roster: Roster, records: Sequence[RoundRecord], now: Moment
) -> Transition | None:
    """What is due once one more trainer of the present round has committed."""
    changed = [
        replace(record, committed_count=record.committed_count + 1)
        if record.key == (run.epoch, run.round)
        else record
        for record in records
    ]
    return due_transition(run, roster, changed, now)


def due_after_attest(
    run: Run, roster: Roster, records: Sequence[RoundRecord], now: Moment, witness: int
) -> Transition | None:
    """What is due once a witness (its place among the target's) has attested."""
    target = target_of(run, records)
    changed = [
        replace(record, attested=record.attested | 1 << witness) if record is target else record
        for record in records
    ]
    return due_transition(run, roster, changed, now)


def _entropy_due(run: Run, records: Sequence[RoundRecord], now: Moment) -> bool:
    first = run.phase is Phase.WARMUP and run.entropy is None
    if first and now.chain_slot > run.entropy_target_slot:
        return True
    last = run.phase is Phase.COOLDOWN and run.cooldown_entropy is None
    if last and now.chain_slot > run.cooldown_entropy_slot:
        return True
    return any(
        (record.entropy is None and 0 < record.entropy_target_slot < now.chain_slot)
        or (record.redraws and record.redraw_target_slot < now.chain_slot)
        or _committee_due(run, record, now)
        for record in records
    )


def _committee_due(run: Run, record: RoundRecord, now: Moment) -> bool:
    """Whether the committee of a flag can be drawn, or its hash is lost."""
    opened = [one for one in record.auditors if one.case is CaseStage.OPENED]
    due = any(one.committee_slot < now.chain_slot for one in opened)
    return due and verdict_window(run, record, now).seal


def verdict_window(run: Run, record: RoundRecord, now: Moment) -> Window:
    """Which words on a round's payloads count now; `now` matters in Cooldown."""
    if (
        run.phase not in (Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN)
        or record.judged
        or record.finalised
    ):
        return Window()
    cooldown = None
    if run.phase is Phase.COOLDOWN:
        cooldown = (run.phase_started, run.config.cooldown_seconds, now)
    return window_of(record.round, run.round, cooldown)


def _audits_to_draw(run: Run, records: Sequence[RoundRecord], now: Moment) -> bool:
    record = record_of(records, run.epoch, run.round - 1)
    if record is None or not run.config.verification_percent or record.entropy is None:
        return False
    undrawn = record.committed_count > 0 and not record.targets_drawn
    return undrawn and verdict_window(run, record, now).audit


def _words_awaited(run: Run, roster: Roster, records: Sequence[RoundRecord], now: Moment) -> bool:
    """Whether in Cooldown somebody's word on a payload is still awaited."""
    if not run.config.verification_percent:
        return False
    return any(_record_awaits(run, roster, record, now) for record in records)


def _record_awaits(run: Run, roster: Roster, record: RoundRecord, now: Moment) -> bool:
    window = verdict_window(run, record, now)
    if not record.committed_count or window == Window():
        return False

    def here(slot: int, member_id: int) -> bool:
        member = roster.member(slot)
        return member.member_id == member_id and member.state.is_member

    silent = not record.targets_drawn or any(
        one.target is not None and one.verdict is VerdictWord.NONE and here(one.slot, one.member_id)
        for one in record.auditors
    )
    undrawn = any(one.case is CaseStage.OPENED for one in record.auditors)
    stages = (SeatStage.DRAWN, SeatStage.SEALED) if window.seal else (SeatStage.SEALED,)
    seats = any(one.stage in stages and here(one.slot, one.member_id) for one in record.seats)
    return (window.audit and silent) or (window.seal and undrawn) or seats


def _phase_view(run: Run, roster: Roster, records: Sequence[RoundRecord], now: Moment) -> PhaseView:
    config = run.config
    current = record_of(records, run.epoch, run.round)
    target = target_of(run, records)
    elected = len(target.witnesses) if target is not None else 0
    heard = (target.attested | target.witnesses_gone).bit_count() if target is not None else 0
    return PhaseView(
        now=now,
        started=run.phase_started,
        seconds=_seconds(run),
        entropy_stored=_entropy_stored(run, records, target),
        members=run.members if run.waiting_since is not None else 0,
        init_min_members=config.init_min_members,
        capacity=run.capacity,
        enough_since=run.waiting_since or now,
        ready=run.ready,
        min_members=config.min_members,
        awaited=_awaited(run, roster),
        failed_warmups=run.warmup_failures,
        uncommitted=_uncommitted(current),
        grace_since=run.grace_since,
        grace_length=run.grace_seconds,
        commitments=target.committed_count if target is not None else 0,
        elected=elected,
        attested=target.attested.bit_count() if target is not None else 0,
        unattested=max(elected - heard, 0),
        second_draw=target is not None and target.draws > 1,
        agreed=run.vote is not None
        and run.vote.agreed
        and not (run.phase is Phase.COOLDOWN and _words_awaited(run, roster, records, now)),
        confirmed=run.phase is Phase.COOLDOWN and checkpoint_confirmed(run, roster),
        pause_asked=run.pause_requested,
        step=run.step,
        total_steps=config.total_steps,
    )


def _seconds(run: Run) -> int:
    config = run.config
    seconds = {
        Phase.WAITING_FOR_MEMBERS: config.waiting_seconds,
        Phase.WARMUP: config.warmup_seconds,
        Phase.TRAIN: config.train_seconds,
        Phase.WITNESS: config.witness_seconds,
        Phase.COOLDOWN: config.cooldown_seconds,
    }
    return seconds.get(run.phase, 0)


def _entropy_stored(run: Run, records: Sequence[RoundRecord], target: RoundRecord | None) -> bool:
    """Warmup: E(-1). Witness: what the next round's roles need, and the target's witnesses."""
    if run.phase is not Phase.WITNESS or run.round == 0:
        stored = run.entropy is not None
    else:
        before = record_of(records, run.epoch, run.round - 1)
        stored = before is not None and before.entropy is not None
    if run.phase is Phase.WARMUP or target is None or target.committed_count == 0:
        return stored
    return stored and target.entropy is not None and not target.redraws


def _awaited(run: Run, roster: Roster) -> int:
    unready = np.isin(roster.entries["state"], (MemberState.JOINED, MemberState.BEHIND))
    return int((unready & (roster.entries["member_id"] < run.warmup_member_id)).sum())


def _uncommitted(record: RoundRecord | None) -> int:
    """Trainers with a share that are still waited for."""
    if record is None:
        return 0
    return max(record.expected - record.committed_count - record.gone, 0)
