//! The system call that reads a piece of a sysvar: the only place with `unsafe`.
//!
//! (`sol_remaining_compute_units` is not used: its feature was never switched on for mainnet-beta.)
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unwrap_used
    )
)]
#![allow(unsafe_code)]

use anchor_lang::prelude::*;

use crate::errors::CoordinatorError;

const SLOT_HASHES: Pubkey = pubkey!("SysvarS1otHashes111111111111111111111111111");
/// Bytes of the count before the entries.
const COUNT_BYTES: usize = 8;
/// Bytes of an entry: slot, hash.
const ENTRY_BYTES: usize = 40;
/// Entries that are read first, in one call: a hash that is due is nearly always among them.
const NEWEST: usize = 16;
/// Entries that the sysvar can have.
const ENTRIES_MAX: u64 = 512;

/// What answers for the sysvar where the program runs on a host: nothing, unless somebody sets it.
/// It is given an offset and the place for so many bytes, and says whether there are so many.
#[cfg(not(target_os = "solana"))]
pub static HOST_READ: std::sync::OnceLock<fn(u64, &mut [u8]) -> bool> = std::sync::OnceLock::new();

/// The hash of the newest chain slot <= `target`, if the sysvar still has it.
///
/// # Errors
/// `SlotHashesUnavailable` if the sysvar cannot be read.
pub fn slot_hash(target: u64) -> Result<Option<[u8; 32]>> {
    let mut newest = [0_u8; COUNT_BYTES + NEWEST * ENTRY_BYTES];
    let (count, entries) = if read(0, &mut newest) {
        newest.split_at(COUNT_BYTES)
    } else {
        // Fewer entries than asked for: a young chain.
        return search(target, 0, read_count()?);
    };
    let count = count.try_into().map_or(0, u64::from_le_bytes);
    for entry in entries.as_chunks::<ENTRY_BYTES>().0 {
        if let Some((slot, hash)) = parse(entry) {
            if slot <= target {
                return Ok(Some(hash));
            }
        }
    }
    search(target, NEWEST as u64, count)
}

/// Binary search among entries `first..count`, which lie newest first.
fn search(target: u64, first: u64, count: u64) -> Result<Option<[u8; 32]>> {
    let (mut low, mut high) = (first, count.min(ENTRIES_MAX));
    let mut found = None;
    while low < high {
        let middle = low.midpoint(high);
        let (slot, hash) = read_entry(middle)?;
        if slot <= target {
            found = Some(hash);
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    Ok(found)
}

fn read_count() -> Result<u64> {
    let mut count = [0_u8; COUNT_BYTES];
    require!(read(0, &mut count), CoordinatorError::SlotHashesUnavailable);
    Ok(u64::from_le_bytes(count))
}

fn read_entry(index: u64) -> Result<(u64, [u8; 32])> {
    let mut entry = [0_u8; ENTRY_BYTES];
    let offset = index
        .saturating_mul(ENTRY_BYTES as u64)
        .saturating_add(COUNT_BYTES as u64);
    require!(
        read(offset, &mut entry),
        CoordinatorError::SlotHashesUnavailable
    );
    parse(&entry).ok_or_else(|| error!(CoordinatorError::SlotHashesUnavailable))
}

fn parse(entry: &[u8]) -> Option<(u64, [u8; 32])> {
    let (slot, hash) = entry.split_at_checked(8)?;
    Some((
        u64::from_le_bytes(slot.try_into().ok()?),
        hash.try_into().ok()?,
    ))
}

/// Reads a piece of the SlotHashes sysvar; false if there is no such piece.
fn read(offset: u64, out: &mut [u8]) -> bool {
    #[cfg(target_os = "solana")]
    // SAFETY: the id is 32 bytes, and `out` is writable for the length that is passed.
    return unsafe {
        solana_define_syscall::definitions::sol_get_sysvar(
            SLOT_HASHES.as_ref().as_ptr(),
            out.as_mut_ptr(),
            offset,
            out.len() as u64,
        )
    } == 0;
    #[cfg(not(target_os = "solana"))]
    {
        let _ = SLOT_HASHES;
        HOST_READ.get().is_some_and(|read| read(offset, out))
    }
}
