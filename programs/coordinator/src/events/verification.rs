//! What observers are told about audits, committees and missing payloads.

use anchor_lang::prelude::*;

/// It is drawn who audits which payload of a round.
#[event]
pub struct AuditsDrawn {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round whose payloads are audited.
    pub round: u32,
    /// Slots of the auditors, in drawn order.
    pub auditors: Vec<u16>,
    /// Slots of the trainers that they audit; 65,535: nothing is left for the auditor.
    pub targets: Vec<u16>,
}

/// An auditor gave its verdict, or a seat opened its.
#[event]
pub struct VerdictGiven {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of who gave it.
    pub slot: u16,
    /// Slot of the trainer.
    pub target: u16,
    /// 0: an auditor's; 1: a seat's.
    pub of_committee: u8,
    /// 1: it passes; 2: it fails.
    pub verdict: u8,
    /// Similarity of index sets, per mille.
    pub jaccard_permille: u16,
    /// Distance of signs, per mille.
    pub hamming_permille: u16,
    /// Distance of values, per mille.
    pub manhattan_permille: u16,
    /// Alignment with its own gradient, per mille.
    pub alignment_permille: i16,
    /// A digest of what it was measured on.
    pub detail: [u8; 32],
    /// A flag: chain slot whose hash draws the committee; else 0.
    pub committee_slot: u64,
}

/// The hash that was to draw a committee was lost; another chain slot was noted.
#[event]
pub struct CommitteeMissed {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the trainer.
    pub target: u16,
    /// Chain slot noted before.
    pub chain_slot_before: u64,
    /// Chain slot noted now.
    pub chain_slot_after: u64,
}

/// A committee was drawn.
#[event]
pub struct CommitteeDrawn {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the trainer.
    pub target: u16,
    /// Slot of the auditor that flagged it.
    pub auditor: u16,
    /// Chain slot whose hash decided.
    pub chain_slot: u64,
    /// The hash.
    pub entropy: [u8; 32],
    /// Slots of its members, in drawn order; empty: too few members, or no seat is left, and the
    /// case lapses.
    pub seats: Vec<u16>,
}

/// A case is decided, or nothing came of it.
#[event]
pub struct CaseClosed {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the trainer.
    pub target: u16,
    /// Slot of the auditor that flagged it.
    pub auditor: u16,
    /// A `CaseStage` before.
    pub stage_before: u8,
    /// A `CaseStage` after: lapsed, rejected, cleared or undecided.
    pub stage_after: u8,
    /// Seats of the committee.
    pub seats: u8,
    /// Of them, who opened a verdict that it passes.
    pub passes: u8,
    /// And that it fails.
    pub fails: u8,
}

/// A payload was rejected, and its trainer pays for it.
#[event]
pub struct PayloadRejected {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the trainer.
    pub slot: u16,
    /// Its member id.
    pub member_id: u32,
    /// Points that rejections cost it so far, not yet collected, before.
    pub points_slashed_before: u64,
    /// And after.
    pub points_slashed_after: u64,
    /// Rejected payloads, this one included.
    pub strikes: u8,
    /// Its state before.
    pub state_before: u8,
    /// Its state after: Ejected the second time.
    pub state_after: u8,
}

/// A member says that an accepted payload is nowhere to be had.
#[event]
pub struct MissingReported {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the trainer.
    pub target: u16,
    /// Slot of who says so.
    pub slot: u16,
    /// Active members that say so.
    pub voices: u16,
    /// Active members.
    pub active: u16,
}

/// Two thirds of the Active members miss a payload: it left the accepted set of its round.
#[event]
pub struct PayloadRemoved {
    /// The run.
    pub run: Pubkey,
    /// Epoch.
    pub epoch: u32,
    /// Round of the payload.
    pub round: u32,
    /// Slot of the trainer.
    pub target: u16,
    /// Its member id.
    pub member_id: u32,
    /// Sequences of its share, which wait to be trained again.
    pub sequences: u32,
    /// Accepted sequences of the round that are left.
    pub sequences_accepted: u32,
    /// The run's chain hash before.
    pub chain_hash_before: [u8; 32],
    /// The run's chain hash after.
    pub chain_hash_after: [u8; 32],
}
