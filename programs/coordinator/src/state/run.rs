//! `Run`: the one account that clients subscribe to.

use anchor_lang::prelude::*;

use crate::machine::{backlog::Interval, config::RunConfig};

/// Longest run id, in bytes.
pub const RUN_ID_BYTES: usize = 32;
/// Longest URI of a model description, in bytes.
pub const MODEL_URI_BYTES: usize = 128;
/// Longest metadata of a run, in bytes.
pub const METADATA_BYTES: usize = 256;
/// `rounds` while the number of rounds of the epoch is not fixed yet.
pub const ROUNDS_OPEN: u32 = u32::MAX;

/// Parameters that members agreed on.
#[zero_copy]
#[derive(Debug)]
pub struct StateRecord {
    /// Step that these parameters train next.
    pub step: u64,
    /// Epoch in which they were agreed.
    pub epoch: u32,
    /// The round that trains on them: of a snapshot, or one past an epoch's last.
    pub round: u32,
    /// Their digest.
    pub digest: [u8; 32],
    /// The chain hash over all that is in them.
    pub chain_hash: [u8; 32],
    /// 1: holds something.
    pub valid: u8,
    /// For later versions; zero.
    pub reserved: [u8; 7],
}

/// The vote on the digest of the parameters.
#[zero_copy]
#[derive(Debug)]
pub struct StateVote {
    /// Step of the parameters that are voted on.
    pub step: u64,
    /// When it was opened, Unix seconds.
    pub opened_at: i64,
    /// Chain slot of that.
    pub opened_slot: u64,
    /// From when digests may be revealed, Unix seconds; of a snapshot's vote 0.
    pub reveal_at: i64,
    /// Chain hash of these parameters.
    pub chain_hash: [u8; 32],
    /// Epoch of the vote.
    pub epoch: u32,
    /// Round of the vote.
    pub round: u32,
    /// A snapshot's vote: the first round in which digests may be revealed.
    pub reveal_round: u32,
    /// A snapshot's vote: the first round in which it is closed.
    pub close_round: u32,
    /// Members that may vote.
    pub eligible: u16,
    /// Of them, who sent a hash.
    pub committed: u16,
    /// Of them, who revealed.
    pub revealed: u16,
    /// Of them, who is gone without having sent one.
    pub absent: u16,
    /// A [`VoteKind`].
    pub kind: u8,
    /// 1: a digest was agreed.
    pub agreed: u8,
    /// For later versions; zero.
    pub reserved: [u8; 22],
}

/// URIs that a checkpoint can have.
pub const CHECKPOINT_URIS: usize = 2;
/// Longest of them, in bytes.
pub const CHECKPOINT_URI_BYTES: usize = 96;
/// Members that confirm one of them, at most.
pub const CONFIRMATIONS_MAX: usize = 2;

/// Where the parameters of a checkpoint lie.
#[zero_copy]
#[derive(Debug)]
pub struct Checkpoint {
    /// Step of the parameters.
    pub step: u64,
    /// When it was published, Unix seconds.
    pub published_at: i64,
    /// Epoch.
    pub epoch: u32,
    /// Round that trains on the parameters.
    pub round: u32,
    /// Their digest.
    pub digest: [u8; 32],
    /// Member ids of the publishers, one a URI; 0: none, or the owner.
    pub publishers: [u32; 2],
    /// Member ids of those that confirmed: two places for the first URI, two for the second.
    pub confirmed_by: [u32; 4],
    /// Bytes of each URI.
    pub uri_len: [u8; 2],
    /// Number of confirmations of both.
    pub confirmations: u8,
    /// 1: holds something.
    pub valid: u8,
    /// For later versions; zero.
    pub reserved: [u8; 12],
    /// Where it lies, UTF-8.
    pub uri_first: [u8; 96],
    /// Where it lies too.
    pub uri_second: [u8; 96],
}

/// A run: its authorities, configuration, phase and counters. Seeds "run", creator, run id.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Run {
    /// Layout version.
    pub version: u8,
    /// Bump of this address.
    pub bump: u8,
    /// Bump of the roster's address.
    pub roster_bump: u8,
    /// Bump of the rounds' address.
    pub rounds_bump: u8,
    /// Slots of the roster.
    pub capacity: u16,
    /// Bytes of `run_id` in use.
    pub run_id_len: u8,
    /// 1: roster and rounds have their full size.
    pub complete: u8,
    /// Chain slot of the creation.
    pub creation_slot: u64,
    /// sha256(address, creation slot): in every account, pass and payload of the run.
    pub instance: [u8; 32],
    /// Who created the run; part of its address.
    pub creator: Pubkey,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Who may change the run.
    pub authority: Pubkey,
    /// Who was proposed as the next authority; zero: nobody.
    pub proposed_authority: Pubkey,
    /// Whose permission joining needs; zero: nobody's.
    pub join_authority: Pubkey,
    /// The roster.
    pub roster: Pubkey,
    /// The round records.
    pub rounds: Pubkey,
    /// The run's name, part of its address.
    pub run_id: [u8; 32],
    /// What the owner chose.
    pub config: RunConfig,
    /// sha256 of model.json.
    pub model_hash: [u8; 32],
    /// Where model.json lies, UTF-8.
    pub model_uri: [u8; 128],
    /// A text about the run, UTF-8.
    pub metadata: [u8; 256],
    /// Bytes of `metadata` in use.
    pub metadata_len: u16,
    /// Bytes of `model_uri` in use.
    pub model_uri_len: u8,
    /// 1: the rates below wait for the next epoch.
    pub rates_pending: u8,
    /// Points for an accepted sequence, from the next epoch on.
    pub next_points_per_sequence: u32,
    /// Points for an attestation, from the next epoch on.
    pub next_points_per_attestation: u32,
    /// Points for a verdict, from the next epoch on.
    pub next_points_per_verdict: u32,
    /// When the phase began, Unix seconds.
    pub phase_started_at: i64,
    /// Chain slot of that.
    pub phase_started_slot: u64,
    /// When the phase may end by time, Unix seconds; 0: never.
    pub phase_deadline: i64,
    /// Train: when grace began, Unix seconds; 0: it has not.
    pub grace_since: i64,
    /// Chain slot of that.
    pub grace_since_slot: u64,
    /// WaitingForMembers: when the count last rose to `init_min_members`; 0: it is below.
    pub waiting_since: i64,
    /// Chain slot of that.
    pub waiting_since_slot: u64,
    /// Rounds started over the run's life.
    pub step: u64,
    /// First position that no round has drawn.
    pub fresh_cursor: u64,
    /// Positions that are trained again for want of room in the backlog.
    pub repeated: u64,
    /// Positions whose payloads were accepted.
    pub accepted: u64,
    /// Positions of rounds that are not settled.
    pub in_flight: u64,
    /// Transitions so far: orders what observers saw.
    pub transitions: u64,
    /// Chain slot whose hash is E(-1).
    pub entropy_target_slot: u64,
    /// E(-1).
    pub entropy: [u8; 32],
    /// Hash over all that was applied.
    pub chain_hash: [u8; 32],
    /// The epoch.
    pub epoch: u32,
    /// The round of the epoch.
    pub round: u32,
    /// Training rounds of the epoch; `u32::MAX` while open.
    pub rounds_in_epoch: u32,
    /// The next member's id.
    pub next_member_id: u32,
    /// Members that are Joined.
    pub joined: u16,
    /// Members that are Ready.
    pub ready: u16,
    /// Members that are Active.
    pub active: u16,
    /// Members that are Behind.
    pub behind: u16,
    /// A phase.
    pub phase: u8,
    /// 1: the owner asked for a pause.
    pub pause_requested: u8,
    /// Warmups in a row that failed.
    pub warmup_failures: u8,
    /// 1: E(-1) is stored.
    pub entropy_stored: u8,
    /// Why the epoch ends: an `EndReason`.
    pub end_reason: u8,
    /// Zero.
    pub padding: [u8; 3],
    /// Train: seconds of grace from its beginning on.
    pub grace_seconds: u32,
    /// Intervals of the backlog in use.
    pub backlog_count: u32,
    /// Positions to be trained again: ascending, disjoint intervals; the last entry stays free.
    pub backlog: [Interval; 32],
    /// The last agreed digest.
    pub agreed: StateRecord,
    /// The last two agreed snapshots, the newer one second.
    pub snapshots: [StateRecord; 2],
    /// The vote on the parameters.
    pub vote: StateVote,
    /// The last two confirmed checkpoints, the newer one second.
    pub checkpoints: [Checkpoint; 2],
    /// Cooldown: what was published in it so far.
    pub pending_checkpoint: Checkpoint,
    /// Members with a lower id joined before the last Warmup began.
    pub warmup_member_id: u32,
    /// Zero.
    pub padding2: [u8; 4],
    /// Lamports of the bonds on the roster; they lie in this account, above its rent.
    pub bonds_lamports: u64,
    /// Lamports of forfeited bonds; they lie here until the run is closed.
    pub forfeited_lamports: u64,
    /// Cooldown: the chain slot whose hash draws who publishes; 0: there was no Cooldown yet.
    pub cooldown_entropy_slot: u64,
    /// That hash.
    pub cooldown_entropy: [u8; 32],
    /// Member ids of those drawn to publish a checkpoint, in drawn order.
    pub publisher_member_ids: [u32; 2],
    /// Their slots.
    pub publisher_slots: [u16; 2],
    /// How many were drawn.
    pub publishers: u8,
    /// 1: the hash is stored, and publishers are drawn.
    pub cooldown_entropy_stored: u8,
    /// Zero.
    pub padding3: [u8; 2],
    /// For later versions; zero.
    pub reserved: [u8; 176],
}

const _: () = assert!(core::mem::size_of::<StateRecord>() == 88);
const _: () = assert!(core::mem::size_of::<StateVote>() == 112);
const _: () = assert!(core::mem::size_of::<Checkpoint>() == 288);
/// Bytes of the account, discriminator included.
pub const RUN_BYTES: usize = core::mem::size_of::<Run>().saturating_add(super::DISCRIMINATOR_BYTES);

const _: () = assert!(core::mem::size_of::<Run>() + 8 <= 4096);

/// What a state vote is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VoteKind {
    /// There is none.
    None = 0,
    /// The parameters with which a round trains.
    Snapshot = 1,
    /// The parameters after an epoch, in Cooldown.
    Cooldown = 2,
    /// The same, in Warmup, because Cooldown brought no agreement.
    Warmup = 3,
}

/// Why an epoch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EndReason {
    /// It goes on.
    None = 0,
    /// `epoch_rounds` were started.
    EpochRounds = 1,
    /// `total_steps` were started.
    TotalSteps = 2,
    /// The owner asked for a pause.
    Pause = 3,
    /// Too few Active members.
    TooFewMembers = 4,
    /// Two witness draws failed.
    WitnessesFailed = 5,
}
