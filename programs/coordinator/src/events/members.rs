//! Who takes part, and how.

use anchor_lang::prelude::*;

/// A wallet joined.
#[event]
pub struct Joined {
    /// The run.
    pub run: Pubkey,
    /// Its slot.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// The wallet.
    pub wallet: Pubkey,
    /// The bond that was paid.
    pub bond_lamports: u64,
}

/// A member's state changed by its own word.
#[event]
pub struct MemberChanged {
    /// The run.
    pub run: Pubkey,
    /// Its slot.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// State before.
    pub state_before: u8,
    /// State after.
    pub state_after: u8,
}

/// Ready members became Active.
#[event]
pub struct Admitted {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// First round that they take part in.
    pub round: u32,
    /// Bit field by slot.
    pub slots: Vec<u8>,
}

/// Members were dropped.
#[event]
pub struct Dropped {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round.
    pub round: u32,
    /// Bit field by slot.
    pub slots: Vec<u8>,
}

/// Members' states changed with the run, not by their own word: another digest was agreed, the
/// epoch ended, or the run was aborted.
#[event]
pub struct MembersChanged {
    /// The run.
    pub run: Pubkey,
    /// Epoch in which it happened.
    pub epoch: u32,
    /// Round in which it happened.
    pub round: u32,
    /// Their state after.
    pub state_after: u8,
    /// Bit field by slot of those that were in another state before.
    pub slots: Vec<u8>,
}

/// A member is found elsewhere.
#[event]
pub struct EndpointChanged {
    /// The run.
    pub run: Pubkey,
    /// Its slot.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// Its node's public key before.
    pub node_key_before: [u8; 32],
    /// Its node's public key after.
    pub node_key_after: [u8; 32],
    /// Its node's address before.
    pub address_before: String,
    /// Its node's address after.
    pub address_after: String,
}

/// A member declares another speed.
#[event]
pub struct WeightChanged {
    /// The run.
    pub run: Pubkey,
    /// Its slot.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// What it declared before.
    pub declared_weight_before: u16,
    /// What it declares.
    pub declared_weight_after: u16,
    /// What shares went by.
    pub weight_before: u16,
    /// What shares go by.
    pub weight_after: u16,
}
