//! `collect`.

use anchor_lang::{prelude::*, Lamports};

use super::{open_mut, with_world};
use crate::{
    errors::CoordinatorError,
    events::{BondPaid, Collected},
    state::{MemberState, Participant, Roster, RosterEntry, Rounds, Run},
    world::World,
};

/// Arguments of `collect`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CollectArgs {
    /// The slot.
    pub slot: u16,
}

/// What `collect` needs.
#[derive(Accounts)]
pub struct Collect<'info> {
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
    /// The account of the slot's holder.
    #[account(mut, has_one = run @ CoordinatorError::WrongAccount)]
    pub participant: AccountLoader<'info, Participant>,
    /// The holder's payee. Without it, or if it cannot take lamports, a bond waits in the holder's
    /// account, for a `collect` with a payee that can or for `close_participant`.
    /// CHECK: compared with the participant's payee; it only receives lamports.
    #[account(mut)]
    pub payee: Option<UncheckedAccount<'info>>,
}

/// Where a bond goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BondTo {
    /// It stays, or there is none.
    Nowhere = 0,
    /// To the payee.
    Payee = 1,
    /// To the participant's account.
    Participant = 2,
    /// Nowhere: it is forfeited.
    Forfeited = 3,
}

/// What was on a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Id of the member.
    pub member_id: u32,
    /// Points.
    pub points: u64,
    /// Points that rejected payloads cost.
    pub points_slashed: u64,
    /// Rejected payloads.
    pub strikes: u8,
    /// Rounds served.
    pub rounds_served: u32,
    /// Epochs served.
    pub epochs_served: u32,
    /// Whether the slot is free now.
    pub freed: bool,
    /// The bond, if it leaves the slot.
    pub bond_lamports: u64,
    /// Whether it is forfeited.
    pub forfeited: bool,
}

/// See [`crate::coordinator::collect`].
///
/// # Errors
/// As documented there.
pub fn collect(ctx: &Context<Collect>, args: &CollectArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    let mut participant = open_mut(&accounts.participant)?;
    if let Some(payee) = &accounts.payee {
        require!(
            payee.key() == participant.payee,
            CoordinatorError::WrongAccount
        );
    }
    let paid = pay_waiting(accounts, &mut participant)?;
    let mut taken = None;
    let mut bonds_left = 0_u64;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        taken = run(world, &mut participant, args.slot, paid)?;
        bonds_left = world.run.bonds_lamports;
        Ok(())
    })?;
    let Some(taken) = taken else {
        return Ok(());
    };
    let bond_to = pay(accounts, &mut participant, taken, bonds_left)?;
    emit!(Collected {
        run: participant.run,
        slot: args.slot,
        member_id: taken.member_id,
        wallet: participant.wallet,
        points: taken.points,
        points_slashed: taken.points_slashed,
        strikes: taken.strikes,
        rounds_served: taken.rounds_served,
        epochs_served: taken.epochs_served,
        freed: u8::from(taken.freed),
        bond_to: bond_to as u8,
        bond_lamports: taken.bond_lamports,
        payee: participant.payee,
    });
    Ok(())
}

/// A bond that waits in the participant's account goes to the payee, if that is named and can take
/// it: whoever left the payee out before delayed it, and no more.
fn pay_waiting(accounts: &Collect, participant: &mut Participant) -> Result<bool> {
    let bond = participant.bond_lamports;
    let Some(payee) = &accounts.payee else {
        return Ok(false);
    };
    if bond == 0 || !can_take(payee, bond)? {
        return Ok(false);
    }
    participant.bond_lamports = 0;
    accounts.participant.to_account_info().sub_lamports(bond)?;
    payee.add_lamports(bond)?;
    emit!(BondPaid {
        run: participant.run,
        wallet: participant.wallet,
        payee: participant.payee,
        bond_lamports: bond,
    });
    Ok(true)
}

/// The instruction on an open run; lamports move afterwards. None if nothing is to be taken from the
/// slot, which is no error where something was `paid`.
///
/// # Errors
/// Those of [`collect`].
pub fn run(
    world: &mut World,
    participant: &mut Participant,
    slot: u16,
    paid: bool,
) -> Result<Option<Taken>> {
    let named = world.is_named(slot)?;
    let entry = world.entry(slot)?;
    let (empty, wallet) = (entry.member_id == 0, entry.wallet);
    let holder = wallet == participant.wallet && world.run.instance == participant.instance;
    if !holder || empty {
        require!(paid || !empty, CoordinatorError::NothingToCollect);
        require!(paid, CoordinatorError::NotTheHolder);
        return Ok(None);
    }
    let entry = world.entry(slot)?;
    let freed = !MemberState::is_member(entry.state) && !named;
    let forfeited = freed && entry.state == MemberState::Ejected as u8;
    let taken = Taken {
        member_id: entry.member_id,
        points: entry.points,
        points_slashed: entry.points_slashed,
        strikes: entry.strikes.saturating_sub(entry.strikes_collected),
        rounds_served: entry.rounds_served,
        epochs_served: entry.epochs_served,
        freed,
        bond_lamports: if freed { entry.bond_lamports } else { 0 },
        forfeited,
    };
    let any = taken.points > 0 || taken.points_slashed > 0 || taken.strikes > 0;
    if !freed && !any {
        require!(paid, CoordinatorError::NothingToCollect);
        return Ok(None);
    }
    take(entry, freed);
    note(participant, &taken);
    release(world.run, &taken)?;
    Ok(Some(taken))
}

/// Leaves nothing of what is collected on the slot.
fn take(entry: &mut RosterEntry, freed: bool) {
    if freed {
        bytemuck::bytes_of_mut(entry).fill(0);
        return;
    }
    entry.points = 0;
    entry.points_slashed = 0;
    entry.strikes_collected = entry.strikes;
    entry.rounds_served = 0;
    entry.epochs_served = 0;
}

/// Adds it to what the participant has.
fn note(participant: &mut Participant, taken: &Taken) {
    // At the end of their type sums stay: nobody must be kept from collecting.
    let earned = &mut participant.points_earned;
    *earned = earned.saturating_add(taken.points);
    let slashed = &mut participant.points_slashed;
    *slashed = slashed.saturating_add(taken.points_slashed);
    participant.strikes = participant.strikes.saturating_add(taken.strikes);
    let claimed = u64::from(taken.points > 0);
    participant.claims = participant.claims.saturating_add(claimed);
    participant.rounds_served = participant
        .rounds_served
        .saturating_add(taken.rounds_served);
    participant.epochs_served = participant
        .epochs_served
        .saturating_add(taken.epochs_served);
    if taken.forfeited {
        participant.barred = 1;
    }
}

/// Counts the bond out of the roster's.
fn release(run: &mut Run, taken: &Taken) -> Result<()> {
    let left = run.bonds_lamports.checked_sub(taken.bond_lamports);
    run.bonds_lamports = left.ok_or(CoordinatorError::Overflow)?;
    if taken.forfeited {
        let sum = run.forfeited_lamports.checked_add(taken.bond_lamports);
        run.forfeited_lamports = sum.ok_or(CoordinatorError::Overflow)?;
    }
    Ok(())
}

/// Moves the bond's lamports.
fn pay(
    accounts: &Collect,
    participant: &mut Participant,
    taken: Taken,
    bonds_left: u64,
) -> Result<BondTo> {
    let bond = taken.bond_lamports;
    if bond == 0 {
        return Ok(BondTo::Nowhere);
    }
    if taken.forfeited {
        return Ok(BondTo::Forfeited);
    }
    let run = accounts.run.to_account_info();
    run.sub_lamports(bond)?;
    // Nobody's bond is paid from the rent, or from another's.
    let kept = Rent::get()?.minimum_balance(run.data_len());
    let least = kept.checked_add(bonds_left);
    require!(
        least.is_some_and(|least| run.lamports() >= least),
        CoordinatorError::InvariantBonds
    );
    if let Some(payee) = &accounts.payee {
        if can_take(payee, bond)? {
            payee.add_lamports(bond)?;
            return Ok(BondTo::Payee);
        }
    }
    accounts.participant.to_account_info().add_lamports(bond)?;
    let sum = participant.bond_lamports.checked_add(bond);
    participant.bond_lamports = sum.ok_or(CoordinatorError::Overflow)?;
    Ok(BondTo::Participant)
}

/// Whether the chain lets an account be credited, and nobody's books are confused by it: it is
/// writable, no program, not ours, and exempt from rent afterwards.
///
/// # Errors
/// If the rent cannot be read.
pub fn can_take(account: &AccountInfo, lamports: u64) -> Result<bool> {
    if !account.is_writable || account.executable || *account.owner == crate::ID {
        return Ok(false);
    }
    let least = Rent::get()?.minimum_balance(account.data_len());
    let after = account.lamports().checked_add(lamports);
    Ok(after.is_some_and(|after| after >= least))
}
