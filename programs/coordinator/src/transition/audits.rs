//! Audits: who checks which payload, and how long there is time for words on it.

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    events::AuditsDrawn,
    machine::{
        audit::{self, part_of_cooldown, SeatStage, Window, Word, NO_TARGET},
        bits::bit,
        draw,
        hash::{draw_seed, Purpose},
        phase::{Moment, Phase},
    },
    state::{still_member, Auditor, MemberState, Seat},
    world::World,
};

/// Records behind the present round in which a word can still count.
pub const AGES: u32 = 3;

/// What can be said about a round's payloads now; nothing if its record is not kept.
///
/// # Errors
/// Those of a broken account.
pub fn window_of(world: &World, round: u32) -> Result<Window> {
    let header = world.rounds.header(round)?;
    let kept =
        header.valid == 1 && header.round == round && header.finalised == 0 && header.judged == 0;
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

/// Whether in Cooldown somebody's word on a payload is still awaited.
///
/// # Errors
/// Those of a broken account.
pub fn awaited(world: &World) -> Result<bool> {
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
