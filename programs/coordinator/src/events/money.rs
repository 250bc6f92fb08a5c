//! What changed about passes, bonds and points.

use anchor_lang::prelude::*;

/// A wallet may join until a time.
#[event]
pub struct PassIssued {
    /// The run.
    pub run: Pubkey,
    /// The wallet.
    pub wallet: Pubkey,
    /// The join authority.
    pub issuer: Pubkey,
    /// Until when it could, Unix seconds; 0: it could not.
    pub expiry_before: i64,
    /// Until when it can, Unix seconds.
    pub expiry_after: i64,
}

/// A pass was closed.
#[event]
pub struct PassRevoked {
    /// The run.
    pub run: Pubkey,
    /// The wallet that had it.
    pub wallet: Pubkey,
    /// Who closed it.
    pub revoker: Pubkey,
    /// Until when it was good, Unix seconds.
    pub expiry: i64,
}
