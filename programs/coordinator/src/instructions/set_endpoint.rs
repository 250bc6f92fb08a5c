//! `set_endpoint`.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    state::{Participant, Roster, Run},
};

/// Arguments of `set_endpoint`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetEndpointArgs {
    /// The member's slot.
    pub slot: u16,
    /// The node's public key.
    pub node_key: [u8; 32],
    /// Where the node is found, at most 96 bytes; may be empty.
    pub address: String,
}

/// What `set_endpoint` needs.
#[derive(Accounts)]
pub struct SetEndpoint<'info> {
    /// The member's wallet.
    pub wallet: Signer<'info>,
    /// The run.
    #[account(has_one = roster @ CoordinatorError::WrongAccount)]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut)]
    pub roster: AccountLoader<'info, Roster>,
    /// The wallet's account in the run.
    #[account(
        mut,
        has_one = wallet @ CoordinatorError::WrongAccount,
        has_one = run @ CoordinatorError::WrongAccount,
    )]
    pub participant: AccountLoader<'info, Participant>,
}
