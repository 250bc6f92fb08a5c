//! `confirm_checkpoint`.

use anchor_lang::prelude::*;

use super::{publish_checkpoint::agreeing_member, with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError, events::CheckpointConfirmed, state::CONFIRMATIONS_MAX, world::World,
};

/// Arguments of `confirm_checkpoint`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ConfirmCheckpointArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Slot of the sender.
    pub slot: u16,
    /// 0 or 1: which of the epoch's URIs it fetched from.
    pub place: u8,
}

/// See [`crate::coordinator::confirm_checkpoint`].
///
/// # Errors
/// As documented there.
pub fn confirm_checkpoint(
    ctx: &Context<MemberAccounts>,
    args: &ConfirmCheckpointArgs,
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
/// Those of [`confirm_checkpoint`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &ConfirmCheckpointArgs) -> Result<()> {
    let member_id = agreeing_member(world, wallet, args.epoch, args.slot)?.member_id;
    let pending = &mut world.run.pending_checkpoint;
    let place = usize::from(args.place);
    let publisher = pending.publishers.get(place).copied().unwrap_or(0);
    require!(publisher != 0, CoordinatorError::NothingPublished);
    require!(publisher != member_id, CoordinatorError::OwnPublication);
    let seats = pending
        .confirmed_by
        .as_chunks_mut::<CONFIRMATIONS_MAX>()
        .0
        .get_mut(place)
        .ok_or(CoordinatorError::NothingPublished)?;
    if seats.contains(&member_id) {
        return Ok(());
    }
    // Who comes after the second one has nothing to add, and did nothing wrong.
    let Some(taken) = seats.iter().position(|id| *id == 0) else {
        return Ok(());
    };
    if let Some(seat) = seats.get_mut(taken) {
        *seat = member_id;
    }
    pending.confirmations = pending.confirmations.saturating_add(1);
    let before = u8::try_from(taken).unwrap_or(u8::MAX);
    emit!(CheckpointConfirmed {
        run: world.key,
        epoch: world.run.epoch,
        place: args.place,
        slot: args.slot,
        member_id,
        confirmations_before: before,
        confirmations_after: before.saturating_add(1),
    });
    world.seen(args.slot)
}
