//! `create_run`.

use anchor_lang::prelude::*;

use super::now;
use crate::{
    errors::CoordinatorError,
    events::RunCreated,
    machine::{
        config::RunConfig,
        hash::{first_chain_hash, sha256},
        phase::{Moment, Phase},
    },
    state::{
        roster_bytes, rounds_bytes, seeds, Roster, Rounds, Run, ACCOUNT_VERSION, MODEL_URI_BYTES,
        ROUNDS_OPEN, RUN_BYTES, RUN_ID_BYTES,
    },
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
        space = RUN_BYTES,
        // No more of it than a seed may have: a longer one is refused by name.
        seeds = [
            seeds::RUN,
            creator.key().as_ref(),
            args.run_id.as_bytes().chunks(RUN_ID_BYTES).next().unwrap_or_default(),
        ],
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

/// See [`crate::coordinator::create_run`].
///
/// # Errors
/// As documented there.
pub fn create_run(ctx: &Context<CreateRun>, args: &CreateRunArgs) -> Result<()> {
    check_run_id(args.run_id.as_bytes())?;
    require!(args.digest != [0; 32], CoordinatorError::DigestZero);
    args.config
        .check(u32::from(args.capacity))
        .map_err(CoordinatorError::from)?;
    let accounts = &ctx.accounts;
    let key = accounts.run.key();
    let mut run = accounts.run.load_init()?;
    name(&mut run, accounts, args);
    run.bump = ctx.bumps.run;
    run.roster_bump = ctx.bumps.roster;
    run.rounds_bump = ctx.bumps.rounds;
    set_model(&mut run, args.model_hash, &args.model_uri)?;
    let now = now()?;
    begin(&mut run, &key, args, now);
    let mut roster = accounts.roster.load_init()?;
    roster.header.version = ACCOUNT_VERSION;
    roster.header.capacity = args.capacity;
    roster.header.run = key;
    let mut rounds = accounts.rounds.load_init()?;
    rounds.header.version = ACCOUNT_VERSION;
    rounds.header.capacity = args.capacity;
    rounds.header.run = key;
    emit!(RunCreated {
        run: key,
        creator: run.creator,
        instance: run.instance,
        capacity: run.capacity,
    });
    Ok(())
}

fn name(run: &mut Run, accounts: &CreateRun, args: &CreateRunArgs) {
    run.version = ACCOUNT_VERSION;
    run.capacity = args.capacity;
    run.creator = accounts.creator.key();
    run.authority = run.creator;
    run.rent_payer = accounts.payer.key();
    run.join_authority = args.join_authority.unwrap_or_default();
    run.roster = accounts.roster.key();
    run.rounds = accounts.rounds.key();
    run.config = args.config;
    run.run_id_len = copy_text(&mut run.run_id, args.run_id.as_bytes());
    // Small runs fit at once.
    let whole =
        rounds_bytes(args.capacity) <= GROWTH_BYTES && roster_bytes(args.capacity) <= GROWTH_BYTES;
    run.complete = u8::from(whole);
}

/// Fills in what a run begins with.
fn begin(run: &mut Run, key: &Pubkey, args: &CreateRunArgs, now: Moment) {
    run.creation_slot = now.chain_slot;
    run.instance = sha256(&[key.as_ref(), &now.chain_slot.to_le_bytes()]);
    run.chain_hash = first_chain_hash(&run.instance);
    run.phase = Phase::Paused as u8;
    run.phase_started_at = now.time;
    run.phase_started_slot = now.chain_slot;
    run.rounds_in_epoch = ROUNDS_OPEN;
    run.next_member_id = 1;
    run.agreed.digest = args.digest;
    run.agreed.chain_hash = run.chain_hash;
    run.agreed.valid = 1;
}

fn check_run_id(run_id: &[u8]) -> Result<()> {
    let plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let right = !run_id.is_empty() && run_id.len() <= RUN_ID_BYTES && run_id.iter().all(plain);
    require!(right, CoordinatorError::RunIdInvalid);
    Ok(())
}

/// Writes the model's hash and URI.
///
/// # Errors
/// `ModelUriTooLong`.
pub fn set_model(run: &mut Run, model_hash: [u8; 32], model_uri: &str) -> Result<()> {
    require!(
        model_uri.len() <= MODEL_URI_BYTES,
        CoordinatorError::ModelUriTooLong
    );
    run.model_hash = model_hash;
    run.model_uri_len = copy_text(&mut run.model_uri, model_uri.as_bytes());
    Ok(())
}

/// Copies what fits into a zeroed field; says how many bytes that are (at most 255).
pub fn copy_text(field: &mut [u8], text: &[u8]) -> u8 {
    field.fill(0);
    let mut count = 0_u8;
    for (place, byte) in field.iter_mut().zip(text) {
        *place = *byte;
        count = count.saturating_add(1);
    }
    count
}
