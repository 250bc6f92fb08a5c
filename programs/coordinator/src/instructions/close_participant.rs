//! `close_participant`.

use anchor_lang::{prelude::*, Lamports};

use super::{can_take, open_mut, standing_entries, standing_run};
use crate::{
    errors::CoordinatorError,
    events::ParticipantClosed,
    state::{Participant, RosterEntry},
};

/// What `close_participant` needs.
#[derive(Accounts)]
pub struct CloseParticipant<'info> {
    /// The participant's wallet.
    pub wallet: Signer<'info>,
    /// Who paid the rent, and gets it back.
    /// CHECK: `has_one` compares the address; it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// The run, which may be closed already.
    /// CHECK: `has_one` compares the address, `standing_run` what stands there.
    pub run: UncheckedAccount<'info>,
    /// Its roster, if the run is not closed.
    /// CHECK: compared with the run's where that stands; read by `standing_entries`.
    pub roster: UncheckedAccount<'info>,
    /// The wallet's account in the run.
    #[account(
        mut,
        close = rent_payer,
        has_one = wallet @ CoordinatorError::WrongAccount,
        has_one = rent_payer @ CoordinatorError::WrongAccount,
        has_one = run @ CoordinatorError::WrongAccount,
    )]
    pub participant: AccountLoader<'info, Participant>,
    /// The payee, where a bond is left in the participant's account.
    /// CHECK: compared with the participant's payee; it only receives lamports.
    #[account(mut)]
    pub payee: Option<UncheckedAccount<'info>>,
}

/// See [`crate::coordinator::close_participant`].
///
/// # Errors
/// As documented there.
pub fn close_participant(ctx: &Context<CloseParticipant>) -> Result<()> {
    let accounts = &ctx.accounts;
    let mut participant = open_mut(&accounts.participant)?;
    if let Some(run) = standing_run(&accounts.run)? {
        require_keys_eq!(
            accounts.roster.key(),
            run.roster,
            CoordinatorError::WrongAccount
        );
        // Whatever an earlier run at this address knew of the wallet ended with it.
        if run.instance == participant.instance {
            check_clear(&participant, &standing_entries(&run, &accounts.roster)?)?;
        }
    }
    let bond = core::mem::take(&mut participant.bond_lamports);
    pay(accounts, &participant, bond)?;
    emit!(ParticipantClosed {
        run: participant.run,
        wallet: participant.wallet,
        points_earned: participant.points_earned,
        points_slashed: participant.points_slashed,
        bond_lamports: bond,
        payee: participant.payee,
    });
    Ok(())
}

/// Nothing on the roster is the wallet's, and closing does not make its strikes forgotten.
fn check_clear(participant: &Participant, entries: &[RosterEntry]) -> Result<()> {
    let clean = participant.barred == 0 && participant.strikes == 0;
    require!(clean, CoordinatorError::Barred);
    let named = entries
        .iter()
        .any(|entry| entry.wallet == participant.wallet);
    require!(!named, CoordinatorError::SlotRemains);
    Ok(())
}

/// A bond that was left here goes to the payee; the wallet can name another one before.
fn pay(accounts: &CloseParticipant, participant: &Participant, bond: u64) -> Result<()> {
    let named = accounts.payee.as_ref();
    require!(
        named.is_none_or(|payee| payee.key() == participant.payee),
        CoordinatorError::WrongAccount
    );
    if bond == 0 {
        return Ok(());
    }
    let payee = named.ok_or(CoordinatorError::PayeeCannotTake)?;
    require!(can_take(payee, bond)?, CoordinatorError::PayeeCannotTake);
    accounts.participant.to_account_info().sub_lamports(bond)?;
    payee.add_lamports(bond)?;
    Ok(())
}
