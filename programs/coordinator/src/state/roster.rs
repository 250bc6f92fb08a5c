//! `Roster`: who takes part. A header and one entry a slot.

use anchor_lang::prelude::*;

use super::{check_whole, DISCRIMINATOR_BYTES};
use crate::errors::CoordinatorError;

/// What a roster says before its entries.
#[zero_copy]
#[derive(Debug)]
pub struct RosterHeader {
    /// Layout version.
    pub version: u8,
    /// Zero.
    pub padding: u8,
    /// Entries in the account.
    pub capacity: u16,
    /// Zero.
    pub padding2: [u8; 4],
    /// The run.
    pub run: Pubkey,
    /// For later versions; zero.
    pub reserved: [u8; 24],
}

/// The roster of a run: `header.capacity` entries, of which the first 8 are named here (every
/// capacity is a multiple of 8, and the others follow without a gap). Seeds "roster", run.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Roster {
    /// What stands before the entries.
    pub header: RosterHeader,
    /// The entries, by slot; the first eight of them.
    pub entries: [RosterEntry; 8],
}

/// A slot of the roster.
#[zero_copy]
#[derive(Debug)]
pub struct RosterEntry {
    /// The wallet that holds the slot.
    pub wallet: Pubkey,
    /// The node's public key.
    pub node_key: [u8; 32],
    /// The member's word in the open state vote: a commitment, then the digest.
    pub vote: [u8; 32],
    /// Final points, not yet collected.
    pub points: u64,
    /// Lamports deposited.
    pub bond_lamports: u64,
    /// When the member joined, Unix seconds.
    pub joined_at: i64,
    /// When the member's state last changed, Unix seconds.
    pub state_since: i64,
    /// The chain slot of that.
    pub state_since_slot: u64,
    /// When the member last sent an instruction, Unix seconds.
    pub last_seen: i64,
    /// The chain slot of that.
    pub last_seen_slot: u64,
    /// Counts up over a run's life and is never used twice; 0: nobody's, all was collected.
    pub member_id: u32,
    /// Epoch in which the member was last admitted.
    pub admitted_epoch: u32,
    /// First round of that.
    pub admitted_round: u32,
    /// Epoch in which a record last named the slot.
    pub named_epoch: u32,
    /// Round of that.
    pub named_round: u32,
    /// What the member says of its speed, 1 to 1,000.
    pub declared_weight: u16,
    /// What it has shown: what shares go by.
    pub weight: u16,
    /// A [`MemberState`].
    pub state: u8,
    /// Misses in a row as a trainer.
    pub misses: u8,
    /// Silences in this epoch as a witness.
    pub silences: u8,
    /// Rejected payloads, with those of the wallet's earlier memberships.
    pub strikes: u8,
    /// A [`VoteStage`].
    pub vote_stage: u8,
    /// Of them, those that the participant's account counts already.
    pub strikes_collected: u8,
    /// Zero.
    pub padding: [u8; 2],
    /// Points that rejected payloads cost, not yet collected.
    pub points_slashed: u64,
    /// Rounds in which a share of its own was accepted, not yet collected.
    pub rounds_served: u32,
    /// Epochs that it saw through as an Active member, not yet collected.
    pub epochs_served: u32,
    /// For later versions; zero.
    pub reserved: [u8; 32],
}

impl RosterEntry {
    /// Whether its holder, here or gone, has anything on it that was not collected.
    #[must_use]
    pub const fn owes(&self) -> bool {
        self.points > 0
            || self.points_slashed > 0
            || self.bond_lamports > 0
            || self.strikes > self.strikes_collected
            || self.state == MemberState::Ejected as u8
    }
}

const _: () = assert!(core::mem::size_of::<RosterHeader>() == 64);
const _: () = assert!(core::mem::size_of::<RosterEntry>() == 232);

/// Bytes of a roster account of `capacity` slots, discriminator included.
#[must_use]
pub const fn roster_bytes(capacity: u16) -> usize {
    (capacity as usize)
        .saturating_mul(core::mem::size_of::<RosterEntry>())
        .saturating_add(core::mem::size_of::<RosterHeader>())
        .saturating_add(DISCRIMINATOR_BYTES)
}

/// Bytes before a roster's entries, discriminator included.
const HEAD_BYTES: usize = roster_bytes(0);

/// The entries of a whole roster's bytes, discriminator included.
///
/// # Errors
/// `RunIncomplete`, `WrongVersion`, `LayoutMismatch`.
pub fn entries(roster: &[u8], capacity: u16) -> Result<&[RosterEntry]> {
    check_whole(roster, roster_bytes(capacity))?;
    let bytes = roster.get(HEAD_BYTES..).unwrap_or_default();
    bytemuck::try_cast_slice(bytes).map_err(|_| error!(CoordinatorError::LayoutMismatch))
}

/// The same, to be changed.
///
/// # Errors
/// Those of [`entries`].
pub fn entries_mut(roster: &mut [u8], capacity: u16) -> Result<&mut [RosterEntry]> {
    check_whole(roster, roster_bytes(capacity))?;
    let bytes = roster.get_mut(HEAD_BYTES..).unwrap_or_default();
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| error!(CoordinatorError::LayoutMismatch))
}

/// What a slot's holder does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MemberState {
    /// Nobody holds the slot, and nothing of a former holder is left on it.
    Empty = 0,
    /// Is there, has not the model yet.
    Joined = 1,
    /// Has the parameters and waits to be admitted.
    Ready = 2,
    /// Gets roles.
    Active = 3,
    /// Could not follow.
    Behind = 4,
    /// Left.
    Left = 5,
    /// Was dropped for silence or misses.
    Dropped = 6,
    /// Was thrown out for cheating.
    Ejected = 7,
}

impl MemberState {
    /// Whether a state byte says that the slot is held.
    #[must_use]
    pub const fn is_member(state: u8) -> bool {
        matches!(state, 1..=4)
    }
}

/// Where a slot stands in the open state vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VoteStage {
    /// Has no vote.
    None = 0,
    /// May vote, has not.
    May = 1,
    /// Sent the hash.
    Committed = 2,
    /// Opened it.
    Revealed = 3,
}
