//! What happens to a run by itself: entropy, transitions, drops.
//!
//! A transition is *plan* (reads and checks; if it fails nothing has happened) and *apply* (writes).

mod entropy;
mod epoch;
mod members;
mod plan;
mod round;
mod settle;
mod vote;

#[cfg(test)]
mod tests;

pub use epoch::{abort, enter};
pub use members::{depart, step_aside};
pub use plan::{plan, seconds_of};
pub use vote::{record_reveal, reveals_open, vote_open};

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    events::PhaseChanged,
    machine::phase::{Phase, Transition},
    world::World,
};

/// Transitions that one instruction makes at most: Train, Witness and settle, and what follows.
const TRANSITIONS_MAX: u32 = 3;

/// Stores entropy that is due. Comes before anything else that a member does, if it asked for it.
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
    let mut left = if wanted { TRANSITIONS_MAX } else { 0 };
    while left > 0 {
        let Ok(Some(transition)) = plan(world) else {
            break;
        };
        apply(world, transition)?;
        left = left.saturating_sub(1);
    }
    Ok(())
}

/// Makes whatever is due, whoever asks.
///
/// # Errors
/// `TooEarly` if nothing is.
pub fn tick(world: &mut World) -> Result<()> {
    let stored = entropy::store(world)?;
    let dropped = members::drop_silent(world)?;
    let planned = plan(world)?;
    if let Some(transition) = planned {
        apply(world, transition)?;
        conclude(world, true)?;
    }
    require!(
        stored || dropped || planned.is_some(),
        CoordinatorError::TooEarly
    );
    Ok(())
}

/// Makes one transition that a plan found due.
fn apply(world: &mut World, transition: Transition) -> Result<()> {
    let before = Place::of(world);
    match transition {
        Transition::StartWarmup => epoch::start_warmup(world)?,
        Transition::StartEpoch => epoch::start(world)?,
        Transition::FailWarmup => epoch::fail_warmup(world, Phase::WaitingForMembers)?,
        Transition::GiveUp => epoch::fail_warmup(world, Phase::Paused)?,
        Transition::CloseTrain => round::close_train(world)?,
        Transition::RedrawWitnesses => round::redraw_witnesses(world)?,
        Transition::Settle { failed } => settle::settle(world, failed)?,
        Transition::EndEpoch(phase) => epoch::end(world, phase)?,
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
