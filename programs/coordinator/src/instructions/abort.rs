//! `abort`.

use anchor_lang::prelude::*;

use super::{with_world, OwnerAccounts};
use crate::{
    errors::CoordinatorError,
    machine::phase::{abort_due, Moment, Phase},
    transition::{self, Place},
    world::World,
};

/// See [`crate::coordinator::abort`].
///
/// # Errors
/// As documented there.
pub fn abort(ctx: &Context<OwnerAccounts>) -> Result<()> {
    let accounts = &ctx.accounts;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, run)
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`abort`].
pub fn run(world: &mut World) -> Result<()> {
    let phase = world.phase()?;
    require!(
        !matches!(
            phase,
            Phase::Paused | Phase::WaitingForMembers | Phase::Finished
        ),
        CoordinatorError::WrongPhase
    );
    let started = Moment {
        time: world.run.phase_started_at,
        chain_slot: world.run.phase_started_slot,
    };
    let seconds = transition::seconds_of(phase, &world.run.config);
    require!(
        abort_due(phase, started, seconds, world.now),
        CoordinatorError::TooEarly
    );
    let before = Place::of(world);
    transition::abort(world)?;
    before.changed(world);
    Ok(())
}
