//! Entropy: hashes of chain slots that were noted before anybody could know them.

use anchor_lang::prelude::*;

use super::{checkpoint, committees, witnesses};
use crate::{
    errors::CoordinatorError,
    events::{EntropyMissed, EntropyStored},
    machine::phase::Phase,
    state::RECORDS,
    world::World,
};

/// Chain slots between the closing of Train and the slot whose hash is its entropy.
pub const ENTROPY_DELAY: u64 = 2;

/// `round` of an event about E(-1).
const EPOCH_START: u32 = u32::MAX;

/// The chain slot to note now.
pub const fn target_slot(now: u64) -> u64 {
    now.saturating_add(ENTROPY_DELAY)
}

/// Stores every hash that is due, and draws the witnesses that it decides; says whether any was.
/// If none is, one committee is drawn.
///
/// # Errors
/// `SlotHashesUnavailable`, or those of a broken account.
pub fn store(world: &mut World) -> Result<bool> {
    let mut stored = false;
    let warm = world.phase()? == Phase::Warmup && world.run.entropy_stored == 0;
    if warm && world.now.chain_slot > world.run.entropy_target_slot {
        stored = true;
        store_first(world)?;
    }
    let cooling = world.phase()? == Phase::Cooldown && world.run.cooldown_entropy_stored == 0;
    if cooling && world.now.chain_slot > world.run.cooldown_entropy_slot {
        stored = true;
        store_last(world)?;
    }
    for index in 0..RECORDS {
        let Some(header) = world.rounds.headers.get(index) else {
            break;
        };
        let noted =
            header.valid == 1 && header.entropy_stored == 0 && header.entropy_target_slot != 0;
        if noted && world.now.chain_slot > header.entropy_target_slot {
            stored = true;
            store_round(world, header.round)?;
        } else if header.redraws() && world.now.chain_slot > header.redraw_target_slot {
            stored = true;
            store_redraw(world, header.round)?;
        }
    }
    if !stored && world.run.config.verification_percent > 0 {
        if let Some((round, place)) = committees::due(world)? {
            committees::draw(world, round, place)?;
            stored = true;
        }
    }
    Ok(stored)
}

fn store_first(world: &mut World) -> Result<()> {
    let target = world.run.entropy_target_slot;
    match look_up(world, target)? {
        Some(entropy) => {
            world.run.entropy = entropy;
            world.run.entropy_stored = 1;
            tell_stored(world, EPOCH_START, target, entropy);
        }
        None => {
            let after = target_slot(world.now.chain_slot);
            world.run.entropy_target_slot = after;
            tell_missed(world, EPOCH_START, target, after);
        }
    }
    Ok(())
}

/// The entropy of Cooldown, under the number of its round: who publishes a checkpoint.
fn store_last(world: &mut World) -> Result<()> {
    let (round, target) = (world.run.round, world.run.cooldown_entropy_slot);
    match look_up(world, target)? {
        Some(entropy) => {
            world.run.cooldown_entropy = entropy;
            world.run.cooldown_entropy_stored = 1;
            tell_stored(world, round, target, entropy);
            checkpoint::draw_publishers(world);
        }
        None => {
            let after = target_slot(world.now.chain_slot);
            world.run.cooldown_entropy_slot = after;
            tell_missed(world, round, target, after);
        }
    }
    Ok(())
}

fn store_round(world: &mut World, round: u32) -> Result<()> {
    let target = world.rounds.header(round)?.entropy_target_slot;
    let found = look_up(world, target)?;
    let after = target_slot(world.now.chain_slot);
    let header = world.rounds.record(round)?.header;
    match found {
        Some(entropy) => {
            header.entropy = entropy;
            header.entropy_stored = 1;
            let committed = header.committed;
            tell_stored(world, round, target, entropy);
            if committed > 0 {
                witnesses::draw(world, round, 1)?;
            }
        }
        None => {
            header.entropy_target_slot = after;
            tell_missed(world, round, target, after);
        }
    }
    Ok(())
}

/// Makes the second witness draw of a round.
fn store_redraw(world: &mut World, round: u32) -> Result<()> {
    let target = world.rounds.header(round)?.redraw_target_slot;
    let found = look_up(world, target)?;
    let after = target_slot(world.now.chain_slot);
    let header = world.rounds.record(round)?.header;
    if let Some(entropy) = found {
        header.redraw_entropy = entropy;
        tell_stored(world, round, target, entropy);
        witnesses::draw(world, round, 2)
    } else {
        header.redraw_target_slot = after;
        tell_missed(world, round, target, after);
        Ok(())
    }
}

/// The hash of the newest slot <= target; none if it has fallen out of the sysvar.
pub fn look_up(world: &World, target: u64) -> Result<Option<[u8; 32]>> {
    let found = (world.chain.slot_hash)(target)?;
    require!(
        found != Some([0; 32]),
        CoordinatorError::SlotHashesUnavailable
    );
    Ok(found)
}

fn tell_stored(world: &World, round: u32, chain_slot: u64, entropy: [u8; 32]) {
    emit!(EntropyStored {
        run: world.key,
        epoch: world.run.epoch,
        round,
        chain_slot,
        entropy,
    });
}

fn tell_missed(world: &World, round: u32, target_before: u64, target_after: u64) {
    emit!(EntropyMissed {
        run: world.key,
        epoch: world.run.epoch,
        round,
        target_before,
        target_after,
    });
}
