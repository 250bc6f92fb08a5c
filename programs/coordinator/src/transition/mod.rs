//! What happens to a run by itself: entropy, transitions, drops.
//!
//! A transition is *plan* (reads and checks; if it fails nothing has happened) and *apply* (writes).
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unwrap_used
    )
)]

mod audits;
pub mod checkpoint;
mod committees;
mod entropy;
mod epoch;
mod finalise;
mod grace;
mod judge;
mod members;
mod missing;
mod plan;
mod returns;
mod round;
mod settle;
mod tally;
mod vote;
mod witnesses;

#[cfg(test)]
mod tests;

pub use audits::window_of;
pub use committees::note_committee;
pub use epoch::{abort, enter};
pub use grace::begin_grace;
pub use members::step_aside;
pub use missing::{check_open as check_missing, report as report_missing};
pub use plan::{plan, seconds_of, Step};
pub use vote::{decide, forget, record_reveal, reveals_open, said, vote_open};

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    events::PhaseChanged,
    machine::phase::{Phase, Transition},
    world::World,
};

/// Steps that one instruction makes at most: Train, Witness, settle, give back, and what follows.
const STEPS_MAX: u32 = 8;

/// Up to so many slots a tick makes every step that is due at once.
const SMALL_CAPACITY: u16 = 64;

/// Stores entropy that is due. Comes before anything else that a member does, if it asked for it,
/// and always before what changes who is Active.
///
/// # Errors
/// Only those of a broken account: the instruction fails as a whole.
pub fn prepare(world: &mut World, wanted: bool) -> Result<()> {
    if wanted {
        entropy::store(world)?;
    }
    Ok(())
}

/// Makes the transitions that are due, if the sender asked for it (and so for the units that it
/// takes: the chain lets no program see what is left). Comes last in a member's instruction.
///
/// # Errors
/// Only those of a broken account: a plan that fails does nothing, and the instruction succeeds.
pub fn conclude(world: &mut World, wanted: bool) -> Result<()> {
    let mut left = if wanted { STEPS_MAX } else { 0 };
    while left > 0 {
        let Ok(Some(step)) = plan(world) else {
            break;
        };
        apply(world, step)?;
        left = left.saturating_sub(1);
    }
    Ok(())
}

/// Makes what is due, whoever asks; in a large run one step of it, so that no call is dear.
///
/// # Errors
/// `TooEarly` if nothing is due.
pub fn tick(world: &mut World) -> Result<()> {
    let stored = entropy::store(world)?;
    let dropped = members::drop_silent(world)?;
    let small = world.run.capacity <= SMALL_CAPACITY;
    if stored && !small {
        return Ok(());
    }
    let planned = plan(world)?;
    if let Some(step) = planned {
        apply(world, step)?;
        conclude(world, small)?;
    }
    require!(
        stored || dropped || planned.is_some(),
        CoordinatorError::TooEarly
    );
    Ok(())
}

/// Makes one step that a plan found due.
fn apply(world: &mut World, step: Step) -> Result<()> {
    let before = Place::of(world);
    match step {
        Step::Table(Transition::StartWarmup) => epoch::start_warmup(world)?,
        Step::Table(Transition::StartEpoch) => epoch::start(world)?,
        Step::Table(Transition::FailWarmup) => {
            epoch::fail_warmup(world, Phase::WaitingForMembers)?;
        }
        Step::Table(Transition::GiveUp) => epoch::fail_warmup(world, Phase::Paused)?,
        Step::Table(Transition::CloseTrain) => round::close_train(world)?,
        Step::Table(Transition::RedrawWitnesses) => witnesses::redraw(world)?,
        Step::Table(Transition::Settle { failed }) => {
            tally::settle(world, failed)?;
            if world.target().is_some() {
                // The run moves on in a step of its own.
                return Ok(());
            }
            settle::advance(world, failed)?;
        }
        Step::DrawTargets { round } => return audits::draw_targets(world, round),
        Step::CloseVote => return vote::end(world),
        Step::GiveBack { target } => return returns::give_back(world, target),
        Step::Judge { round } => return judge::judge(world, round),
        Step::Finalise { round } => return finalise::finalise(world, round),
        Step::Advance { failed } => settle::advance(world, failed)?,
        Step::Table(Transition::EndEpoch(phase)) => epoch::end(world, phase)?,
    }
    before.changed(world);
    Ok(())
}

/// Where a run stood before a transition.
pub struct Place {
    phase: u8,
    epoch: u32,
    round: u32,
}

impl Place {
    /// Where it stands now.
    #[must_use]
    pub fn of(world: &World) -> Self {
        Self {
            phase: world.run.phase,
            epoch: world.run.epoch,
            round: world.run.round,
        }
    }

    /// Counts the transition and tells observers about it.
    pub fn changed(&self, world: &mut World) {
        world.run.transitions = world.run.transitions.saturating_add(1);
        emit!(PhaseChanged {
            run: world.key,
            phase_before: self.phase,
            phase_after: world.run.phase,
            epoch_before: self.epoch,
            epoch_after: world.run.epoch,
            round_before: self.round,
            round_after: world.run.round,
            step: world.run.step,
            phase_deadline: world.run.phase_deadline,
        });
    }
}
