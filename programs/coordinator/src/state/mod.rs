//! The accounts: their layouts, sizes and addresses.
//!
//! A layout is a promise. `version` comes first and `reserved` last, nothing is padded implicitly,
//! and a test lays each out byte by byte.
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

use anchor_lang::prelude::*;

use crate::errors::CoordinatorError;

pub mod audits;
pub mod complaints;
pub mod participant;
pub mod pass;
pub mod record;
pub mod roster;
pub mod rounds;
pub mod run;
pub mod seeds;

#[cfg(test)]
mod tests;

pub use audits::*;
pub use complaints::*;
pub use participant::*;
pub use pass::*;
pub use record::*;
pub use roster::*;
pub use rounds::*;
pub use run::*;

/// The version that every account of this program carries in its first byte.
pub const ACCOUNT_VERSION: u8 = 2;

/// The version before, which `migrate` takes on to the present one.
pub const PREVIOUS_VERSION: u8 = 1;

/// Bytes of the discriminator before each account.
pub const DISCRIMINATOR_BYTES: usize = 8;

/// Refuses bytes of a roster or of round records that are not all there, or of another version.
///
/// # Errors
/// `RunIncomplete`, `WrongVersion`.
pub fn check_whole(bytes: &[u8], whole: usize) -> Result<()> {
    require!(bytes.len() == whole, CoordinatorError::RunIncomplete);
    let version = bytes.get(DISCRIMINATOR_BYTES);
    require!(
        version == Some(&ACCOUNT_VERSION),
        CoordinatorError::WrongVersion
    );
    Ok(())
}
