//! The accounts that several instructions have in common.

use core::cell::Ref;

use anchor_lang::{prelude::*, Discriminator};

use crate::{
    errors::CoordinatorError,
    machine::phase::Moment,
    state::{Roster, Rounds, Run, ACCOUNT_VERSION},
    world::{World, CHAIN},
};

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

/// Refuses an account of another layout version.
pub fn check_version(version: u8) -> Result<()> {
    require!(version == ACCOUNT_VERSION, CoordinatorError::WrongVersion);
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
    let mut run = run.load_mut()?;
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
    check_version(run.version)?;
    Ok(Some(Standing {
        instance: run.instance,
        join_authority: run.join_authority,
        roster: run.roster,
        capacity: run.capacity,
    }))
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
