//! How an epoch goes on after a round has settled.

/// What decides how an epoch goes on after a round has settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettledView {
    /// The number of the round whose Witness phase ends.
    pub round: u32,
    /// 0 or 1.
    pub overlap: u8,
    /// R, the number of training rounds, if it is fixed already.
    pub training_rounds: Option<u32>,
    /// `epoch_rounds`.
    pub epoch_rounds: u32,
    /// Rounds started over the run's life.
    pub step: u64,
    /// `total_steps`.
    pub total_steps: u64,
    /// Whether the owner asked for a pause.
    pub pause_asked: bool,
    /// Active members, after drops.
    pub active: u32,
    /// `min_members`.
    pub min_members: u32,
    /// Whether two witness draws failed.
    pub draws_failed: bool,
}

/// What follows a settled round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ready members are admitted, and the next round trains.
    Train,
    /// A drain round: it begins in Witness and trains nothing.
    Drain,
    /// The epoch is over.
    Cooldown,
}

/// What follows, and R (the epoch's number of training rounds) once it is fixed.
#[must_use]
pub fn after_settle(view: &SettledView) -> (Next, Option<u32>) {
    let next = view.round.saturating_add(1);
    let ends = next >= view.epoch_rounds
        || view.step >= view.total_steps
        || view.pause_asked
        || view.active < view.min_members
        || view.draws_failed;
    let training_rounds = view.training_rounds.or(ends.then_some(next));
    let follows = match training_rounds {
        None => Next::Train,
        Some(rounds) if next < rounds => Next::Train,
        Some(rounds) if next < rounds.saturating_add(u32::from(view.overlap)) => Next::Drain,
        Some(_) => Next::Cooldown,
    };
    (follows, training_rounds)
}
