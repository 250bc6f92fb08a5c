//! What was not accepted goes back to the backlog.

use anchor_lang::prelude::*;

use super::round;
use crate::{errors::CoordinatorError, machine::bits::bit, state::Record, world::World};

/// Takes positions out of flight.
///
/// # Errors
/// `Overflow`.
pub fn land(in_flight: &mut u64, sequences: u32) -> Result<()> {
    *in_flight = in_flight
        .checked_sub(u64::from(sequences))
        .ok_or(CoordinatorError::Overflow)?;
    Ok(())
}

/// Shares that one step gives back: the list of what waits is short, and a full one is slow.
const GIVEN_BACK_MAX: usize = 27;

/// Puts what was not accepted in a settled round into the backlog: some shares, the lowest first.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn give_back(world: &mut World, target: u32) -> Result<()> {
    give_back_most(world, target, GIVEN_BACK_MAX)
}

/// The same with all that is left, for an instruction that pays for it.
///
/// # Errors
/// Those of [`give_back`].
pub fn give_back_all(world: &mut World, target: u32) -> Result<()> {
    // Neighbours are one stretch, so there are fewer of them than slots.
    give_back_most(world, target, usize::from(world.run.capacity))
}

fn give_back_most(world: &mut World, target: u32, most: usize) -> Result<()> {
    let record = world.rounds.record(target)?;
    let header = &*record.header;
    let (segments, pieces) = (header.segments, usize::from(header.segment_count));
    let shares = unaccepted(&record, most);
    let whole = shares.len() < most;
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

/// The lowest shares that were not accepted and are not back yet, neighbours together; at most so
/// many.
fn unaccepted(record: &Record, most: usize) -> Vec<(u32, u32)> {
    let header = &*record.header;
    let mut returned: Vec<(u32, u32)> = Vec::with_capacity(most);
    let mut start = 0_u32;
    let shares = record.order.iter().zip(record.share_end.iter());
    for (slot, end) in shares.take(usize::from(header.trainers)) {
        if *end > start && *end > header.returned_to && !bit(record.accepted, usize::from(*slot)) {
            let full = returned.len() == most;
            match returned.last_mut() {
                Some(last) if last.1 == start => last.1 = *end,
                _ if full => return returned,
                _ => returned.push((start, *end)),
            }
        }
        start = *end;
    }
    // Positions that nobody had.
    if start < header.sequences && returned.len() < most {
        returned.push((start.max(header.returned_to), header.sequences));
    }
    returned
}
