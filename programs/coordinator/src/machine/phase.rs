//! The transition table: from what is known about a run to what is due.

mod grace;
mod owner;
mod settled;

pub use grace::{grace_begins, grace_length};
pub use owner::{abort_due, pause, resume, Pause};
pub use settled::{after_settle, Next, SettledView};

/// The states of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The owner stopped it, or has not started it yet.
    Paused = 0,
    /// Too few members to start an epoch.
    WaitingForMembers = 1,
    /// Members load the model.
    Warmup = 2,
    /// Trainers train and commit.
    Train = 3,
    /// Witnesses attest; at its end the target settles.
    Witness = 4,
    /// The epoch is over: members agree on what came out.
    Cooldown = 5,
    /// All steps were trained.
    Finished = 6,
}

impl Phase {
    /// The phase of a stored byte, if it is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Paused,
            1 => Self::WaitingForMembers,
            2 => Self::Warmup,
            3 => Self::Train,
            4 => Self::Witness,
            5 => Self::Cooldown,
            6 => Self::Finished,
            _ => return None,
        })
    }
}

/// A moment, by the chain's clock and by its slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Unix seconds.
    pub time: i64,
    /// The chain's slot.
    pub chain_slot: u64,
}

impl Moment {
    /// Whether `seconds` went by from `self` to `now`, on the clock and by counted slots.
    ///
    /// A healthy chain makes 2.5 slots a second; a halted chain or a jumping clock expires nothing.
    #[must_use]
    pub fn passed(self, seconds: u32, now: Self) -> bool {
        now.time >= self.time.saturating_add(i64::from(seconds))
            && now.chain_slot >= self.chain_slot.saturating_add(u64::from(seconds))
    }
}

/// What the table looks at; fields of other phases than the present one may hold anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseView {
    /// When it is.
    pub now: Moment,
    /// When the phase began, or its deadline was set anew (second witness draw).
    pub started: Moment,
    /// Seconds that the phase may take, from the configuration (`waiting_seconds` to
    /// `cooldown_seconds`).
    pub seconds: u32,
    /// Whether the entropy is stored that the next transition needs: for Warmup E(-1); for Witness
    /// the target's and the one for the next round's roles.
    pub entropy_stored: bool,
    /// WaitingForMembers: members (Joined, Ready, Active and Behind).
    pub members: u32,
    /// WaitingForMembers: `init_min_members`.
    pub init_min_members: u32,
    /// WaitingForMembers: the number of slots.
    pub capacity: u32,
    /// WaitingForMembers: when `members` last rose to `init_min_members`.
    pub enough_since: Moment,
    /// Warmup: members that are Ready.
    pub ready: u32,
    /// Warmup: `min_members`.
    pub min_members: u32,
    /// Warmup: members that joined before it began and are not Ready.
    pub awaited: u32,
    /// Warmup: warmups that failed in a row before this one.
    pub failed_warmups: u32,
    /// Train: trainers with a share that did not commit and are still in the run.
    pub uncommitted: u32,
    /// Train: when the condition of [`grace_begins`] was first met.
    pub grace_since: Option<Moment>,
    /// Train: seconds of grace from then on, see [`grace_length`].
    pub grace_length: u32,
    /// Witness: commitments of the target, 0 if there is no target.
    pub commitments: u32,
    /// Witness: witnesses elected for the target.
    pub elected: u32,
    /// Witness: those that attested.
    pub attested: u32,
    /// Witness: those that did not attest and are still in the run.
    pub unattested: u32,
    /// Witness: whether the present witnesses are the second draw.
    pub second_draw: bool,
    /// Cooldown: whether the digest is agreed, and nobody's verdict is awaited.
    pub agreed: bool,
    /// Cooldown: whether a checkpoint of it is confirmed.
    pub confirmed: bool,
    /// Cooldown: whether the owner asked for a pause.
    pub pause_asked: bool,
    /// Cooldown: rounds started over the run's life.
    pub step: u64,
    /// Cooldown: `total_steps`.
    pub total_steps: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// WaitingForMembers -> Warmup; E(-1) is noted.
    StartWarmup,
    /// Warmup -> Train of round 0; who joined before and is not Ready becomes Dropped.
    StartEpoch,
    /// Warmup -> WaitingForMembers; who is not Ready becomes Dropped.
    FailWarmup,
    /// Warmup -> Paused, the third failure in a row; who is not Ready becomes Dropped.
    GiveUp,
    /// Train -> Witness; the round's entropy is noted.
    CloseTrain,
    /// Witness goes on with a second draw and a new deadline.
    RedrawWitnesses,
    /// The target settles, then [`after_settle`]. With `failed` it settles empty, nobody gets a
    /// miss, and the epoch ends.
    Settle {
        /// Whether two witness draws failed.
        failed: bool,
    },
    /// Cooldown -> the named phase; the epoch's records are cleared.
    EndEpoch(Phase),
}

/// Failed warmups in a row that pause the run.
pub const WARMUPS_MAX: u32 = 3;

/// The transition that is due in `phase`, if any.
#[must_use]
pub fn due(phase: Phase, view: &PhaseView) -> Option<Transition> {
    match phase {
        Phase::Paused | Phase::Finished => None,
        Phase::WaitingForMembers => due_waiting(view),
        Phase::Warmup => due_warmup(view),
        Phase::Train => due_train(view),
        Phase::Witness => due_witness(view),
        Phase::Cooldown => due_cooldown(view),
    }
}

fn due_waiting(view: &PhaseView) -> Option<Transition> {
    let enough = view.members >= view.init_min_members;
    let full = view.members >= view.capacity;
    let waited = view.enough_since.passed(view.seconds, view.now);
    (enough && (full || waited)).then_some(Transition::StartWarmup)
}

fn due_warmup(view: &PhaseView) -> Option<Transition> {
    let timed_out = view.started.passed(view.seconds, view.now);
    if view.ready >= view.min_members {
        let complete = view.awaited == 0 || timed_out;
        return (complete && view.entropy_stored).then_some(Transition::StartEpoch);
    }
    if !timed_out {
        return None;
    }
    if view.failed_warmups.saturating_add(1) >= WARMUPS_MAX {
        Some(Transition::GiveUp)
    } else {
        Some(Transition::FailWarmup)
    }
}

fn due_train(view: &PhaseView) -> Option<Transition> {
    let timed_out = view.started.passed(view.seconds, view.now);
    let grace_over = view
        .grace_since
        .is_some_and(|since| since.passed(view.grace_length, view.now));
    (view.uncommitted == 0 || timed_out || grace_over).then_some(Transition::CloseTrain)
}

fn due_witness(view: &PhaseView) -> Option<Transition> {
    if !view.entropy_stored {
        return None;
    }
    if view.commitments == 0 {
        return Some(Transition::Settle { failed: false });
    }
    let timed_out = view.started.passed(view.seconds, view.now);
    if view.unattested > 0 && !timed_out {
        return None;
    }
    if super::tally::Tally::new(view.elected, view.attested).valid {
        Some(Transition::Settle { failed: false })
    } else if view.second_draw {
        Some(Transition::Settle { failed: true })
    } else {
        Some(Transition::RedrawWitnesses)
    }
}

fn due_cooldown(view: &PhaseView) -> Option<Transition> {
    let complete = view.agreed && view.confirmed;
    if !complete && !view.started.passed(view.seconds, view.now) {
        return None;
    }
    Some(Transition::EndEpoch(if view.step >= view.total_steps {
        Phase::Finished
    } else if view.pause_asked {
        Phase::Paused
    } else {
        Phase::WaitingForMembers
    }))
}
