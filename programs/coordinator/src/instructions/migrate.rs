//! `migrate` and `migrate_participant`: accounts of the layout version before take on the present one.

use anchor_lang::{prelude::*, solana_program::system_program};

use crate::{
    errors::CoordinatorError,
    events::{ParticipantMigrated, RunMigrated},
    state::{
        roster_bytes, rounds_bytes, Participant, Roster, RosterEntry, RosterHeader, RoundHeader,
        Rounds, Run, ACCOUNT_VERSION, CHECKPOINT_URIS, DISCRIMINATOR_BYTES, PREVIOUS_VERSION,
    },
    world::cast,
};

/// What `migrate` needs; anybody sends it.
#[derive(Accounts)]
pub struct Migrate<'info> {
    /// The run.
    #[account(
        mut,
        has_one = roster @ CoordinatorError::WrongAccount,
        has_one = rounds @ CoordinatorError::WrongAccount,
    )]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut)]
    pub roster: AccountLoader<'info, Roster>,
    /// Its round records.
    #[account(mut)]
    pub rounds: AccountLoader<'info, Rounds>,
}

/// What `migrate_participant` needs; anybody sends it.
#[derive(Accounts)]
pub struct MigrateParticipant<'info> {
    /// CHECK: `has_one` compares the address; nothing is there any more if the run was closed.
    pub run: UncheckedAccount<'info>,
    /// CHECK: compared with the run's own, if there is one.
    pub roster: UncheckedAccount<'info>,
    /// The wallet's account in the run.
    #[account(mut, has_one = run @ CoordinatorError::WrongAccount)]
    pub participant: AccountLoader<'info, Participant>,
}

/// See [`crate::coordinator::migrate`].
///
/// # Errors
/// As documented there.
pub fn migrate(ctx: &Context<Migrate>) -> Result<()> {
    let accounts = &ctx.accounts;
    let mut run = accounts.run.load_mut()?;
    check_previous(run.version)?;
    // An incomplete roster ends anywhere and holds nobody.
    if run.complete == 1 {
        let full = accounts.roster.as_ref().data_len() == roster_bytes(run.capacity)
            && accounts.rounds.as_ref().data_len() == rounds_bytes(run.capacity);
        require!(full, CoordinatorError::LayoutMismatch);
        let mut data = accounts.roster.as_ref().try_borrow_mut_data()?;
        let entries: &mut [RosterEntry] = cast(entries_of(&mut data)?)?;
        let blank = entries
            .iter()
            .all(|entry| entry.points_slashed == 0 && entry.strikes_collected == 0);
        require!(blank, CoordinatorError::LayoutMismatch);
    }
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
    let run = &accounts.run;
    if run.data_is_empty() && system_program::check_id(run.owner) {
        return Ok([0; 32]); // the run was closed
    }
    let mut data = run.try_borrow_mut_data()?;
    let run: &mut [Run] = cast(behind_head(run, &mut data, Run::DISCRIMINATOR)?)?;
    let run = run.first().ok_or(CoordinatorError::LayoutMismatch)?;
    super::check_version(run.version)?;
    let roster = &accounts.roster;
    require_keys_eq!(roster.key(), run.roster, CoordinatorError::WrongAccount);
    let mut data = roster.try_borrow_mut_data()?;
    let full = data.len() == roster_bytes(run.capacity) || run.complete == 0;
    require!(full, CoordinatorError::LayoutMismatch);
    behind_head(roster, &mut data, Roster::DISCRIMINATOR)?;
    let entries: &mut [RosterEntry] = cast(entries_of(&mut data)?)?;
    let entry = entries.get(usize::from(participant.slot));
    let holds = entry.is_some_and(|entry| {
        entry.wallet == participant.wallet && entry.member_id == participant.member_id
    });
    Ok(if holds { run.instance } else { [0; 32] })
}

/// The bytes behind the discriminator of an account of this program.
fn behind_head<'a>(
    account: &AccountInfo,
    data: &'a mut [u8],
    discriminator: &[u8],
) -> Result<&'a mut [u8]> {
    require_keys_eq!(*account.owner, crate::ID, CoordinatorError::WrongAccount);
    let (head, bytes) = data
        .split_at_mut_checked(DISCRIMINATOR_BYTES)
        .ok_or(CoordinatorError::LayoutMismatch)?;
    require!(head == discriminator, CoordinatorError::WrongAccount);
    Ok(bytes)
}

/// The bytes of a roster's entries.
fn entries_of(data: &mut [u8]) -> Result<&mut [u8]> {
    let first = DISCRIMINATOR_BYTES.saturating_add(core::mem::size_of::<RosterHeader>());
    let bytes = data.get_mut(first..);
    bytes.ok_or_else(|| error!(CoordinatorError::LayoutMismatch))
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
    ];
    header.redraw_target_slot == 0
        && header.redraw_entropy == [0; 32]
        && numbers == [0; 7]
        && header.custody_roots == [[0; 32]; 32]
}
