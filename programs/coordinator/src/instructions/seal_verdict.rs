//! `seal_verdict`.

use anchor_lang::prelude::*;

use super::{verdict::check_window, with_world, MemberAccounts};
use crate::{errors::CoordinatorError, machine::audit::SeatStage, world::World};

/// Arguments of `seal_verdict`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SealVerdictArgs {
    /// Epoch of the payload.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the committee's member.
    pub slot: u16,
    /// Slot of the trainer whose payload is judged.
    pub target: u16,
    /// sha256(verdict, salt, wallet).
    pub sealed: [u8; 32],
}

/// See [`crate::coordinator::seal_verdict`].
///
/// # Errors
/// As documented there.
pub fn seal_verdict(ctx: &Context<MemberAccounts>, args: &SealVerdictArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`seal_verdict`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &SealVerdictArgs) -> Result<()> {
    let window = check_window(world, args.epoch, args.round)?;
    let member_id = world.member(args.slot, wallet)?.member_id;
    let audits = world.rounds.audits(args.round)?;
    let place = audits
        .seat(args.slot, member_id, args.target)
        .ok_or(CoordinatorError::NotAVerifier)?;
    let audits = world.rounds.audits_mut(args.round)?;
    let seat = audits
        .seats
        .get_mut(place)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    if seat.stage != SeatStage::Drawn as u8 {
        require!(seat.sealed == args.sealed, CoordinatorError::VerdictDiffers);
        return Ok(());
    }
    require!(window.seal, CoordinatorError::VerdictClosed);
    seat.sealed = args.sealed;
    seat.stage = SeatStage::Sealed as u8;
    world.seen(args.slot)
}
