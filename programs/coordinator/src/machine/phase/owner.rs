//! Where a run can be paused, resumed and aborted.

use super::{Moment, Phase};

/// What an owner's `pause` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The run is Paused at once.
    Now,
    /// It is noted; the run pauses after draining and Cooldown.
    Flagged,
    /// There is nothing to pause.
    AlreadyPaused,
}

/// What `pause` does in `phase`.
#[must_use]
pub const fn pause(phase: Phase) -> Pause {
    match phase {
        Phase::WaitingForMembers | Phase::Warmup | Phase::Finished => Pause::Now,
        Phase::Train | Phase::Witness | Phase::Cooldown => Pause::Flagged,
        Phase::Paused => Pause::AlreadyPaused,
    }
}

/// The phase that `resume` leads to from Paused; `None` from any other.
#[must_use]
pub const fn resume(phase: Phase, step: u64, total_steps: u64) -> Option<Phase> {
    match phase {
        Phase::Paused if step >= total_steps => Some(Phase::Finished),
        Phase::Paused => Some(Phase::WaitingForMembers),
        _ => None,
    }
}

/// Lengths of a phase that must go by after its deadline before the owner may abort.
const ABORT_LENGTHS: u32 = 10;

/// Whether the owner may abort: ten times the phase's length went by since its deadline.
///
/// Only phases with a deadline can hang; the others can be paused at once.
#[must_use]
pub fn abort_due(phase: Phase, started: Moment, seconds: u32, now: Moment) -> bool {
    match phase {
        Phase::Warmup | Phase::Train | Phase::Witness | Phase::Cooldown => {
            let lengths = ABORT_LENGTHS.saturating_add(1);
            started.passed(seconds.saturating_mul(lengths), now)
        }
        Phase::Paused | Phase::WaitingForMembers | Phase::Finished => false,
    }
}
