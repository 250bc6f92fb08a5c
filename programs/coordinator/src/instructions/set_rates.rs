//! `set_rates`.

use anchor_lang::prelude::*;

use super::{open_mut, OwnerOfRun};
use crate::{events::RatesProposed, state::Run};

/// Arguments of `set_rates`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetRatesArgs {
    /// Points for an accepted sequence.
    pub points_per_sequence: u32,
    /// Points for an attestation that agrees with the accepted set.
    pub points_per_attestation: u32,
    /// Points for a verdict with the majority.
    pub points_per_verdict: u32,
}

/// See [`crate::coordinator::set_rates`].
///
/// # Errors
/// As documented there.
pub fn set_rates(ctx: &Context<OwnerOfRun>, args: &SetRatesArgs) -> Result<()> {
    let key = ctx.accounts.run.key();
    let mut run = open_mut(&ctx.accounts.run)?;
    let before = note(&mut run, args);
    tell(key, &run, before);
    Ok(())
}

/// Tells observers which rates the next epoch will have.
pub fn tell(key: Pubkey, run: &Run, before: [u32; 3]) {
    emit!(RatesProposed {
        run: key,
        epoch: run.epoch.saturating_add(1),
        before,
        after: pending(run).unwrap_or(rates_of(run)),
    });
}

/// The instruction on a run; says which rates the next epoch would have had.
pub fn note(run: &mut Run, args: &SetRatesArgs) -> [u32; 3] {
    let before = pending(run).unwrap_or(rates_of(run));
    run.next_points_per_sequence = args.points_per_sequence;
    run.next_points_per_attestation = args.points_per_attestation;
    run.next_points_per_verdict = args.points_per_verdict;
    run.rates_pending = 1;
    before
}

/// Points for a sequence, an attestation, a verdict, in this epoch.
#[must_use]
pub const fn rates_of(run: &Run) -> [u32; 3] {
    [
        run.config.points_per_sequence,
        run.config.points_per_attestation,
        run.config.points_per_verdict,
    ]
}

/// The same from the next epoch on, if other ones wait for it.
#[must_use]
pub fn pending(run: &Run) -> Option<[u32; 3]> {
    (run.rates_pending == 1).then_some([
        run.next_points_per_sequence,
        run.next_points_per_attestation,
        run.next_points_per_verdict,
    ])
}

/// An epoch is over: what is pending comes into force. Says (before, after) if anything was.
pub fn adopt(run: &mut Run) -> Option<([u32; 3], [u32; 3])> {
    let after = pending(run)?;
    let before = rates_of(run);
    [
        run.config.points_per_sequence,
        run.config.points_per_attestation,
        run.config.points_per_verdict,
    ] = after;
    forget(run);
    Some((before, after))
}

/// Drops what is pending: a newer word of the owner's counts.
pub const fn forget(run: &mut Run) {
    run.rates_pending = 0;
    run.next_points_per_sequence = 0;
    run.next_points_per_attestation = 0;
    run.next_points_per_verdict = 0;
}
