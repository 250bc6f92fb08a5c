//! A small runtime: the program's own entry point, called on a host as the chain's loader does.
//!
//! Accounts are laid out in one buffer with room to grow, so that growing and closing them works
//! as on chain; the system program's transfers and allocations, the clock, the rent and the hashes
//! of slots are answered here.
#![allow(unsafe_code)] // The loader's interface is a pointer, and so are the sysvars'.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::Once,
};

use anchor_lang::{
    prelude::{AccountInfo, Clock, ProgramError, Pubkey, Rent},
    solana_program::{
        entrypoint::{deserialize, ProgramResult},
        instruction::Instruction,
    },
    system_program,
};
use solana_sysvar::program_stubs::{set_syscall_stubs, SyscallStubs};

use crate::rng::Rng;

/// Bytes by which an account can grow in one instruction.
const GROWTH: usize = 10_240;
/// Hashes of slots that the sysvar keeps.
const HASHES: usize = 512;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its lamports.
    pub lamports: u64,
    /// The program that may change it.
    pub owner: Pubkey,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// How an instruction names an account.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// Its address.
    pub key: Pubkey,
    /// Whether its key signed.
    pub signer: bool,
    /// Whether it may be changed.
    pub writable: bool,
}

/// What came of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, and the ledger has what it wrote.
    Done,
    /// It was refused, by this code of the program or of Anchor (`u32::MAX`: the runtime's).
    Refused(u32),
    /// It did what no instruction may: a panic, lamports from nothing, a write out of bounds.
    Broke(String),
}

/// The chain: its accounts by address, its time.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The accounts.
    pub accounts: BTreeMap<Pubkey, Account>,
    /// The slot.
    pub slot: u64,
    /// Unix seconds.
    pub time: i64,
    /// Whether the sysvar of hashes is empty, as on a chain that has just begun.
    pub hashes_lost: bool,
}

thread_local! {
    static NOW: RefCell<Now> = RefCell::new(Now::default());
}

#[derive(Default)]
struct Now {
    slot: u64,
    time: i64,
    /// The sysvar's bytes, and the slot for which they were made.
    hashes: Vec<u8>,
    hashes_of: u64,
    hashes_lost: bool,
}

impl Ledger {
    /// Runs one instruction; what it wrote stays only if it succeeded.
    pub fn run(&mut self, metas: &[Meta], data: &[u8]) -> Outcome {
        install();
        NOW.with_borrow_mut(|now| {
            (now.slot, now.time) = (self.slot, self.time);
            if now.hashes_lost != self.hashes_lost {
                now.hashes_lost = self.hashes_lost;
                now.hashes_of = u64::MAX;
            }
        });
        let mut input = Input::new(self, metas, data);
        let called = catch_unwind(AssertUnwindSafe(|| input.call()));
        let result = match called {
            Ok(result) => result,
            Err(_) => return Outcome::Broke("panic".into()),
        };
        match result {
            Ok(()) => match input.changes() {
                Ok(changes) => {
                    self.accounts.extend(changes);
                    self.accounts.retain(|_, account| account.lamports > 0);
                    Outcome::Done
                }
                Err(what) => Outcome::Broke(what),
            },
            Err(ProgramError::Custom(code)) => Outcome::Refused(code),
            Err(_) => Outcome::Refused(u32::MAX),
        }
    }
}

/// What the loader hands to the program.
struct Input {
    /// In words, so that it is aligned.
    buffer: Vec<u64>,
    /// For each account named for the first time: the meta, what it was, where it stands.
    placed: Vec<(Meta, Account, usize)>,
}

impl Input {
    fn new(ledger: &Ledger, metas: &[Meta], data: &[u8]) -> Self {
        let mut bytes = (metas.len() as u64).to_le_bytes().to_vec();
        let mut placed: Vec<(Meta, Account, usize)> = Vec::new();
        let mut index_of: Vec<(Pubkey, u8)> = Vec::new();
        for (index, meta) in (0_u8..).zip(metas) {
            if let Some((_, first)) = index_of.iter().find(|(key, _)| *key == meta.key) {
                bytes.extend([*first, 0, 0, 0, 0, 0, 0, 0]);
                continue;
            }
            index_of.push((meta.key, index));
            let mut all = *meta;
            for other in metas.iter().filter(|other| other.key == meta.key) {
                all.signer |= other.signer;
                all.writable |= other.writable;
            }
            let account = ledger.accounts.get(&meta.key).cloned().unwrap_or(Account {
                lamports: 0,
                owner: system_program::ID,
                data: Vec::new(),
            });
            placed.push((all, account.clone(), bytes.len()));
            let program = [system_program::ID, coordinator::ID].contains(&all.key);
            let flags = [all.signer, all.writable, program].map(u8::from);
            bytes.push(u8::MAX);
            bytes.extend(flags);
            bytes.extend([0; 4]);
            bytes.extend(all.key.to_bytes());
            bytes.extend(account.owner.to_bytes());
            bytes.extend(account.lamports.to_le_bytes());
            bytes.extend((account.data.len() as u64).to_le_bytes());
            bytes.extend(&account.data);
            let end = bytes.len() + GROWTH;
            bytes.resize(end.next_multiple_of(8) + 8, 0);
        }
        bytes.extend((data.len() as u64).to_le_bytes());
        bytes.extend(data);
        bytes.extend(coordinator::ID.to_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let buffer = bytemuck::pod_collect_to_vec(&bytes);
        Self { buffer, placed }
    }

    fn call(&mut self) -> ProgramResult {
        // SAFETY: the buffer is laid out as the loader does it, aligned, and outlives the call.
        let (program, accounts, data) = unsafe { deserialize(self.buffer.as_mut_ptr().cast()) };
        coordinator::entry(program, &accounts, data)
    }

    /// The accounts as the program left them, or what it had no right to do.
    fn changes(&self) -> Result<Vec<(Pubkey, Account)>, String> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.buffer);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a word"));
        let mut changes = Vec::new();
        let (mut before, mut after) = (0_u128, 0_u128);
        for (meta, old, at) in &self.placed {
            let length = usize::try_from(word(at + 80)).map_err(|_| "length")?;
            if length > old.data.len() + GROWTH {
                return Err("an account grew too far".into());
            }
            let owner: [u8; 32] = bytes[at + 40..at + 72].try_into().expect("a key");
            let new = Account {
                lamports: word(at + 72),
                owner: Pubkey::from(owner),
                data: bytes[at + 88..at + 88 + length].to_vec(),
            };
            before += u128::from(old.lamports);
            after += u128::from(new.lamports);
            check(meta, old, &new)?;
            if new != *old {
                changes.push((meta.key, new));
            }
        }
        if before != after {
            return Err(format!("lamports: {before} became {after}"));
        }
        Ok(changes)
    }
}

/// What the chain does not let a program do.
fn check(meta: &Meta, old: &Account, new: &Account) -> Result<(), String> {
    if !meta.writable && new != old {
        return Err(format!("a read-only account was written: {}", meta.key));
    }
    let ours = old.owner == coordinator::ID || new.owner == coordinator::ID;
    if !ours && (new.data != old.data || new.owner != old.owner) {
        return Err(format!("another's account was written: {}", meta.key));
    }
    let rent = Rent::default().minimum_balance(new.data.len());
    let lives = new.owner == coordinator::ID && new.lamports > 0;
    if lives && new != old && old.lamports >= rent && new.lamports < rent {
        return Err(format!("an account is left below its rent: {}", meta.key));
    }
    Ok(())
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_syscall_stubs(Box::new(Host));
        // Only the first harness of a process sets it.
        let _ = coordinator::syscalls::HOST_READ.set(read_hashes);
        std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    });
}

/// A piece of the sysvar of slot hashes: newest first; some slots had no block.
fn read_hashes(offset: u64, out: &mut [u8]) -> bool {
    NOW.with_borrow_mut(|now| {
        if now.hashes_of != now.slot {
            now.hashes = hashes_at(now.slot, now.hashes_lost);
            now.hashes_of = now.slot;
        }
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        let piece = first
            .checked_add(out.len())
            .and_then(|end| now.hashes.get(first..end));
        piece.map(|piece| out.copy_from_slice(piece)).is_some()
    })
}

fn hashes_at(slot: u64, lost: bool) -> Vec<u8> {
    let made = |slot: &u64| Rng::new(*slot).below(7) != 0;
    let slots: Vec<u64> = (0..slot).rev().filter(made).take(HASHES).collect();
    let slots = if lost { Vec::new() } else { slots };
    let mut bytes = (slots.len() as u64).to_le_bytes().to_vec();
    for slot in slots {
        bytes.extend(slot.to_le_bytes());
        bytes.extend(Rng::new(slot ^ 0x5107).bytes(32));
    }
    bytes
}

struct Host;

impl SyscallStubs for Host {
    fn sol_log(&self, _message: &str) {}

    fn sol_get_clock_sysvar(&self, place: *mut u8) -> u64 {
        let clock = NOW.with_borrow(|now| Clock {
            slot: now.slot,
            unix_timestamp: now.time,
            ..Clock::default()
        });
        // SAFETY: the caller's pointer is to a `Clock`.
        unsafe { place.cast::<Clock>().write(clock) };
        0
    }

    fn sol_get_rent_sysvar(&self, place: *mut u8) -> u64 {
        // SAFETY: the caller's pointer is to a `Rent`.
        unsafe { place.cast::<Rent>().write(Rent::default()) };
        0
    }

    fn sol_invoke_signed(
        &self,
        instruction: &Instruction,
        infos: &[AccountInfo],
        seeds: &[&[&[u8]]],
    ) -> ProgramResult {
        crate::system::invoke(instruction, infos, seeds)
    }
}
