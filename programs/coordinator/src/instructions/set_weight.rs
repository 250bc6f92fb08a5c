//! `set_weight`.

use anchor_lang::prelude::*;

use super::{join::check_weight, set_endpoint::change_entry};
use crate::{
    errors::CoordinatorError,
    events::WeightChanged,
    state::{Roster, Run},
};

/// Arguments of `set_weight`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetWeightArgs {
    /// The member's slot.
    pub slot: u16,
    /// Its speed against others, 1 to 1,000.
    pub weight: u16,
}

/// What `set_weight` needs.
#[derive(Accounts)]
pub struct SetWeight<'info> {
    /// The member's wallet.
    pub wallet: Signer<'info>,
    /// The run.
    #[account(has_one = roster @ CoordinatorError::WrongAccount)]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut)]
    pub roster: AccountLoader<'info, Roster>,
}

/// See [`crate::coordinator::set_weight`].
///
/// # Errors
/// As documented there.
pub fn set_weight(ctx: &Context<SetWeight>, args: &SetWeightArgs) -> Result<()> {
    check_weight(args.weight)?;
    let accounts = &ctx.accounts;
    let (wallet, run) = (accounts.wallet.key(), accounts.run.key());
    change_entry(
        &accounts.run,
        &accounts.roster,
        args.slot,
        &wallet,
        |entry| {
            let (declared_weight_before, weight_before) = (entry.declared_weight, entry.weight);
            entry.declared_weight = args.weight;
            entry.weight = entry.weight.min(args.weight);
            emit!(WeightChanged {
                run,
                slot: args.slot,
                member_id: entry.member_id,
                declared_weight_before,
                declared_weight_after: entry.declared_weight,
                weight_before,
                weight_after: entry.weight,
            });
        },
    )
}
