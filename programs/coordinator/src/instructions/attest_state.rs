//! `attest_state`.

use anchor_lang::prelude::*;

/// Arguments of `attest_state`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AttestStateArgs {
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// Slot of the voter.
    pub slot: u16,
    /// sha256(digest, wallet).
    pub vote: [u8; 32],
}
