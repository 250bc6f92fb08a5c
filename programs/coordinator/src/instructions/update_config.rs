//! `update_config`.

use anchor_lang::prelude::*;

use crate::machine::config::RunConfig;

/// Arguments of `update_config`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateConfigArgs {
    /// The whole new configuration.
    pub config: RunConfig,
    /// The new join authority; none: anyone may join.
    pub join_authority: Option<Pubkey>,
    /// Begin at position 0 with an empty backlog; needed to change the data set while positions wait.
    pub reset_positions: bool,
}
