//! A run on the small runtime, with people who may do anything.

use std::collections::BTreeMap;

use anchor_lang::{prelude::Pubkey, system_program, AccountDeserialize, Discriminator};
use coordinator::{
    machine::{
        config::RunConfig,
        phase::{Moment, Phase},
    },
    state::{seeds, RosterEntry, RosterHeader, Run, DISCRIMINATOR_BYTES},
    world::{Chain, World},
};

use crate::{
    host::{Account, Ledger},
    rng::Rng,
};

/// The name of the run.
pub const RUN_ID: &[u8] = b"fuzz";
/// Who may join: more than the smallest run has slots.
pub const ACTORS: usize = 10;

/// The chain, the addresses of a run, and who acts.
#[derive(Clone)]
pub struct Scene {
    /// The chain.
    pub ledger: Ledger,
    /// Who creates the run and pays for it.
    pub owner: Pubkey,
    /// Who may join.
    pub actors: Vec<Pubkey>,
    /// The run.
    pub run: Pubkey,
    /// Its roster.
    pub roster: Pubkey,
    /// Its round records.
    pub rounds: Pubkey,
    /// Slots of the run.
    pub capacity: u16,
    /// What it is created with.
    pub config: RunConfig,
    /// Addresses that were derived before: deriving is slow.
    pub derived: BTreeMap<Vec<u8>, Pubkey>,
}

impl Scene {
    /// A chain without a run; configuration and size are drawn.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let wallet = |number: u8| Pubkey::new_from_array([number; 32]);
        let owner = wallet(1);
        let actors: Vec<Pubkey> = (0..ACTORS)
            .map(|index| wallet(u8::try_from(index).unwrap_or(0) + 100))
            .collect();
        let mut ledger = Ledger {
            slot: 10_000 + rng.word() % 1_000,
            time: 1_700_000_000,
            ..Ledger::default()
        };
        for key in actors.iter().chain([&owner]) {
            let account = Account {
                lamports: 1 << 50,
                owner: system_program::ID,
                data: Vec::new(),
            };
            ledger.accounts.insert(*key, account);
        }
        let mut scene = Self {
            ledger,
            owner,
            actors,
            run: owner,
            roster: owner,
            rounds: owner,
            capacity: *rng.pick(&[8, 8, 16, 72]),
            config: config(rng),
            derived: BTreeMap::new(),
        };
        scene.run = scene.derive(&[seeds::RUN, owner.as_ref(), RUN_ID]);
        let run = scene.run;
        scene.roster = scene.derive(&[seeds::ROSTER, run.as_ref()]);
        scene.rounds = scene.derive(&[seeds::ROUNDS, run.as_ref()]);
        scene
    }

    /// The program's address of these seeds.
    pub fn derive(&mut self, seeds: &[&[u8]]) -> Pubkey {
        let name = seeds.join(&0xff);
        *self
            .derived
            .entry(name)
            .or_insert_with(|| Pubkey::find_program_address(seeds, &coordinator::ID).0)
    }

    /// The run, if there is one and its bytes can be read.
    #[must_use]
    pub fn state(&self) -> Option<Run> {
        let account = self.ledger.accounts.get(&self.run)?;
        let known = account.data.starts_with(Run::DISCRIMINATOR);
        let size = DISCRIMINATOR_BYTES + std::mem::size_of::<Run>();
        if !known || account.data.len() != size {
            return None;
        }
        Run::try_deserialize(&mut account.data.as_slice()).ok()
    }

    /// The members' entries; none where there is no roster.
    #[must_use]
    pub fn entries(&self) -> Vec<RosterEntry> {
        let first = DISCRIMINATOR_BYTES + std::mem::size_of::<RosterHeader>();
        let data = self.ledger.accounts.get(&self.roster);
        let bytes = data.and_then(|account| account.data.get(first..));
        bytes.map_or_else(Vec::new, |bytes| {
            let whole = bytes.len() - bytes.len() % std::mem::size_of::<RosterEntry>();
            bytemuck::pod_collect_to_vec(&bytes[..whole])
        })
    }

    /// Opens copies of the accounts for reading.
    pub fn look<T>(&self, see: impl FnOnce(&mut World) -> T) -> Option<T> {
        let mut run = self.state()?;
        let data = |key: &Pubkey| self.ledger.accounts.get(key).map(|one| one.data.clone());
        let mut roster: Vec<u64> = words(&data(&self.roster)?)?;
        let mut rounds: Vec<u64> = words(&data(&self.rounds)?)?;
        let now = Moment {
            time: self.ledger.time,
            chain_slot: self.ledger.slot,
        };
        let chain = Chain {
            slot_hash: |_| Ok(None),
        };
        let (roster, rounds) = (
            bytemuck::cast_slice_mut(&mut roster),
            bytemuck::cast_slice_mut(&mut rounds),
        );
        let mut world = World::open(self.run, &mut run, roster, rounds, now, chain).ok()?;
        Some(see(&mut world))
    }

    /// The phase, where there is a run.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.state().and_then(|run| Phase::from_byte(run.phase))
    }
}

/// Bytes as words, so that they are aligned; none if they are not whole.
fn words(bytes: &[u8]) -> Option<Vec<u64>> {
    bytes
        .len()
        .is_multiple_of(8)
        .then(|| bytemuck::pod_collect_to_vec(bytes))
}

/// A configuration that is allowed and makes things happen soon.
#[must_use]
pub fn config(rng: &mut Rng) -> RunConfig {
    let mut config: RunConfig = bytemuck::Zeroable::zeroed();
    config.total_steps = 3 + rng.word() % 40;
    config.data_sequences = 1_000;
    config.waiting_seconds = 5;
    config.warmup_seconds = 10;
    config.train_seconds = 20;
    config.grace_seconds = 4;
    config.witness_seconds = 8;
    config.cooldown_seconds = 12;
    config.ready_seconds = *rng.pick(&[30, 600]);
    config.epoch_rounds = *rng.pick(&[1, 2, 5, 20]);
    config.snapshot_rounds = *rng.pick(&[0, 0, 2, 3]);
    config.batch_sequences_start = *rng.pick(&[1, 5, 30]);
    config.batch_sequences_end = 30;
    config.batch_ramp_steps = *rng.pick(&[0, 10]);
    config.sequence_tokens = 16;
    config.payload_bytes_max = 1_000;
    config.bloom_false_positive_ppm = 10_000;
    config.init_min_members = *rng.pick(&[1, 3]);
    config.min_members = 1;
    config.admit_anytime = *rng.pick(&[0, 1]);
    config.overlap = *rng.pick(&[0, 1]);
    config.witness_count = *rng.pick(&[1, 3, 32]);
    config.bond_lamports = *rng.pick(&[0, 1_000, 2_000_000]);
    config.points_per_sequence = *rng.pick(&[0, 3]);
    config.committee_size = *rng.pick(&[3, 15]);
    config.verification_percent = *rng.pick(&[0, 20, 50]);
    config.slash_points = *rng.pick(&[0, 1 << 48]);
    config.points_per_verdict = *rng.pick(&[0, 7, u32::MAX]);
    config.points_per_sequence = *rng.pick(&[0, 3]);
    config.misses_max = *rng.pick(&[1, 2, 200]);
    config.share_percent_max = *rng.pick(&[30, 100]);
    config
}
