//! `set_checkpoint`.

use anchor_lang::prelude::*;

use super::{with_world, OwnerAccounts};
use crate::{
    errors::CoordinatorError,
    events::CheckpointSet,
    machine::{bits::set_bit, hash::reset_chain_hash, phase::Phase},
    state::{MemberState, StateRecord, VoteStage},
    transition::{self, checkpoint},
    world::{change_state, World},
};

/// Arguments of `set_checkpoint`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetCheckpointArgs {
    /// Digest of the parameters, their manifest's step being the run's.
    pub digest: [u8; 32],
    /// Where they lie; empty: peers have them.
    pub uri: String,
}

/// See [`crate::coordinator::set_checkpoint`].
///
/// # Errors
/// As documented there.
pub fn set_checkpoint(ctx: &Context<OwnerAccounts>, args: &SetCheckpointArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`set_checkpoint`].
pub fn run(world: &mut World, args: &SetCheckpointArgs) -> Result<()> {
    require!(
        world.phase()? == Phase::Paused,
        CoordinatorError::WrongPhase
    );
    require!(args.digest != [0; 32], CoordinatorError::DigestZero);
    if !args.uri.is_empty() {
        checkpoint::check_uri(&args.uri)?;
    }
    let run = &mut *world.run;
    let (digest_before, chain_hash_before) = (run.agreed.digest, run.chain_hash);
    run.chain_hash = reset_chain_hash(&chain_hash_before, &args.digest);
    run.agreed = StateRecord {
        step: run.step,
        epoch: run.epoch,
        round: 0,
        digest: args.digest,
        chain_hash: run.chain_hash,
        valid: 1,
        reserved: [0; 7],
    };
    bytemuck::bytes_of_mut(&mut run.snapshots).fill(0);
    transition::forget(world);
    let joined = step_back(world);
    checkpoint::keep_owners(world, &args.uri);
    emit!(CheckpointSet {
        run: world.key,
        epoch: world.run.epoch,
        step: world.run.step,
        digest_before,
        digest_after: args.digest,
        chain_hash_before,
        chain_hash_after: world.run.chain_hash,
        joined,
        uri: args.uri.clone(),
    });
    Ok(())
}

/// Who was Ready holds other parameters now: it becomes Joined. Nobody has a vote any more.
fn step_back(world: &mut World) -> Vec<u8> {
    let mut joined = vec![0_u8; usize::from(world.run.capacity) / 8];
    let (run, now) = (&mut *world.run, world.now);
    for (slot, entry) in world.roster.iter_mut().enumerate() {
        entry.vote_stage = VoteStage::None as u8;
        if entry.state == MemberState::Ready as u8 {
            change_state(run, entry, MemberState::Joined, now);
            set_bit(&mut joined, slot, true);
        }
    }
    joined
}
