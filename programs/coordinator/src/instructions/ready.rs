//! `ready`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError,
    events::MemberChanged,
    state::{MemberState, RECORDS},
    transition,
    world::World,
};

/// Arguments of `ready`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ReadyArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Round that it believes in.
    pub round: u32,
    /// Its slot.
    pub slot: u16,
    /// Epoch of the agreed digest or snapshot that it started from.
    pub digest_epoch: u32,
    /// Round of the same.
    pub digest_round: u32,
    /// The digest.
    pub digest: [u8; 32],
    /// Chain hash up to which it replayed.
    pub chain_hash: [u8; 32],
}

/// See [`crate::coordinator::ready`].
///
/// # Errors
/// As documented there.
pub fn ready(ctx: &Context<MemberAccounts>, args: &ReadyArgs, transition: bool) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args, transition)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`ready`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &ReadyArgs, advance: bool) -> Result<()> {
    transition::prepare(world, advance)?;
    world.check_round(args.epoch, args.round)?;
    let entry = world.member(args.slot, wallet)?;
    let (before, member_id) = (entry.state, entry.member_id);
    require!(
        before == MemberState::Joined as u8 || before == MemberState::Behind as u8,
        CoordinatorError::WrongMemberState
    );
    require!(knows_digest(world, args), CoordinatorError::UnknownDigest);
    require!(
        knows_chain_hash(world, &args.chain_hash),
        CoordinatorError::UnknownChainHash
    );
    world.set_state(args.slot, MemberState::Ready)?;
    world.seen(args.slot)?;
    emit!(MemberChanged {
        run: world.key,
        slot: args.slot,
        member_id,
        state_before: before,
        state_after: MemberState::Ready as u8,
    });
    transition::conclude(world, advance)
}

fn knows_digest(world: &World, args: &ReadyArgs) -> bool {
    let [older, newer] = &world.run.snapshots;
    [&world.run.agreed, newer, older].iter().any(|kept| {
        kept.valid == 1
            && kept.epoch == args.digest_epoch
            && kept.round == args.digest_round
            && kept.digest == args.digest
    })
}

/// The run's chain hash, or one that a kept round began with.
fn knows_chain_hash(world: &World, chain_hash: &[u8; 32]) -> bool {
    world.run.chain_hash == *chain_hash
        || world
            .rounds
            .headers
            .iter()
            .take(RECORDS)
            .any(|header| header.valid == 1 && header.chain_hash_before == *chain_hash)
}
