//! `update_model`.

use anchor_lang::prelude::*;

use super::{create_run::set_model, open_mut, OwnerOfRun};
use crate::{
    errors::CoordinatorError,
    events::RunChanged,
    machine::{hash::sha256, phase::Phase},
    state::Run,
};

/// Arguments of `update_model`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateModelArgs {
    /// sha256 of model.json.
    pub model_hash: [u8; 32],
    /// Where model.json lies; may be empty.
    pub model_uri: String,
}

/// See [`crate::coordinator::update_model`].
///
/// # Errors
/// As documented there.
pub fn update_model(ctx: &Context<OwnerOfRun>, args: &UpdateModelArgs) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    require!(
        run.phase == Phase::Paused as u8,
        CoordinatorError::WrongPhase
    );
    let before = hash(&run);
    set_model(&mut run, args.model_hash, &args.model_uri)?;
    emit!(RunChanged {
        run: key,
        what: 1,
        before,
        after: hash(&run),
    });
    Ok(())
}

fn hash(run: &Run) -> [u8; 32] {
    let uri = run.model_uri.get(..usize::from(run.model_uri_len));
    sha256(&[&run.model_hash, uri.unwrap_or_default()])
}
