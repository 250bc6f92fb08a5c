//! A round's beginning, and the end of its training.

use anchor_lang::prelude::*;

use super::{
    entropy,
    epoch::enter,
    members::{place_newcomers, Newcomers},
};
use crate::{
    errors::CoordinatorError,
    machine::{
        backlog::{Interval, Taken, SEGMENTS},
        batch::batch_sequences,
        draw,
        hash::{draw_seed, Purpose},
        phase::Phase,
        shares::share_ends_of,
    },
    state::{MemberState, Record, RosterEntry},
    world::World,
};

/// Starts round `round` of the epoch: draws roles, takes positions, divides them. `newcomers` are
/// Active members whose effective weight is still to be found.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn start(world: &mut World, round: u32, newcomers: &Newcomers) -> Result<()> {
    let entropy = match round.checked_sub(2) {
        None => world.run.entropy,
        Some(before) => world.rounds.header(before)?.entropy,
    };
    let taken = take_positions(world)?;
    let run = &mut *world.run;
    let (epoch, step) = (run.epoch, run.step);
    let seed = draw_seed(&run.instance, epoch, round, Purpose::Roles, &entropy);
    run.step = step.checked_add(1).ok_or(CoordinatorError::Overflow)?;
    run.round = round;

    let mut record = world.rounds.clear(round)?;
    let mut drawn = Enlisted::of(world.roster, record.member_id, run.active, (epoch, round));
    place_newcomers(world.roster, &mut drawn.weights, newcomers, run.active);
    // An epoch's first round has nothing to audit.
    let percent = if round == 0 {
        0
    } else {
        run.config.verification_percent
    };
    let verifiers = draw::draw_roles(seed, &mut drawn.slots, percent);
    if verifiers > 0 {
        drawn.slots.drain(..verifiers);
    }
    let trainers = drawn.slots.as_slice();
    let header = &mut *record.header;
    header.epoch = epoch;
    header.round = round;
    header.step = step;
    header.train_started_at = world.now.time;
    header.train_started_slot = world.now.chain_slot;
    header.roles_entropy = entropy;
    header.chain_hash_before = run.chain_hash;
    header.segments = taken.segments;
    header.segment_count = u8::try_from(taken.count).map_err(|_| CoordinatorError::Overflow)?;
    header.sequences = taken.sequences;
    header.trainers = u16::try_from(trainers.len()).map_err(|_| CoordinatorError::Overflow)?;
    header.verifiers = u16::try_from(verifiers).map_err(|_| CoordinatorError::Overflow)?;
    header.valid = 1;
    let share_percent_max = run.config.share_percent_max;
    divide(&mut record, &drawn.weights, trainers, share_percent_max)?;

    run.grace_since = 0;
    run.grace_since_slot = 0;
    run.grace_seconds = 0;
    enter(world, Phase::Train);
    Ok(())
}

/// Takes the positions of the round that starts: first what waits, then fresh ones.
fn take_positions(world: &mut World) -> Result<Taken> {
    let config = &world.run.config;
    let batch = batch_sequences(
        config.batch_sequences_start,
        config.batch_sequences_end,
        config.batch_ramp_steps,
        world.run.step,
    );
    let mut cursor = world.run.fresh_cursor;
    let taken = world.backlog().take(batch, &mut cursor);
    world.run.fresh_cursor = cursor;
    world.run.in_flight = world
        .run
        .in_flight
        .checked_add(u64::from(taken.sequences))
        .ok_or(CoordinatorError::Overflow)?;
    Ok(taken)
}

/// Who takes part in a round.
struct Enlisted {
    /// Slots of the Active members, ascending.
    slots: Vec<u16>,
    /// Weights by slot.
    weights: Vec<u16>,
}

impl Enlisted {
    /// Writes the Active members' ids into the record, and notes that it names them.
    fn of(
        roster: &mut [RosterEntry],
        member_id: &mut [u32],
        active: u16,
        (epoch, round): (u32, u32),
    ) -> Self {
        let mut slots = vec![0_u16; usize::from(active)];
        let mut weights = vec![0_u16; roster.len()];
        let mut free = slots.iter_mut();
        let mut slot = 0_u16;
        let rows = roster.iter_mut().zip(member_id.iter_mut());
        for ((entry, id), weight) in rows.zip(weights.iter_mut()) {
            if entry.state == MemberState::Active as u8 {
                entry.named_epoch = epoch;
                entry.named_round = round;
                *id = entry.member_id;
                *weight = entry.weight;
                if let Some(place) = free.next() {
                    *place = slot;
                }
            }
            slot = slot.wrapping_add(1);
        }
        Self { slots, weights }
    }
}

/// Writes the drawn order and the shares.
fn divide(
    record: &mut Record,
    weights_by_slot: &[u16],
    trainers: &[u16],
    share_percent_max: u8,
) -> Result<()> {
    record
        .order
        .get_mut(..trainers.len())
        .ok_or(CoordinatorError::IndexOutOfRange)?
        .copy_from_slice(trainers);
    let mut weights = vec![0_u16; trainers.len()];
    let mut position = 0_u16;
    let mut total = 0_u32;
    for (slot, weight) in trainers.iter().zip(weights.iter_mut()) {
        let index = usize::from(*slot);
        if let (Some(place), Some(own)) =
            (record.position.get_mut(index), weights_by_slot.get(index))
        {
            *place = position;
            *weight = *own;
            total = total.wrapping_add(u32::from(*own));
        }
        position = position.wrapping_add(1);
    }
    let ends = record
        .share_end
        .get_mut(..trainers.len())
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    let many = u32::try_from(trainers.len()).map_err(|_| CoordinatorError::Overflow)?;
    let expected = share_ends_of(
        record.header.sequences,
        share_percent_max,
        (total, many),
        weights.iter().copied(),
        ends,
    );
    record.header.expected = u16::try_from(expected).map_err(|_| CoordinatorError::Overflow)?;
    record.header.weight_total = u64::from(total);
    Ok(())
}

/// Starts a drain round: it begins in Witness and trains nothing.
///
/// # Errors
/// Those of a broken account.
pub fn start_drain(world: &mut World, round: u32) -> Result<()> {
    let (epoch, step, chain_hash) = (world.run.epoch, world.run.step, world.run.chain_hash);
    world.run.round = round;
    let record = world.rounds.clear(round)?;
    record.header.epoch = epoch;
    record.header.round = round;
    record.header.step = step;
    record.header.chain_hash_before = chain_hash;
    record.header.is_drain = 1;
    record.header.valid = 1;
    enter(world, Phase::Witness);
    Ok(())
}

/// Train -> Witness: nobody commits any more, and the round's entropy is noted.
///
/// # Errors
/// Those of a broken account.
pub fn close_train(world: &mut World) -> Result<()> {
    let now = world.now;
    let record = world.rounds.record(world.run.round)?;
    record.header.train_closed_at = now.time;
    record.header.entropy_target_slot = entropy::target_slot(now.chain_slot);
    enter(world, Phase::Witness);
    Ok(())
}

/// Puts shares (ascending offsets in a round's segments) into the backlog.
///
/// # Errors
/// `Overflow`.
pub fn give_back(
    world: &mut World,
    segments: &[Interval; SEGMENTS],
    count: usize,
    shares: &[(u32, u32)],
) -> Result<()> {
    let segments = segments.get(..count).unwrap_or(segments);
    let returned = world.backlog().give_back_shares(segments, shares);
    world.run.repeated = world
        .run
        .repeated
        .checked_add(returned.repeated)
        .and_then(|sum| sum.checked_sub(returned.overlapped))
        .ok_or(CoordinatorError::Overflow)?;
    Ok(())
}
