//! `attest_state`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{errors::CoordinatorError, state::VoteStage, transition, world::World};

/// Arguments of `attest_state`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AttestStateArgs {
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// Slot of the voter.
    pub slot: u16,
    /// sha256(digest, wallet).
    pub vote: [u8; 32],
}

/// See [`crate::coordinator::attest_state`].
///
/// # Errors
/// As documented there.
pub fn attest_state(ctx: &Context<MemberAccounts>, args: &AttestStateArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`attest_state`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &AttestStateArgs) -> Result<()> {
    check_vote(world, args.epoch, args.round)?;
    let closed = transition::reveals_open(world);
    let entry = world.member(args.slot, wallet)?;
    require!(
        entry.vote_stage != VoteStage::None as u8,
        CoordinatorError::NoVote
    );
    if entry.vote_stage != VoteStage::May as u8 {
        // The same again changes nothing; once it is opened it cannot be told any more.
        let same = entry.vote_stage == VoteStage::Committed as u8 && entry.vote == args.vote;
        require!(same, CoordinatorError::VoteDiffers);
        return Ok(());
    }
    require!(!closed, CoordinatorError::VoteClosed);
    entry.vote = args.vote;
    entry.vote_stage = VoteStage::Committed as u8;
    world.run.vote.committed = world.run.vote.committed.saturating_add(1);
    world.seen(args.slot)
}

/// Checks that there is a vote, and that it is the named one.
///
/// # Errors
/// `NoOpenVote`, `WrongRound`.
pub fn check_vote(world: &World, epoch: u32, round: u32) -> Result<()> {
    require!(transition::vote_open(world), CoordinatorError::NoOpenVote);
    let right = world.run.vote.epoch == epoch && world.run.vote.round == round;
    require!(right, CoordinatorError::WrongRound);
    Ok(())
}
