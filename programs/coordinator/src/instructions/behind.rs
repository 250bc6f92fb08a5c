//! `behind`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError, events::MemberChanged, state::MemberState, transition, world::World,
};

/// A member's slot, and the round in which it believes the run to be.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct MemberArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Round that it believes in.
    pub round: u32,
    /// Its slot.
    pub slot: u16,
}

/// See [`crate::coordinator::behind`].
///
/// # Errors
/// As documented there.
pub fn behind(ctx: &Context<MemberAccounts>, args: &MemberArgs, transition: bool) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args, transition)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`behind`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &MemberArgs, advance: bool) -> Result<()> {
    // Whatever was asked for: nobody may choose among draws by who is Active when they are made.
    transition::prepare(world, true)?;
    world.check_round(args.epoch, args.round)?;
    let state = world.member(args.slot, wallet)?.state;
    require!(
        state == MemberState::Ready as u8 || state == MemberState::Active as u8,
        CoordinatorError::WrongMemberState
    );
    aside(world, args.slot, MemberState::Behind)?;
    transition::conclude(world, advance)
}

/// Puts a member aside and tells observers.
///
/// # Errors
/// Those of a broken account.
pub fn aside(world: &mut World, slot: u16, state: MemberState) -> Result<()> {
    world.seen(slot)?;
    let entry = world.entry(slot)?;
    let (before, member_id) = (entry.state, entry.member_id);
    transition::step_aside(world, slot, state)?;
    emit!(MemberChanged {
        run: world.key,
        slot,
        member_id,
        state_before: before,
        state_after: state as u8,
    });
    Ok(())
}
