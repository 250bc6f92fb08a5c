//! `set_authority`: the first of two steps that hand a run over.

use anchor_lang::prelude::*;

use super::{open_mut, OwnerOfRun};
use crate::{errors::CoordinatorError, events::AuthorityProposed, state::Run};

/// Arguments of `set_authority`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetAuthorityArgs {
    /// Who shall own the run; zero withdraws what was proposed.
    pub proposed: Pubkey,
}

/// See [`crate::coordinator::set_authority`].
///
/// # Errors
/// As documented there.
pub fn set_authority(ctx: &Context<OwnerOfRun>, args: &SetAuthorityArgs) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    let proposed_before = propose(&mut run, args.proposed)?;
    emit!(AuthorityProposed {
        run: key,
        authority: run.authority,
        proposed_before,
        proposed_after: args.proposed,
    });
    Ok(())
}

/// The instruction on a run; says who was proposed before.
///
/// # Errors
/// `AuthorityUnchanged`.
pub fn propose(run: &mut Run, proposed: Pubkey) -> Result<Pubkey> {
    require!(
        proposed != run.authority,
        CoordinatorError::AuthorityUnchanged
    );
    Ok(core::mem::replace(&mut run.proposed_authority, proposed))
}
