//! `ready`.

use anchor_lang::prelude::*;

/// Arguments of `ready`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ReadyArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Round that it believes in.
    pub round: u32,
    /// Its slot.
    pub slot: u16,
    /// Epoch of the agreed digest or snapshot that it started from.
    pub digest_epoch: u32,
    /// Round of the same.
    pub digest_round: u32,
    /// The digest.
    pub digest: [u8; 32],
    /// Chain hash up to which it replayed.
    pub chain_hash: [u8; 32],
}
