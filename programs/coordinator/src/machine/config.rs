//! The configuration of a run: its fields, their ranges, and the sums that must fit.

use anchor_lang::prelude::{AnchorDeserialize, AnchorSerialize};
use bytemuck::{Pod, Zeroable};

use super::bloom::{Form, BLOOM_BYTES_MAX};

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

/// Why a configuration is refused; one a field, then the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The capacity is no multiple of 8 in 8..=1024.
    Capacity,
    /// `total_steps` is 0 or above 2^40.
    TotalSteps,
    /// `batch_ramp_steps` is above 2^40.
    BatchRampSteps,
    /// `data_sequences` is 0 or above 2^48.
    DataSequences,
    /// `bond_lamports` is above 2^48.
    BondLamports,
    /// `slash_points` is above 2^48.
    SlashPoints,
    /// `waiting_seconds` is outside 2 seconds to 30 days.
    WaitingSeconds,
    /// `warmup_seconds` is outside 2 seconds to 30 days.
    WarmupSeconds,
    /// `train_seconds` is outside 2 seconds to 30 days.
    TrainSeconds,
    /// `grace_seconds` is outside 2 seconds to 30 days.
    GraceSeconds,
    /// `witness_seconds` is outside 2 seconds to 30 days.
    WitnessSeconds,
    /// `cooldown_seconds` is outside 2 seconds to 30 days.
    CooldownSeconds,
    /// `ready_seconds` is outside 2 seconds to 30 days.
    ReadySeconds,
    /// `epoch_rounds` is 0 or above 1,000,000.
    EpochRounds,
    /// `snapshot_rounds` is 1 (no time for a vote) or above 1,000,000.
    SnapshotRounds,
    /// `batch_sequences_start` is 0.
    BatchSequencesStart,
    /// `batch_sequences_end` is 0 or below the start.
    BatchSequencesEnd,
    /// `sequence_tokens` is 0 or above 2^24.
    SequenceTokens,
    /// `payload_bytes_max` is below the header's size or above 2^30.
    PayloadBytesMax,
    /// `bloom_false_positive_ppm` is outside 1..=500,000.
    BloomFalsePositivePpm,
    /// `init_min_members` is below `min_members` or above the capacity.
    InitMinMembers,
    /// `min_members` is 0.
    MinMembers,
    /// `jaccard_min_permille` is above 1000.
    JaccardMinPermille,
    /// `hamming_max_permille` is above 1000.
    HammingMaxPermille,
    /// `manhattan_max_permille` is above 1000.
    ManhattanMaxPermille,
    /// `alignment_min_permille` is above 1000.
    AlignmentMinPermille,
    /// `overlap` is neither 0 nor 1.
    Overlap,
    /// `attestation_kind` is neither 0 (exact) nor 1 (Bloom).
    AttestationKind,
    /// `admit_anytime` is neither 0 nor 1.
    AdmitAnytime,
    /// `witness_count` is outside 1..=32.
    WitnessCount,
    /// `verification_percent` is above 50.
    VerificationPercent,
    /// `committee_size` is outside 3..=64.
    CommitteeSize,
    /// `misses_max` is 0.
    MissesMax,
    /// `share_percent_max` is outside 1..=100.
    SharePercentMax,
    /// A reserved byte is not zero.
    Reserved,
    /// `batch_sequences_end` x `sequence_tokens` does not fit 32 bits.
    RoundTokens,
    /// `payload_bytes_max` x capacity is above 2^38.
    RoundBytes,
    /// `total_steps` x `batch_sequences_end` is above 2^60.
    Positions,
    /// A Bloom filter of `capacity` commitments would have more than 800 bytes.
    BloomBytes,
}

impl RunConfig {
    /// Checks every field and the sums that must fit, for a run of `capacity` slots.
    ///
    /// # Errors
    /// The first field that is out of its range, in the order of [`ConfigError`].
    pub fn check(&self, capacity: u32) -> Result<(), ConfigError> {
        check_capacity(capacity)?;
        self.check_counts()?;
        self.check_durations()?;
        self.check_rounds()?;
        self.check_members(capacity)?;
        self.check_choices()?;
        self.check_sums(capacity)
    }

    fn check_counts(&self) -> Result<(), ConfigError> {
        need(
            (1..=MAX_TOTAL_STEPS).contains(&self.total_steps),
            ConfigError::TotalSteps,
        )?;
        need(
            self.batch_ramp_steps <= MAX_TOTAL_STEPS,
            ConfigError::BatchRampSteps,
        )?;
        need(
            (1..=MAX_DATA_SEQUENCES).contains(&self.data_sequences),
            ConfigError::DataSequences,
        )?;
        need(
            self.bond_lamports <= MAX_BOND_LAMPORTS,
            ConfigError::BondLamports,
        )?;
        need(self.slash_points <= 1 << 48, ConfigError::SlashPoints)
    }

    fn check_durations(&self) -> Result<(), ConfigError> {
        let durations = [
            (self.waiting_seconds, ConfigError::WaitingSeconds),
            (self.warmup_seconds, ConfigError::WarmupSeconds),
            (self.train_seconds, ConfigError::TrainSeconds),
            (self.grace_seconds, ConfigError::GraceSeconds),
            (self.witness_seconds, ConfigError::WitnessSeconds),
            (self.cooldown_seconds, ConfigError::CooldownSeconds),
            (self.ready_seconds, ConfigError::ReadySeconds),
        ];
        for (seconds, error) in durations {
            need((MIN_SECONDS..=MAX_SECONDS).contains(&seconds), error)?;
        }
        Ok(())
    }

    fn check_rounds(&self) -> Result<(), ConfigError> {
        need(
            (1..=1_000_000).contains(&self.epoch_rounds),
            ConfigError::EpochRounds,
        )?;
        need(
            self.snapshot_rounds != 1 && self.snapshot_rounds <= 1_000_000,
            ConfigError::SnapshotRounds,
        )?;
        need(
            self.batch_sequences_start >= 1,
            ConfigError::BatchSequencesStart,
        )?;
        need(
            self.batch_sequences_end >= self.batch_sequences_start,
            ConfigError::BatchSequencesEnd,
        )?;
        need(
            (1..=1 << 24).contains(&self.sequence_tokens),
            ConfigError::SequenceTokens,
        )?;
        need(
            (PAYLOAD_HEADER_BYTES..=MAX_PAYLOAD_BYTES).contains(&self.payload_bytes_max),
            ConfigError::PayloadBytesMax,
        )?;
        need(
            (1..=500_000).contains(&self.bloom_false_positive_ppm),
            ConfigError::BloomFalsePositivePpm,
        )
    }

    fn check_members(&self, capacity: u32) -> Result<(), ConfigError> {
        need(
            self.init_min_members >= self.min_members
                && u32::from(self.init_min_members) <= capacity,
            ConfigError::InitMinMembers,
        )?;
        need(self.min_members >= 1, ConfigError::MinMembers)?;
        let thresholds = [
            (self.jaccard_min_permille, ConfigError::JaccardMinPermille),
            (self.hamming_max_permille, ConfigError::HammingMaxPermille),
            (
                self.manhattan_max_permille,
                ConfigError::ManhattanMaxPermille,
            ),
            (
                self.alignment_min_permille,
                ConfigError::AlignmentMinPermille,
            ),
        ];
        for (permille, error) in thresholds {
            need(permille <= 1000, error)?;
        }
        Ok(())
    }

    fn check_choices(&self) -> Result<(), ConfigError> {
        need(self.overlap <= 1, ConfigError::Overlap)?;
        need(
            matches!(self.attestation_kind, ATTESTATION_EXACT | ATTESTATION_BLOOM),
            ConfigError::AttestationKind,
        )?;
        need(self.admit_anytime <= 1, ConfigError::AdmitAnytime)?;
        need(
            (1..=MAX_WITNESSES).contains(&u32::from(self.witness_count)),
            ConfigError::WitnessCount,
        )?;
        need(
            self.verification_percent <= VERIFICATION_PERCENT_MAX,
            ConfigError::VerificationPercent,
        )?;
        need(
            (3..=64).contains(&self.committee_size),
            ConfigError::CommitteeSize,
        )?;
        need(self.misses_max >= 1, ConfigError::MissesMax)?;
        need(
            (1..=100).contains(&self.share_percent_max),
            ConfigError::SharePercentMax,
        )?;
        need(self.reserved == [0; 32], ConfigError::Reserved)
    }

    fn check_sums(&self, capacity: u32) -> Result<(), ConfigError> {
        let round_tokens =
            u64::from(self.batch_sequences_end).checked_mul(u64::from(self.sequence_tokens));
        need(
            round_tokens.is_some_and(|tokens| tokens <= u64::from(u32::MAX)),
            ConfigError::RoundTokens,
        )?;
        let round_bytes = u64::from(self.payload_bytes_max).checked_mul(u64::from(capacity));
        need(
            round_bytes.is_some_and(|bytes| bytes <= MAX_ROUND_BYTES),
            ConfigError::RoundBytes,
        )?;
        let filter = Form::new(capacity, self.bloom_false_positive_ppm).bytes();
        need(
            self.attestation_kind != ATTESTATION_BLOOM || filter <= BLOOM_BYTES_MAX,
            ConfigError::BloomBytes,
        )?;
        let positions = self
            .total_steps
            .checked_mul(u64::from(self.batch_sequences_end));
        need(
            positions.is_some_and(|all| all <= MAX_POSITIONS),
            ConfigError::Positions,
        )
    }
}

fn check_capacity(capacity: u32) -> Result<(), ConfigError> {
    need(
        (MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) && capacity & 7 == 0,
        ConfigError::Capacity,
    )
}

const fn need(holds: bool, error: ConfigError) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(error)
    }
}
