//! `close_run`.

use anchor_lang::prelude::*;

use super::{now, open};
use crate::{
    errors::CoordinatorError,
    events::RunClosed,
    machine::phase::Phase,
    state::{entries, Roster, RosterEntry, Rounds, Run},
};

/// What `close_run` needs.
#[derive(Accounts)]
pub struct CloseRun<'info> {
    /// The run's authority.
    pub authority: Signer<'info>,
    /// Who paid the rent, and gets it back.
    /// CHECK: `has_one` compares the address; it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The run.
    #[account(
        mut,
        close = rent_payer,
        has_one = authority @ CoordinatorError::Unauthorized,
        has_one = rent_payer @ CoordinatorError::WrongAccount,
        has_one = roster @ CoordinatorError::WrongAccount,
        has_one = rounds @ CoordinatorError::WrongAccount,
    )]
    pub run: AccountLoader<'info, Run>,
    /// Its roster.
    #[account(mut, close = rent_payer)]
    pub roster: AccountLoader<'info, Roster>,
    /// Its round records.
    #[account(mut, close = rent_payer)]
    pub rounds: AccountLoader<'info, Rounds>,
}

/// See [`crate::coordinator::close_run`].
///
/// # Errors
/// As documented there.
pub fn close_run(ctx: &Context<CloseRun>) -> Result<()> {
    let accounts = &ctx.accounts;
    let run = open(&accounts.run)?;
    require!(
        run.phase == Phase::Paused as u8 || run.phase == Phase::Finished as u8,
        CoordinatorError::WrongPhase
    );
    // Two runs at one address differ by the slot of their creation: see `Run::instance`.
    require!(
        now()?.chain_slot > run.creation_slot,
        CoordinatorError::CreatedJustNow
    );
    let members = [run.joined, run.ready, run.active, run.behind];
    require!(
        members.iter().all(|count| *count == 0),
        CoordinatorError::MembersRemain
    );
    // An incomplete roster never had a member.
    if run.complete == 1 {
        let roster = accounts.roster.as_ref().try_borrow_data()?;
        let entries = entries(&roster, run.capacity)?;
        let collected = |entry: &RosterEntry| entry.points == 0 && entry.points_slashed == 0;
        require!(
            entries.iter().all(collected),
            CoordinatorError::PointsRemain
        );
        // What is forfeited is counted by then, and goes with the rent.
        let returned = entries.iter().all(|entry| entry.bond_lamports == 0);
        require!(
            returned && run.bonds_lamports == 0,
            CoordinatorError::BondsRemain
        );
    }
    emit!(RunClosed {
        run: accounts.run.key(),
        instance: run.instance,
        step: run.step,
    });
    Ok(())
}
