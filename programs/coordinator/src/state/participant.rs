//! `Participant`: what a run keeps about a wallet, whether it holds a slot or not.

use anchor_lang::prelude::*;

/// Longest node address, in bytes.
pub const ADDRESS_BYTES: usize = 96;

/// A wallet's account in a run; stays when the wallet leaves. Seeds "participant", run, wallet.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Participant {
    /// Layout version.
    pub version: u8,
    /// Bump of the address.
    pub bump: u8,
    /// Bytes of `address` in use.
    pub address_len: u8,
    /// 1: may not join again.
    pub barred: u8,
    /// Slot of the last membership.
    pub slot: u16,
    /// Rejected payloads of collected memberships.
    pub strikes: u8,
    /// Zero.
    pub padding: u8,
    /// Member id of the last membership; 0: none.
    pub member_id: u32,
    /// How often it joined.
    pub joins: u32,
    /// The run.
    pub run: Pubkey,
    /// The wallet that it belongs to.
    pub wallet: Pubkey,
    /// Where points go.
    pub payee: Pubkey,
    /// Who gets the rent back.
    pub rent_payer: Pubkey,
    /// Where the node is found, UTF-8.
    pub address: [u8; 96],
    /// Points earned so far.
    pub points_earned: u64,
    /// Points taken so far.
    pub points_slashed: u64,
    /// Zero.
    pub padding2: [u8; 8],
    /// How often points were collected so far.
    pub claims: u64,
    /// Epochs that it saw through as an Active member, so far.
    pub epochs_served: u32,
    /// Rounds in which a share of its own was accepted, so far.
    pub rounds_served: u32,
    /// Lamports of a bond that the payee could not take; above the rent of this account.
    pub bond_lamports: u64,
    /// Instance of the run that all but the payee and the bond is about.
    pub instance: [u8; 32],
    /// For later versions; zero.
    pub reserved: [u8; 48],
}

/// Bytes of the account, discriminator included.
pub const PARTICIPANT_BYTES: usize =
    core::mem::size_of::<Participant>().saturating_add(super::DISCRIMINATOR_BYTES);

const _: () = assert!(core::mem::size_of::<Participant>() == 368);
