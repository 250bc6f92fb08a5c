//! What comes of verdicts once nothing about their round changes any more.

use anchor_lang::prelude::*;

use crate::{
    events::{CaseClosed, PayloadRejected},
    machine::{
        audit::{decide, CaseStage, SeatStage, Word, NO_TARGET, STRIKES_MAX},
        bits::set_bit,
    },
    state::{Auditor, MemberState, Seat},
    world::World,
};

/// What a round's verdicts come to.
#[derive(Default)]
pub struct Judged {
    /// Slots of the trainers whose payloads are rejected.
    pub rejected: Vec<u16>,
    /// Who gave a verdict that agrees with the outcome: slot and member id.
    pub right: Vec<(u16, u32)>,
}

/// Decides all cases of a round, and marks the payloads that are rejected.
///
/// # Errors
/// Those of a broken account.
pub fn judge(world: &mut World, round: u32) -> Result<Judged> {
    let mut judged = Judged::default();
    if world.rounds.header(round)?.auditors == 0 {
        return Ok(judged);
    }
    let (run, epoch) = (world.key, world.run.epoch);
    let audits = world.rounds.audits_mut(round)?;
    audits.header.cases_undrawn = 0;
    let count = usize::from(audits.header.auditors);
    for auditor in audits.auditors.iter_mut().take(count) {
        if auditor.target == NO_TARGET || auditor.verdict == Word::None as u8 {
            continue;
        }
        let right = if auditor.verdict == Word::Pass as u8 {
            true
        } else {
            let (first, many) = (auditor.first_seat.into(), auditor.seats.into());
            let seats: Vec<&Seat> = audits.seats.iter().skip(first).take(many).collect();
            let stage = close(run, (epoch, round), auditor, &seats);
            judged.right.extend(majority(stage, &seats));
            stage == CaseStage::Rejected
        };
        if right {
            judged.right.push((auditor.slot, auditor.member_id));
        }
        if auditor.case_stage == CaseStage::Rejected as u8 {
            judged.rejected.push(auditor.target);
        }
    }
    let record = world.rounds.record(round)?;
    for slot in &judged.rejected {
        set_bit(record.rejected, usize::from(*slot), true);
    }
    Ok(judged)
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

/// The seats of a decided case that were in its majority.
fn majority(stage: CaseStage, seats: &[&Seat]) -> Vec<(u16, u32)> {
    let word = match stage {
        CaseStage::Rejected => Word::Fail as u8,
        CaseStage::Cleared => Word::Pass as u8,
        _ => return Vec::new(),
    };
    let agreed = seats
        .iter()
        .filter(|seat| seat.stage == SeatStage::Opened as u8 && seat.verdict == word);
    agreed.map(|seat| (seat.slot, seat.member_id)).collect()
}

/// The trainers of rejected payloads lose points; the second time they are thrown out.
///
/// # Errors
/// Those of a broken account.
pub fn punish(world: &mut World, round: u32, slots: &[u16]) -> Result<()> {
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
