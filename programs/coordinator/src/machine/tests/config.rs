use bytemuck::Zeroable;

use crate::machine::config::{ConfigError, RunConfig};

/// A configuration that passes for eight slots.
fn good() -> RunConfig {
    RunConfig {
        total_steps: 100,
        batch_ramp_steps: 10,
        data_sequences: 1000,
        waiting_seconds: 2,
        warmup_seconds: 2,
        train_seconds: 2,
        grace_seconds: 2,
        witness_seconds: 2,
        cooldown_seconds: 2,
        ready_seconds: 2,
        epoch_rounds: 10,
        snapshot_rounds: 4,
        batch_sequences_start: 8,
        batch_sequences_end: 16,
        sequence_tokens: 128,
        payload_bytes_max: 1 << 20,
        bloom_false_positive_ppm: 10_000,
        init_min_members: 3,
        min_members: 2,
        witness_count: 8,
        committee_size: 15,
        misses_max: 3,
        share_percent_max: 50,
        ..RunConfig::zeroed()
    }
}

#[test]
fn a_sound_configuration_passes() {
    assert_eq!(good().check(8), Ok(()));
}

#[test]
fn capacities_are_multiples_of_eight_in_range() {
    for capacity in [0, 4, 12, 1032, u32::MAX] {
        assert_eq!(good().check(capacity), Err(ConfigError::Capacity));
    }
    assert_eq!(good().check(1024), Ok(()));
}

/// What is wrong, and the error that says so.
type Case = (fn(&mut RunConfig), ConfigError);

fn refuse(cases: &[Case]) {
    for (spoil, error) in cases {
        let mut config = good();
        spoil(&mut config);
        assert_eq!(config.check(8), Err(*error));
    }
}

#[test]
fn each_count_has_an_error_of_its_own() {
    refuse(&[
        (|c| c.total_steps = 0, ConfigError::TotalSteps),
        (|c| c.total_steps = 1 << 41, ConfigError::TotalSteps),
        (
            |c| c.batch_ramp_steps = 1 << 41,
            ConfigError::BatchRampSteps,
        ),
        (|c| c.data_sequences = 0, ConfigError::DataSequences),
        (|c| c.data_sequences = 1 << 49, ConfigError::DataSequences),
        (
            |c| c.bond_lamports = (1 << 48) + 1,
            ConfigError::BondLamports,
        ),
        (|c| c.slash_points = u64::MAX, ConfigError::SlashPoints),
        (|c| c.epoch_rounds = 0, ConfigError::EpochRounds),
        (|c| c.epoch_rounds = 1_000_001, ConfigError::EpochRounds),
        (|c| c.snapshot_rounds = 1, ConfigError::SnapshotRounds),
        (
            |c| c.snapshot_rounds = 1_000_001,
            ConfigError::SnapshotRounds,
        ),
        (
            |c| c.batch_sequences_start = 0,
            ConfigError::BatchSequencesStart,
        ),
        (
            |c| c.batch_sequences_end = 7,
            ConfigError::BatchSequencesEnd,
        ),
        (|c| c.sequence_tokens = 0, ConfigError::SequenceTokens),
        (|c| c.sequence_tokens = 1 << 25, ConfigError::SequenceTokens),
        (|c| c.payload_bytes_max = 159, ConfigError::PayloadBytesMax),
        (
            |c| c.payload_bytes_max = u32::MAX,
            ConfigError::PayloadBytesMax,
        ),
        (
            |c| c.bloom_false_positive_ppm = 0,
            ConfigError::BloomFalsePositivePpm,
        ),
        (
            |c| c.bloom_false_positive_ppm = 500_001,
            ConfigError::BloomFalsePositivePpm,
        ),
    ]);
}

#[test]
fn each_duration_has_an_error_of_its_own() {
    refuse(&[
        (|c| c.waiting_seconds = 1, ConfigError::WaitingSeconds),
        (|c| c.warmup_seconds = 1, ConfigError::WarmupSeconds),
        (|c| c.train_seconds = 1, ConfigError::TrainSeconds),
        (|c| c.grace_seconds = 1, ConfigError::GraceSeconds),
        (|c| c.witness_seconds = 1, ConfigError::WitnessSeconds),
        (
            |c| c.cooldown_seconds = u32::MAX,
            ConfigError::CooldownSeconds,
        ),
        (|c| c.ready_seconds = u32::MAX, ConfigError::ReadySeconds),
    ]);
}

#[test]
fn each_choice_has_an_error_of_its_own() {
    refuse(&[
        (|c| c.init_min_members = 1, ConfigError::InitMinMembers),
        (|c| c.init_min_members = 9, ConfigError::InitMinMembers),
        (|c| c.min_members = 0, ConfigError::MinMembers),
        (
            |c| c.jaccard_min_permille = 1001,
            ConfigError::JaccardMinPermille,
        ),
        (
            |c| c.hamming_max_permille = 1001,
            ConfigError::HammingMaxPermille,
        ),
        (
            |c| c.manhattan_max_permille = 1001,
            ConfigError::ManhattanMaxPermille,
        ),
        (
            |c| c.alignment_min_permille = 1001,
            ConfigError::AlignmentMinPermille,
        ),
        (|c| c.overlap = 2, ConfigError::Overlap),
        (|c| c.attestation_kind = 2, ConfigError::AttestationKind),
        (|c| c.admit_anytime = 2, ConfigError::AdmitAnytime),
        (|c| c.witness_count = 0, ConfigError::WitnessCount),
        (|c| c.witness_count = 33, ConfigError::WitnessCount),
        (
            |c| c.verification_percent = 51,
            ConfigError::VerificationPercent,
        ),
        (|c| c.committee_size = 2, ConfigError::CommitteeSize),
        (|c| c.committee_size = 65, ConfigError::CommitteeSize),
        (|c| c.misses_max = 0, ConfigError::MissesMax),
        (|c| c.share_percent_max = 0, ConfigError::SharePercentMax),
        (|c| c.share_percent_max = 101, ConfigError::SharePercentMax),
        (|c| c.reserved[31] = 1, ConfigError::Reserved),
    ]);
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    refuse(&[
        (
            |c| (c.batch_sequences_end, c.sequence_tokens) = (1 << 16, 1 << 16),
            ConfigError::RoundTokens,
        ),
        (
            |c| (c.total_steps, c.batch_sequences_end) = (1 << 40, 1 << 21),
            ConfigError::Positions,
        ),
    ]);
    let mut config = good();
    config.payload_bytes_max = 1 << 30;
    assert_eq!(config.check(256), Ok(()));
    assert_eq!(config.check(264), Err(ConfigError::RoundBytes));
}
