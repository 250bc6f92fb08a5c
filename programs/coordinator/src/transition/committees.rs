//! Committees: who judges a flag.

use anchor_lang::prelude::*;

use super::{
    audits::{window_of, AGES},
    entropy::{look_up, target_slot},
};
use crate::{
    errors::CoordinatorError,
    events::{CommitteeDrawn, CommitteeMissed},
    machine::{
        audit::{self, CaseStage, MAX_SEATS},
        hash::{draw_seed, Purpose},
    },
    state::{Auditor, MemberState, RoundHeader},
    world::World,
};

/// The case whose committee can be drawn now: its round and its auditor's place.
///
/// # Errors
/// Those of a broken account.
pub fn due(world: &World) -> Result<Option<(u32, usize)>> {
    for age in 1..AGES {
        let Some(round) = world.run.round.checked_sub(age) else {
            break;
        };
        let header = world.rounds.header(round)?;
        if header.cases_undrawn == 0 || !window_of(world, round)?.seal {
            continue;
        }
        let drawable = |auditor: &Auditor| {
            auditor.case_stage == CaseStage::Opened as u8
                && world.now.chain_slot > committee_slot(header, auditor)
        };
        if let Some(place) = world
            .rounds
            .audits(round)?
            .auditors
            .iter()
            .position(drawable)
        {
            return Ok(Some((round, place)));
        }
    }
    Ok(None)
}

/// The chain slot whose hash draws the committee of a flag.
#[must_use]
pub const fn committee_slot(header: &RoundHeader, auditor: &Auditor) -> u64 {
    let delay = auditor.committee_delay as u64;
    header.train_started_slot.saturating_add(delay)
}

/// Notes the chain slot whose hash draws the committee of a flag, and says which it is.
pub fn note_committee(header: &RoundHeader, auditor: &mut Auditor, now: u64) -> u64 {
    let delay = target_slot(now).saturating_sub(header.train_started_slot);
    auditor.committee_delay = u32::try_from(delay).unwrap_or(u32::MAX);
    committee_slot(header, auditor)
}

/// Draws the committee of a case, or notes another chain slot if its hash is lost.
///
/// # Errors
/// `SlotHashesUnavailable`, or those of a broken account.
pub fn draw(world: &mut World, round: u32, place: usize) -> Result<()> {
    let (epoch, now, run) = (world.run.epoch, world.now.chain_slot, world.key);
    let audits = world.rounds.audits(round)?;
    let auditor = *audits
        .auditors
        .get(place)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    let chain_slot = committee_slot(audits.header, &auditor);
    let Some(entropy) = look_up(world, chain_slot)? else {
        let audits = world.rounds.audits_mut(round)?;
        if let Some(auditor) = audits.auditors.get_mut(place) {
            emit!(CommitteeMissed {
                run,
                epoch,
                round,
                target: auditor.target,
                chain_slot_before: chain_slot,
                chain_slot_after: note_committee(audits.header, auditor, now),
            });
        }
        return Ok(());
    };
    let seed = draw_seed(
        &world.run.instance,
        epoch,
        round,
        Purpose::Committees,
        &entropy,
    );
    let drawn = members_of_committee(
        world,
        &auditor,
        round,
        audit::committee_seed(&seed, auditor.target),
    )?;
    seat(world, round, place, &drawn)?;
    emit!(CommitteeDrawn {
        run,
        epoch,
        round,
        target: auditor.target,
        auditor: auditor.slot,
        chain_slot,
        entropy,
        seats: drawn,
    });
    Ok(())
}

/// Slots of a committee in drawn order; none if it cannot be had.
fn members_of_committee(
    world: &World,
    auditor: &Auditor,
    round: u32,
    seed: [u8; 32],
) -> Result<Vec<u16>> {
    let used = usize::from(world.rounds.header(round)?.seats);
    let mut eligible = Vec::with_capacity(usize::from(world.run.active));
    for (slot, entry) in (0_u16..).zip(world.roster.iter()) {
        let part = slot == auditor.target || slot == auditor.slot;
        if entry.state == MemberState::Active as u8 && !part {
            eligible.push(slot);
        }
    }
    let size = world.run.config.committee_size;
    let room = MAX_SEATS.saturating_sub(used);
    let count = audit::draw_committee(seed, &mut eligible, size, room);
    eligible.truncate(count);
    Ok(eligible)
}

/// Writes the seats of a case.
fn seat(world: &mut World, round: u32, place: usize, slots: &[u16]) -> Result<()> {
    let audits = world.rounds.audits_mut(round)?;
    let auditor = audits
        .auditors
        .get_mut(place)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    let first = audits.header.seats;
    auditor.first_seat = first;
    auditor.seats = u8::try_from(slots.len()).map_err(|_| CoordinatorError::Overflow)?;
    auditor.case_stage = if slots.is_empty() {
        CaseStage::Lapsed as u8
    } else {
        CaseStage::Drawn as u8
    };
    audits.header.cases_undrawn = audits.header.cases_undrawn.saturating_sub(1);
    audits.header.seats = first.saturating_add(auditor.seats);
    let case = u8::try_from(place).map_err(|_| CoordinatorError::Overflow)?;
    let seats = audits.seats.iter_mut().skip(usize::from(first));
    for (seat, slot) in seats.zip(slots) {
        let entry = world.roster.get(usize::from(*slot));
        seat.slot = *slot;
        seat.member_id = entry.map_or(0, |entry| entry.member_id);
        seat.case = case;
    }
    Ok(())
}
