//! Why an instruction failed.

use anchor_lang::prelude::*;

use crate::machine::config::ConfigError;

/// The errors of the program. New ones go to the end: a code never changes its meaning.
#[error_code]
pub enum CoordinatorError {
    /// The signer may not do this to this run.
    #[msg("The signer may not do this to this run")] // 6000
    Unauthorized,
    /// An account is not the one that the run names.
    #[msg("An account is not the one that the run names")] // 6001
    WrongAccount,
    /// The account has a layout version that this program does not know.
    #[msg("The account has a layout version that this program does not know")] // 6002
    WrongVersion,
    /// The run's accounts have not their full size yet: send allocate.
    #[msg("The run's accounts have not their full size yet: send allocate")] // 6003
    RunIncomplete,
    /// The run's accounts have their full size already.
    #[msg("The run's accounts have their full size already")] // 6004
    AlreadyComplete,
    /// The run is in another phase than the instruction needs.
    #[msg("The run is in another phase than the instruction needs")] // 6005
    WrongPhase,
    /// The named epoch and round are not the ones expected now.
    #[msg("The named epoch and round are not the ones expected now")] // 6006
    WrongRound,
    /// Nothing is due yet.
    #[msg("Nothing is due yet")] // 6007
    TooEarly,
    /// The named slot does not exist.
    #[msg("The named slot does not exist")] // 6008
    UnknownSlot,
    /// The named slot is held by another wallet.
    #[msg("The named slot is held by another wallet")] // 6009
    NotYourSlot,
    /// The wallet holds no slot in the run.
    #[msg("The wallet holds no slot in the run")] // 6010
    NotAMember,
    /// The wallet holds a slot in the run already.
    #[msg("The wallet holds a slot in the run already")] // 6011
    AlreadyAMember,
    /// The named slot is held, or a round record still names it.
    #[msg("The named slot is held, or a round record still names it")] // 6012
    SlotTaken,
    /// The member is in another state than the instruction needs.
    #[msg("The member is in another state than the instruction needs")] // 6013
    WrongMemberState,
    /// The wallet may not join this run again.
    #[msg("The wallet may not join this run again")] // 6014
    Barred,
    /// Joining this run needs a pass of its join authority, and the wallet has none: ask for one.
    #[msg(
        "Joining this run needs a pass of its join authority, and the wallet has none: ask for one"
    )]
    // 6015
    JoinAuthorityRequired,
    /// The weight is outside 1 to 1,000.
    #[msg("The weight is outside 1 to 1,000")] // 6016
    WeightOutOfRange,
    /// The node key is zero.
    #[msg("The node key is zero")] // 6017
    NodeKeyZero,
    /// The node address is longer than 96 bytes.
    #[msg("The node address is longer than 96 bytes")] // 6018
    AddressTooLong,
    /// The run id is not 1 to 32 bytes of a-z, 0-9 and -.
    #[msg("The run id is not 1 to 32 bytes of a-z, 0-9 and -")] // 6019
    RunIdInvalid,
    /// The model's URI is longer than 128 bytes.
    #[msg("The model's URI is longer than 128 bytes")] // 6020
    ModelUriTooLong,
    /// The member does not train in this round, or its share is empty.
    #[msg("The member does not train in this round, or its share is empty")] // 6021
    NotATrainer,
    /// The trainer left this round before it committed.
    #[msg("The trainer left this round before it committed")] // 6022
    TrainerGone,
    /// A different commitment stands for this round already.
    #[msg("A different commitment stands for this round already")] // 6023
    CommitmentDiffers,
    /// The commitment is zero.
    #[msg("The commitment is zero")] // 6024
    CommitmentZero,
    /// The payload is empty or larger than the run allows.
    #[msg("The payload is empty or larger than the run allows")] // 6025
    PayloadTooLarge,
    /// The member is not a witness of this round.
    #[msg("The member is not a witness of this round")] // 6026
    NotAWitness,
    /// The entropy of the round is not stored yet.
    #[msg("The entropy of the round is not stored yet")] // 6027
    EntropyNotStored,
    /// The round has no witnesses: nothing was committed.
    #[msg("The round has no witnesses: nothing was committed")] // 6028
    NothingToAttest,
    /// The bit field has not capacity / 8 bytes.
    #[msg("The bit field has not capacity / 8 bytes")] // 6029
    BitFieldLength,
    /// The bit field names a slot that has not committed.
    #[msg("The bit field names a slot that has not committed")] // 6030
    BitNotCommitted,
    /// There is no open vote on the parameters.
    #[msg("There is no open vote on the parameters")] // 6031
    NoOpenVote,
    /// The member has no vote on these parameters.
    #[msg("The member has no vote on these parameters")] // 6032
    NoVote,
    /// Hashes are no longer taken: digests are being revealed.
    #[msg("Hashes are no longer taken: digests are being revealed")] // 6033
    VoteClosed,
    /// Digests cannot be revealed yet.
    #[msg("Digests cannot be revealed yet")] // 6034
    VoteNotOpen,
    /// A different vote stands already.
    #[msg("A different vote stands already")] // 6035
    VoteDiffers,
    /// The digest is not what the member's hash was made of.
    #[msg("The digest is not what the member's hash was made of")] // 6036
    VoteMismatch,
    /// The digest is neither the agreed one nor that of a kept snapshot.
    #[msg("The digest is neither the agreed one nor that of a kept snapshot")] // 6037
    UnknownDigest,
    /// The chain hash is neither the run's nor that of a kept round.
    #[msg("The chain hash is neither the run's nor that of a kept round")] // 6038
    UnknownChainHash,
    /// The data set cannot change while positions wait; reset the counters by name.
    #[msg("The data set cannot change while positions wait; reset the counters by name")]
    // 6039
    DataInUse,
    /// A pause was asked for already.
    #[msg("A pause was asked for already")] // 6040
    PauseAlreadyRequested,
    /// The run cannot close while it has members.
    #[msg("The run cannot close while it has members")] // 6041
    MembersRemain,
    /// The run cannot close while points are not collected.
    #[msg("The run cannot close while points are not collected")] // 6042
    PointsRemain,
    /// A sum does not fit its type.
    #[msg("A sum does not fit its type")] // 6043
    Overflow,
    /// An index is outside its list.
    #[msg("An index is outside its list")] // 6044
    IndexOutOfRange,
    /// An account's bytes do not fit its layout.
    #[msg("An account's bytes do not fit its layout")] // 6045
    LayoutMismatch,
    /// The clock is before the run's creation.
    #[msg("The clock is before the run's creation")] // 6046
    ClockBackwards,
    /// The slot hashes sysvar could not be read.
    #[msg("The slot hashes sysvar could not be read")] // 6047
    SlotHashesUnavailable,
    /// Invariant: the member counts differ from the roster.
    #[msg("Invariant: the member counts differ from the roster")] // 6048
    InvariantMembers,
    /// Invariant: fresh + repeated differs from accepted + in flight + backlog.
    #[msg("Invariant: fresh + repeated differs from accepted + in flight + backlog")] // 6049
    InvariantPositions,
    /// The capacity is no multiple of 8 in 8..=1024.
    #[msg("The capacity is no multiple of 8 in 8..=1024")] // 6050
    ConfigCapacity,
    /// total_steps is 0 or above 2^40.
    #[msg("total_steps is 0 or above 2^40")] // 6051
    ConfigTotalSteps,
    /// batch_ramp_steps is above 2^40.
    #[msg("batch_ramp_steps is above 2^40")] // 6052
    ConfigBatchRampSteps,
    /// data_sequences is 0 or above 2^48.
    #[msg("data_sequences is 0 or above 2^48")] // 6053
    ConfigDataSequences,
    /// bond_lamports is above 2^48.
    #[msg("bond_lamports is above 2^48")] // 6054
    ConfigBondLamports,
    /// slash_points is above 2^48.
    #[msg("slash_points is above 2^48")] // 6055
    ConfigSlashPoints,
    /// waiting_seconds is outside 2 seconds to 30 days.
    #[msg("waiting_seconds is outside 2 seconds to 30 days")] // 6056
    ConfigWaitingSeconds,
    /// warmup_seconds is outside 2 seconds to 30 days.
    #[msg("warmup_seconds is outside 2 seconds to 30 days")] // 6057
    ConfigWarmupSeconds,
    /// train_seconds is outside 2 seconds to 30 days.
    #[msg("train_seconds is outside 2 seconds to 30 days")] // 6058
    ConfigTrainSeconds,
    /// grace_seconds is outside 2 seconds to 30 days.
    #[msg("grace_seconds is outside 2 seconds to 30 days")] // 6059
    ConfigGraceSeconds,
    /// witness_seconds is outside 2 seconds to 30 days.
    #[msg("witness_seconds is outside 2 seconds to 30 days")] // 6060
    ConfigWitnessSeconds,
    /// cooldown_seconds is outside 2 seconds to 30 days.
    #[msg("cooldown_seconds is outside 2 seconds to 30 days")] // 6061
    ConfigCooldownSeconds,
    /// ready_seconds is outside 2 seconds to 30 days.
    #[msg("ready_seconds is outside 2 seconds to 30 days")] // 6062
    ConfigReadySeconds,
    /// epoch_rounds is 0 or above 1,000,000.
    #[msg("epoch_rounds is 0 or above 1,000,000")] // 6063
    ConfigEpochRounds,
    /// snapshot_rounds is 1 (no time for a vote) or above 1,000,000.
    #[msg("snapshot_rounds is 1 (no time for a vote) or above 1,000,000")] // 6064
    ConfigSnapshotRounds,
    /// batch_sequences_start is 0.
    #[msg("batch_sequences_start is 0")] // 6065
    ConfigBatchSequencesStart,
    /// batch_sequences_end is 0 or below the start.
    #[msg("batch_sequences_end is 0 or below the start")] // 6066
    ConfigBatchSequencesEnd,
    /// sequence_tokens is 0 or above 2^24.
    #[msg("sequence_tokens is 0 or above 2^24")] // 6067
    ConfigSequenceTokens,
    /// payload_bytes_max is below the header's size or above 2^30.
    #[msg("payload_bytes_max is below the header's size or above 2^30")] // 6068
    ConfigPayloadBytesMax,
    /// bloom_false_positive_ppm is outside 1..=500,000.
    #[msg("bloom_false_positive_ppm is outside 1..=500,000")] // 6069
    ConfigBloomFalsePositivePpm,
    /// init_min_members is below min_members or above the capacity.
    #[msg("init_min_members is below min_members or above the capacity")] // 6070
    ConfigInitMinMembers,
    /// min_members is 0.
    #[msg("min_members is 0")] // 6071
    ConfigMinMembers,
    /// jaccard_min_permille is above 1000.
    #[msg("jaccard_min_permille is above 1000")] // 6072
    ConfigJaccardMinPermille,
    /// hamming_max_permille is above 1000.
    #[msg("hamming_max_permille is above 1000")] // 6073
    ConfigHammingMaxPermille,
    /// manhattan_max_permille is above 1000.
    #[msg("manhattan_max_permille is above 1000")] // 6074
    ConfigManhattanMaxPermille,
    /// alignment_min_permille is above 1000.
    #[msg("alignment_min_permille is above 1000")] // 6075
    ConfigAlignmentMinPermille,
    /// overlap is neither 0 nor 1.
    #[msg("overlap is neither 0 nor 1")] // 6076
    ConfigOverlap,
    /// attestation_kind is neither 0 (exact) nor 1 (Bloom).
    #[msg("attestation_kind is neither 0 (exact) nor 1 (Bloom)")] // 6077
    ConfigAttestationKind,
    /// admit_anytime is neither 0 nor 1.
    #[msg("admit_anytime is neither 0 nor 1")] // 6078
    ConfigAdmitAnytime,
    /// witness_count is outside 1..=32.
    #[msg("witness_count is outside 1..=32")] // 6079
    ConfigWitnessCount,
    /// verification_percent is above 50.
    #[msg("verification_percent is above 50")] // 6080
    ConfigVerificationPercent,
    /// committee_size is outside 3..=64.
    #[msg("committee_size is outside 3..=64")] // 6081
    ConfigCommitteeSize,
    /// misses_max is 0.
    #[msg("misses_max is 0")] // 6082
    ConfigMissesMax,
    /// share_percent_max is outside 1..=100.
    #[msg("share_percent_max is outside 1..=100")] // 6083
    ConfigSharePercentMax,
    /// A reserved byte is not zero.
    #[msg("A reserved byte is not zero")] // 6084
    ConfigReserved,
    /// batch_sequences_end x sequence_tokens does not fit 32 bits.
    #[msg("batch_sequences_end x sequence_tokens does not fit 32 bits")] // 6085
    ConfigRoundTokens,
    /// payload_bytes_max x capacity is above 2^38.
    #[msg("payload_bytes_max x capacity is above 2^38")] // 6086
    ConfigRoundBytes,
    /// total_steps x batch_sequences_end is above 2^60.
    #[msg("total_steps x batch_sequences_end is above 2^60")] // 6087
    ConfigPositions,
    /// The metadata is longer than 256 bytes.
    #[msg("The metadata is longer than 256 bytes")] // 6088
    MetadataTooLong,
    /// The payee is zero; name an account that can hold lamports.
    #[msg("The payee is zero; name an account that can hold lamports")] // 6089
    PayeeZero,
    /// The proposed authority is the present one; name another, or zero to withdraw.
    #[msg("The proposed authority is the present one; name another, or zero to withdraw")]
    // 6090
    AuthorityUnchanged,
    /// The wallet's pass is over: ask the join authority to renew it.
    #[msg("The wallet's pass is over: ask the join authority to renew it")] // 6091
    PassExpired,
    /// The pass would be over at once: name a later expiry.
    #[msg("The pass would be over at once: name a later expiry")] // 6092
    PassExpiryPast,
    /// The account has the present layout version already.
    #[msg("The account has the present layout version already")] // 6093
    AlreadyMigrated,
    /// The audits of the round are not drawn yet: send tick once its entropy is stored.
    #[msg("The audits of the round are not drawn yet: send tick once its entropy is stored")]
    // 6094
    AuditsNotDrawn,
    /// The member neither audits that payload nor has a seat on its committee.
    #[msg("The member neither audits that payload nor has a seat on its committee")] // 6095
    NotAVerifier,
    /// It is too late for this word on the round's payloads.
    #[msg("It is too late for this word on the round's payloads")] // 6096
    VerdictClosed,
    /// Verdicts are opened later: when sealing is over, or every seat of the case has sealed.
    #[msg("Verdicts are opened later: when sealing is over, or every seat has sealed")] // 6097
    VerdictNotOpen,
    /// A different verdict stands already.
    #[msg("A different verdict stands already")] // 6098
    VerdictDiffers,
    /// The seat has sealed no verdict, so there is none to open.
    #[msg("The seat has sealed no verdict, so there is none to open")] // 6099
    VerdictNotSealed,
    /// The verdict is not what the seat's hash was made of.
    #[msg("The verdict is not what the seat's hash was made of")] // 6100
    VerdictMismatch,
    /// A score is outside 0 to 1,000 per mille (alignment: -1,000 to 1,000).
    #[msg("A score is outside 0 to 1,000 per mille (alignment: -1,000 to 1,000)")] // 6101
    ScoreOutOfRange,
    /// A verdict that passes has a score on the failing side of the run's threshold.
    #[msg("A verdict that passes has a score on the failing side of the run's threshold")]
    // 6102
    ScoresFail,
    /// The bond is above what the wallet accepts: look at bond_lamports, and accept it by name.
    #[msg(
        "The bond is above what the wallet accepts: look at bond_lamports, and accept it by name"
    )]
    // 6103
    BondAboveLimit,
    /// Nothing is to be collected from the slot now.
    #[msg("Nothing is to be collected from the slot now")] // 6104
    NothingToCollect,
    /// The run cannot close while bonds are on its roster: send collect for each slot.
    #[msg("The run cannot close while bonds are on its roster: send collect for each slot")]
    // 6105
    BondsRemain,
    /// The wallet has a slot, or something on one: leave, and send collect.
    #[msg("The wallet has a slot, or something on one: leave, and send collect")] // 6106
    SlotRemains,
    /// The payee cannot take the lamports: name another by set_payee.
    #[msg("The payee cannot take the lamports: name another by set_payee")] // 6107
    PayeeCannotTake,
    /// The participant's account is not that of the slot's holder.
    #[msg("The participant's account is not that of the slot's holder")] // 6108
    NotTheHolder,
    /// The run's account would hold less than its rent and the bonds on its roster.
    #[msg("The run's account would hold less than its rent and the bonds on its roster")]
    // 6109
    InvariantBonds,
    /// The digest of this epoch's parameters is not agreed yet.
    #[msg("The digest of this epoch's parameters is not agreed yet")] // 6110
    CheckpointNotAgreed,
    /// The member did not say the agreed digest in the vote.
    #[msg("The member did not say the agreed digest in the vote")] // 6111
    DigestNotSaid,
    /// The member was not drawn to publish; others may once half of Cooldown went by.
    #[msg("The member was not drawn to publish; others may once half of Cooldown went by")]
    // 6112
    NotAPublisher,
    /// The URI is not 1 to 96 printable ASCII characters without a space.
    #[msg("The URI is not 1 to 96 printable ASCII characters without a space")] // 6113
    UriInvalid,
    /// The member published another URI in this epoch already.
    #[msg("The member published another URI in this epoch already")] // 6114
    PublicationDiffers,
    /// Two URIs are published in this epoch already.
    #[msg("Two URIs are published in this epoch already")] // 6115
    PublicationsFull,
    /// No URI is published in this place.
    #[msg("No URI is published in this place")] // 6116
    NothingPublished,
    /// A member cannot confirm the URI that it published itself.
    #[msg("A member cannot confirm the URI that it published itself")] // 6117
    OwnPublication,
    /// The digest is zero.
    #[msg("The digest is zero")] // 6118
    DigestZero,
    /// bloom_false_positive_ppm is too small: a filter of capacity commitments has over 800 bytes.
    #[msg("bloom_false_positive_ppm is too small: a filter of capacity commitments has over 800 bytes")]
    // 6119
    ConfigBloomBytes,
    /// A Bloom filter has more ones than its commitments can set.
    #[msg("A Bloom filter has more ones than its commitments can set")] // 6120
    BloomTooFull,
    /// Payloads are missed from the round's settling until it is final, or agreed parameters hold it.
    #[msg(
        "Payloads are missed after a round settled, until it is final or agreed parameters hold it"
    )]
    // 6121
    ComplaintClosed,
    /// The payload is not in the round's accepted set.
    #[msg("The payload is not in the round's accepted set")] // 6122
    NotAccepted,
    /// The member opened a complaint about the round already: it can join those that stand.
    #[msg("The member opened a complaint about the round already: it can join those that stand")]
    // 6123
    ComplaintSpent,
    /// The run was created in this very slot: close it in a later one.
    #[msg("The run was created in this very slot: close it in a later one")] // 6124
    CreatedJustNow,
}

impl From<ConfigError> for CoordinatorError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Capacity => Self::ConfigCapacity,
            ConfigError::TotalSteps => Self::ConfigTotalSteps,
            ConfigError::BatchRampSteps => Self::ConfigBatchRampSteps,
            ConfigError::DataSequences => Self::ConfigDataSequences,
            ConfigError::BondLamports => Self::ConfigBondLamports,
            ConfigError::SlashPoints => Self::ConfigSlashPoints,
            ConfigError::WaitingSeconds => Self::ConfigWaitingSeconds,
            ConfigError::WarmupSeconds => Self::ConfigWarmupSeconds,
            ConfigError::TrainSeconds => Self::ConfigTrainSeconds,
            ConfigError::GraceSeconds => Self::ConfigGraceSeconds,
            ConfigError::WitnessSeconds => Self::ConfigWitnessSeconds,
            ConfigError::CooldownSeconds => Self::ConfigCooldownSeconds,
            ConfigError::ReadySeconds => Self::ConfigReadySeconds,
            ConfigError::EpochRounds => Self::ConfigEpochRounds,
            ConfigError::SnapshotRounds => Self::ConfigSnapshotRounds,
            ConfigError::BatchSequencesStart => Self::ConfigBatchSequencesStart,
            ConfigError::BatchSequencesEnd => Self::ConfigBatchSequencesEnd,
            ConfigError::SequenceTokens => Self::ConfigSequenceTokens,
            ConfigError::PayloadBytesMax => Self::ConfigPayloadBytesMax,
            ConfigError::BloomFalsePositivePpm => Self::ConfigBloomFalsePositivePpm,
            ConfigError::InitMinMembers => Self::ConfigInitMinMembers,
            ConfigError::MinMembers => Self::ConfigMinMembers,
            ConfigError::JaccardMinPermille => Self::ConfigJaccardMinPermille,
            ConfigError::HammingMaxPermille => Self::ConfigHammingMaxPermille,
            ConfigError::ManhattanMaxPermille => Self::ConfigManhattanMaxPermille,
            ConfigError::AlignmentMinPermille => Self::ConfigAlignmentMinPermille,
            ConfigError::Overlap => Self::ConfigOverlap,
            ConfigError::AttestationKind => Self::ConfigAttestationKind,
            ConfigError::AdmitAnytime => Self::ConfigAdmitAnytime,
            ConfigError::WitnessCount => Self::ConfigWitnessCount,
            ConfigError::VerificationPercent => Self::ConfigVerificationPercent,
            ConfigError::CommitteeSize => Self::ConfigCommitteeSize,
            ConfigError::MissesMax => Self::ConfigMissesMax,
            ConfigError::SharePercentMax => Self::ConfigSharePercentMax,
            ConfigError::Reserved => Self::ConfigReserved,
            ConfigError::RoundTokens => Self::ConfigRoundTokens,
            ConfigError::RoundBytes => Self::ConfigRoundBytes,
            ConfigError::Positions => Self::ConfigPositions,
            ConfigError::BloomBytes => Self::ConfigBloomBytes,
        }
    }
}
