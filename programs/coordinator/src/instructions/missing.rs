//! `missing`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError, machine::bits::bit, state::MemberState, transition, world::World,
};

/// Arguments of `missing`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct MissingArgs {
    /// Epoch of the payload.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the sender.
    pub slot: u16,
    /// Slot of the payload's trainer.
    pub target: u16,
}

/// See [`crate::coordinator::missing`].
///
/// # Errors
/// As documented there.
pub fn missing(ctx: &Context<MemberAccounts>, args: &MissingArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`missing`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &MissingArgs) -> Result<()> {
    transition::check_missing(world, args.epoch, args.round)?;
    let state = world.member(args.slot, wallet)?.state;
    require!(
        state == MemberState::Active as u8,
        CoordinatorError::WrongMemberState
    );
    let record = world.rounds.record(args.round)?;
    require!(
        bit(record.accepted, usize::from(args.target)),
        CoordinatorError::NotAccepted
    );
    transition::report_missing(world, args.round, args.slot, args.target)
}
