//! Grace: when most have committed, the others get a little time.

/// Whether grace begins: trainers with two thirds of the weight and half of the number committed.
///
/// Counted are trainers with a share that committed or are still in the run; a trainer's weight is
/// the length of its share, in sequences.
#[must_use]
pub fn grace_begins(trainers: u32, committed: u32, weight: u64, committed_weight: u64) -> bool {
    committed > 0
        && committed_weight.saturating_mul(3) >= weight.saturating_mul(2)
        && committed.saturating_mul(2) >= trainers
}

/// Seconds of grace: `grace_seconds`, at least half of the time since Train began, rounded up.
#[must_use]
pub fn grace_length(started: i64, now: i64, grace_seconds: u32) -> u32 {
    let spent = now.saturating_sub(started).max(0);
    let half = (spent >> 1).saturating_add(spent & 1);
    u32::try_from(half).unwrap_or(u32::MAX).max(grace_seconds)
}
