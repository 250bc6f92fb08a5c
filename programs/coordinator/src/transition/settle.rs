//! Settling: the accepted set of the target is fixed, and the run moves on.

use anchor_lang::prelude::*;

use super::{epoch, members, plan::training_rounds, round, vote};
use crate::{
    errors::CoordinatorError,
    events::RoundSettled,
    machine::{
        bits::bit,
        hash::{chain_hash, chain_head, chain_parts},
        phase::{after_settle, Next, SettledView},
        shares::{grown_weight, halved_weight},
        tally::{Outcome, Tally},
    },
    state::{EndReason, Record, RosterEntry, ROUNDS_OPEN},
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

/// Drops who is unfit, and begins what follows a settled round.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn advance(world: &mut World, failed: bool) -> Result<()> {
    members::drop_unfit(world)?;
    let (next, rounds) = what_follows(world, failed);
    world.run.rounds_in_epoch = rounds.unwrap_or(ROUNDS_OPEN);
    let following = world
        .run
        .round
        .checked_add(1)
        .ok_or(CoordinatorError::Overflow)?;
    match next {
        Next::Train => {
            let newcomers = if world.run.config.admit_anytime == 1 {
                members::admit(world, following)?
            } else {
                members::Newcomers::default()
            };
            round::start(world, following, &newcomers)?;
            vote::at_round(world)
        }
        Next::Drain => round::start_drain(world, following),
        Next::Cooldown => epoch::start_cooldown(world, following),
    }
}

fn what_follows(world: &mut World, failed: bool) -> (Next, Option<u32>) {
    let run = &mut *world.run;
    let view = SettledView {
        round: run.round,
        overlap: run.config.overlap,
        training_rounds: training_rounds(run.rounds_in_epoch),
        epoch_rounds: run.config.epoch_rounds,
        step: run.step,
        total_steps: run.config.total_steps,
        pause_asked: run.pause_requested == 1,
        active: u32::from(run.active),
        min_members: u32::from(run.config.min_members),
        draws_failed: failed,
    };
    let (next, rounds) = after_settle(&view);
    if view.training_rounds.is_none() && rounds.is_some() {
        run.end_reason = end_reason(&view) as u8;
    }
    (next, rounds)
}

fn end_reason(view: &SettledView) -> EndReason {
    if view.draws_failed {
        EndReason::WitnessesFailed
    } else if view.active < view.min_members {
        EndReason::TooFewMembers
    } else if view.pause_asked {
        EndReason::Pause
    } else if view.step >= view.total_steps {
        EndReason::TotalSteps
    } else {
        EndReason::EpochRounds
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
        round::count_silences(world, target)?;
    }
    Ok(())
}

/// Takes positions out of flight.
fn land(in_flight: &mut u64, sequences: u32) -> Result<()> {
    *in_flight = in_flight
        .checked_sub(u64::from(sequences))
        .ok_or(CoordinatorError::Overflow)?;
    Ok(())
}

/// Shares that one step gives back: the list of what waits is short, and a full one is slow.
const GIVEN_BACK_MAX: usize = 28;

/// Puts what was not accepted in a settled round into the backlog: some shares, the lowest first.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn give_back(world: &mut World, target: u32) -> Result<()> {
    let record = world.rounds.record(target)?;
    let header = &*record.header;
    let (segments, pieces) = (header.segments, usize::from(header.segment_count));
    let shares = unaccepted(&record);
    let whole = shares.len() < GIVEN_BACK_MAX;
    let mut sequences = 0_u32;
    let mut returned_to = 0_u32;
    for (first, end) in &shares {
        sequences = sequences.saturating_add(end.saturating_sub(*first));
        returned_to = *end;
    }
    record.header.returned_to = if whole {
        record.header.sequences
    } else {
        returned_to
    };
    land(&mut world.run.in_flight, sequences)?;
    round::give_back(world, &segments, pieces, &shares)
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

/// The lowest shares that were not accepted and are not back yet, neighbours together.
fn unaccepted(record: &Record) -> Vec<(u32, u32)> {
    let header = &*record.header;
    let mut returned: Vec<(u32, u32)> = Vec::with_capacity(GIVEN_BACK_MAX);
    let mut start = 0_u32;
    let shares = record.order.iter().zip(record.share_end.iter());
    for (slot, end) in shares.take(usize::from(header.trainers)) {
        if *end > start && *end > header.returned_to && !bit(record.accepted, usize::from(*slot)) {
            let full = returned.len() == GIVEN_BACK_MAX;
            match returned.last_mut() {
                Some(last) if last.1 == start => last.1 = *end,
                _ if full => return returned,
                _ => returned.push((start, *end)),
            }
        }
        start = *end;
    }
    // Positions that nobody had.
    if start < header.sequences && returned.len() < GIVEN_BACK_MAX {
        returned.push((start.max(header.returned_to), header.sequences));
    }
    returned
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

/// An accepted share clears misses, and lets the weight grow.
fn reward(entry: &mut RosterEntry) {
    entry.misses = 0;
    if entry.weight != entry.declared_weight {
        entry.weight = grown_weight(entry.weight, entry.declared_weight);
    }
}

/// A miss counts, and halves the weight.
fn blame(entry: &mut RosterEntry) {
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
