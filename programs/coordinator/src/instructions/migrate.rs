//! `migrate` and `migrate_participant`: accounts of the layout version before take on the present one.

use anchor_lang::prelude::*;

use super::{check_length, standing_entries, standing_run, RunAccounts};
use crate::{
    errors::CoordinatorError,
    events::{ParticipantMigrated, RunMigrated},
    state::{
        entries, rounds_bytes, Participant, RoundHeader, Run, ACCOUNT_VERSION, CHECKPOINT_URIS,
        PREVIOUS_VERSION,
    },
};

/// What `migrate_participant` needs; anybody sends it.
#[derive(Accounts)]
pub struct MigrateParticipant<'info> {
    /// CHECK: `has_one` compares the address, `standing_run` what stands there.
    pub run: UncheckedAccount<'info>,
    /// CHECK: compared with the run's where that stands; read by `standing_entries`.
    pub roster: UncheckedAccount<'info>,
    /// The wallet's account in the run.
    #[account(mut, has_one = run @ CoordinatorError::WrongAccount)]
    pub participant: AccountLoader<'info, Participant>,
}

/// See [`crate::coordinator::migrate`].
///
/// # Errors
/// As documented there.
pub fn migrate(ctx: &Context<RunAccounts>) -> Result<()> {
    let accounts = &ctx.accounts;
    check_length(&accounts.run)?;
    let mut run = accounts.run.load_mut()?;
    check_previous(run.version)?;
    let mut roster = accounts.roster.load_mut()?;
    let mut rounds = accounts.rounds.load_mut()?;
    check_previous(roster.header.version)?;
    check_previous(rounds.header.version)?;
    let unpaid = run.bonds_lamports == 0 && run.forfeited_lamports == 0;
    let blank = unpaid && has_no_publishers(&run) && rounds.records.iter().all(is_blank);
    require!(blank, CoordinatorError::LayoutMismatch);
    run.version = ACCOUNT_VERSION;
    roster.header.version = ACCOUNT_VERSION;
    rounds.header.version = ACCOUNT_VERSION;
    drop((roster, rounds));
    // An incomplete roster ends anywhere and holds nobody.
    if run.complete == 1 {
        let full = accounts.rounds.as_ref().data_len() == rounds_bytes(run.capacity);
        require!(full, CoordinatorError::LayoutMismatch);
        let data = accounts.roster.as_ref().try_borrow_data()?;
        let blank = entries(&data, run.capacity)?.iter().all(|entry| {
            let served = entry.rounds_served > 0 || entry.epochs_served > 0;
            entry.points_slashed == 0 && entry.strikes_collected == 0 && !served
        });
        require!(blank, CoordinatorError::LayoutMismatch);
    }
    emit!(RunMigrated {
        run: accounts.run.key(),
        before: PREVIOUS_VERSION,
        after: ACCOUNT_VERSION,
    });
    Ok(())
}

/// See [`crate::coordinator::migrate_participant`].
///
/// # Errors
/// As documented there.
pub fn migrate_participant(ctx: &Context<MigrateParticipant>) -> Result<()> {
    let accounts = &ctx.accounts;
    check_length(&accounts.participant)?;
    let mut participant = accounts.participant.load_mut()?;
    check_previous(participant.version)?;
    participant.instance = instance_of(accounts, &participant)?;
    participant.version = ACCOUNT_VERSION;
    emit!(ParticipantMigrated {
        run: participant.run,
        wallet: participant.wallet,
        instance: participant.instance,
        before: PREVIOUS_VERSION,
        after: ACCOUNT_VERSION,
    });
    Ok(())
}

/// The instance that a participant's words are about: the run's if its slot still is what the
/// participant says, else none.
fn instance_of(accounts: &MigrateParticipant, participant: &Participant) -> Result<[u8; 32]> {
    let Some(run) = standing_run(&accounts.run)? else {
        return Ok([0; 32]);
    };
    if !run.complete {
        return Ok([0; 32]);
    }
    let entries = standing_entries(&run, &accounts.roster)?;
    let entry = entries.get(usize::from(participant.slot));
    let holds = entry.is_some_and(|entry| {
        entry.wallet == participant.wallet && entry.member_id == participant.member_id
    });
    Ok(if holds { run.instance } else { [0; 32] })
}

/// An account of the present version needs nothing; one of any other is unknown.
fn check_previous(version: u8) -> Result<()> {
    require!(
        version != ACCOUNT_VERSION,
        CoordinatorError::AlreadyMigrated
    );
    require!(version == PREVIOUS_VERSION, CoordinatorError::WrongVersion);
    Ok(())
}

/// Whether the room that Cooldown's draw took is still empty.
fn has_no_publishers(run: &Run) -> bool {
    let drawn = run.publishers == 0
        && run.publisher_slots == [0; CHECKPOINT_URIS]
        && run.publisher_member_ids == [0; CHECKPOINT_URIS];
    let known = run.cooldown_entropy_stored == 1 || run.cooldown_entropy != [0; 32];
    drawn && !known && run.cooldown_entropy_slot == 0
}

/// Whether the room that version 1 had left free in a record is free.
fn is_blank(header: &RoundHeader) -> bool {
    let numbers = [
        header.auditors,
        header.targets_drawn,
        header.verdicts,
        header.cases,
        header.cases_undrawn,
        header.seats,
        header.finalised,
        header.judged,
    ];
    header.redraw_target_slot == 0
        && header.redraw_entropy == [0; 32]
        && numbers == [0; 8]
        && header.custody_roots == [[0; 32]; 32]
}
