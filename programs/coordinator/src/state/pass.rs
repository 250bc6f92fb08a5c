//! `Pass`: the join authority's word that a wallet may join.

use anchor_lang::prelude::*;

/// A wallet's permission to join a run. Seeds "pass", run, wallet.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Pass {
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Zero.
    pub padding: [u8; 6],
    /// Unix seconds from which on it is over.
    pub expiry: i64,
    /// The run.
    pub run: Pubkey,
    /// Who may join.
    pub wallet: Pubkey,
    /// The join authority that issued, or last renewed it.
    pub issuer: Pubkey,
    /// Who gets the rent back.
    pub rent_payer: Pubkey,
    /// Instance of the run that it is for.
    pub instance: [u8; 32],
    /// For later versions; zero.
    pub reserved: [u8; 32],
}

/// Bytes of the account, discriminator included.
pub const PASS_BYTES: usize =
    core::mem::size_of::<Pass>().saturating_add(super::DISCRIMINATOR_BYTES);

const _: () = assert!(core::mem::size_of::<Pass>() == 208);
