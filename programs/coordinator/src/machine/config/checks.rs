//! What a configuration may say: the range of each field, and the sums that must fit.

use super::{
    RunConfig, ATTESTATION_BLOOM, ATTESTATION_EXACT, MAX_BOND_LAMPORTS, MAX_CAPACITY,
    MAX_DATA_SEQUENCES, MAX_PAYLOAD_BYTES, MAX_POSITIONS, MAX_ROUND_BYTES, MAX_SECONDS,
    MAX_TOTAL_STEPS, MAX_WITNESSES, MIN_CAPACITY, MIN_SECONDS, PAYLOAD_HEADER_BYTES,
    VERIFICATION_PERCENT_MAX,
};
use crate::machine::bloom::{Form, BLOOM_BYTES_MAX};

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
