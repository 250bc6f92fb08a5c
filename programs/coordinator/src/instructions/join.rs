//! `join`.

use anchor_lang::prelude::*;

use super::{check_version, create_run::copy_text, now, read, with_world};
use crate::{
    errors::CoordinatorError,
    events::Joined,
    machine::{phase::Phase, shares::MAX_WEIGHT},
    state::{
        seeds, MemberState, Participant, Pass, Roster, RosterEntry, Rounds, Run, ACCOUNT_VERSION,
        ADDRESS_BYTES, PARTICIPANT_BYTES, RECORDS,
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
}

/// What `join` needs.
#[derive(Accounts)]
pub struct Join<'info> {
    /// Pays the rent of the participant's account and gets it back.
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
    // Fails on an account that exists already, which then is opened as it is.
    let fresh = accounts.participant.load_init().is_ok();
    let mut participant = if fresh {
        accounts.participant.load_init()?
    } else {
        accounts.participant.load_mut()?
    };
    if fresh {
        participant.version = ACCOUNT_VERSION;
        participant.bump = ctx.bumps.participant;
        participant.run = accounts.run.key();
        participant.wallet = wallet;
        participant.payee = wallet;
        participant.rent_payer = accounts.payer.key();
    }
    check_version(participant.version)?;
    begin_instance(&mut participant, accounts.run.load()?.instance);
    require!(participant.barred == 0, CoordinatorError::Barred);
    set_address(&mut participant, &args.node_key, &args.address)?;
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, &mut participant, args)
    })
}

/// What is written about another run at the same address, closed since, is forgotten.
pub fn begin_instance(participant: &mut Participant, instance: [u8; 32]) {
    if participant.instance == instance {
        return;
    }
    participant.instance = instance;
    participant.barred = 0;
    participant.slot = 0;
    participant.member_id = 0;
    participant.joins = 0;
    participant.points_earned = 0;
    participant.points_slashed = 0;
    participant.points_claimed = 0;
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
    check_version(pass.version)?;
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

/// The instruction on an open run.
///
/// # Errors
/// Those of [`join`].
pub fn run(
    world: &mut World,
    wallet: &Pubkey,
    participant: &mut Participant,
    args: &JoinArgs,
) -> Result<()> {
    let held = world
        .roster
        .get(usize::from(participant.slot))
        .filter(|held| {
            participant.member_id != 0
                && held.wallet == *wallet
                && held.member_id == participant.member_id
        });
    let holds = held.is_some_and(|held| MemberState::is_member(held.state));
    require!(!holds, CoordinatorError::AlreadyAMember);
    let ejected = held.is_some_and(|held| held.state == MemberState::Ejected as u8);
    require!(!ejected, CoordinatorError::Barred);
    let (epoch, now) = (world.run.epoch, world.now);
    // In Cooldown no record is that of the run's round: the four before it are kept.
    let resting = u32::from(world.phase()? == Phase::Cooldown);
    let newest = world.run.round.saturating_sub(resting);
    let entry = world.entry(args.slot)?;
    require!(is_free(entry, epoch, newest), CoordinatorError::SlotTaken);
    let member_id = world.run.next_member_id;
    world.run.next_member_id = member_id.checked_add(1).ok_or(CoordinatorError::Overflow)?;
    let entry = world.entry(args.slot)?;
    bytemuck::bytes_of_mut(entry).fill(0);
    entry.wallet = *wallet;
    entry.node_key = args.node_key;
    entry.member_id = member_id;
    entry.declared_weight = args.weight;
    entry.joined_at = now.time;
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
    });
    Ok(())
}

/// Whether nobody holds the slot, no record names it, and its points were collected; `newest` is
/// the round of the newest record.
fn is_free(entry: &RosterEntry, epoch: u32, newest: u32) -> bool {
    let kept = u32::try_from(RECORDS).unwrap_or(0);
    // Who was never Active has no weight, and no record names it.
    let named = entry.weight > 0
        && entry.named_epoch == epoch
        && newest < entry.named_round.saturating_add(kept);
    !MemberState::is_member(entry.state) && !named && entry.points == 0
}
