//! `reveal_state`.

use anchor_lang::prelude::*;

use super::{attest_state::check_vote, with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError, machine::vote::sealed_digest, state::VoteStage, transition,
    world::World,
};

/// Arguments of `reveal_state`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RevealStateArgs {
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// Slot of the voter.
    pub slot: u16,
    /// The digest of the parameters.
    pub digest: [u8; 32],
}

/// See [`crate::coordinator::reveal_state`].
///
/// # Errors
/// As documented there.
pub fn reveal_state(ctx: &Context<MemberAccounts>, args: &RevealStateArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`reveal_state`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &RevealStateArgs) -> Result<()> {
    check_vote(world, args.epoch, args.round)?;
    let opened = transition::reveals_open(world);
    let entry = world.member(args.slot, wallet)?;
    if entry.vote_stage == VoteStage::Revealed as u8 {
        require!(entry.vote == args.digest, CoordinatorError::VoteDiffers);
        return Ok(());
    }
    require!(
        entry.vote_stage == VoteStage::Committed as u8,
        CoordinatorError::NoVote
    );
    require!(opened, CoordinatorError::VoteNotOpen);
    let sealed = sealed_digest(&args.digest, &wallet.to_bytes());
    require!(entry.vote == sealed, CoordinatorError::VoteMismatch);
    world.seen(args.slot)?;
    // It may decide who is no longer Active: draws that are due come first.
    transition::prepare(world, true)?;
    transition::record_reveal(world, args.slot, args.digest)
}
