//! What observers are told, with before and after.

use anchor_lang::prelude::*;

mod checkpoint;
mod members;
mod money;
mod owner;
mod verification;

pub use checkpoint::*;
pub use members::*;
pub use money::*;
pub use owner::*;
pub use verification::*;

/// A run was created.
#[event]
pub struct RunCreated {
    /// The run.
    pub run: Pubkey,
    /// Its creator.
    pub creator: Pubkey,
    /// Its instance.
    pub instance: [u8; 32],
    /// Slots of its roster.
    pub capacity: u16,
}

/// The configuration, the model or the metadata changed.
#[event]
pub struct RunChanged {
    /// The run.
    pub run: Pubkey,
    /// What changed: 0 the configuration, 1 the model, 2 the metadata.
    pub what: u8,
    /// Its sha256 before: of the 192 bytes; of the model's hash and then its URI; of the text.
    pub before: [u8; 32],
    /// Its sha256 after.
    pub after: [u8; 32],
}

/// A run was closed.
#[event]
pub struct RunClosed {
    /// The run.
    pub run: Pubkey,
    /// Its instance.
    pub instance: [u8; 32],
    /// Its step.
    pub step: u64,
}

/// The run went from one phase, or round, to another.
#[event]
pub struct PhaseChanged {
    /// The run.
    pub run: Pubkey,
    /// Phase before.
    pub phase_before: u8,
    /// Phase after.
    pub phase_after: u8,
    /// Epoch before.
    pub epoch_before: u32,
    /// Epoch after.
    pub epoch_after: u32,
    /// Round before.
    pub round_before: u32,
    /// Round after.
    pub round_after: u32,
    /// Rounds started over the run's life, after.
    pub step: u64,
    /// When the new phase may end by time; 0: never.
    pub phase_deadline: i64,
}

/// The owner asked for a pause.
#[event]
pub struct PauseRequested {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round.
    pub round: u32,
}

/// A round's accepted set is fixed.
#[event]
pub struct RoundSettled {
    /// The run.
    pub run: Pubkey,
    /// Epoch of the settled round.
    pub epoch: u32,
    /// The settled round.
    pub round: u32,
    /// Its step.
    pub step: u64,
    /// Bit field by slot: accepted.
    pub accepted: Vec<u8>,
    /// Bit field by slot: committed.
    pub committed: Vec<u8>,
    /// Chain hash before.
    pub chain_hash_before: [u8; 32],
    /// Chain hash after.
    pub chain_hash_after: [u8; 32],
    /// Witnesses elected.
    pub witnesses: u8,
    /// Witnesses that attested.
    pub attested: u8,
    /// Sequences of the round.
    pub sequences: u32,
    /// Sequences that were accepted.
    pub sequences_accepted: u32,
    /// Tokens that the accepted trainers report.
    pub tokens: u64,
    /// Mean of the losses that they report, in millionths of a nat.
    pub loss_micronats: u32,
    /// Longest time in training that they report.
    pub milliseconds_max: u32,
    /// 1: both witness draws failed.
    pub failed: u8,
}

/// Witnesses of a round were drawn.
#[event]
pub struct WitnessesDrawn {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round whose payloads they attest.
    pub round: u32,
    /// 1 or 2.
    pub draw: u8,
    /// Their slots, in drawn order.
    pub slots: Vec<u16>,
}

/// The entropy of a round is stored.
#[event]
pub struct EntropyStored {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round; `u32::MAX`: that of the epoch's start.
    pub round: u32,
    /// Chain slot whose hash it is.
    pub chain_slot: u64,
    /// The entropy.
    pub entropy: [u8; 32],
}

/// A noted slot's hash was lost; another slot was noted.
#[event]
pub struct EntropyMissed {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round; `u32::MAX`: that of the epoch's start.
    pub round: u32,
    /// Chain slot noted before.
    pub target_before: u64,
    /// Chain slot noted now.
    pub target_after: u64,
}

/// A vote on the parameters began.
#[event]
pub struct VoteOpened {
    /// The run.
    pub run: Pubkey,
    /// A `VoteKind`.
    pub kind: u8,
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// Members that may vote.
    pub eligible: u16,
}

/// A digest of the parameters was agreed.
#[event]
pub struct DigestAgreed {
    /// The run.
    pub run: Pubkey,
    /// A `VoteKind`.
    pub kind: u8,
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// Step that the parameters train next.
    pub step: u64,
    /// The agreed digest before.
    pub digest_before: [u8; 32],
    /// The digest.
    pub digest_after: [u8; 32],
    /// Votes for it.
    pub votes: u16,
}

/// A round is final: points were credited.
#[event]
pub struct PointsCredited {
    /// The run.
    pub run: Pubkey,
    /// Epoch of the round.
    pub epoch: u32,
    /// The round.
    pub round: u32,
    /// Bit field by slot: trainers that were credited their accepted sequences.
    pub trainers: Vec<u8>,
    /// Bit field by slot: trainers whose payloads were rejected.
    pub rejected: Vec<u8>,
    /// Mask of the witnesses that were credited an attestation.
    pub witnesses: u32,
    /// Verdicts that were credited, of auditors and of seats.
    pub verdicts: u16,
    /// All points together.
    pub points: u64,
}
