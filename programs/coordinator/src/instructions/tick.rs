//! `tick`.

use anchor_lang::prelude::*;

use super::{with_world, RunAccounts};
use crate::transition;

/// See [`crate::coordinator::tick`].
///
/// # Errors
/// As documented there.
pub fn tick(ctx: &Context<RunAccounts>) -> Result<()> {
    let accounts = &ctx.accounts;
    with_world(
        &accounts.run,
        &accounts.roster,
        &accounts.rounds,
        transition::tick,
    )
}
