use bytemuck::Zeroable;

use crate::machine::{
    bloom::Form,
    config::{ConfigError, RunConfig},
};

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

/// Each field's values at its bounds, and those past them with the error that is the field's own.
macro_rules! bounds {
    ($($field:ident: [$($right:expr),+], [$($wrong:expr),+] => $error:ident;)+) => {$(
        for value in [$($right),+] {
            let config = RunConfig { $field: value, ..good() };
            assert_eq!(config.check(8), Ok(()), "{}: {value:?}", stringify!($field));
        }
        for value in [$($wrong),+] {
            let config = RunConfig { $field: value, ..good() };
            let expected = Err(ConfigError::$error);
            assert_eq!(config.check(8), expected, "{}: {value:?}", stringify!($field));
        }
    )+};
}

const ONE_OF_RESERVED: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[31] = 1;
    bytes
};

#[test]
fn each_count_is_taken_at_its_bounds_and_refused_past_them() {
    bounds! {
        total_steps: [1, 1 << 40], [0, (1 << 40) + 1, u64::MAX] => TotalSteps;
        batch_ramp_steps: [0, 1 << 40], [(1 << 40) + 1] => BatchRampSteps;
        data_sequences: [1, 1 << 48], [0, (1 << 48) + 1] => DataSequences;
        bond_lamports: [0, 1 << 48], [(1 << 48) + 1, u64::MAX] => BondLamports;
        slash_points: [0, 1 << 48], [(1 << 48) + 1, u64::MAX] => SlashPoints;
    }
}

#[test]
fn each_duration_is_taken_at_its_bounds_and_refused_past_them() {
    const MONTH: u32 = 30 * 24 * 3600;
    bounds! {
        waiting_seconds: [2, MONTH], [0, 1, MONTH + 1] => WaitingSeconds;
        warmup_seconds: [2, MONTH], [0, 1, MONTH + 1] => WarmupSeconds;
        train_seconds: [2, MONTH], [0, 1, MONTH + 1] => TrainSeconds;
        grace_seconds: [2, MONTH], [0, 1, MONTH + 1] => GraceSeconds;
        witness_seconds: [2, MONTH], [0, 1, MONTH + 1] => WitnessSeconds;
        cooldown_seconds: [2, MONTH], [0, 1, MONTH + 1] => CooldownSeconds;
        ready_seconds: [2, MONTH], [0, 1, u32::MAX] => ReadySeconds;
    }
}

#[test]
fn what_makes_up_a_round_is_taken_at_its_bounds_and_refused_past_them() {
    bounds! {
        epoch_rounds: [1, 1_000_000], [0, 1_000_001] => EpochRounds;
        snapshot_rounds: [0, 2, 1_000_000], [1, 1_000_001] => SnapshotRounds;
        batch_sequences_start: [1, 16], [0] => BatchSequencesStart;
        batch_sequences_end: [8, u32::MAX / 128], [0, 7] => BatchSequencesEnd;
        sequence_tokens: [1, 1 << 24], [0, (1 << 24) + 1] => SequenceTokens;
        payload_bytes_max: [160, 1 << 30], [0, 159, (1 << 30) + 1] => PayloadBytesMax;
        bloom_false_positive_ppm: [1, 500_000], [0, 500_001] => BloomFalsePositivePpm;
    }
    let config = RunConfig {
        batch_sequences_start: 17,
        ..good()
    };
    assert_eq!(config.check(8), Err(ConfigError::BatchSequencesEnd));
}

#[test]
fn what_members_do_is_taken_at_its_bounds_and_refused_past_them() {
    bounds! {
        init_min_members: [2, 8], [0, 1, 9] => InitMinMembers;
        min_members: [1, 3], [0] => MinMembers;
        min_members: [3], [4] => InitMinMembers;
        jaccard_min_permille: [0, 1_000], [1_001, u16::MAX] => JaccardMinPermille;
        hamming_max_permille: [0, 1_000], [1_001, u16::MAX] => HammingMaxPermille;
        manhattan_max_permille: [0, 1_000], [1_001, u16::MAX] => ManhattanMaxPermille;
        alignment_min_permille: [0, 1_000], [1_001, u16::MAX] => AlignmentMinPermille;
        overlap: [0, 1], [2, 255] => Overlap;
        attestation_kind: [0, 1], [2, 255] => AttestationKind;
        admit_anytime: [0, 1], [2, 255] => AdmitAnytime;
        witness_count: [1, 32], [0, 33] => WitnessCount;
        verification_percent: [0, 50], [51, 255] => VerificationPercent;
        committee_size: [3, 64], [2, 65] => CommitteeSize;
        misses_max: [1, 255], [0] => MissesMax;
        share_percent_max: [1, 100], [0, 101] => SharePercentMax;
        reserved: [[0; 32]], [ONE_OF_RESERVED, [1; 32]] => Reserved;
    }
}

/// Checks a configuration for so many slots.
fn says(capacity: u32, change: impl FnOnce(&mut RunConfig)) -> Result<(), ConfigError> {
    let mut config = good();
    change(&mut config);
    config.check(capacity)
}

#[test]
fn sums_are_taken_at_their_bounds_and_refused_past_them() {
    // 65,535 x 65,537 is 2^32 - 1.
    let tokens = |sequences| {
        says(8, |config| {
            (config.batch_sequences_end, config.sequence_tokens) = (sequences, 65_537);
        })
    };
    assert_eq!(tokens(65_535), Ok(()));
    assert_eq!(tokens(65_536), Err(ConfigError::RoundTokens));
    let bytes = |capacity| says(capacity, |config| config.payload_bytes_max = 1 << 30);
    assert_eq!(bytes(256), Ok(()));
    assert_eq!(bytes(264), Err(ConfigError::RoundBytes));
    let positions = |sequences| {
        says(8, |config| {
            config.total_steps = 1 << 40;
            (config.batch_sequences_end, config.sequence_tokens) = (sequences, 1);
        })
    };
    assert_eq!(positions(1 << 20), Ok(()));
    assert_eq!(positions((1 << 20) + 1), Err(ConfigError::Positions));
}

#[test]
fn a_filter_has_at_most_800_bytes_where_filters_are_sent() {
    let filter = |kind, ppm| {
        says(1_024, |config| {
            config.payload_bytes_max = 160;
            (config.attestation_kind, config.bloom_false_positive_ppm) = (kind, ppm);
        })
    };
    let least = (1..500_000).find(|ppm| filter(1, *ppm) == Ok(())).unwrap();

    assert!(Form::new(1_024, least).bytes() <= 800);
    assert!(Form::new(1_024, least - 1).bytes() > 800);
    assert_eq!(filter(1, least - 1), Err(ConfigError::BloomBytes));
    assert_eq!(filter(0, least - 1), Ok(()));
}
