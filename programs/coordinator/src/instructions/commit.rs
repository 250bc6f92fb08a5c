//! `commit`.

use anchor_lang::prelude::*;

/// Arguments of `commit`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CommitArgs {
    /// Epoch that the sender believes in.
    pub epoch: u32,
    /// Round that it trained.
    pub round: u32,
    /// Its slot.
    pub slot: u16,
    /// sha256 of the whole payload.
    pub commitment: [u8; 32],
    /// Bytes of the payload.
    pub bytes: u32,
    /// Mean training loss, in millionths of a nat.
    pub loss_micronats: u32,
    /// Tokens trained.
    pub tokens: u32,
    /// Time spent in training.
    pub train_milliseconds: u32,
}
