//! `commit`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError,
    machine::{
        bits::{bit, set_bit},
        phase::Phase,
    },
    transition,
    world::World,
};

/// Arguments of `commit`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CommitArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Round that it trained.
    pub round: u32,
    /// Its slot.
    pub slot: u16,
    /// sha256 of the whole payload.
    pub commitment: [u8; 32],
    /// Bytes of the payload.
    pub bytes: u32,
    /// Mean training loss, in millionths of a nat.
    pub loss_micronats: u32,
    /// Tokens trained.
    pub tokens: u32,
    /// Time spent in training.
    pub train_milliseconds: u32,
}

/// See [`crate::coordinator::commit`].
///
/// # Errors
/// As documented there.
pub fn commit(ctx: &Context<MemberAccounts>, args: &CommitArgs, transition: bool) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args, transition)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`commit`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &CommitArgs, advance: bool) -> Result<()> {
    transition::prepare(world, advance)?;
    require!(world.phase()? == Phase::Train, CoordinatorError::WrongPhase);
    world.check_round(args.epoch, args.round)?;
    if record(world, wallet, args)? {
        transition::begin_grace(world)?;
        world.seen(args.slot)?;
    }
    transition::conclude(world, advance)
}

/// Writes the commitment; says whether it is new.
fn record(world: &mut World, wallet: &Pubkey, args: &CommitArgs) -> Result<bool> {
    let member_id = world.member(args.slot, wallet)?.member_id;
    let bytes_max = world.run.config.payload_bytes_max;
    let record = world.rounds.record(args.round)?;
    let (start, end) = record
        .share_of(args.slot, member_id)
        .ok_or(CoordinatorError::NotATrainer)?;
    require!(start < end, CoordinatorError::NotATrainer);
    let slot = usize::from(args.slot);
    require!(!bit(record.gone, slot), CoordinatorError::TrainerGone);
    require!(args.commitment != [0; 32], CoordinatorError::CommitmentZero);
    require!(
        args.bytes > 0 && args.bytes <= bytes_max,
        CoordinatorError::PayloadTooLarge
    );
    let place = CoordinatorError::IndexOutOfRange;
    let commitment = record.commitment.get_mut(slot).ok_or(place)?;
    if bit(record.committed, slot) {
        require!(
            *commitment == args.commitment,
            CoordinatorError::CommitmentDiffers
        );
        return Ok(false);
    }
    *commitment = args.commitment;
    *record.bytes.get_mut(slot).ok_or(place)? = args.bytes;
    *record.loss_micronats.get_mut(slot).ok_or(place)? = args.loss_micronats;
    *record.tokens.get_mut(slot).ok_or(place)? = args.tokens;
    *record.milliseconds.get_mut(slot).ok_or(place)? = args.train_milliseconds;
    set_bit(record.committed, slot, true);
    let header = record.header;
    header.committed = header.committed.saturating_add(1);
    let share = end.saturating_sub(start);
    header.sequences_committed = header.sequences_committed.saturating_add(share);
    Ok(true)
}
