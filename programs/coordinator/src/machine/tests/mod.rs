//! Each rule, by examples and by its properties.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_lossless,
    clippy::indexing_slicing
)]

mod audit;
mod backlog;
mod bloom;
mod complaint;
mod config;
mod draw;
mod grace;
mod hash;
mod owner;
mod permutation;
mod phase;
mod points;
mod settled;
mod shares;
mod tally;
mod vote;
