//! `create_run`.

use anchor_lang::prelude::*;

use crate::{
    machine::config::RunConfig,
    state::{roster_bytes, rounds_bytes, seeds, Roster, Rounds, Run, DISCRIMINATOR_BYTES},
};

/// An account can be created with, and grow by, so many bytes in an instruction.
pub const GROWTH_BYTES: usize = 10_240;

/// Arguments of `create_run`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreateRunArgs {
    /// The run's name: 1 to 32 bytes of a-z, 0-9 and -.
    pub run_id: String,
    /// Slots of the roster: 8 to 1,024, a multiple of 8.
    pub capacity: u16,
    /// The configuration.
    pub config: RunConfig,
    /// sha256 of model.json.
    pub model_hash: [u8; 32],
    /// Where model.json lies; may be empty.
    pub model_uri: String,
    /// Whose signature joining needs, if anybody's.
    pub join_authority: Option<Pubkey>,
    /// Digest of the first parameters.
    pub digest: [u8; 32],
}

/// What `create_run` needs.
#[derive(Accounts)]
#[instruction(args: CreateRunArgs)]
pub struct CreateRun<'info> {
    /// Pays the rent and gets it back.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// Creator and first authority of the run.
    pub creator: Signer<'info>,
    /// The run.
    #[account(
        init,
        payer = payer,
        space = DISCRIMINATOR_BYTES + core::mem::size_of::<Run>(),
        seeds = [seeds::RUN, creator.key().as_ref(), args.run_id.as_bytes()],
        bump,
    )]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(
        init,
        payer = payer,
        space = roster_bytes(args.capacity).min(GROWTH_BYTES),
        seeds = [seeds::ROSTER, run.key().as_ref()],
        bump,
    )]
    pub roster: AccountLoader<'info, Roster>,
    /// Its round records.
    #[account(
        init,
        payer = payer,
        space = rounds_bytes(args.capacity).min(GROWTH_BYTES),
        seeds = [seeds::ROUNDS, run.key().as_ref()],
        bump,
    )]
    pub rounds: AccountLoader<'info, Rounds>,
    /// The system program.
    pub system_program: Program<'info, System>,
}
