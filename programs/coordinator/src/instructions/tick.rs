//! `tick`.

use anchor_lang::prelude::*;

use super::with_world;
use crate::{
    errors::CoordinatorError,
    state::{Roster, Rounds, Run},
    transition,
};

/// What `tick` needs: nobody signs but who pays the fee.
#[derive(Accounts)]
pub struct Tick<'info> {
    /// The run.
    #[account(
        mut,
        has_one = roster @ CoordinatorError::WrongAccount,
        has_one = rounds @ CoordinatorError::WrongAccount,
    )]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut)]
    pub roster: AccountLoader<'info, Roster>,
    /// Its round records.
    #[account(mut)]
    pub rounds: AccountLoader<'info, Rounds>,
}

/// See [`crate::coordinator::tick`].
///
/// # Errors
/// As documented there.
pub fn tick(ctx: &Context<Tick>) -> Result<()> {
    let accounts = &ctx.accounts;
    with_world(
        &accounts.run,
        &accounts.roster,
        &accounts.rounds,
        transition::tick,
    )
}
