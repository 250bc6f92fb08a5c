//! `revoke_pass`.

use anchor_lang::prelude::*;

use super::{now, open, standing_run};
use crate::{errors::CoordinatorError, events::PassRevoked, state::Pass};

/// What `revoke_pass` needs.
#[derive(Accounts)]
pub struct RevokePass<'info> {
    /// The run's join authority, or who paid.
    pub revoker: Signer<'info>,
    /// Who paid the rent, and gets it back.
    /// CHECK: `has_one` compares the address; it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The run, which may be closed already.
    /// CHECK: `has_one` compares the address, `standing_run` what stands there.
    pub run: UncheckedAccount<'info>,
    /// The pass.
    #[account(
        mut,
        close = rent_payer,
        has_one = run @ CoordinatorError::WrongAccount,
        has_one = rent_payer @ CoordinatorError::WrongAccount,
    )]
    pub pass: AccountLoader<'info, Pass>,
}

/// See [`crate::coordinator::revoke_pass`].
///
/// # Errors
/// As documented there.
pub fn revoke_pass(ctx: &Context<RevokePass>) -> Result<()> {
    let accounts = &ctx.accounts;
    let pass = open(&accounts.pass)?;
    let revoker = accounts.revoker.key();
    let stands = standing_run(&accounts.run)?;
    let issues = stands.is_some_and(|run| run.join_authority == revoker);
    let of_run = stands.is_some_and(|run| run.instance == pass.instance);
    let is_over = !of_run || pass.expiry <= now()?.time;
    require!(
        issues || (is_over && pass.rent_payer == revoker),
        CoordinatorError::Unauthorized
    );
    emit!(PassRevoked {
        run: pass.run,
        wallet: pass.wallet,
        revoker,
        expiry: pass.expiry,
    });
    Ok(())
}
