//! Settling: the accepted set of the target is fixed.

use anchor_lang::prelude::*;

use super::{returns::land, witnesses};
use crate::{
    errors::CoordinatorError,
    events::RoundSettled,
    machine::{
        bits::bit,
        hash::{chain_hash, chain_head, chain_parts},
        shares::{grown_weight, halved_weight},
        tally::{Outcome, Tally},
    },
    state::{Record, RosterEntry},
    world::World,
};

/// Settles the target of the present round: what follows is a step of its own.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn settle(world: &mut World, failed: bool) -> Result<()> {
    match world.target() {
        Some(target) => settle_target(world, target, failed),
        None => Ok(()),
    }
}

/// What came out of the tally.
#[derive(Default)]
struct Counted {
    payloads: u16,
    tokens: u64,
    loss: u64,
    milliseconds: u32,
}

fn settle_target(world: &mut World, target: u32, failed: bool) -> Result<()> {
    let before = world.run.chain_hash;
    let mut record = world.rounds.record(target)?;
    let tally = tally_of(&record, failed);
    let counted = count(&mut record, world.roster, &tally);
    let accepted = sequences_accepted(&record, counted.payloads);
    let after = hash(&record, &before)?;
    let header = &mut *record.header;
    header.chain_hash_before = before;
    header.chain_hash_after = after;
    header.accepted = counted.payloads;
    header.sequences_accepted = accepted;
    if accepted == header.sequences {
        header.returned_to = accepted;
    }
    header.settled = 1;
    header.failed = u8::from(failed);
    tell(world.key, &record, &counted);
    let run = &mut *world.run;
    run.chain_hash = after;
    land(&mut run.in_flight, accepted)?;
    run.accepted = run
        .accepted
        .checked_add(u64::from(accepted))
        .ok_or(CoordinatorError::Overflow)?;
    if !failed {
        witnesses::count_silences(world, target)?;
    }
    Ok(())
}

fn tally_of(record: &Record, failed: bool) -> Tally {
    let header = &*record.header;
    if failed {
        Tally::new(0, 0)
    } else if header.committed == 0 {
        Tally::nothing_committed()
    } else {
        Tally::new(u32::from(header.witnesses), header.attested.count_ones())
    }
}

/// Fixes the accepted set, blames, and adds up what trainers report.
///
/// Walks over bytes of eight slots, so that what is alike for all eight is done at once.
fn count(record: &mut Record, roster: &mut [RosterEntry], tally: &Tally) -> Counted {
    let missed = tally_votes(record, tally);
    let accepted = record.accepted.iter().zip(missed.iter());
    let rows = roster
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip(record.member_id.as_chunks::<8>().0.iter());
    for ((entries, ids), (accepted, missed)) in rows.zip(accepted) {
        let (mut accepted, mut missed) = (*accepted, *missed);
        if accepted | missed == 0 {
            continue;
        }
        for (entry, id) in entries.iter_mut().zip(ids) {
            if entry.member_id == *id && accepted & 1 == 1 {
                reward(entry);
            } else if entry.member_id == *id && missed & 1 == 1 {
                blame(entry);
            }
            accepted >>= 1;
            missed >>= 1;
        }
    }
    reports(record)
}

/// Sets the accepted bits; returns a bit field by slot of who is to blame.
fn tally_votes(record: &mut Record, tally: &Tally) -> Vec<u8> {
    let attested = record.header.attested;
    // Most payloads have every vote: then eight masks are alike.
    let all = tally.outcome(true, false, attested.count_ones()) == Outcome::Accepted;
    let mut blamed = vec![0_u8; record.committed.len()];
    for (index, masks) in record.mask.as_chunks::<8>().0.iter().enumerate() {
        let committed = record.committed.get(index).copied().unwrap_or(0);
        let rejected = record.rejected.get(index).copied().unwrap_or(0);
        let (mut accepted, mut missed) = (0_u8, 0_u8);
        let alike = all && masks.iter().all(|mask| *mask == attested);
        if alike && committed == u8::MAX && rejected == 0 {
            accepted = u8::MAX;
        } else {
            for (place, mask) in masks.iter().enumerate() {
                let slot = index.wrapping_mul(8).wrapping_add(place);
                let one = 1_u8.wrapping_shl(u32::try_from(place).unwrap_or(0));
                let done = committed & one != 0;
                if !done && !awaited(record.position, record.share_end, record.gone, slot) {
                    continue;
                }
                match tally.outcome(done, rejected & one != 0, mask.count_ones()) {
                    Outcome::Accepted => accepted |= one,
                    Outcome::Missed => missed |= one,
                    Outcome::Returned => {}
                }
            }
        }
        if let (Some(field), Some(blame)) = (record.accepted.get_mut(index), blamed.get_mut(index))
        {
            *field = accepted;
            *blame = missed;
        }
    }
    blamed
}

/// Adds up what the accepted trainers report.
fn reports(record: &Record) -> Counted {
    let mut sum = Counted::default();
    let columns = record
        .tokens
        .as_chunks::<8>()
        .0
        .iter()
        .zip(record.loss_micronats.as_chunks::<8>().0.iter());
    let rows = columns.zip(record.milliseconds.as_chunks::<8>().0.iter());
    for (((tokens, losses), milliseconds), accepted) in rows.zip(record.accepted.iter()) {
        let mut accepted = *accepted;
        let reports = tokens.iter().zip(losses).zip(milliseconds);
        for ((tokens, loss), milliseconds) in reports {
            if accepted & 1 == 1 {
                // At most 1,024 numbers of 32 bits: the sums fit.
                sum.payloads = sum.payloads.wrapping_add(1);
                sum.tokens = sum.tokens.wrapping_add(u64::from(*tokens));
                sum.loss = sum.loss.wrapping_add(u64::from(*loss));
                sum.milliseconds = sum.milliseconds.max(*milliseconds);
            }
            accepted >>= 1;
        }
    }
    sum
}

/// Whether a slot that has not committed has a share and was not excused.
fn awaited(position: &[u16], share_end: &[u32], gone: &[u8], slot: usize) -> bool {
    let place = position
        .get(slot)
        .map_or(usize::MAX, |place| usize::from(*place));
    let end = share_end.get(place).copied().unwrap_or(0);
    let before = place.checked_sub(1).and_then(|place| share_end.get(place));
    end > before.copied().unwrap_or(0) && !bit(gone, slot)
}

/// The sequences of the shares that were accepted; `payloads` says how many these are.
fn sequences_accepted(record: &Record, payloads: u16) -> u32 {
    if payloads == record.header.expected && record.header.trainers > 0 {
        return record.header.sequences;
    }
    let mut sum = 0_u32;
    let mut start = 0_u32;
    let shares = record.order.iter().zip(record.share_end.iter());
    for (slot, end) in shares.take(usize::from(record.header.trainers)) {
        if bit(record.accepted, usize::from(*slot)) {
            sum = sum.saturating_add(end.saturating_sub(start));
        }
        start = *end;
    }
    sum
}

/// An accepted share clears misses, counts as a round served, and lets the weight grow.
fn reward(entry: &mut RosterEntry) {
    entry.misses = 0;
    entry.rounds_served = entry.rounds_served.saturating_add(1);
    if entry.weight != entry.declared_weight {
        entry.weight = grown_weight(entry.weight, entry.declared_weight);
    }
}

/// A miss counts, and halves the weight.
pub(super) fn blame(entry: &mut RosterEntry) {
    entry.misses = entry.misses.saturating_add(1);
    entry.weight = halved_weight(entry.weight);
}

fn hash(record: &Record, before: &[u8; 32]) -> Result<[u8; 32]> {
    let head = chain_head(before, record.header.epoch, record.header.round);
    let mut parts: Vec<&[u8]> = vec![&[]; chain_parts(record.commitment.len())];
    chain_hash(&head, record.accepted, record.commitment, &mut parts)
        .ok_or_else(|| error!(CoordinatorError::LayoutMismatch))
}

fn tell(run: Pubkey, record: &Record, counted: &Counted) {
    let header = &*record.header;
    let mean = counted
        .loss
        .checked_div(u64::from(counted.payloads))
        .unwrap_or(0);
    emit!(RoundSettled {
        run,
        epoch: header.epoch,
        round: header.round,
        step: header.step,
        accepted: record.accepted.to_vec(),
        committed: record.committed.to_vec(),
        chain_hash_before: header.chain_hash_before,
        chain_hash_after: header.chain_hash_after,
        witnesses: header.witnesses,
        attested: u8::try_from(header.attested.count_ones()).unwrap_or(u8::MAX),
        sequences: header.sequences,
        sequences_accepted: header.sequences_accepted,
        tokens: counted.tokens,
        loss_micronats: u32::try_from(mean).unwrap_or(u32::MAX),
        milliseconds_max: counted.milliseconds,
        failed: header.failed,
    });
}
