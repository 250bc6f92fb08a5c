//! `allocate`.

use anchor_lang::prelude::*;

use anchor_lang::system_program::{self, Transfer};

use super::{create_run::GROWTH_BYTES, open};
use crate::{
    errors::CoordinatorError,
    state::{roster_bytes, rounds_bytes, Roster, Rounds, Run},
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

/// See [`crate::coordinator::allocate`].
///
/// # Errors
/// As documented there.
pub fn allocate(ctx: &Context<Allocate>) -> Result<()> {
    let accounts = &ctx.accounts;
    let (capacity, complete) = {
        let run = open(&accounts.run)?;
        (run.capacity, run.complete)
    };
    require!(complete == 0, CoordinatorError::AlreadyComplete);
    let roster = grow(accounts, accounts.roster.as_ref(), roster_bytes(capacity))?;
    let rounds = grow(accounts, accounts.rounds.as_ref(), rounds_bytes(capacity))?;
    accounts.run.load_mut()?.complete = u8::from(roster && rounds);
    Ok(())
}

/// Lets an account grow towards `full` bytes and pays its rent; says whether it is there.
fn grow<'info>(
    accounts: &Allocate<'info>,
    account: &AccountInfo<'info>,
    full: usize,
) -> Result<bool> {
    let size = account.data_len().saturating_add(GROWTH_BYTES).min(full);
    let rent = Rent::get()?.minimum_balance(size);
    let missing = rent.saturating_sub(account.lamports());
    if missing > 0 {
        let transfer = Transfer {
            from: accounts.rent_payer.to_account_info(),
            to: account.clone(),
        };
        let context = CpiContext::new(accounts.system_program.key(), transfer);
        system_program::transfer(context, missing)?;
    }
    account.resize(size)?;
    Ok(size == full)
}
