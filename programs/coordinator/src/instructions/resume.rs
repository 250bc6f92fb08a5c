//! `resume`.

use anchor_lang::prelude::*;

use super::{with_world, OwnerAccounts};
use crate::{
    errors::CoordinatorError,
    machine::phase::{self, Phase},
    transition::{self, Place},
    world::World,
};

/// See [`crate::coordinator::resume`].
///
/// # Errors
/// As documented there.
pub fn resume(ctx: &Context<OwnerAccounts>) -> Result<()> {
    let accounts = &ctx.accounts;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, run)
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`resume`].
pub fn run(world: &mut World) -> Result<()> {
    let to = phase::resume(world.phase()?, world.run.step, world.run.config.total_steps)
        .ok_or(CoordinatorError::WrongPhase)?;
    move_to(world, to);
    Ok(())
}

/// Enters a phase and tells observers.
pub fn move_to(world: &mut World, to: Phase) {
    let before = Place::of(world);
    transition::enter(world, to);
    before.changed(world);
}
