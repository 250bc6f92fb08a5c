//! `pause`.

use anchor_lang::prelude::*;

use super::{resume::move_to, with_world, OwnerAccounts};
use crate::{
    errors::CoordinatorError,
    events::PauseRequested,
    machine::phase::{self, Pause, Phase},
    transition,
    world::World,
};

/// See [`crate::coordinator::pause`].
///
/// # Errors
/// As documented there.
pub fn pause(ctx: &Context<OwnerAccounts>) -> Result<()> {
    let accounts = &ctx.accounts;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, run)
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`pause`].
pub fn run(world: &mut World) -> Result<()> {
    match phase::pause(world.phase()?) {
        Pause::Now => {
            // Words on the parameters that were opened in Warmup count, as at its end.
            transition::decide(world)?;
            move_to(world, Phase::Paused);
        }
        Pause::Flagged => {
            require!(
                world.run.pause_requested == 0,
                CoordinatorError::PauseAlreadyRequested
            );
            world.run.pause_requested = 1;
            emit!(PauseRequested {
                run: world.key,
                epoch: world.run.epoch,
                round: world.run.round,
            });
        }
        Pause::AlreadyPaused => return err!(CoordinatorError::WrongPhase),
    }
    Ok(())
}
