//! `leave`.

use anchor_lang::prelude::*;

use super::{behind::aside, with_world, MemberAccounts, MemberArgs};
use crate::{state::MemberState, transition, world::World};

/// See [`crate::coordinator::leave`].
///
/// # Errors
/// As documented there.
pub fn leave(ctx: &Context<MemberAccounts>, args: &MemberArgs, transition: bool) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args, transition)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`leave`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &MemberArgs, advance: bool) -> Result<()> {
    // Whatever was asked for: nobody may choose among draws by who is Active when they are made.
    transition::prepare(world, true)?;
    world.check_round(args.epoch, args.round)?;
    world.member(args.slot, wallet)?;
    aside(world, args.slot, MemberState::Left)?;
    transition::conclude(world, advance)
}
