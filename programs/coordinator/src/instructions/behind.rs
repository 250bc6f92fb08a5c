//! `behind`.

use anchor_lang::prelude::*;

/// A member's slot, and the round in which it believes the run to be.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct MemberArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Round that it believes in.
    pub round: u32,
    /// Its slot.
    pub slot: u16,
}
