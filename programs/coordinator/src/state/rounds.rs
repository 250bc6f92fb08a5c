//! `Rounds`: a ring of four round records.
//!
//! The account is its fixed part (header and the four records' headers) followed by four blocks of
//! columns, one a record. A column has an entry a slot (or a drawn position); offsets follow from
//! the capacity alone and are functions of this module.

use anchor_lang::prelude::*;

use super::DISCRIMINATOR_BYTES;
use crate::machine::backlog::Interval;

/// Records in the ring; round N of an epoch is in record N % 4.
pub const RECORDS: usize = 4;
/// Segments that a record can have.
pub const SEGMENTS: usize = 8;
/// Witnesses that a record can have.
pub const WITNESSES: usize = 32;
/// Verifiers that a record has room for.
pub const VERIFIERS: usize = 64;
/// Bytes a verifier: an auditor's entry and a committee's seat.
pub const VERIFIER_BYTES: usize = 80;
/// Complaints about missing payloads that a record has room for.
pub const COMPLAINTS: usize = 3;
/// `position` of a slot that does not train.
pub const NO_POSITION: u16 = u16::MAX;

/// What stands before the records.
#[zero_copy]
#[derive(Debug)]
pub struct RoundsHeader {
    /// Layout version.
    pub version: u8,
    /// Zero.
    pub padding: u8,
    /// Entries in each column.
    pub capacity: u16,
    /// Zero.
    pub padding2: [u8; 4],
    /// The run.
    pub run: Pubkey,
    /// For later versions; zero.
    pub reserved: [u8; 24],
}

/// A round's record, all but its columns. Nothing about a round is read from the roster later.
#[zero_copy]
#[derive(Debug)]
pub struct RoundHeader {
    /// Epoch of the round.
    pub epoch: u32,
    /// Round of the epoch.
    pub round: u32,
    /// The round's start number over the run's life.
    pub step: u64,
    /// When Train began, Unix seconds.
    pub train_started_at: i64,
    /// Chain slot of that.
    pub train_started_slot: u64,
    /// When Train closed, Unix seconds; 0: it has not.
    pub train_closed_at: i64,
    /// Chain slot whose hash is E(round); 0: not noted yet.
    pub entropy_target_slot: u64,
    /// Sum of the trainers' weights.
    pub weight_total: u64,
    /// E(round).
    pub entropy: [u8; 32],
    /// The entropy that decided roles and shares.
    pub roles_entropy: [u8; 32],
    /// The chain hash before this round was settled.
    pub chain_hash_before: [u8; 32],
    /// The chain hash after.
    pub chain_hash_after: [u8; 32],
    /// The round's positions, in order.
    pub segments: [Interval; 8],
    /// Sequences of the round.
    pub sequences: u32,
    /// Sequences of those shares whose trainers committed.
    pub sequences_committed: u32,
    /// Sequences of those shares that are not waited for any more: their trainers are gone.
    pub sequences_gone: u32,
    /// Sequences that were accepted.
    pub sequences_accepted: u32,
    /// Mask of the witnesses that attested.
    pub attested: u32,
    /// Mask of the witnesses that are gone.
    pub witnesses_gone: u32,
    /// Trainers in drawn order, empty shares included.
    pub trainers: u16,
    /// Trainers whose share is not empty.
    pub expected: u16,
    /// Of them, who committed.
    pub committed: u16,
    /// Of them, who left before committing.
    pub gone: u16,
    /// Payloads accepted.
    pub accepted: u16,
    /// Verifiers.
    pub verifiers: u16,
    /// 1: the record holds a round.
    pub valid: u8,
    /// 1: a round without trainers at an epoch's end.
    pub is_drain: u8,
    /// 1: the round was settled.
    pub settled: u8,
    /// 1: E(round) is stored.
    pub entropy_stored: u8,
    /// Witness draws so far: 0, 1 or 2.
    pub draws: u8,
    /// Witnesses elected by the last draw.
    pub witnesses: u8,
    /// Segments in use.
    pub segment_count: u8,
    /// 1: both witness draws failed.
    pub failed: u8,
    /// Slots of the elected witnesses, in drawn order.
    pub witness_slots: [u16; 32],
    /// Their member ids.
    pub witness_member_ids: [u32; 32],
    /// Settled: the offset up to which what was not accepted is back in the backlog.
    pub returned_to: u32,
    /// Chain slot whose hash decides the second witness draw; 0: there is none, or not noted yet.
    pub redraw_target_slot: u64,
    /// What decided the second draw, once it is made.
    pub redraw_entropy: [u8; 32],
    /// Auditors of this round's payloads: the verifiers of the next round.
    pub auditors: u8,
    /// 1: their targets are drawn.
    pub targets_drawn: u8,
    /// Verdicts that auditors gave.
    pub verdicts: u8,
    /// Of them, flags: each opened a case.
    pub cases: u8,
    /// Cases whose committee is not drawn yet.
    pub cases_undrawn: u8,
    /// Committee seats in use.
    pub seats: u8,
    /// 1: points are credited, and nothing about the round changes any more.
    pub finalised: u8,
    /// 1: its cases are decided.
    pub judged: u8,
    /// By place among the witnesses: Merkle root over the payloads that it says it holds.
    pub custody_roots: [[u8; 32]; 32],
    /// Mask of the witnesses that attested a payload which was nowhere: they earn nothing.
    pub belied: u32,
    /// Accepted slots whose payloads are said to be missing, by place.
    pub complaint_slots: [u16; 3],
    /// Mask of the places in which a complaint stands.
    pub complaints: u8,
    /// For later versions; zero.
    pub reserved: [u8; 157],
}

/// The round records of a run: this fixed part, then the columns. Seeds "rounds", run.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Rounds {
    /// What stands before the records.
    pub header: RoundsHeader,
    /// The records' headers.
    pub records: [RoundHeader; 4],
}

const _: () = assert!(core::mem::size_of::<RoundsHeader>() == 64);
const _: () = assert!(core::mem::size_of::<RoundHeader>() == 1792);
const _: () = assert!(core::mem::size_of::<Rounds>() == 64 + 4 * 1792);

/// A column of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Column {
    /// By slot: sha256 of the payload; 32 bytes.
    Commitment = 0,
    /// By slot: bytes of the payload; u32.
    Bytes = 1,
    /// By slot: loss, in millionths of a nat; u32.
    LossMicronats = 2,
    /// By slot: tokens trained; u32.
    Tokens = 3,
    /// By slot: milliseconds spent training; u32.
    Milliseconds = 4,
    /// By slot: mask of the witnesses that hold the payload; u32.
    Mask = 5,
    /// By slot: member id of the trainer; u32.
    MemberId = 6,
    /// By drawn position: where the trainer's share ends; u32.
    ShareEnd = 7,
    /// By slot: the drawn position; u16, 65,535 where the slot does not train.
    Position = 8,
    /// By drawn position: the slot; u16.
    Order = 9,
    /// Bit field by slot: committed.
    Committed = 10,
    /// Bit field by slot: accepted.
    Accepted = 11,
    /// Bit field by slot: rejected by verifiers.
    Rejected = 12,
    /// Bit field by slot: left before it committed.
    Gone = 13,
    /// Four bit fields by slot: for each complaint who joined it, then who opened one.
    Missing = 14,
    /// 64 auditors of 24 bytes, then 64 committee seats of 56.
    Verifiers = 15,
}

impl Column {
    /// All columns, in the order in which they lie.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::Commitment, "commitment"),
        (Self::Bytes, "bytes"),
        (Self::LossMicronats, "loss_micronats"),
        (Self::Tokens, "tokens"),
        (Self::Milliseconds, "milliseconds"),
        (Self::Mask, "mask"),
        (Self::MemberId, "member_id"),
        (Self::ShareEnd, "share_end"),
        (Self::Position, "position"),
        (Self::Order, "order"),
        (Self::Committed, "committed"),
        (Self::Accepted, "accepted"),
        (Self::Rejected, "rejected"),
        (Self::Gone, "gone"),
        (Self::Missing, "missing"),
        (Self::Verifiers, "verifiers"),
    ];

    /// Eighths of a byte that a slot takes in the column; 0: the column has a fixed size.
    #[must_use]
    pub const fn bits_a_slot(self) -> usize {
        match self {
            Self::Commitment => 256,
            Self::Bytes
            | Self::LossMicronats
            | Self::Tokens
            | Self::Milliseconds
            | Self::Mask
            | Self::MemberId
            | Self::ShareEnd => 32,
            Self::Position | Self::Order => 16,
            Self::Committed | Self::Accepted | Self::Rejected | Self::Gone => 1,
            Self::Missing => 4,
            Self::Verifiers => 0,
        }
    }

    /// Bytes of the column for `capacity` slots.
    #[must_use]
    pub const fn bytes(self, capacity: u16) -> usize {
        match self {
            Self::Verifiers => VERIFIERS.saturating_mul(VERIFIER_BYTES),
            _ => (capacity as usize).saturating_mul(self.bits_a_slot()) / 8,
        }
    }

    /// Where the column begins within its record's block, in bytes.
    #[must_use]
    pub fn offset(self, capacity: u16) -> usize {
        Self::ALL
            .iter()
            .take(self as usize)
            .fold(0_usize, |sum, (column, _)| {
                sum.saturating_add(column.bytes(capacity))
            })
    }
}

/// Bytes of a record's block of columns: 65 a slot and the verifiers.
#[must_use]
pub const fn columns_bytes(capacity: u16) -> usize {
    (capacity as usize)
        .saturating_mul(65)
        .saturating_add(VERIFIERS.saturating_mul(VERIFIER_BYTES))
}

/// Where the block of columns of record `index` begins in the account, discriminator included.
#[must_use]
pub const fn columns_offset(capacity: u16, index: usize) -> usize {
    columns_bytes(capacity)
        .saturating_mul(index)
        .saturating_add(core::mem::size_of::<Rounds>())
        .saturating_add(DISCRIMINATOR_BYTES)
}

/// Bytes of a rounds account of `capacity` slots, discriminator included.
#[must_use]
pub const fn rounds_bytes(capacity: u16) -> usize {
    columns_offset(capacity, RECORDS)
}
