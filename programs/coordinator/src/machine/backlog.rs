//! Positions to be trained again: a short ascending list of disjoint intervals.

use anchor_lang::prelude::{AnchorDeserialize, AnchorSerialize};
use bytemuck::{Pod, Zeroable};

/// Pieces that the positions of one round can have.
pub const SEGMENTS: usize = 8;

/// A half-open interval of positions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, AnchorSerialize, AnchorDeserialize,
)]
#[repr(C)]
pub struct Interval {
    /// The first position.
    pub start: u64,
    /// One past the last position.
    pub end: u64,
}

impl Interval {
    /// The number of positions.
    #[must_use]
    pub const fn positions(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The list, where it lies in an account: ascending, disjoint, and no two that touch.
///
/// At most one entry less than there are is in use between two calls.
#[derive(Debug)]
pub struct Backlog<'a> {
    /// All entries; those from `count` on are zero.
    pub intervals: &'a mut [Interval],
    /// How many are in use.
    pub count: &'a mut u32,
}

/// What giving back did to the sums of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// Positions that the backlog gained by joining intervals: they are trained again.
    pub repeated: u64,
    /// Positions that the backlog held already: one repetition less.
    pub overlapped: u64,
}

/// What a round takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The positions, in order; those from `count` on are zero.
    pub segments: [Interval; SEGMENTS],
    /// How many segments there are.
    pub count: u32,
    /// Sequences of the round: the sum of the segments, at most what was asked for.
    pub sequences: u32,
    /// Those that came from the cursor: it moved by so many.
    pub fresh: u32,
}

impl Backlog<'_> {
    /// The intervals in use.
    #[must_use]
    pub fn as_slice(&self) -> &[Interval] {
        self.intervals.get(..self.length()).unwrap_or(&[])
    }

    /// The number of positions in the list.
    #[must_use]
    pub fn positions(&self) -> u64 {
        self.as_slice().iter().fold(0, |sum: u64, interval| {
            sum.saturating_add(interval.positions())
        })
    }

    /// Takes `batch` positions: the lowest of the list first, then fresh ones from `cursor`.
    ///
    /// A round has at most [`SEGMENTS`] pieces, so it may get fewer. Fresh positions that follow
    /// the last piece directly extend it.
    pub fn take(&mut self, batch: u32, cursor: &mut u64) -> Taken {
        let mut taken = Taken::default();
        let mut wanted = u64::from(batch);
        let mut emptied = 0_usize;
        let length = self.length();
        for (segment, interval) in taken
            .segments
            .iter_mut()
            .zip(self.intervals.iter_mut().take(length))
        {
            if wanted == 0 {
                break;
            }
            let end = interval.end.min(interval.start.saturating_add(wanted));
            *segment = Interval {
                start: interval.start,
                end,
            };
            taken.count = taken.count.saturating_add(1);
            wanted = wanted.saturating_sub(segment.positions());
            interval.start = end;
            if interval.positions() == 0 {
                emptied = emptied.saturating_add(1);
            }
        }
        self.remove_first(emptied);
        let fresh = taken.extend(wanted, *cursor);
        *cursor = cursor.saturating_add(fresh);
        let rest = wanted.saturating_sub(fresh);
        taken.fresh = u32::try_from(fresh).unwrap_or(u32::MAX);
        taken.sequences = batch.saturating_sub(u32::try_from(rest).unwrap_or(u32::MAX));
        taken
    }

    pub(super) fn length(&self) -> usize {
        (*self.count as usize).min(self.intervals.len())
    }

    fn remove_first(&mut self, removed: usize) {
        if removed > 0 {
            let length = self.length();
            self.intervals.copy_within(removed.min(length)..length, 0);
            self.clear_from(length.saturating_sub(removed));
        }
    }

    pub(super) fn clear_from(&mut self, length: usize) {
        let old = self.length();
        if let Some(unused) = self.intervals.get_mut(length..old) {
            unused.fill(Interval::default());
        }
        self.set_length(length);
    }

    pub(super) fn set_length(&mut self, length: usize) {
        *self.count = u32::try_from(length).unwrap_or(0);
    }
}

impl Taken {
    /// Adds `wanted` positions from `cursor` if there is room for them; says how many.
    fn extend(&mut self, wanted: u64, cursor: u64) -> u64 {
        let index = self.count as usize;
        let last = index
            .checked_sub(1)
            .and_then(|last| self.segments.get_mut(last));
        if let Some(last) = last {
            if wanted > 0 && last.end == cursor {
                last.end = cursor.saturating_add(wanted);
                return wanted;
            }
        }
        match self.segments.get_mut(index) {
            Some(segment) if wanted > 0 => {
                *segment = Interval {
                    start: cursor,
                    end: cursor.saturating_add(wanted),
                };
                self.count = self.count.saturating_add(1);
                wanted
            }
            _ => 0,
        }
    }
}
