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

/// What a slot's holder had on it went to the holder's account.
#[event]
pub struct Collected {
    /// The run.
    pub run: Pubkey,
    /// The slot.
    pub slot: u16,
    /// The member's id.
    pub member_id: u32,
    /// The holder's wallet.
    pub wallet: Pubkey,
    /// Points that were collected.
    pub points: u64,
    /// Points that rejected payloads cost.
    pub points_slashed: u64,
    /// Rejected payloads.
    pub strikes: u8,
    /// Rounds in which a share was accepted, that were collected.
    pub rounds_served: u32,
    /// Epochs that were seen through, that were collected.
    pub epochs_served: u32,
    /// 1: the slot is free.
    pub freed: u8,
    /// Where its bond went: 0 nowhere, 1 to the payee, 2 to the participant's account because the
    /// payee cannot take it, 3 it is forfeited.
    pub bond_to: u8,
    /// The bond, in lamports; 0: there was none, or it stays on the slot.
    pub bond_lamports: u64,
    /// The payee.
    pub payee: Pubkey,
}

/// A bond that had waited in a participant's account went to the payee.
#[event]
pub struct BondPaid {
    /// The run.
    pub run: Pubkey,
    /// The participant's wallet.
    pub wallet: Pubkey,
    /// The payee.
    pub payee: Pubkey,
    /// The bond, in lamports.
    pub bond_lamports: u64,
}

/// A participant's account was closed.
#[event]
pub struct ParticipantClosed {
    /// The run.
    pub run: Pubkey,
    /// The wallet.
    pub wallet: Pubkey,
    /// Points that it had earned.
    pub points_earned: u64,
    /// Points that rejected payloads had cost.
    pub points_slashed: u64,
    /// Lamports of a bond that went to the payee now.
    pub bond_lamports: u64,
    /// The payee.
    pub payee: Pubkey,
}
