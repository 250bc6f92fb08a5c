//! `publish_checkpoint`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError,
    machine::phase::Phase,
    state::{RosterEntry, VoteKind},
    transition::{self, checkpoint},
    world::World,
};

/// Arguments of `publish_checkpoint`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct PublishCheckpointArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Slot of the publisher.
    pub slot: u16,
    /// Where the parameters lie: printable ASCII without a space, at most 96 bytes.
    pub uri: String,
}

/// See [`crate::coordinator::publish_checkpoint`].
///
/// # Errors
/// As documented there.
pub fn publish_checkpoint(
    ctx: &Context<MemberAccounts>,
    args: &PublishCheckpointArgs,
) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`publish_checkpoint`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &PublishCheckpointArgs) -> Result<()> {
    let member_id = agreeing_member(world, wallet, args.epoch, args.slot)?.member_id;
    checkpoint::check_uri(&args.uri)?;
    let drawn = checkpoint::is_publisher(world, args.slot, member_id);
    require!(
        drawn || checkpoint::half_passed(world),
        CoordinatorError::NotAPublisher
    );
    checkpoint::publish(world, args.slot, member_id, &args.uri)?;
    world.seen(args.slot)
}

/// The entry of a member that may speak about the epoch's checkpoint.
///
/// # Errors
/// `WrongPhase`, `WrongRound`, those of [`World::member`], `CheckpointNotAgreed`, `DigestNotSaid`.
pub fn agreeing_member(
    world: &mut World,
    wallet: &Pubkey,
    epoch: u32,
    slot: u16,
) -> Result<RosterEntry> {
    require!(
        world.phase()? == Phase::Cooldown,
        CoordinatorError::WrongPhase
    );
    require!(epoch == world.run.epoch, CoordinatorError::WrongRound);
    let entry = *world.member(slot, wallet)?;
    let vote = &world.run.vote;
    require!(
        vote.kind == VoteKind::Cooldown as u8 && vote.agreed == 1,
        CoordinatorError::CheckpointNotAgreed
    );
    require!(
        transition::said(&entry, &world.run.agreed.digest),
        CoordinatorError::DigestNotSaid
    );
    Ok(entry)
}
