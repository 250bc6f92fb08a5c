//! `open_verdict`.

use anchor_lang::prelude::*;

use super::{
    verdict::{check_window, tell, Verdict, VerdictArgs},
    with_world, MemberAccounts,
};
use crate::{
    errors::CoordinatorError,
    machine::{
        audit::{decide, CaseStage, SeatStage, Word},
        bits::set_bit,
    },
    state::{Audits, Seat},
    world::World,
};

/// Arguments of `open_verdict`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct OpenVerdictArgs {
    /// Epoch of the payload.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the committee's member.
    pub slot: u16,
    /// Its verdict.
    pub verdict: Verdict,
    /// What was hashed with it.
    pub salt: [u8; 32],
}

/// See [`crate::coordinator::open_verdict`].
///
/// # Errors
/// As documented there.
pub fn open_verdict(ctx: &Context<MemberAccounts>, args: &OpenVerdictArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`open_verdict`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &OpenVerdictArgs) -> Result<()> {
    let window = check_window(world, args.epoch, args.round)?;
    let member_id = world.member(args.slot, wallet)?.member_id;
    let audits = world.rounds.audits(args.round)?;
    let place = audits
        .seat(args.slot, member_id, args.verdict.target)
        .ok_or(CoordinatorError::NotAVerifier)?;
    let seat = *audits
        .seats
        .get(place)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    let finding = args.verdict.checked(world)?;
    let sealed = finding.sealed(&args.salt, &wallet.to_bytes());
    require!(
        seat.stage != SeatStage::Drawn as u8,
        CoordinatorError::VerdictNotSealed
    );
    require!(seat.sealed == sealed, CoordinatorError::VerdictMismatch);
    if seat.stage == SeatStage::Opened as u8 {
        return Ok(());
    }
    let all = window.seal && all_sealed(&world.rounds.audits(args.round)?, &seat);
    if !window.open && !all {
        // Before sealing is over, or after the round is final.
        let late = !window.seal;
        return Err(if late {
            CoordinatorError::VerdictClosed.into()
        } else {
            CoordinatorError::VerdictNotOpen.into()
        });
    }
    let audits = world.rounds.audits_mut(args.round)?;
    if let Some(seat) = audits.seats.get_mut(place) {
        seat.stage = SeatStage::Opened as u8;
        seat.verdict = finding.word() as u8;
        seat.jaccard_permille = finding.scores.jaccard;
        seat.hamming_permille = finding.scores.hamming;
        seat.manhattan_permille = finding.scores.manhattan;
        seat.alignment_permille = finding.scores.alignment;
    }
    keep_out(world, args.round, &seat)?;
    world.seen(args.slot)?;
    let told = VerdictArgs {
        epoch: args.epoch,
        round: args.round,
        slot: args.slot,
        verdict: args.verdict.clone(),
    };
    tell(world, &told, true, 0);
    Ok(())
}

/// A quorum that is there before the payload's round settles keeps the payload out of the accepted
/// set; only with overlap a committee can be that quick. What it costs the trainer comes later.
fn keep_out(world: &mut World, round: u32, seat: &Seat) -> Result<()> {
    let audits = world.rounds.audits(round)?;
    if audits.header.settled == 1 {
        return Ok(());
    }
    let Some(auditor) = audits.auditors.get(usize::from(seat.case)) else {
        return Ok(());
    };
    let failing = |one: &&Seat| one.verdict == Word::Fail as u8;
    let fails = audits.committee(auditor).iter().filter(failing).count();
    let fails = u32::try_from(fails).unwrap_or(0);
    if decide(auditor.seats.into(), 0, fails) == CaseStage::Rejected {
        let target = usize::from(auditor.target);
        set_bit(world.rounds.record(round)?.rejected, target, true);
    }
    Ok(())
}

/// Whether every seat of the case has sealed: then nobody can copy any more.
fn all_sealed(audits: &Audits, seat: &Seat) -> bool {
    let case = audits.auditors.get(usize::from(seat.case));
    case.is_some_and(|auditor| {
        let mut seats = audits.committee(auditor).iter();
        seats.all(|one| one.stage != SeatStage::Drawn as u8)
    })
}
