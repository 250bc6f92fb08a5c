//! Who audits what, who judges a flag, and what a committee decides.

use super::{
    draw::{shuffle, Words},
    hash::{sha256, Hash},
    phase::Moment,
};

/// `target` of an auditor that has nothing to audit.
pub const NO_TARGET: u16 = u16::MAX;
/// Seats that all committees of a round have together.
pub const MAX_SEATS: usize = 64;
/// The smallest committee.
pub const MIN_COMMITTEE: usize = 3;
/// Rejected payloads that eject a member.
pub const STRIKES_MAX: u8 = 2;

/// What an auditor or a seat says about a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    /// Nothing yet.
    None = 0,
    /// It is what the trainer should have sent.
    Pass = 1,
    /// It is not.
    Fail = 2,
}

/// Where a flag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CaseStage {
    /// The auditor did not flag.
    None = 0,
    /// Its committee waits for its entropy.
    Opened = 1,
    /// Its committee is drawn.
    Drawn = 2,
    /// No committee could be drawn in time: nothing comes of it.
    Lapsed = 3,
    /// Two thirds of the committee say that the payload fails.
    Rejected = 4,
    /// Two thirds say that it passes.
    Cleared = 5,
    /// Neither.
    Undecided = 6,
}

/// Where a committee's seat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SeatStage {
    /// It has said nothing.
    Drawn = 0,
    /// It sent a hash.
    Sealed = 1,
    /// It opened it.
    Opened = 2,
}

/// Draws targets: `slots` are those that committed, ascending; says how many of the first auditors
/// have one. The i-th of the auditors audits the i-th of `slots` then, and nobody itself.
///
/// What is audited is uniform whoever audits; only where there is one auditor, never itself.
pub fn draw_targets(seed: Hash, slots: &mut [u16], auditors: &[u16]) -> usize {
    let count = auditors.len().min(slots.len());
    if slots.len() == 1 && slots.first() == auditors.first() {
        return 0;
    }
    shuffle(&mut Words::new(seed), slots, count.max(2));
    let cycle = count.max(2);
    for (index, auditor) in auditors.iter().enumerate().take(count) {
        if slots.get(index) == Some(auditor) {
            let next = index.saturating_add(1);
            // Slots are distinct: neither the one that comes nor the one that goes fits worse.
            slots.swap(index, if next < cycle { next } else { 0 });
        }
    }
    count
}

/// The seed of a committee's draw: sha256(seed of its entropy | slot of the flagged trainer).
#[must_use]
pub fn committee_seed(seed: &Hash, target: u16) -> Hash {
    sha256(&[seed, &target.to_le_bytes()])
}

/// Draws a committee of `size` among `eligible` (slots, ascending); says how many seats it has.
///
/// They stand first in `eligible`. Fewer members than `size`: all of them; below three, or above
/// `room`, none.
pub fn draw_committee(seed: Hash, eligible: &mut [u16], size: u8, room: usize) -> usize {
    let seats = usize::from(size).min(eligible.len());
    if seats < MIN_COMMITTEE || seats > room {
        return 0;
    }
    shuffle(&mut Words::new(seed), eligible, seats);
    seats
}

/// What a committee of `seats` decides when the round is finalised.
#[must_use]
pub const fn decide(seats: u32, passes: u32, fails: u32) -> CaseStage {
    let quorum = seats.saturating_mul(2);
    if seats == 0 {
        CaseStage::Lapsed
    } else if fails.saturating_mul(3) >= quorum {
        CaseStage::Rejected
    } else if passes.saturating_mul(3) >= quorum {
        CaseStage::Cleared
    } else {
        CaseStage::Undecided
    }
}

/// How much of Cooldown went by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Part {
    /// Less than a quarter.
    First = 0,
    /// Less than half.
    Second = 1,
    /// Half and more.
    Last = 2,
}

/// What can be said about a round's payloads now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Auditors may give their verdicts.
    pub audit: bool,
    /// Committees may be drawn, and seats may seal.
    pub seal: bool,
    /// Seats may open; before, only once every seat of the case has sealed.
    pub open: bool,
}

/// The window of `round` while the run is in round `present`; `cooldown` says how much of that
/// phase went by, if the run is in it.
#[must_use]
pub fn window(round: u32, present: u32, cooldown: Option<Part>) -> Window {
    let age = present.saturating_sub(round);
    let half = cooldown == Some(Part::Last);
    Window {
        audit: age == 1 && matches!(cooldown, None | Some(Part::First)),
        seal: matches!(age, 1 | 2) && !half,
        open: age == 3 || (matches!(age, 1 | 2) && half),
    }
}

/// Scores of a verdict, per mille.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// Similarity of index sets.
    pub jaccard: u16,
    /// Distance of signs.
    pub hamming: u16,
    /// Distance of values.
    pub manhattan: u16,
    /// Alignment with the verifier's own gradient.
    pub alignment: i16,
}

impl Scores {
    /// Whether each score is one: at most 1,000, alignment at least -1,000.
    #[must_use]
    pub fn in_range(&self) -> bool {
        self.jaccard <= 1000
            && self.hamming <= 1000
            && self.manhattan <= 1000
            && (-1000..=1000).contains(&self.alignment)
    }

    /// Whether each score is on the passing side of its threshold.
    #[must_use]
    pub fn pass(&self, thresholds: &Self) -> bool {
        self.jaccard >= thresholds.jaccard
            && self.hamming <= thresholds.hamming
            && self.manhattan <= thresholds.manhattan
            && self.alignment >= thresholds.alignment
    }
}

/// How much of Cooldown went by, which takes `seconds`: audits end with its first quarter, rounded
/// up, sealing with its first half.
#[must_use]
pub fn part_of_cooldown(started: Moment, seconds: u32, now: Moment) -> Part {
    if started.passed(seconds / 2, now) {
        Part::Last
    } else if started.passed(seconds.div_ceil(4), now) {
        Part::Second
    } else {
        Part::First
    }
}

/// What an auditor or a seat says about a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Slot of the trainer.
    pub target: u16,
    /// Whether it is what the trainer should have sent.
    pub pass: bool,
    /// What was measured.
    pub scores: Scores,
    /// A digest of what it was measured on.
    pub detail: Hash,
}

impl Finding {
    /// The word that is kept.
    #[must_use]
    pub const fn word(&self) -> Word {
        if self.pass {
            Word::Pass
        } else {
            Word::Fail
        }
    }

    /// The 43 bytes of it, as an instruction carries them.
    #[must_use]
    pub fn bytes(&self) -> [u8; 43] {
        let mut bytes = [0; 43];
        let scores = &self.scores;
        let (head, detail) = bytes.split_at_mut(11);
        let fields = [
            self.target.to_le_bytes(),
            scores.jaccard.to_le_bytes(),
            scores.hamming.to_le_bytes(),
            scores.manhattan.to_le_bytes(),
            scores.alignment.to_le_bytes(),
        ];
        let places = [0_usize, 3, 5, 7, 9];
        for (place, field) in places.into_iter().zip(fields) {
            if let Some(part) = head.get_mut(place..place.saturating_add(2)) {
                part.copy_from_slice(&field);
            }
        }
        if let Some(pass) = head.get_mut(2) {
            *pass = u8::from(self.pass);
        }
        detail.copy_from_slice(&self.detail);
        bytes
    }

    /// What a seat sends first: sha256(finding | salt | wallet), so that nobody can copy it.
    #[must_use]
    pub fn sealed(&self, salt: &Hash, wallet: &Hash) -> Hash {
        sha256(&[&self.bytes(), salt, wallet])
    }
}
