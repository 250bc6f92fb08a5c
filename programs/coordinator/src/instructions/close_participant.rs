//! `close_participant`.

use anchor_lang::{prelude::*, Discriminator, Lamports};

use super::{can_take, check_version, standing_run};
use crate::{
    errors::CoordinatorError,
    events::ParticipantClosed,
    state::{roster_bytes, Participant, Roster, RosterEntry, RosterHeader},
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
    /// CHECK: compared with the run's where that stands; then it is read as a roster.
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
    let mut participant = accounts.participant.load_mut()?;
    check_version(participant.version)?;
    if let Some(run) = standing_run(&accounts.run)? {
        require!(
            accounts.roster.key() == run.roster,
            CoordinatorError::WrongAccount
        );
        // Whatever an earlier run at this address knew of the wallet ended with it.
        if run.instance == participant.instance {
            check_clear(accounts, &participant, run.capacity)?;
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
fn check_clear(
    accounts: &CloseParticipant,
    participant: &Participant,
    capacity: u16,
) -> Result<()> {
    let clean = participant.barred == 0 && participant.strikes == 0;
    require!(clean, CoordinatorError::Barred);
    let roster = &accounts.roster;
    let is_ours = *roster.owner == crate::ID && roster.data_len() == roster_bytes(capacity);
    require!(is_ours, CoordinatorError::WrongAccount);
    let data = roster.try_borrow_data()?;
    let entries = data
        .strip_prefix(Roster::DISCRIMINATOR)
        .and_then(|bytes| bytes.get(core::mem::size_of::<RosterHeader>()..))
        .and_then(|bytes| bytemuck::try_cast_slice::<u8, RosterEntry>(bytes).ok())
        .ok_or(CoordinatorError::WrongAccount)?;
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
