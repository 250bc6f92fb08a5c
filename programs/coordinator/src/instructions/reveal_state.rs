//! `reveal_state`.

use anchor_lang::prelude::*;

/// Arguments of `reveal_state`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RevealStateArgs {
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// Slot of the voter.
    pub slot: u16,
    /// The digest of the parameters.
    pub digest: [u8; 32],
}
