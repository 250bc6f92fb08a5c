//! `attest`.

use anchor_lang::prelude::*;

/// Arguments of `attest`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AttestArgs {
    /// Epoch of the target.
    pub epoch: u32,
    /// Target: the round whose payloads are attested.
    pub round: u32,
    /// The witness's slot.
    pub slot: u16,
    /// Bit field by slot: payloads that it holds and checked.
    pub bits: Vec<u8>,
}
