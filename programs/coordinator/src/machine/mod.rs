//! The rules of the protocol as pure functions of whole numbers.
//!
//! Nothing here knows accounts, clocks or signers, and nothing allocates: slices and numbers go in,
//! numbers come out. The same code runs on the chain and on the host.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod audit;
pub mod backlog;
pub mod batch;
pub mod bits;
pub mod bloom;
pub mod complaint;
pub mod config;
pub mod draw;
pub mod give_back;
pub mod hash;
pub mod permutation;
pub mod phase;
pub mod points;
pub mod shares;
pub mod tally;
pub mod vote;

#[cfg(test)]
mod tests;
