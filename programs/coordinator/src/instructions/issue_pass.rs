//! `issue_pass`.

use anchor_lang::prelude::*;

use super::{begin_or_open, now, open};
use crate::{
    errors::CoordinatorError,
    events::PassIssued,
    state::{seeds, Pass, Run, ACCOUNT_VERSION, PASS_BYTES},
};

/// Arguments of `issue_pass`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct IssuePassArgs {
    /// Who may join.
    pub wallet: Pubkey,
    /// Until when, Unix seconds.
    pub expiry: i64,
}

/// What `issue_pass` needs.
#[derive(Accounts)]
#[instruction(args: IssuePassArgs)]
pub struct IssuePass<'info> {
    /// Pays the rent of a new pass and gets it back.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The run's join authority.
    pub join_authority: Signer<'info>,
    /// The run.
    #[account(has_one = join_authority @ CoordinatorError::Unauthorized)]
    pub run: AccountLoader<'info, Run>,
    /// The wallet's pass; created when it is issued for the first time.
    #[account(
        init_if_needed,
        payer = payer,
        space = PASS_BYTES,
        seeds = [seeds::PASS, run.key().as_ref(), args.wallet.as_ref()],
        bump,
    )]
    pub pass: AccountLoader<'info, Pass>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

/// See [`crate::coordinator::issue_pass`].
///
/// # Errors
/// As documented there.
pub fn issue_pass(ctx: &Context<IssuePass>, args: &IssuePassArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let run = open(&accounts.run)?;
    require!(args.expiry > now()?.time, CoordinatorError::PassExpiryPast);
    let (mut pass, new) = begin_or_open(&accounts.pass)?;
    if new {
        pass.version = ACCOUNT_VERSION;
        pass.bump = ctx.bumps.pass;
        pass.run = accounts.run.key();
        pass.wallet = args.wallet;
        pass.rent_payer = accounts.payer.key();
    }
    // One for a closed run at this address was none of this run's.
    let same = pass.instance == run.instance;
    let expiry_before = if same { pass.expiry } else { 0 };
    pass.instance = run.instance;
    pass.issuer = accounts.join_authority.key();
    pass.expiry = args.expiry;
    emit!(PassIssued {
        run: pass.run,
        wallet: pass.wallet,
        issuer: pass.issuer,
        expiry_before,
        expiry_after: pass.expiry,
    });
    Ok(())
}
