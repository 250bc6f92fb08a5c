//! What is due: the run as the transition table wants to see it.

use anchor_lang::prelude::*;

use super::{
    audits, checkpoint, finalise, judge,
    vote::{snapshot_ends, vote_open},
};
use crate::{
    machine::{
        config::RunConfig,
        phase::{due, Moment, Phase, PhaseView, Transition},
    },
    state::{MemberState, ROUNDS_OPEN},
    world::World,
};

/// What is due, in pieces that are small enough for one instruction each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A row of the transition table.
    Table(Transition),
    /// The phase, or a snapshot's time, is about to end: its vote is decided before anything else.
    CloseVote,
    /// It can be known who audits which payload.
    DrawTargets {
        /// The round of the payloads.
        round: u32,
    },
    /// The target is settled: what was not accepted goes back, some of it at a time.
    GiveBack {
        /// The settled round.
        target: u32,
    },
    /// Nothing is said about a round's payloads any more: cases are decided.
    Judge {
        /// The round.
        round: u32,
    },
    /// Nothing about a round changes any more: points are credited.
    Finalise {
        /// The round.
        round: u32,
    },
    /// The target is settled: what follows the round begins.
    Advance {
        /// Whether two witness draws failed.
        failed: bool,
    },
}

/// The step that is due now, if any. Reads only.
///
/// # Errors
/// Those of a broken account.
pub fn plan(world: &World) -> Result<Option<Step>> {
    let phase = world.phase()?;
    let verifies = world.run.config.verification_percent > 0;
    if verifies {
        if let Some(round) = audits::to_draw(world)? {
            return Ok(Some(Step::DrawTargets { round }));
        }
    }
    if let (Phase::Witness, Some(target)) = (phase, world.target()) {
        let header = world.rounds.header(target)?;
        if header.settled == 1 && header.returned_to < header.sequences {
            return Ok(Some(Step::GiveBack { target }));
        }
        if header.settled == 1 {
            let failed = header.failed == 1;
            let oldest = finalise::before_round(world)?;
            return Ok(Some(match oldest {
                Some(round) => last_step(world, round)?,
                None if snapshot_ends(world) => Step::CloseVote,
                None => Step::Advance { failed },
            }));
        }
    }
    let run = &*world.run;
    let config = &run.config;
    let mut view = PhaseView {
        now: world.now,
        started: Moment {
            time: run.phase_started_at,
            chain_slot: run.phase_started_slot,
        },
        seconds: seconds_of(phase, config),
        ..PhaseView::default()
    };
    match phase {
        Phase::Paused | Phase::Finished => return Ok(None),
        Phase::WaitingForMembers => see_waiting(world, &mut view),
        Phase::Warmup => see_warmup(world, &mut view),
        Phase::Train => see_train(world, &mut view)?,
        Phase::Witness => see_witness(world, &mut view)?,
        Phase::Cooldown => {
            view.agreed = run.vote.agreed == 1 && !(verifies && audits::awaited(world)?);
            view.confirmed = view.agreed && checkpoint::confirmed(world);
            view.pause_asked = run.pause_requested == 1;
            view.step = run.step;
            view.total_steps = config.total_steps;
        }
    }
    let step = due(phase, &view);
    let ends_vote = matches!(phase, Phase::Warmup | Phase::Cooldown) && step.is_some();
    if ends_vote && vote_open(world) && run.vote.agreed == 0 {
        return Ok(Some(Step::CloseVote));
    }
    if let (Phase::Cooldown, Some(_), Some(round)) = (phase, step, finalise::next(world)) {
        return Ok(Some(last_step(world, round)?));
    }
    Ok(step.map(Step::Table))
}

/// What makes a round final: first its cases are decided.
fn last_step(world: &World, round: u32) -> Result<Step> {
    Ok(if judge::is_due(world.rounds.header(round)?) {
        Step::Judge { round }
    } else {
        Step::Finalise { round }
    })
}

/// Seconds that a phase may take; 0 where it has no end of its own.
#[must_use]
pub const fn seconds_of(phase: Phase, config: &RunConfig) -> u32 {
    match phase {
        Phase::Paused | Phase::Finished => 0,
        Phase::WaitingForMembers => config.waiting_seconds,
        Phase::Warmup => config.warmup_seconds,
        Phase::Train => config.train_seconds,
        Phase::Witness => config.witness_seconds,
        Phase::Cooldown => config.cooldown_seconds,
    }
}

fn see_waiting(world: &World, view: &mut PhaseView) {
    view.members = world.members();
    view.init_min_members = u32::from(world.run.config.init_min_members);
    view.capacity = u32::from(world.run.capacity);
    view.enough_since = Moment {
        time: world.run.waiting_since,
        chain_slot: world.run.waiting_since_slot,
    };
}

fn see_warmup(world: &World, view: &mut PhaseView) {
    let run = &*world.run;
    view.ready = u32::from(run.ready);
    view.min_members = u32::from(run.config.min_members);
    view.failed_warmups = u32::from(run.warmup_failures);
    view.entropy_stored = run.entropy_stored == 1;
    if view.ready >= view.min_members && run.joined.saturating_add(run.behind) > 0 {
        view.awaited = awaited(world);
    }
}

/// Members that joined before Warmup began and are not Ready.
fn awaited(world: &World) -> u32 {
    let unready =
        |state: u8| state == MemberState::Joined as u8 || state == MemberState::Behind as u8;
    world.roster.iter().fold(0, |sum: u32, entry| {
        let counts = unready(entry.state) && entry.member_id < world.run.warmup_member_id;
        sum.saturating_add(u32::from(counts))
    })
}

fn see_train(world: &World, view: &mut PhaseView) -> Result<()> {
    let run = &*world.run;
    let header = world.rounds.header(run.round)?;
    view.uncommitted = u32::from(
        header
            .expected
            .saturating_sub(header.committed)
            .saturating_sub(header.gone),
    );
    view.grace_since = (run.grace_since_slot != 0).then_some(Moment {
        time: run.grace_since,
        chain_slot: run.grace_since_slot,
    });
    view.grace_length = run.grace_seconds;
    Ok(())
}

fn see_witness(world: &World, view: &mut PhaseView) -> Result<()> {
    let run = &*world.run;
    let mut stored = match run.round.checked_sub(1) {
        Some(before) => world.rounds.header(before)?.entropy_stored == 1,
        None => run.entropy_stored == 1,
    };
    if let Some(target) = world.target() {
        let header = world.rounds.header(target)?;
        view.commitments = u32::from(header.committed);
        view.elected = u32::from(header.witnesses);
        view.attested = header.attested.count_ones();
        let heard = (header.attested | header.witnesses_gone).count_ones();
        view.unattested = view.elected.saturating_sub(heard);
        view.second_draw = header.draws >= 2;
        let drawn = header.entropy_stored == 1 && !header.redraws();
        stored = stored && (header.committed == 0 || drawn);
    }
    view.entropy_stored = stored;
    Ok(())
}

/// R, the number of training rounds of the epoch, once it is fixed.
#[must_use]
pub fn training_rounds(rounds_in_epoch: u32) -> Option<u32> {
    (rounds_in_epoch != ROUNDS_OPEN).then_some(rounds_in_epoch)
}
