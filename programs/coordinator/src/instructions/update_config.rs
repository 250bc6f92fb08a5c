//! `update_config`.

use anchor_lang::prelude::*;

use super::{open_mut, set_rates, OwnerOfRun};
use crate::{
    errors::CoordinatorError,
    events::{PositionsReset, RunChanged},
    machine::{backlog::Interval, config::RunConfig, hash::sha256, phase::Phase},
    state::Run,
};

/// Arguments of `update_config`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateConfigArgs {
    /// The whole new configuration.
    pub config: RunConfig,
    /// Begin at position 0 with an empty backlog; needed to change the data set while positions wait.
    pub reset_positions: bool,
}

/// See [`crate::coordinator::update_config`].
///
/// # Errors
/// As documented there.
pub fn update_config(ctx: &Context<OwnerOfRun>, args: &UpdateConfigArgs) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    let before = hash(&run.config);
    let counted = (run.fresh_cursor, run.repeated, run.accepted);
    let rates_before = set_rates::pending(&run);
    change(&mut run, args)?;
    emit!(RunChanged {
        run: key,
        what: 0,
        before,
        after: hash(&run.config),
    });
    if args.reset_positions {
        emit!(PositionsReset {
            run: key,
            fresh_cursor_before: counted.0,
            repeated_before: counted.1,
            accepted_before: counted.2,
        });
    }
    if let Some(before) = rates_before {
        set_rates::tell(key, &run, before);
    }
    Ok(())
}

fn hash(config: &RunConfig) -> [u8; 32] {
    sha256(&[bytemuck::bytes_of(config)])
}

/// The instruction on a run.
///
/// # Errors
/// Those of [`update_config`].
pub fn change(run: &mut Run, args: &UpdateConfigArgs) -> Result<()> {
    require!(
        run.phase == Phase::Paused as u8,
        CoordinatorError::WrongPhase
    );
    args.config
        .check(u32::from(run.capacity))
        .map_err(CoordinatorError::from)?;
    let same_data = run.config.data_seed == args.config.data_seed
        && run.config.data_sequences == args.config.data_sequences
        && run.config.sequence_tokens == args.config.sequence_tokens;
    let waiting = run.backlog_count > 0 || run.in_flight > 0;
    require!(
        same_data || !waiting || args.reset_positions,
        CoordinatorError::DataInUse
    );
    if args.reset_positions {
        run.fresh_cursor = 0;
        run.repeated = 0;
        run.accepted = 0;
        run.in_flight = 0;
        run.backlog_count = 0;
        run.backlog.fill(Interval::default());
    }
    run.config = args.config;
    // What it says of the rates is newer than what was to come.
    set_rates::forget(run);
    Ok(())
}
