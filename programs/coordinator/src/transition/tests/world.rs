//! A run in memory: the three accounts' bytes, and a chain that answers from its slot.

use anchor_lang::prelude::*;

use crate::{
    instructions::{attest, commit, join, ready, resume, JoinArgs},
    machine::{
        config::RunConfig,
        phase::{Moment, Phase},
    },
    state::{roster_bytes, rounds_bytes, Participant, Run, ACCOUNT_VERSION, ROUNDS_OPEN},
    world::{Chain, World},
};

/// Slots of every run here.
pub const CAPACITY: u16 = 8;
/// The digest that a run begins with.
pub const DIGEST: [u8; 32] = [7; 32];

/// The hash of a chain slot, always at hand.
pub fn hash_at_hand(target: u64) -> Result<Option<[u8; 32]>> {
    let mut hash = [9; 32];
    hash[..8].copy_from_slice(&target.to_le_bytes());
    Ok(Some(hash))
}

/// A chain that has forgotten every hash.
pub fn hash_lost(_target: u64) -> Result<Option<[u8; 32]>> {
    Ok(None)
}

/// A chain whose sysvar cannot be read.
pub fn hash_broken(_target: u64) -> Result<Option<[u8; 32]>> {
    err!(crate::errors::CoordinatorError::SlotHashesUnavailable)
}

/// The accounts of a run.
pub struct Memory {
    /// The run.
    pub run: Box<Run>,
    roster: Vec<u64>,
    rounds: Vec<u64>,
    /// The time.
    pub now: Moment,
    /// What the chain answers.
    pub slot_hash: fn(u64) -> Result<Option<[u8; 32]>>,
}

/// A configuration that every test can start from.
pub fn config() -> RunConfig {
    let mut config: RunConfig = bytemuck::Zeroable::zeroed();
    config.total_steps = 100;
    config.data_sequences = 1_000;
    config.waiting_seconds = 5;
    config.warmup_seconds = 10;
    config.train_seconds = 20;
    config.grace_seconds = 4;
    config.witness_seconds = 8;
    config.cooldown_seconds = 12;
    config.ready_seconds = 60;
    config.epoch_rounds = 10;
    config.batch_sequences_start = 30;
    config.batch_sequences_end = 30;
    config.sequence_tokens = 16;
    config.payload_bytes_max = 1_000;
    config.bloom_false_positive_ppm = 10_000;
    config.init_min_members = 3;
    config.min_members = 2;
    config.admit_anytime = 1;
    config.witness_count = 32;
    config.committee_size = 15;
    config.misses_max = 2;
    config.share_percent_max = 100;
    config
}

impl Memory {
    /// A paused run.
    pub fn new(config: RunConfig) -> Self {
        config
            .check(u32::from(CAPACITY))
            .expect("a fair configuration");
        let mut run: Box<Run> = bytemuck::allocation::zeroed_box();
        run.version = ACCOUNT_VERSION;
        run.capacity = CAPACITY;
        run.config = config;
        run.instance = [1; 32];
        run.chain_hash = [2; 32];
        run.rounds_in_epoch = ROUNDS_OPEN;
        run.next_member_id = 1;
        run.complete = 1;
        run.agreed.digest = DIGEST;
        run.agreed.valid = 1;
        let mut roster = vec![0; roster_bytes(CAPACITY) / 8];
        let mut rounds = vec![0; rounds_bytes(CAPACITY) / 8];
        for account in [&mut roster, &mut rounds] {
            account[1] = u64::from(ACCOUNT_VERSION);
        }
        Self {
            run,
            roster,
            rounds,
            now: Moment {
                time: 1_000,
                chain_slot: 10_000,
            },
            slot_hash: hash_at_hand,
        }
    }

    /// Opens it, does something, closes it.
    pub fn open<T>(&mut self, act: impl FnOnce(&mut World) -> T) -> T {
        let roster = bytemuck::cast_slice_mut(&mut self.roster);
        let rounds = bytemuck::cast_slice_mut(&mut self.rounds);
        let chain = Chain {
            slot_hash: self.slot_hash,
        };
        let mut world = World::open(
            Pubkey::default(),
            &mut self.run,
            roster,
            rounds,
            self.now,
            chain,
        )
        .expect("whole accounts");
        let done = act(&mut world);
        world.invariant().expect("what must hold");
        done
    }

    /// All bytes of the three accounts.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = bytemuck::bytes_of(&*self.run).to_vec();
        bytes.extend_from_slice(bytemuck::cast_slice(&self.roster));
        bytes.extend_from_slice(bytemuck::cast_slice(&self.rounds));
        bytes
    }

    /// Lets time go by, 2.5 slots a second.
    pub fn pass(&mut self, seconds: u32) {
        self.now.time += i64::from(seconds);
        self.now.chain_slot += u64::from(seconds) * 5 / 2;
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        Phase::from_byte(self.run.phase).expect("a phase")
    }

    /// The wallet of a member.
    pub fn wallet(slot: u16) -> Pubkey {
        Pubkey::new_from_array([u8::try_from(slot).expect("a small slot") + 100; 32])
    }

    /// A member joins.
    pub fn join(&mut self, slot: u16) -> Result<()> {
        let mut participant: Box<Participant> = bytemuck::allocation::zeroed_box();
        let args = JoinArgs {
            slot,
            weight: 100,
            node_key: [1; 32],
            address: String::new(),
            bond_lamports_max: u64::MAX,
        };
        self.open(|world| join::run(world, &Self::wallet(slot), &mut participant, &args).map(drop))
    }

    /// A member is ready; no transition follows.
    pub fn ready(&mut self, slot: u16) -> Result<()> {
        let args = ready::ReadyArgs {
            epoch: self.run.epoch,
            round: self.run.round,
            slot,
            digest_epoch: self.run.agreed.epoch,
            digest_round: self.run.agreed.round,
            digest: self.run.agreed.digest,
            chain_hash: self.run.chain_hash,
        };
        self.open(|world| ready::run(world, &Self::wallet(slot), &args, false))
    }

    /// A trainer commits; no transition follows.
    pub fn commit(&mut self, slot: u16) -> Result<()> {
        let args = commit::CommitArgs {
            epoch: self.run.epoch,
            round: self.run.round,
            slot,
            commitment: [u8::try_from(slot).expect("a small slot") + 1; 32],
            bytes: 500,
            loss_micronats: 1,
            tokens: 2,
            train_milliseconds: 3,
        };
        self.open(|world| commit::run(world, &Self::wallet(slot), &args, false))
    }

    /// A witness attests to all that was committed; no transition follows.
    pub fn attest(&mut self, slot: u16) -> Result<()> {
        let target = self.run.round - u32::from(self.run.config.overlap);
        let bits = self.open(|world| {
            world
                .rounds
                .record(target)
                .expect("a record")
                .committed
                .to_vec()
        });
        let args = attest::AttestArgs {
            epoch: self.run.epoch,
            round: target,
            slot,
            bits,
            custody_root: [5; 32],
        };
        self.open(|world| attest::run(world, &Self::wallet(slot), &args, false))
    }

    /// Whatever is due.
    pub fn tick(&mut self) -> Result<()> {
        self.open(super::super::tick)
    }

    /// Three members, in Warmup, with E(-1) stored.
    pub fn warmed(config: RunConfig) -> Self {
        let mut memory = Self::new(config);
        memory.open(|world| super::super::enter(world, Phase::WaitingForMembers));
        for slot in 0..3 {
            memory.join(slot).expect("a free slot");
        }
        memory.pass(5);
        memory.tick().expect("warmup is due");
        memory.pass(2);
        memory.tick().expect("entropy is due");
        memory
    }

    /// Three members, in Train of round 0.
    pub fn training(config: RunConfig) -> Self {
        let mut memory = Self::warmed(config);
        for slot in 0..3 {
            memory.ready(slot).expect("in time");
        }
        memory.tick().expect("the epoch is due");
        assert_eq!(memory.phase(), Phase::Train);
        memory
    }

    /// So many members from slot 0 on, in Train of round 0, by the owner's and their instructions.
    pub fn started(config: RunConfig, members: u16) -> Self {
        let mut memory = Self::new(config);
        memory.open(resume::run).expect("paused");
        (0..members).for_each(|slot| memory.join(slot).expect("free"));
        if members < CAPACITY {
            memory.pass(config.waiting_seconds);
        }
        memory.tick().expect("enough");
        (0..members).for_each(|slot| memory.ready(slot).expect("in time"));
        memory.pass(2);
        memory.tick().expect("starts");
        memory
    }

    /// The first members commit, and attest all of it: the round settles.
    pub fn round(&mut self, members: u16) {
        (0..members).for_each(|slot| self.commit(slot).expect("in time"));
        self.tick().expect("all committed");
        self.pass(2);
        self.tick().expect("entropy");
        (0..members).for_each(|slot| self.attest(slot).expect("in time"));
        self.tick().expect("all attested");
    }

    /// Three, in Witness, with the entropy stored and the witnesses drawn.
    pub fn witnessing(config: RunConfig) -> Self {
        let mut memory = Self::training(config);
        for slot in 0..3 {
            memory.commit(slot).expect("in time");
        }
        memory.tick().expect("all committed");
        memory.pass(2);
        memory.tick().expect("entropy is due");
        memory
    }

    /// The same, in Cooldown.
    pub fn cooling(mut config: RunConfig) -> Self {
        config.epoch_rounds = 1;
        let mut memory = Self::witnessing(config);
        for slot in 0..3 {
            memory.attest(slot).expect("in time");
        }
        memory.tick().expect("all attested");
        assert_eq!(memory.phase(), Phase::Cooldown);
        memory
    }
}
