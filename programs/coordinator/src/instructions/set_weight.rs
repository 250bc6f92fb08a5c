//! `set_weight`.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
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
