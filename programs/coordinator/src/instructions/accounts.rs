//! The accounts that several instructions have in common.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    state::{Roster, Rounds, Run, ACCOUNT_VERSION},
};

/// What a member's instruction needs: its wallet signs, the run and its two accounts change.
#[derive(Accounts)]
pub struct MemberAccounts<'info> {
    /// The member's wallet.
    pub wallet: Signer<'info>,
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

/// What an owner's instruction needs that touches members or rounds.
#[derive(Accounts)]
pub struct OwnerAccounts<'info> {
    /// The run's authority.
    pub authority: Signer<'info>,
    /// The run.
    #[account(
        mut,
        has_one = authority @ CoordinatorError::Unauthorized,
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

/// What an owner's instruction needs that changes the run alone.
#[derive(Accounts)]
pub struct OwnerOfRun<'info> {
    /// The run's authority.
    pub authority: Signer<'info>,
    /// The run.
    #[account(mut, has_one = authority @ CoordinatorError::Unauthorized)]
    pub run: AccountLoader<'info, Run>,
}

/// Refuses an account of another layout version.
pub fn check_version(version: u8) -> Result<()> {
    require!(version == ACCOUNT_VERSION, CoordinatorError::WrongVersion);
    Ok(())
}
