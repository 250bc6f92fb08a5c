//! Finality: what is known about a round is credited, before its record goes.

use anchor_lang::prelude::*;

use super::judge;
use crate::{
    events::PointsCredited,
    machine::{
        bits::{bit, set_bit},
        points::{holders_of_all, share_points, Worth},
    },
    state::{Record, RosterEntry, RoundHeader, RECORDS},
    world::World,
};

/// The round that must be final before the next one begins, if it is not: its record is the one
/// that comes next in the ring.
///
/// # Errors
/// Those of a broken account.
pub fn before_round(world: &World) -> Result<Option<u32>> {
    let kept = u32::try_from(RECORDS).unwrap_or(0).saturating_sub(1);
    let Some(oldest) = world.run.round.checked_sub(kept) else {
        return Ok(None);
    };
    let header = world.rounds.header(oldest)?;
    Ok((header.round == oldest && is_due(world, header)).then_some(oldest))
}

/// The lowest round that is settled and not final.
#[must_use]
pub fn next(world: &World) -> Option<u32> {
    let left = world.rounds.headers.iter();
    left.filter(|header| is_due(world, header))
        .map(|header| header.round)
        .min()
}

/// Whether a record is settled, not final, and worth anything.
fn is_due(world: &World, header: &RoundHeader) -> bool {
    let config = &world.run.config;
    let worth = Worth {
        accepted: u32::from(header.accepted),
        attested: header.attested,
        verdicts: u32::from(header.verdicts),
        cases: u32::from(header.cases),
        per_sequence: config.points_per_sequence,
        per_attestation: config.points_per_attestation,
        per_verdict: config.points_per_verdict,
    };
    header.valid == 1 && header.settled == 1 && header.finalised == 0 && worth.any()
}

/// What was credited.
struct Credited {
    trainers: Vec<u8>,
    witnesses: u32,
    verdicts: u16,
    points: u64,
}

/// Makes a settled round, whose cases are decided, final.
///
/// # Errors
/// Those of a broken account.
pub fn finalise(world: &mut World, round: u32) -> Result<()> {
    let right = judge::right(world, round)?;
    let config = &world.run.config;
    let (per_sequence, per_attestation) =
        (config.points_per_sequence, config.points_per_attestation);
    let per_verdict = config.points_per_verdict;
    let record = world.rounds.record(round)?;
    record.header.finalised = 1;
    let mut credited = Credited {
        trainers: vec![0; record.accepted.len()],
        witnesses: 0,
        verdicts: 0,
        points: 0,
    };
    if per_sequence > 0 {
        credit_trainers(&record, world.roster, per_sequence, &mut credited);
    }
    if per_attestation > 0 {
        credit_witnesses(&record, world.roster, per_attestation, &mut credited);
    }
    if per_verdict > 0 {
        for (slot, id) in &right {
            if let Some(entry) = holder(world.roster, usize::from(*slot), *id) {
                credit(entry, u64::from(per_verdict), &mut credited);
                credited.verdicts = credited.verdicts.saturating_add(1);
            }
        }
    }
    emit!(PointsCredited {
        run: world.key,
        epoch: record.header.epoch,
        round,
        trainers: credited.trainers,
        rejected: record.rejected.to_vec(),
        witnesses: credited.witnesses,
        verdicts: credited.verdicts,
        points: credited.points,
    });
    Ok(())
}

/// Trainers: the sequences of each share that was accepted and not rejected.
fn credit_trainers(
    record: &Record,
    roster: &mut [RosterEntry],
    rate: u32,
    credited: &mut Credited,
) {
    let mut start = 0_u32;
    let shares = record.order.iter().zip(record.share_end.iter());
    for (slot, end) in shares.take(usize::from(record.header.trainers)) {
        let sequences = end.saturating_sub(start);
        start = *end;
        let place = usize::from(*slot);
        if !bit(record.accepted, place) || bit(record.rejected, place) {
            continue;
        }
        let id = record.member_id.get(place).copied().unwrap_or(0);
        if let Some(entry) = holder(roster, place, id) {
            let points = share_points(sequences, rate);
            credit(entry, points, credited);
            set_bit(&mut credited.trainers, place, true);
        }
    }
}

/// Witnesses: those that attested, hold every accepted payload, and none that was nowhere.
fn credit_witnesses(
    record: &Record,
    roster: &mut [RosterEntry],
    rate: u32,
    credited: &mut Credited,
) {
    let header = &*record.header;
    let right = header.attested & !header.belied & holders_of_all(record.accepted, record.mask);
    let places = header.witness_slots.iter().zip(&header.witness_member_ids);
    let mut one = 1_u32;
    for (slot, id) in places.take(usize::from(header.witnesses)) {
        if right & one != 0 {
            if let Some(entry) = holder(roster, usize::from(*slot), *id) {
                credit(entry, u64::from(rate), credited);
                credited.witnesses |= one;
            }
        }
        one = one.wrapping_shl(1);
    }
}

/// The entry of a slot, if it still is that member's: also of one that is gone.
fn holder(roster: &mut [RosterEntry], slot: usize, id: u32) -> Option<&mut RosterEntry> {
    roster
        .get_mut(slot)
        .filter(|entry| id != 0 && entry.member_id == id)
}

fn credit(entry: &mut RosterEntry, points: u64, credited: &mut Credited) {
    entry.points = entry.points.saturating_add(points);
    credited.points = credited.points.saturating_add(points);
}
