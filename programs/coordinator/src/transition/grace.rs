//! Grace: the time that the slow ones still get.

use anchor_lang::prelude::*;

use crate::{
    machine::phase::{grace_begins, grace_length, Phase},
    world::World,
};

/// Grace begins when most of the round is committed: the rest gets a little time.
///
/// # Errors
/// Those of a broken account.
pub fn begin_grace(world: &mut World) -> Result<()> {
    if world.phase()? != Phase::Train || world.run.grace_since_slot != 0 {
        return Ok(());
    }
    let header = world.rounds.header(world.run.round)?;
    let begins = grace_begins(
        u32::from(header.expected.saturating_sub(header.gone)),
        u32::from(header.committed),
        u64::from(header.sequences.saturating_sub(header.sequences_gone)),
        u64::from(header.sequences_committed),
    );
    if begins {
        let run = &mut *world.run;
        run.grace_since = world.now.time;
        run.grace_since_slot = world.now.chain_slot;
        run.grace_seconds = grace_length(
            run.phase_started_at,
            world.now.time,
            run.config.grace_seconds,
        );
    }
    Ok(())
}
