//! What changed about who owns a run, who may join it, and what is paid.

use anchor_lang::prelude::*;

/// The owner named, or withdrew, who shall own the run.
#[event]
pub struct AuthorityProposed {
    /// The run.
    pub run: Pubkey,
    /// Who owns it.
    pub authority: Pubkey,
    /// Who was proposed before; zero: nobody.
    pub proposed_before: Pubkey,
    /// Who is proposed now; zero: nobody.
    pub proposed_after: Pubkey,
}

/// The run has another owner.
#[event]
pub struct AuthorityChanged {
    /// The run.
    pub run: Pubkey,
    /// Who owned it.
    pub authority_before: Pubkey,
    /// Who owns it.
    pub authority_after: Pubkey,
}

/// Another authority permits joining.
#[event]
pub struct JoinAuthorityChanged {
    /// The run.
    pub run: Pubkey,
    /// Whose permission joining needed; zero: nobody's.
    pub join_authority_before: Pubkey,
    /// Whose it needs; zero: nobody's.
    pub join_authority_after: Pubkey,
}

/// Other rates wait for the next epoch: for a sequence, an attestation, a verdict.
#[event]
pub struct RatesProposed {
    /// The run.
    pub run: Pubkey,
    /// The first epoch in which they are in force.
    pub epoch: u32,
    /// What that epoch would have had.
    pub before: [u32; 3],
    /// What it will have.
    pub after: [u32; 3],
}

/// Other rates are in force: for a sequence, an attestation, a verdict.
#[event]
pub struct RatesChanged {
    /// The run.
    pub run: Pubkey,
    /// The first epoch in which they are in force.
    pub epoch: u32,
    /// Rates of the epoch before.
    pub before: [u32; 3],
    /// Rates from now on.
    pub after: [u32; 3],
}

/// The owner let the run begin at position 0 again, with an empty backlog.
#[event]
pub struct PositionsReset {
    /// The run.
    pub run: Pubkey,
    /// First position that no round had drawn.
    pub fresh_cursor_before: u64,
    /// Positions that were trained again for want of room in the backlog.
    pub repeated_before: u64,
    /// Positions whose payloads were accepted.
    pub accepted_before: u64,
}

/// A participant's points and bond go elsewhere.
#[event]
pub struct PayeeChanged {
    /// The run.
    pub run: Pubkey,
    /// The participant's wallet.
    pub wallet: Pubkey,
    /// Where they went.
    pub payee_before: Pubkey,
    /// Where they go.
    pub payee_after: Pubkey,
}

/// A run's accounts have another layout version.
#[event]
pub struct RunMigrated {
    /// The run.
    pub run: Pubkey,
    /// Layout version that they had.
    pub before: u8,
    /// Layout version that they have.
    pub after: u8,
}

/// A participant has another layout version.
#[event]
pub struct ParticipantMigrated {
    /// The run.
    pub run: Pubkey,
    /// The participant's wallet.
    pub wallet: Pubkey,
    /// Instance of the run that its membership belongs to; zero: to none that is there.
    pub instance: [u8; 32],
    /// Layout version that it had.
    pub before: u8,
    /// Layout version that it has.
    pub after: u8,
}
