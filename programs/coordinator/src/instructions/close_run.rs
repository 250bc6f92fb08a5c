//! `close_run`.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    state::{Roster, Rounds, Run},
};

/// What `close_run` needs.
#[derive(Accounts)]
pub struct CloseRun<'info> {
    /// The run's authority.
    pub authority: Signer<'info>,
    /// Who paid the rent, and gets it back.
    /// CHECK: `has_one` compares the address; it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The run.
    #[account(
        mut,
        close = rent_payer,
        has_one = authority @ CoordinatorError::Unauthorized,
        has_one = rent_payer @ CoordinatorError::WrongAccount,
        has_one = roster @ CoordinatorError::WrongAccount,
        has_one = rounds @ CoordinatorError::WrongAccount,
    )]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut, close = rent_payer)]
    pub roster: AccountLoader<'info, Roster>,
    /// Its round records.
    #[account(mut, close = rent_payer)]
    pub rounds: AccountLoader<'info, Rounds>,
}
