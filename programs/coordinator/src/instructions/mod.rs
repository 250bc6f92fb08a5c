//! One instruction a file: arguments, accounts, handler, and `run`, the same on an open run.
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
#![allow(ambiguous_glob_reexports)] // Each file has its own `run`; nobody uses it by this path.

pub mod abort;
pub mod accept_authority;
pub mod accounts;
pub mod allocate;
pub mod attest;
pub mod attest_state;
pub mod behind;
pub mod close_participant;
pub mod close_run;
pub mod collect;
pub mod commit;
pub mod confirm_checkpoint;
pub mod create_run;
pub mod issue_pass;
pub mod join;
pub mod leave;
pub mod migrate;
pub mod missing;
pub mod open_verdict;
pub mod pause;
pub mod publish_checkpoint;
pub mod ready;
pub mod resume;
pub mod reveal_state;
pub mod revoke_pass;
pub mod seal_verdict;
pub mod set_authority;
pub mod set_checkpoint;
pub mod set_endpoint;
pub mod set_join_authority;
pub mod set_payee;
pub mod set_rates;
pub mod set_weight;
pub mod tick;
pub mod update_config;
pub mod update_metadata;
pub mod update_model;
pub mod verdict;

pub use abort::*;
pub use accept_authority::*;
pub use accounts::*;
pub use allocate::*;
pub use attest::*;
pub use attest_state::*;
pub use behind::*;
pub use close_participant::*;
pub use close_run::*;
pub use collect::*;
pub use commit::*;
pub use confirm_checkpoint::*;
pub use create_run::*;
pub use issue_pass::*;
pub use join::*;
pub use leave::*;
pub use migrate::*;
pub use missing::*;
pub use open_verdict::*;
pub use pause::*;
pub use publish_checkpoint::*;
pub use ready::*;
pub use resume::*;
pub use reveal_state::*;
pub use revoke_pass::*;
pub use seal_verdict::*;
pub use set_authority::*;
pub use set_checkpoint::*;
pub use set_endpoint::*;
pub use set_join_authority::*;
pub use set_payee::*;
pub use set_rates::*;
pub use set_weight::*;
pub use tick::*;
pub use update_config::*;
pub use update_metadata::*;
pub use update_model::*;
pub use verdict::*;
