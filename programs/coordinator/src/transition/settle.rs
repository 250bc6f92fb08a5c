//! After a round has settled the run moves on.

use anchor_lang::prelude::*;

use super::{epoch, members, plan::training_rounds, round, vote};
use crate::{
    errors::CoordinatorError,
    machine::phase::{after_settle, Next, SettledView},
    state::{EndReason, ROUNDS_OPEN},
    world::World,
};

/// Drops who is unfit, and begins what follows a settled round.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn advance(world: &mut World, failed: bool) -> Result<()> {
    members::drop_unfit(world)?;
    let (next, rounds) = what_follows(world, failed);
    world.run.rounds_in_epoch = rounds.unwrap_or(ROUNDS_OPEN);
    let following = world
        .run
        .round
        .checked_add(1)
        .ok_or(CoordinatorError::Overflow)?;
    match next {
        Next::Train => {
            let newcomers = if world.run.config.admit_anytime == 1 {
                members::admit(world, following)?
            } else {
                members::Newcomers::default()
            };
            round::start(world, following, &newcomers)?;
            vote::at_round(world)
        }
        Next::Drain => round::start_drain(world, following),
        Next::Cooldown => epoch::start_cooldown(world, following),
    }
}

fn what_follows(world: &mut World, failed: bool) -> (Next, Option<u32>) {
    let run = &mut *world.run;
    let view = SettledView {
        round: run.round,
        overlap: run.config.overlap,
        training_rounds: training_rounds(run.rounds_in_epoch),
        epoch_rounds: run.config.epoch_rounds,
        step: run.step,
        total_steps: run.config.total_steps,
        pause_asked: run.pause_requested == 1,
        active: u32::from(run.active),
        min_members: u32::from(run.config.min_members),
        draws_failed: failed,
    };
    let (next, rounds) = after_settle(&view);
    if view.training_rounds.is_none() && rounds.is_some() {
        run.end_reason = end_reason(&view) as u8;
    }
    (next, rounds)
}

fn end_reason(view: &SettledView) -> EndReason {
    if view.draws_failed {
        EndReason::WitnessesFailed
    } else if view.active < view.min_members {
        EndReason::TooFewMembers
    } else if view.pause_asked {
        EndReason::Pause
    } else if view.step >= view.total_steps {
        EndReason::TotalSteps
    } else {
        EndReason::EpochRounds
    }
}
