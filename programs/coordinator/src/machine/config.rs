//! The configuration of a run: its fields; `checks` says what they may be.

use anchor_lang::prelude::{AnchorDeserialize, AnchorSerialize};
use bytemuck::{Pod, Zeroable};

mod checks;

pub use checks::ConfigError;

/// Shortest duration that a configuration may name, in seconds.
pub const MIN_SECONDS: u32 = 2;
/// Longest duration that a configuration may name: thirty days.
pub const MAX_SECONDS: u32 = 30 * 24 * 3600;
/// Most members that a run can have; also the step limit of every draw.
pub const MAX_CAPACITY: u32 = 1024;
/// Fewest slots that a run can have; capacities are multiples of it, so bit fields have no spare bit.
pub const MIN_CAPACITY: u32 = 8;
/// Most witnesses a draw can elect: one bit each in a 32-bit mask.
pub const MAX_WITNESSES: u32 = 32;
/// Smallest payload that can be: its header alone.
pub const PAYLOAD_HEADER_BYTES: u32 = 160;
/// Largest payload that a configuration may allow, in bytes.
pub const MAX_PAYLOAD_BYTES: u32 = 1 << 30;
/// Most bytes that all payloads of one round may have together.
pub const MAX_ROUND_BYTES: u64 = 1 << 38;
/// Most steps of a run's life.
pub const MAX_TOTAL_STEPS: u64 = 1 << 40;
/// Most positions that a run may draw in its life; leaves room for every sum of counters in a u64.
pub const MAX_POSITIONS: u64 = 1 << 60;
/// Most sequences that a data set may hold.
pub const MAX_DATA_SEQUENCES: u64 = 1 << 48;
/// Most members of a hundred that verify instead of training.
pub const VERIFICATION_PERCENT_MAX: u8 = 50;
/// Largest bond, in lamports: those of 1,024 members fit a u64 by far.
pub const MAX_BOND_LAMPORTS: u64 = 1 << 48;
/// Attestations name slots exactly, a bit a slot.
pub const ATTESTATION_EXACT: u8 = 0;
/// Attestations are Bloom filters of commitments.
pub const ATTESTATION_BLOOM: u8 = 1;

/// Everything about a run that its owner chooses and that changes only while it is paused.
///
/// Stored as it is in the account and sent as it is in instructions; there is no padding.
#[derive(Clone, Copy, Pod, Zeroable, AnchorSerialize, AnchorDeserialize, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RunConfig {
    /// Training rounds of the run's life; the run is finished when so many were started.
    pub total_steps: u64,
    /// Steps over which the batch grows from its start to its end; 0: it has its end size at once.
    pub batch_ramp_steps: u64,
    /// Sequences in the data set; one pass over it is a permutation of them.
    pub data_sequences: u64,
    /// Lamports deposited at joining; 0: none.
    pub bond_lamports: u64,
    /// Points taken for a rejected payload.
    pub slash_points: u64,
    /// Seed of the data's order.
    pub data_seed: [u8; 32],
    /// Seconds to wait for more members once there are enough to start.
    pub waiting_seconds: u32,
    /// Seconds that members have to load the model.
    pub warmup_seconds: u32,
    /// Seconds of training in a round, at most.
    pub train_seconds: u32,
    /// Seconds that the slow ones still get when most have committed.
    pub grace_seconds: u32,
    /// Seconds of witnessing in a round, at most.
    pub witness_seconds: u32,
    /// Seconds between an epoch's last round and the next start, at most.
    pub cooldown_seconds: u32,
    /// Seconds that a member may stay Joined or Behind before it is dropped.
    pub ready_seconds: u32,
    /// Training rounds in an epoch.
    pub epoch_rounds: u32,
    /// Rounds between two snapshots; 0: none.
    pub snapshot_rounds: u32,
    /// Sequences in a round at step 0.
    pub batch_sequences_start: u32,
    /// Sequences in a round after the ramp.
    pub batch_sequences_end: u32,
    /// Tokens in a sequence.
    pub sequence_tokens: u32,
    /// Largest payload that may be committed, in bytes.
    pub payload_bytes_max: u32,
    /// False positives of a Bloom attestation, in parts per million.
    pub bloom_false_positive_ppm: u32,
    /// Points for an accepted sequence.
    pub points_per_sequence: u32,
    /// Points for an attestation that agrees with the accepted set.
    pub points_per_attestation: u32,
    /// Points for a verdict with the majority.
    pub points_per_verdict: u32,
    /// Members needed to start an epoch.
    pub init_min_members: u16,
    /// Active members below which an epoch ends.
    pub min_members: u16,
    /// Least Jaccard similarity of index sets that passes, per mille.
    pub jaccard_min_permille: u16,
    /// Largest Hamming distance of signs that passes, per mille.
    pub hamming_max_permille: u16,
    /// Largest Manhattan distance of values that passes, per mille.
    pub manhattan_max_permille: u16,
    /// Least alignment with the verifier's gradient that passes, per mille.
    pub alignment_min_permille: u16,
    /// 0: payloads are exchanged after training; 1: while the next round trains.
    pub overlap: u8,
    /// How witnesses name what they hold: 0 is a bit a slot.
    pub attestation_kind: u8,
    /// 1: Ready members are admitted in mid-epoch; 0: only when an epoch starts.
    pub admit_anytime: u8,
    /// Witnesses elected for a round, if so many are eligible.
    pub witness_count: u8,
    /// Members that verify instead of training, per cent.
    pub verification_percent: u8,
    /// Members that judge a flagged payload.
    pub committee_size: u8,
    /// Misses in a row after which a trainer is dropped.
    pub misses_max: u8,
    /// Largest part of a round that one trainer gets, per cent of the sum of weights.
    pub share_percent_max: u8,
    /// For later versions; zero.
    pub reserved: [u8; 32],
}

/// The size of [`RunConfig`] in an account and in an instruction, in bytes.
pub const RUN_CONFIG_BYTES: usize = 192;
const _: () = assert!(core::mem::size_of::<RunConfig>() == RUN_CONFIG_BYTES);
