//! `allocate`.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    state::{Roster, Rounds, Run},
};

/// What `allocate` needs.
#[derive(Accounts)]
pub struct Allocate<'info> {
    /// Pays the rent and gets it back; who paid for `create_run`.
    #[account(mut)]
    pub rent_payer: Signer<'info>,
    /// The run.
    #[account(
        mut,
        has_one = rent_payer @ CoordinatorError::Unauthorized,
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
    /// The system program.
    pub system_program: Program<'info, System>,
}
