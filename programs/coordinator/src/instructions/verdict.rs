//! `verdict`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError,
    events::VerdictGiven,
    machine::{
        audit::{CaseStage, Finding, Scores, Window, Word, NO_TARGET},
        phase::Phase,
    },
    state::Auditor,
    transition,
    world::World,
};

/// What an auditor or a seat says about a payload.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct Verdict {
    /// Slot of the trainer.
    pub target: u16,
    /// Whether it is what the trainer should have sent.
    pub passes: bool,
    /// Similarity of index sets, per mille.
    pub jaccard_permille: u16,
    /// Distance of signs, per mille.
    pub hamming_permille: u16,
    /// Distance of values, per mille.
    pub manhattan_permille: u16,
    /// Alignment with the verifier's own gradient, per mille; may be negative.
    pub alignment_permille: i16,
    /// A digest of what it was measured on; told to observers, not kept.
    pub detail: [u8; 32],
}

/// Arguments of `verdict`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct VerdictArgs {
    /// Epoch of the payload.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the auditor.
    pub slot: u16,
    /// Its verdict.
    pub verdict: Verdict,
}

impl Verdict {
    /// The same, as the rules know it.
    ///
    /// # Errors
    /// `ScoreOutOfRange`; `ScoresFail` if it passes against the run's thresholds.
    pub fn checked(&self, world: &World) -> Result<Finding> {
        let scores = Scores {
            jaccard: self.jaccard_permille,
            hamming: self.hamming_permille,
            manhattan: self.manhattan_permille,
            alignment: self.alignment_permille,
        };
        require!(scores.in_range(), CoordinatorError::ScoreOutOfRange);
        let config = &world.run.config;
        let thresholds = Scores {
            jaccard: config.jaccard_min_permille,
            hamming: config.hamming_max_permille,
            manhattan: config.manhattan_max_permille,
            alignment: i16::try_from(config.alignment_min_permille).unwrap_or(i16::MAX),
        };
        require!(
            !self.passes || scores.pass(&thresholds),
            CoordinatorError::ScoresFail
        );
        Ok(Finding {
            target: self.target,
            pass: self.passes,
            scores,
            detail: self.detail,
        })
    }
}

/// Tells observers what was said.
pub fn tell(world: &World, args: &VerdictArgs, of_committee: bool, committee_slot: u64) {
    let verdict = &args.verdict;
    emit!(VerdictGiven {
        run: world.key,
        epoch: args.epoch,
        round: args.round,
        slot: args.slot,
        target: verdict.target,
        of_committee: u8::from(of_committee),
        verdict: if verdict.passes { 1 } else { 2 },
        jaccard_permille: verdict.jaccard_permille,
        hamming_permille: verdict.hamming_permille,
        manhattan_permille: verdict.manhattan_permille,
        alignment_permille: verdict.alignment_permille,
        detail: verdict.detail,
        committee_slot,
    });
}

/// Checks that a round's payloads can be spoken about, and says in which ways.
///
/// # Errors
/// `WrongPhase`, `WrongRound`.
pub fn check_window(world: &World, epoch: u32, round: u32) -> Result<Window> {
    let runs = matches!(
        world.phase()?,
        Phase::Train | Phase::Witness | Phase::Cooldown
    );
    require!(runs, CoordinatorError::WrongPhase);
    let header = world.rounds.header(round)?;
    let kept = header.valid == 1 && header.round == round && round < world.run.round;
    require!(
        kept && epoch == world.run.epoch,
        CoordinatorError::WrongRound
    );
    transition::window_of(world, round)
}

/// See [`crate::coordinator::verdict`].
///
/// # Errors
/// As documented there.
pub fn verdict(ctx: &Context<MemberAccounts>, args: &VerdictArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`verdict`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &VerdictArgs) -> Result<()> {
    let window = check_window(world, args.epoch, args.round)?;
    let member_id = world.member(args.slot, wallet)?.member_id;
    let audits = world.rounds.audits(args.round)?;
    require!(window.audit, CoordinatorError::VerdictClosed);
    require!(
        audits.header.targets_drawn == 1,
        CoordinatorError::AuditsNotDrawn
    );
    let place = audits
        .auditor(args.slot, member_id)
        .ok_or(CoordinatorError::NotAVerifier)?;
    let target = audits
        .auditors
        .get(place)
        .map_or(NO_TARGET, |one| one.target);
    require!(
        target != NO_TARGET && target == args.verdict.target,
        CoordinatorError::NotAVerifier
    );
    let finding = args.verdict.checked(world)?;
    let now = world.now.chain_slot;
    let audits = world.rounds.audits_mut(args.round)?;
    let auditor = audits
        .auditors
        .get_mut(place)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    if auditor.verdict != Word::None as u8 {
        require!(stands(auditor, &finding), CoordinatorError::VerdictDiffers);
        return Ok(());
    }
    write(auditor, &finding);
    let header = audits.header;
    header.verdicts = header.verdicts.saturating_add(1);
    let mut committee_slot = 0;
    if finding.word() == Word::Fail {
        auditor.case_stage = CaseStage::Opened as u8;
        header.cases = header.cases.saturating_add(1);
        header.cases_undrawn = header.cases_undrawn.saturating_add(1);
        committee_slot = transition::note_committee(header, auditor, now);
    }
    world.seen(args.slot)?;
    tell(world, args, false, committee_slot);
    Ok(())
}

/// Whether an auditor said this already.
fn stands(auditor: &Auditor, finding: &Finding) -> bool {
    let scores = Scores {
        jaccard: auditor.jaccard_permille,
        hamming: auditor.hamming_permille,
        manhattan: auditor.manhattan_permille,
        alignment: auditor.alignment_permille,
    };
    auditor.verdict == finding.word() as u8 && scores == finding.scores
}

fn write(auditor: &mut Auditor, finding: &Finding) {
    auditor.verdict = finding.word() as u8;
    auditor.jaccard_permille = finding.scores.jaccard;
    auditor.hamming_permille = finding.scores.hamming;
    auditor.manhattan_permille = finding.scores.manhattan;
    auditor.alignment_permille = finding.scores.alignment;
}
