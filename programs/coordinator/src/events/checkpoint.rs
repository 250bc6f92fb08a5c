//! What becomes of the parameters at an epoch's end, and of those that the owner sets.

use anchor_lang::prelude::*;

/// Who publishes the checkpoint of an epoch was drawn.
#[event]
pub struct PublishersDrawn {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of its Cooldown.
    pub round: u32,
    /// Their slots, in drawn order.
    pub slots: Vec<u16>,
}

/// A member published where the agreed parameters of an epoch lie.
#[event]
pub struct CheckpointPublished {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Step that the parameters train next.
    pub step: u64,
    /// Their digest.
    pub digest: [u8; 32],
    /// 0 or 1: its place among the epoch's URIs.
    pub place: u8,
    /// Slot of the publisher.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// 1: it was drawn; 0: half of Cooldown went by.
    pub drawn: u8,
    /// The URI.
    pub uri: String,
}

/// A member confirmed that what was published can be fetched.
#[event]
pub struct CheckpointConfirmed {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// 0 or 1: the URI's place.
    pub place: u8,
    /// Slot of who confirmed.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// Confirmations of this URI before.
    pub confirmations_before: u8,
    /// Confirmations of this URI after.
    pub confirmations_after: u8,
}

/// A confirmed checkpoint is the newest that the run keeps.
#[event]
pub struct CheckpointKept {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Step of the newest checkpoint before; 0 if there was none.
    pub step_before: u64,
    /// Step of this one.
    pub step_after: u64,
    /// Digest of the newest checkpoint before; zero if there was none.
    pub digest_before: [u8; 32],
    /// Digest of this one.
    pub digest_after: [u8; 32],
    /// Confirmations that it has.
    pub confirmations: u8,
}

/// The owner set the parameters from which a paused run goes on.
#[event]
pub struct CheckpointSet {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Step that the parameters train next.
    pub step: u64,
    /// The agreed digest before.
    pub digest_before: [u8; 32],
    /// The agreed digest after.
    pub digest_after: [u8; 32],
    /// Chain hash before.
    pub chain_hash_before: [u8; 32],
    /// Chain hash after.
    pub chain_hash_after: [u8; 32],
    /// Bit field by slot: members that were Ready and are Joined now.
    pub joined: Vec<u8>,
    /// Where the parameters lie; may be empty.
    pub uri: String,
}
