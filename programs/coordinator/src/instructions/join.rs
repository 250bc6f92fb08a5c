//! `join`.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    state::{seeds, Participant, Roster, Rounds, Run, DISCRIMINATOR_BYTES},
};

/// Arguments of `join`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct JoinArgs {
    /// The slot that it wants; must be free.
    pub slot: u16,
    /// Its speed against others, 1 to 1,000.
    pub weight: u16,
    /// The node's public key.
    pub node_key: [u8; 32],
    /// Where the node is found, at most 96 bytes; may be empty.
    pub address: String,
}

/// What `join` needs.
#[derive(Accounts)]
pub struct Join<'info> {
    /// Pays the rent of the participant's account and gets it back.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The wallet that joins.
    pub wallet: Signer<'info>,
    /// The run's join authority, where it has one.
    pub join_authority: Option<Signer<'info>>,
    /// The run.
    #[account(
        mut,
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
    /// The wallet's account in the run; created when it joins for the first time.
    #[account(
        init_if_needed,
        payer = payer,
        space = DISCRIMINATOR_BYTES + core::mem::size_of::<Participant>(),
        seeds = [seeds::PARTICIPANT, run.key().as_ref(), wallet.key().as_ref()],
        bump,
    )]
    pub participant: AccountLoader<'info, Participant>,
    /// The system program.
    pub system_program: Program<'info, System>,
}
