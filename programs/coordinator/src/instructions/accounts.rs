//! The accounts that several instructions have in common.

use core::cell::{Ref, RefMut};

use anchor_lang::{prelude::*, Discriminator, ZeroCopy};

use crate::{
    errors::CoordinatorError,
    machine::phase::Moment,
    state::{entries, Roster, RosterEntry, Rounds, Run, ACCOUNT_VERSION, DISCRIMINATOR_BYTES},
    world::{World, CHAIN},
};

/// What an instruction needs that anybody sends: the run and its two accounts change.
#[derive(Accounts)]
pub struct RunAccounts<'info> {
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

/// What a member's instruction needs: its wallet signs, the run and its two accounts change.
#[derive(Accounts)]
pub struct MemberAccounts<'info> {
    /// The member's wallet.
    pub wallet: Signer<'info>,
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

/// What an owner's instruction needs that touches members or rounds.
#[derive(Accounts)]
pub struct OwnerAccounts<'info> {
    /// The run's authority.
    pub authority: Signer<'info>,
    /// The run.
    #[account(
        mut,
        has_one = authority @ CoordinatorError::Unauthorized,
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

/// What an owner's instruction needs that changes the run alone.
#[derive(Accounts)]
pub struct OwnerOfRun<'info> {
    /// The run's authority.
    pub authority: Signer<'info>,
    /// The run.
    #[account(mut, has_one = authority @ CoordinatorError::Unauthorized)]
    pub run: AccountLoader<'info, Run>,
}

/// An account of this layout version.
///
/// # Errors
/// `WrongVersion`, `LayoutMismatch`, Anchor's for an account of another kind.
pub fn open<'a, T: ZeroCopy + Owner>(account: &'a AccountLoader<'_, T>) -> Result<Ref<'a, T>> {
    check_length(account)?;
    let found = account.load()?;
    check_version(&*found)?;
    Ok(found)
}

/// The same, to be changed.
///
/// # Errors
/// Those of [`open`].
pub fn open_mut<'a, T: ZeroCopy + Owner>(
    account: &'a AccountLoader<'_, T>,
) -> Result<RefMut<'a, T>> {
    check_length(account)?;
    let found = account.load_mut()?;
    check_version(&*found)?;
    Ok(found)
}

/// An account that the instruction has just created, still without its content, or that stood
/// already; and whether it is new.
///
/// # Errors
/// Those of [`open`].
pub fn begin_or_open<'a, T: ZeroCopy + Owner>(
    account: &'a AccountLoader<'_, T>,
) -> Result<(RefMut<'a, T>, bool)> {
    match account.load_init() {
        Ok(new) => Ok((new, true)),
        // It has its discriminator.
        Err(_) => Ok((open_mut(account)?, false)),
    }
}

/// Refuses an account that is longer or shorter than its layout: Anchor takes longer ones.
///
/// # Errors
/// `LayoutMismatch`.
pub fn check_length<T: ZeroCopy + Owner>(account: &AccountLoader<T>) -> Result<()> {
    let whole = core::mem::size_of::<T>().saturating_add(DISCRIMINATOR_BYTES);
    require!(
        account.as_ref().try_data_len()? == whole,
        CoordinatorError::LayoutMismatch
    );
    Ok(())
}

/// Refuses an account of another layout version, which is the first byte of every layout.
///
/// # Errors
/// `WrongVersion`.
pub fn check_version<T: bytemuck::Pod>(account: &T) -> Result<()> {
    let version = bytemuck::bytes_of(account).first();
    require!(
        version == Some(&ACCOUNT_VERSION),
        CoordinatorError::WrongVersion
    );
    Ok(())
}

/// Opens the three accounts, does `act`, and checks what must hold.
///
/// # Errors
/// Those of `act`, of a broken account, and of the invariant.
pub fn with_world(
    run: &AccountLoader<Run>,
    roster: &AccountLoader<Roster>,
    rounds: &AccountLoader<Rounds>,
    act: impl FnOnce(&mut World) -> Result<()>,
) -> Result<()> {
    let now = now()?;
    let key = run.key();
    let mut run = open_mut(run)?;
    let mut roster = roster.as_ref().try_borrow_mut_data()?;
    let mut rounds = rounds.as_ref().try_borrow_mut_data()?;
    let mut world = World::open(key, &mut run, &mut roster, &mut rounds, now, CHAIN)?;
    act(&mut world)?;
    world.invariant()
}

/// What is asked of a run that may be closed already.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Its instance.
    pub instance: [u8; 32],
    /// Whose passes joining needs; zero: nobody's.
    pub join_authority: Pubkey,
    /// Its roster.
    pub roster: Pubkey,
    /// Slots of that.
    pub capacity: u16,
    /// Whether that has its full size; before, it holds nobody.
    pub complete: bool,
}

/// The run at an address that the caller has compared; none if it is closed.
///
/// # Errors
/// `WrongAccount` for what is neither a run nor closed, `WrongVersion`.
pub fn standing_run(account: &AccountInfo) -> Result<Option<Standing>> {
    if *account.owner == System::id() && account.data_is_empty() {
        return Ok(None);
    }
    let run = read::<Run>(account).ok_or(CoordinatorError::WrongAccount)?;
    check_version(&*run)?;
    Ok(Some(Standing {
        instance: run.instance,
        join_authority: run.join_authority,
        roster: run.roster,
        capacity: run.capacity,
        complete: run.complete == 1,
    }))
}

/// The entries of a standing run's roster.
///
/// # Errors
/// `WrongAccount` for what is not that roster, `RunIncomplete`, `WrongVersion`.
pub fn standing_entries<'a>(
    run: &Standing,
    roster: &'a AccountInfo<'_>,
) -> Result<Ref<'a, [RosterEntry]>> {
    require_keys_eq!(*roster.key, run.roster, CoordinatorError::WrongAccount);
    let data = roster.try_borrow_data()?;
    let is_roster = *roster.owner == crate::ID && data.starts_with(Roster::DISCRIMINATOR);
    require!(is_roster, CoordinatorError::WrongAccount);
    entries(&data, run.capacity)?;
    let found = Ref::filter_map(data, |bytes| entries(bytes, run.capacity).ok());
    found.map_err(|_| error!(CoordinatorError::LayoutMismatch))
}

/// What stands in an account of this program; none if it is another program's, of another kind or
/// of another length.
pub fn read<'a, T: Discriminator + bytemuck::Pod>(
    account: &'a AccountInfo<'_>,
) -> Option<Ref<'a, T>> {
    if *account.owner != crate::ID {
        return None;
    }
    let data = account.try_borrow_data().ok()?;
    let found = Ref::filter_map(data, |bytes| {
        let bytes = bytes.strip_prefix(T::DISCRIMINATOR)?;
        bytemuck::try_from_bytes(bytes).ok()
    });
    found.ok()
}

/// The chain's time.
///
/// # Errors
/// If the clock cannot be read.
pub fn now() -> Result<Moment> {
    let clock = Clock::get()?;
    Ok(Moment {
        time: clock.unix_timestamp,
        chain_slot: clock.slot,
    })
}
