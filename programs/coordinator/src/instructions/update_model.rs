//! `update_model`.

use anchor_lang::prelude::*;

/// Arguments of `update_model`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateModelArgs {
    /// sha256 of model.json.
    pub model_hash: [u8; 32],
    /// Where model.json lies; may be empty.
    pub model_uri: String,
}
