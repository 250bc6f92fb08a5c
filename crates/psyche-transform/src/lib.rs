//! The update's arithmetic on a processor: `generate` takes gradients into the momentum and the
//! largest coefficients out of it, `update` turns votes into signs and moves parameters by them.
//!
//! `docs/payload.md` says where a tensor's coefficients lie and what the inverse transform is. The
//! Python package does the same with torch and is held to this crate by its tests. `update` gives
//! the same bits on every machine and with any number of threads; `generate` gives the same bits
//! with any number of threads, for a momentum is its member's own.

mod basis;
mod forward;
mod generate;
mod inverse;
mod plan;
mod product;
mod select;
mod simd;
mod tally;
mod update;

pub use generate::{generate, Picked};
pub use inverse::block_signs;
pub use plan::{Misfit, Place, Plan, EDGE, GROUP};
pub use tally::Votes;
pub use update::{update, Step, VOTE_MAX};

/// Changes whenever a function here takes or gives something else.
pub const VERSION: u16 = 1;
