//! Audits: who checks which payload, who judges a flag, and how long there is time for it.

use anchor_lang::prelude::*;

use super::entropy::{look_up, target_slot};
use crate::{
    errors::CoordinatorError,
    events::{AuditsDrawn, CommitteeDrawn, CommitteeMissed},
    machine::{
        audit::{self, part_of_cooldown, CaseStage, SeatStage, Window, Word, MAX_SEATS, NO_TARGET},
        bits::bit,
        draw,
        hash::{draw_seed, Purpose},
        phase::{Moment, Phase},
    },
    state::{still_member, Auditor, MemberState, RoundHeader, Seat},
    world::World,
};

/// Records behind the present round in which a word can still count.
const AGES: u32 = 3;

/// What can be said about a round's payloads now; nothing if its record is not kept.
///
/// # Errors
/// Those of a broken account.
pub fn window_of(world: &World, round: u32) -> Result<Window> {
    let header = world.rounds.header(round)?;
    let kept = header.valid == 1 && header.round == round && header.finalised == 0;
    let run = &*world.run;
    let cooldown = match world.phase()? {
        Phase::Train | Phase::Witness => None,
        Phase::Cooldown => {
            let started = Moment {
                time: run.phase_started_at,
                chain_slot: run.phase_started_slot,
            };
            let seconds = run.config.cooldown_seconds;
            Some(part_of_cooldown(started, seconds, world.now))
        }
        _ => return Ok(Window::default()),
    };
    Ok(if kept {
        audit::window(round, run.round, cooldown)
    } else {
        Window::default()
    })
}

/// The round whose audits can be drawn now, if there is one.
///
/// # Errors
/// Those of a broken account.
pub fn to_draw(world: &World) -> Result<Option<u32>> {
    if world.run.config.verification_percent == 0 {
        return Ok(None);
    }
    let Some(round) = world.run.round.checked_sub(1) else {
        return Ok(None);
    };
    let header = world.rounds.header(round)?;
    let known = header.entropy_stored == 1 && header.committed > 0 && header.targets_drawn == 0;
    Ok((known && window_of(world, round)?.audit).then_some(round))
}

/// Draws which payloads of `round` the verifiers of the present round audit.
///
/// # Errors
/// Those of a broken account.
pub fn draw_targets(world: &mut World, round: u32) -> Result<()> {
    let auditors = verifiers(world)?;
    let slots: Vec<u16> = auditors.iter().map(|(slot, _)| *slot).collect();
    let (instance, epoch) = (world.run.instance, world.run.epoch);
    let record = world.rounds.record(round)?;
    let seed = draw_seed(
        &instance,
        epoch,
        round,
        Purpose::VerifierTargets,
        &record.header.entropy,
    );
    let mut committed: Vec<u16> = (0..world.run.capacity)
        .filter(|slot| bit(record.committed, usize::from(*slot)))
        .collect();
    let found = audit::draw_targets(seed, &mut committed, &slots);
    committed.truncate(found);
    committed.resize(slots.len(), NO_TARGET);
    let audits = world.rounds.audits_mut(round)?;
    audits.header.targets_drawn = 1;
    audits.header.auditors = u8::try_from(slots.len()).map_err(|_| CoordinatorError::Overflow)?;
    let rows = auditors.iter().zip(&committed);
    for (entry, ((slot, member_id), target)) in audits.auditors.iter_mut().zip(rows) {
        entry.slot = *slot;
        entry.member_id = *member_id;
        entry.target = *target;
    }
    emit!(AuditsDrawn {
        run: world.key,
        epoch,
        round,
        auditors: slots,
        targets: committed,
    });
    Ok(())
}

/// The verifiers of the present round, by slot and member id: drawn with its roles.
fn verifiers(world: &mut World) -> Result<Vec<(u16, u32)>> {
    let round = world.run.round;
    let entropy = match round.checked_sub(2) {
        None => world.run.entropy,
        Some(before) => world.rounds.header(before)?.entropy,
    };
    let (instance, epoch) = (world.run.instance, world.run.epoch);
    let seed = draw_seed(&instance, epoch, round, Purpose::Roles, &entropy);
    // Where nobody trains (a drain round, Cooldown) those are drawn who could.
    let header = world.rounds.header(round)?;
    let trains = header.valid == 1 && header.round == round && header.is_drain == 0;
    let ids: Vec<u32> = if trains {
        world.rounds.record(round)?.member_id.to_vec()
    } else {
        let active = MemberState::Active as u8;
        let entries = world.roster.iter();
        entries
            .map(|entry| {
                if entry.state == active {
                    entry.member_id
                } else {
                    0
                }
            })
            .collect()
    };
    let members = (0_u16..).zip(&ids).filter(|(_, id)| **id != 0);
    let mut slots: Vec<u16> = members.map(|(slot, _)| slot).collect();
    let percent = world.run.config.verification_percent;
    let count = draw::draw_roles(seed, &mut slots, percent);
    slots.truncate(count);
    let id = |slot: &u16| ids.get(usize::from(*slot)).copied().unwrap_or(0);
    Ok(slots.iter().map(|slot| (*slot, id(slot))).collect())
}

/// The case whose committee can be drawn now: its round and its auditor's place.
///
/// # Errors
/// Those of a broken account.
pub fn committee_due(world: &World) -> Result<Option<(u32, usize)>> {
    if world.run.config.verification_percent == 0 {
        return Ok(None);
    }
    for age in 1..AGES {
        let Some(round) = world.run.round.checked_sub(age) else {
            break;
        };
        let header = world.rounds.header(round)?;
        if header.cases_undrawn == 0 || !window_of(world, round)?.seal {
            continue;
        }
        let due = |auditor: &Auditor| {
            auditor.case_stage == CaseStage::Opened as u8
                && world.now.chain_slot > committee_slot(header, auditor)
        };
        if let Some(place) = world.rounds.audits(round)?.auditors.iter().position(due) {
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
pub fn draw_committee(world: &mut World, round: u32, place: usize) -> Result<()> {
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

/// Whether in Cooldown somebody's word on a payload is still awaited.
///
/// # Errors
/// Those of a broken account.
pub fn awaited(world: &World) -> Result<bool> {
    if world.run.config.verification_percent == 0 {
        return Ok(false);
    }
    for age in 1..=AGES {
        let Some(round) = world.run.round.checked_sub(age) else {
            break;
        };
        if round_awaits(world, round)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn round_awaits(world: &World, round: u32) -> Result<bool> {
    let window = window_of(world, round)?;
    let audits = world.rounds.audits(round)?;
    if audits.header.committed == 0 || window == Window::default() {
        return Ok(false);
    }
    let audit = |auditor: &Auditor| {
        auditor.target != NO_TARGET
            && auditor.verdict == Word::None as u8
            && still_member(world.roster, auditor.slot, auditor.member_id)
    };
    let undrawn = audits.header.targets_drawn == 0 || audits.auditors.iter().any(audit);
    let judge = |seat: &Seat| {
        let open = if seat.stage == SeatStage::Drawn as u8 {
            window.seal
        } else {
            seat.stage == SeatStage::Sealed as u8
        };
        open && still_member(world.roster, seat.slot, seat.member_id)
    };
    let cases = window.seal && audits.header.cases_undrawn > 0;
    Ok(window.audit && undrawn || cases || audits.seats.iter().any(judge))
}
