//! What comes of verdicts once nothing about their round changes any more.

use anchor_lang::prelude::*;

use crate::{
    events::{CaseClosed, PayloadRejected},
    machine::{
        audit::{decide, CaseStage, SeatStage, Word, STRIKES_MAX},
        bits::set_bit,
    },
    state::{Auditor, MemberState, RoundHeader, Seat},
    world::World,
};

/// Whether a round has cases that are not decided.
#[must_use]
pub const fn is_due(header: &RoundHeader) -> bool {
    header.cases > 0 && header.judged == 0
}

/// Decides all cases of a round; the trainers of rejected payloads pay for them.
///
/// # Errors
/// Those of a broken account.
pub fn judge(world: &mut World, round: u32) -> Result<()> {
    let mut rejected = Vec::new();
    let (run, epoch) = (world.key, world.run.epoch);
    let audits = world.rounds.audits_mut(round)?;
    audits.header.cases_undrawn = 0;
    audits.header.judged = 1;
    let count = usize::from(audits.header.auditors);
    for auditor in audits.auditors.iter_mut().take(count) {
        if auditor.case_stage != CaseStage::None as u8 {
            let (first, many) = (auditor.first_seat.into(), auditor.seats.into());
            let seats: Vec<&Seat> = audits.seats.iter().skip(first).take(many).collect();
            if close(run, (epoch, round), auditor, &seats) == CaseStage::Rejected {
                rejected.push(auditor.target);
            }
        }
    }
    let record = world.rounds.record(round)?;
    for slot in &rejected {
        set_bit(record.rejected, usize::from(*slot), true);
    }
    punish(world, round, &rejected)
}

/// Who gave a verdict that agrees with the outcome: slot and member id.
///
/// # Errors
/// Those of a broken account.
pub fn right(world: &World, round: u32) -> Result<Vec<(u16, u32)>> {
    let audits = world.rounds.audits(round)?;
    let mut found = Vec::new();
    for auditor in audits.auditors {
        // Only its own auditor can have called a committee together for a payload.
        let passed = auditor.verdict == Word::Pass as u8;
        let word = match auditor.case_stage {
            stage if stage == CaseStage::Rejected as u8 => Word::Fail as u8,
            stage if stage == CaseStage::Cleared as u8 => Word::Pass as u8,
            _ => Word::None as u8,
        };
        if passed || word == Word::Fail as u8 {
            found.push((auditor.slot, auditor.member_id));
        }
        if word != Word::None as u8 {
            let seats = audits.committee(auditor).iter();
            let agreed = seats.filter(|seat| seat.verdict == word);
            found.extend(agreed.map(|seat| (seat.slot, seat.member_id)));
        }
    }
    Ok(found)
}

/// Counts the opened verdicts of a case and decides it.
fn close(run: Pubkey, at: (u32, u32), auditor: &mut Auditor, seats: &[&Seat]) -> CaseStage {
    let said = |word: Word| {
        let opened = seats
            .iter()
            .filter(|seat| seat.stage == SeatStage::Opened as u8 && seat.verdict == word as u8);
        u8::try_from(opened.count()).unwrap_or(u8::MAX)
    };
    let (passes, fails) = (said(Word::Pass), said(Word::Fail));
    let stage_before = auditor.case_stage;
    let stage = decide(auditor.seats.into(), passes.into(), fails.into());
    auditor.case_stage = stage as u8;
    if stage_before != stage as u8 {
        emit!(CaseClosed {
            run,
            epoch: at.0,
            round: at.1,
            target: auditor.target,
            auditor: auditor.slot,
            stage_before,
            stage_after: stage as u8,
            seats: auditor.seats,
            passes,
            fails,
        });
    }
    stage
}

/// The trainers of rejected payloads lose points; the second time they are thrown out.
fn punish(world: &mut World, round: u32, slots: &[u16]) -> Result<()> {
    for slot in slots {
        let ids = world.rounds.record(round)?.member_id;
        let member_id = ids.get(usize::from(*slot)).copied().unwrap_or(0);
        let slash = world.run.config.slash_points;
        let entry = world.entry(*slot)?;
        if member_id == 0 || entry.member_id != member_id {
            continue;
        }
        let (points_slashed_before, state_before) = (entry.points_slashed, entry.state);
        entry.points_slashed = points_slashed_before.saturating_add(slash);
        entry.strikes = entry.strikes.saturating_add(1);
        let (points_slashed_after, strikes) = (entry.points_slashed, entry.strikes);
        if strikes >= STRIKES_MAX {
            // Also who has left, or was dropped: its bond and its points are still here.
            super::step_aside(world, *slot, MemberState::Ejected)?;
        }
        emit!(PayloadRejected {
            run: world.key,
            epoch: world.run.epoch,
            round,
            slot: *slot,
            member_id,
            points_slashed_before,
            points_slashed_after,
            strikes,
            state_before,
            state_after: world.entry(*slot)?.state,
        });
    }
    Ok(())
}
