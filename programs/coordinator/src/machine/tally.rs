//! What the votes of a round's witnesses decide.

/// What becomes of a trainer's share when its round settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its payload is applied.
    Accepted,
    /// Back to the backlog, and nobody is blamed.
    Returned,
    /// Back to the backlog, and a miss of its trainer.
    Missed,
}

/// The votes that decide about each slot of a round, computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Whether enough of the elected attested (3a >= 2e, and anybody was elected).
    pub valid: bool,
    /// Fewest votes that accept: 3v >= 2a and 2v > e.
    pub accepting: u32,
    /// Fewest votes that are no miss: 3v >= a.
    pub excusing: u32,
}

impl Tally {
    /// The thresholds with `elected` witnesses of whom `attested` gave their word.
    #[must_use]
    pub fn new(elected: u32, attested: u32) -> Self {
        let two_thirds = attested.saturating_mul(2).div_ceil(3);
        let majority = (elected / 2).saturating_add(1);
        Self {
            valid: elected > 0 && attested.saturating_mul(3) >= elected.saturating_mul(2),
            accepting: two_thirds.max(majority),
            excusing: attested.div_ceil(3),
        }
    }

    /// The thresholds of a round in which nobody committed: no draw, and every trainer missed.
    #[must_use]
    pub const fn nothing_committed() -> Self {
        Self {
            valid: true,
            accepting: u32::MAX,
            excusing: 0,
        }
    }

    /// The outcome of a slot with a non-empty share whose payload `votes` witnesses hold.
    ///
    /// Without a valid draw nothing is accepted and nobody is blamed.
    #[must_use]
    pub const fn outcome(&self, committed: bool, rejected: bool, votes: u32) -> Outcome {
        if !self.valid {
            Outcome::Returned
        } else if !committed || votes < self.excusing {
            Outcome::Missed
        } else if votes >= self.accepting && !rejected {
            Outcome::Accepted
        } else {
            Outcome::Returned
        }
    }
}
