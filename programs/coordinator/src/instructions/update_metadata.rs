//! `update_metadata`.

use anchor_lang::prelude::*;

use super::{open_mut, OwnerOfRun};
use crate::{
    errors::CoordinatorError,
    events::RunChanged,
    machine::hash::sha256,
    state::{Run, METADATA_BYTES},
};

/// Arguments of `update_metadata`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateMetadataArgs {
    /// A text about the run, at most 256 bytes; may be empty.
    pub metadata: String,
}

/// See [`crate::coordinator::update_metadata`].
///
/// # Errors
/// As documented there.
pub fn update_metadata(ctx: &Context<OwnerOfRun>, args: &UpdateMetadataArgs) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    let before = hash(&run);
    write(&mut run, args.metadata.as_bytes())?;
    emit!(RunChanged {
        run: key,
        what: 2,
        before,
        after: hash(&run),
    });
    Ok(())
}

fn hash(run: &Run) -> [u8; 32] {
    let used = run.metadata.get(..usize::from(run.metadata_len));
    sha256(&[used.unwrap_or_default()])
}

/// Writes the text.
///
/// # Errors
/// `MetadataTooLong`.
pub fn write(run: &mut Run, text: &[u8]) -> Result<()> {
    let count = u16::try_from(text.len()).unwrap_or(u16::MAX);
    require!(
        text.len() <= METADATA_BYTES,
        CoordinatorError::MetadataTooLong
    );
    run.metadata.fill(0);
    for (place, byte) in run.metadata.iter_mut().zip(text) {
        *place = *byte;
    }
    run.metadata_len = count;
    Ok(())
}
