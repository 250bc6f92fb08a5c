//! `accept_authority`: the second of two steps that hand a run over.

use anchor_lang::prelude::*;

use super::open_mut;
use crate::{errors::CoordinatorError, events::AuthorityChanged, state::Run};

/// What `accept_authority` needs.
#[derive(Accounts)]
pub struct AcceptAuthority<'info> {
    /// Who was proposed.
    pub proposed_authority: Signer<'info>,
    /// The run.
    #[account(mut, has_one = proposed_authority @ CoordinatorError::Unauthorized)]
    pub run: AccountLoader<'info, Run>,
}

/// See [`crate::coordinator::accept_authority`].
///
/// # Errors
/// As documented there.
pub fn accept_authority(ctx: &Context<AcceptAuthority>) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    let authority_before = run.authority;
    run.authority = ctx.accounts.proposed_authority.key();
    run.proposed_authority = Pubkey::default();
    emit!(AuthorityChanged {
        run: key,
        authority_before,
        authority_after: run.authority,
    });
    Ok(())
}
