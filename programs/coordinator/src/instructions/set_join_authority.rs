//! `set_join_authority`.

use anchor_lang::prelude::*;

use super::{open_mut, OwnerOfRun};
use crate::events::JoinAuthorityChanged;

/// Arguments of `set_join_authority`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetJoinAuthorityArgs {
    /// Whose permission joining needs from now on; none: anyone may join.
    pub join_authority: Option<Pubkey>,
}

/// See [`crate::coordinator::set_join_authority`].
///
/// # Errors
/// As documented there.
pub fn set_join_authority(ctx: &Context<OwnerOfRun>, args: &SetJoinAuthorityArgs) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    let after = args.join_authority.unwrap_or_default();
    let before = core::mem::replace(&mut run.join_authority, after);
    emit!(JoinAuthorityChanged {
        run: key,
        join_authority_before: before,
        join_authority_after: after,
    });
    Ok(())
}
