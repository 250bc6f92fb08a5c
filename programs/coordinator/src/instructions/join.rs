//! `join`.

use anchor_lang::{
    prelude::*,
    system_program::{transfer, Transfer},
};

use super::{begin_or_open, check_version, create_run::copy_text, now, read, with_world};
use crate::{
    errors::CoordinatorError,
    events::Joined,
    machine::{audit::STRIKES_MAX, shares::MAX_WEIGHT},
    state::{
        seeds, MemberState, Participant, Pass, Roster, RosterEntry, Rounds, Run, ACCOUNT_VERSION,
        ADDRESS_BYTES, PARTICIPANT_BYTES,
    },
    world::World,
};

/// Arguments of `join`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct JoinArgs {
    /// The slot that it wants; must be free.
    pub slot: u16,
    /// Its speed against others, 1 to 1,000.
    pub weight: u16,
    /// The node's public key.
    pub node_key: [u8; 32],
    /// Where the node is found, at most 96 bytes; may be empty.
    pub address: String,
    /// The largest bond that the wallet accepts, in lamports; the payer pays that of the run.
    pub bond_lamports_max: u64,
}

/// What `join` needs.
#[derive(Accounts)]
pub struct Join<'info> {
    /// Pays the rent of the participant's account and gets it back, and the bond.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The wallet that joins.
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
    /// The wallet's account in the run; created when it joins for the first time.
    #[account(
        init_if_needed,
        payer = payer,
        space = PARTICIPANT_BYTES,
        seeds = [seeds::PARTICIPANT, run.key().as_ref(), wallet.key().as_ref()],
        bump,
    )]
    pub participant: AccountLoader<'info, Participant>,
    /// The wallet's pass, or nothing where the run needs none.
    /// CHECK: its address is compared here; what stands in it is looked at only where a run has a
    /// join authority, and then everything is (`check_pass`).
    #[account(seeds = [seeds::PASS, run.key().as_ref(), wallet.key().as_ref()], bump)]
    pub pass: UncheckedAccount<'info>,
    /// The system program.
    pub system_program: Program<'info, System>,
}

/// See [`crate::coordinator::join`].
///
/// # Errors
/// As documented there.
pub fn join(ctx: &Context<Join>, args: &JoinArgs) -> Result<()> {
    let accounts = &ctx.accounts;
    check_pass(accounts)?;
    check_weight(args.weight)?;
    let wallet = accounts.wallet.key();
    let (mut participant, new) = begin_or_open(&accounts.participant)?;
    if new {
        participant.version = ACCOUNT_VERSION;
        participant.bump = ctx.bumps.participant;
        participant.run = accounts.run.key();
        participant.wallet = wallet;
        participant.payee = wallet;
        participant.rent_payer = accounts.payer.key();
    }
    begin_instance(&mut participant, accounts.run.load()?.instance);
    require!(participant.barred == 0, CoordinatorError::Barred);
    set_address(&mut participant, &args.node_key, &args.address)?;
    let mut bond = 0;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        bond = run(world, &wallet, &mut participant, args)?;
        Ok(())
    })?;
    deposit(accounts, bond)
}

/// Pays the bond into the run's account.
fn deposit(accounts: &Join, bond: u64) -> Result<()> {
    if bond == 0 {
        return Ok(());
    }
    let parties = Transfer {
        from: accounts.payer.to_account_info(),
        to: accounts.run.to_account_info(),
    };
    transfer(
        CpiContext::new(accounts.system_program.key(), parties),
        bond,
    )
}

/// What is written about another run at the same address, closed since, is forgotten.
pub fn begin_instance(participant: &mut Participant, instance: [u8; 32]) {
    if participant.instance == instance {
        return;
    }
    participant.instance = instance;
    participant.barred = 0;
    participant.strikes = 0;
    participant.slot = 0;
    participant.member_id = 0;
    participant.joins = 0;
    participant.points_earned = 0;
    participant.points_slashed = 0;
    participant.claims = 0;
    participant.epochs_served = 0;
    participant.rounds_served = 0;
}

/// Where the run has a join authority: the wallet has a pass by it, for this instance, not over.
fn check_pass(accounts: &Join) -> Result<()> {
    let run = accounts.run.load()?;
    if run.join_authority == Pubkey::default() {
        return Ok(());
    }
    let pass = read::<Pass>(&accounts.pass).ok_or(CoordinatorError::JoinAuthorityRequired)?;
    check_version(&*pass)?;
    require!(
        pass.run == accounts.run.key() && pass.wallet == accounts.wallet.key(),
        CoordinatorError::WrongAccount
    );
    // One by another authority, or for another run at this address, is none.
    require!(
        pass.issuer == run.join_authority && pass.instance == run.instance,
        CoordinatorError::JoinAuthorityRequired
    );
    require!(pass.expiry > now()?.time, CoordinatorError::PassExpired);
    Ok(())
}

/// Refuses weights outside 1 to 1,000.
///
/// # Errors
/// `WeightOutOfRange`.
pub fn check_weight(weight: u16) -> Result<()> {
    require!(
        (1..=MAX_WEIGHT).contains(&weight),
        CoordinatorError::WeightOutOfRange
    );
    Ok(())
}

/// Writes a node's address.
///
/// # Errors
/// `NodeKeyZero`, `AddressTooLong`.
pub fn set_address(
    participant: &mut Participant,
    node_key: &[u8; 32],
    address: &str,
) -> Result<()> {
    require!(*node_key != [0; 32], CoordinatorError::NodeKeyZero);
    require!(
        address.len() <= ADDRESS_BYTES,
        CoordinatorError::AddressTooLong
    );
    participant.address_len = copy_text(&mut participant.address, address.as_bytes());
    Ok(())
}

/// The instruction on an open run; returns the bond that is to be paid.
///
/// # Errors
/// Those of [`join`].
pub fn run(
    world: &mut World,
    wallet: &Pubkey,
    participant: &mut Participant,
    args: &JoinArgs,
) -> Result<u64> {
    let holds = world
        .roster
        .get(usize::from(participant.slot))
        .is_some_and(|held| {
            participant.member_id != 0
                && held.wallet == *wallet
                && held.member_id == participant.member_id
                && MemberState::is_member(held.state)
        });
    require!(!holds, CoordinatorError::AlreadyAMember);
    let now = world.now;
    let entry = world.entry(args.slot)?;
    let left = MemberState::is_member(entry.state) || entry.owes();
    require!(
        !left && !world.is_named(args.slot)?,
        CoordinatorError::SlotTaken
    );
    let strikes = earlier_strikes(world.roster, wallet, participant)?;
    let bond = world.run.config.bond_lamports;
    require!(
        bond <= args.bond_lamports_max,
        CoordinatorError::BondAboveLimit
    );
    let bonds = world.run.bonds_lamports.checked_add(bond);
    world.run.bonds_lamports = bonds.ok_or(CoordinatorError::Overflow)?;
    let member_id = world.run.next_member_id;
    world.run.next_member_id = member_id.checked_add(1).ok_or(CoordinatorError::Overflow)?;
    let entry = world.entry(args.slot)?;
    bytemuck::bytes_of_mut(entry).fill(0);
    entry.wallet = *wallet;
    entry.node_key = args.node_key;
    entry.member_id = member_id;
    entry.declared_weight = args.weight;
    entry.joined_at = now.time;
    entry.bond_lamports = bond;
    entry.strikes = strikes;
    entry.strikes_collected = strikes;
    world.set_state(args.slot, MemberState::Joined)?;
    world.seen(args.slot)?;
    world.count_members();
    participant.slot = args.slot;
    participant.member_id = member_id;
    participant.joins = participant.joins.saturating_add(1);
    emit!(Joined {
        run: world.key,
        slot: args.slot,
        member_id,
        wallet: *wallet,
        bond_lamports: bond,
    });
    Ok(bond)
}

/// Strikes of the wallet's earlier memberships, collected or not.
///
/// # Errors
/// `Barred` if there are too many, or one ended with its ejection.
fn earlier_strikes(
    roster: &[RosterEntry],
    wallet: &Pubkey,
    participant: &Participant,
) -> Result<u8> {
    let mut strikes = participant.strikes;
    // Who joins for the first time left nothing on the roster.
    let looked_at = if participant.joins > 0 { roster } else { &[] };
    for entry in looked_at.iter().filter(|entry| entry.wallet == *wallet) {
        let ejected = entry.state == MemberState::Ejected as u8;
        require!(!ejected, CoordinatorError::Barred);
        let new = entry.strikes.saturating_sub(entry.strikes_collected);
        strikes = strikes.saturating_add(new);
    }
    require!(strikes < STRIKES_MAX, CoordinatorError::Barred);
    Ok(strikes)
}
