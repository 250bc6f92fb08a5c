//! What observers are told, with before and after.

use anchor_lang::prelude::*;

mod money;
mod owner;
mod verification;

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
    /// Its sha256 before: of the 192 bytes, of model.json, of the text.
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

/// A wallet joined.
#[event]
pub struct Joined {
    /// The run.
    pub run: Pubkey,
    /// Its slot.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// The wallet.
    pub wallet: Pubkey,
    /// The bond that was paid.
    pub bond_lamports: u64,
}

/// A member's state changed by its own word.
#[event]
pub struct MemberChanged {
    /// The run.
    pub run: Pubkey,
    /// Its slot.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// State before.
    pub state_before: u8,
    /// State after.
    pub state_after: u8,
}

/// Ready members became Active.
#[event]
pub struct Admitted {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// First round that they take part in.
    pub round: u32,
    /// Bit field by slot.
    pub slots: Vec<u8>,
}

/// Members were dropped.
#[event]
pub struct Dropped {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round.
    pub round: u32,
    /// Bit field by slot.
    pub slots: Vec<u8>,
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

/// Who publishes the checkpoint of an epoch was drawn.
#[event]
pub struct PublishersDrawn {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of its Cooldown.
    pub round: u32,
    /// Their slots, in drawn order.
    pub slots: Vec<u16>,
}

/// A member published where the agreed parameters of an epoch lie.
#[event]
pub struct CheckpointPublished {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Step that the parameters train next.
    pub step: u64,
    /// Their digest.
    pub digest: [u8; 32],
    /// 0 or 1: its place among the epoch's URIs.
    pub place: u8,
    /// Slot of the publisher.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// 1: it was drawn; 0: half of Cooldown went by.
    pub drawn: u8,
    /// The URI.
    pub uri: String,
}

/// A member confirmed that what was published can be fetched.
#[event]
pub struct CheckpointConfirmed {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// 0 or 1: the URI's place.
    pub place: u8,
    /// Slot of who confirmed.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// Confirmations of this URI before.
    pub confirmations_before: u8,
    /// Confirmations of this URI after.
    pub confirmations_after: u8,
}

/// A confirmed checkpoint is the newest that the run keeps.
#[event]
pub struct CheckpointKept {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Step of the newest checkpoint before; 0 if there was none.
    pub step_before: u64,
    /// Step of this one.
    pub step_after: u64,
    /// Digest of the newest checkpoint before; zero if there was none.
    pub digest_before: [u8; 32],
    /// Digest of this one.
    pub digest_after: [u8; 32],
    /// Confirmations that it has.
    pub confirmations: u8,
}

/// The owner set the parameters from which a paused run goes on.
#[event]
pub struct CheckpointSet {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Step that the parameters train next.
    pub step: u64,
    /// The agreed digest before.
    pub digest_before: [u8; 32],
    /// The agreed digest after.
    pub digest_after: [u8; 32],
    /// Chain hash before.
    pub chain_hash_before: [u8; 32],
    /// Chain hash after.
    pub chain_hash_after: [u8; 32],
    /// Bit field by slot: members that were Ready and are Joined now.
    pub joined: Vec<u8>,
    /// Where the parameters lie; may be empty.
    pub uri: String,
}
