//! Giving positions back to the backlog: shares that were not accepted.

use super::backlog::{Backlog, Interval, Returned};

/// A gap between neighbours of the list: it lies behind the interval at `index`.
///
/// As knowledge: no gap is smaller than `length`, and those before `index` are larger. So the
/// nearest neighbours need not be looked for from the start each time.
#[derive(Clone, Copy, Default)]
struct Gap {
    index: usize,
    length: u64,
}

impl Backlog<'_> {
    /// Gives back shares of a round: ranges of offsets in its segments, ascending.
    ///
    /// Offsets beyond the segments are ignored.
    pub fn give_back_shares(&mut self, segments: &[Interval], shares: &[(u32, u32)]) -> Returned {
        let mut sum = Returned::default();
        let mut known = Gap::default();
        let mut rest = segments.iter();
        let mut segment = rest.next();
        let mut offset = 0_u64;
        for (first, end) in shares {
            let (mut first, end) = (u64::from(*first), u64::from(*end));
            while first < end {
                let Some(piece) = segment else { return sum };
                let next = offset.saturating_add(piece.positions());
                if next <= first {
                    offset = next;
                    segment = rest.next();
                    continue;
                }
                let high = end.min(next);
                let start = piece.start.saturating_sub(offset);
                let interval = Interval {
                    start: start.saturating_add(first),
                    end: start.saturating_add(high),
                };
                self.unite(interval, &mut known, &mut sum);
                first = high;
            }
        }
        sum
    }

    /// Gives back the offsets `first`..`end` of a round's segments.
    pub fn give_back_share(&mut self, segments: &[Interval], first: u32, end: u32) -> Returned {
        self.give_back_shares(segments, &[(first, end)])
    }

    /// Adds an interval: neighbours are merged; if the list is full, its two nearest are joined.
    pub fn give_back(&mut self, interval: Interval) -> Returned {
        let mut sum = Returned::default();
        self.unite(interval, &mut Gap::default(), &mut sum);
        sum
    }

    fn unite(&mut self, interval: Interval, known: &mut Gap, sum: &mut Returned) {
        if interval.positions() > 0 {
            if !self.append(interval, known) {
                self.place(interval, known, sum);
            }
            sum.repeated = sum.repeated.saturating_add(self.join_if_full(known));
        }
    }

    /// Puts an interval behind the last one, if that is where it belongs: the usual case.
    fn append(&mut self, interval: Interval, known: &mut Gap) -> bool {
        let length = self.length();
        let Some((used, rest)) = self.intervals.split_at_mut_checked(length) else {
            return false;
        };
        if let Some(last) = used.last() {
            if interval.start <= last.end {
                return false;
            }
            let gap = interval.start.wrapping_sub(last.end);
            if gap < known.length {
                *known = Gap {
                    index: length.wrapping_sub(1),
                    length: gap,
                };
            }
        }
        if let Some(place) = rest.first_mut() {
            *place = interval;
            self.set_length(length.wrapping_add(1));
        }
        true
    }

    /// Puts an interval anywhere, with those that it touches.
    fn place(&mut self, interval: Interval, known: &mut Gap, sum: &mut Returned) {
        let used = self.as_slice();
        // Shares come back in ascending order, so look from the end.
        let after = used.iter().rev().take_while(|one| one.start > interval.end);
        let next = used.len().saturating_sub(after.count());
        let mut first = next;
        let mut merged = interval;
        let touching = used.iter().take(next).rev();
        for one in touching.take_while(|one| one.end >= interval.start) {
            first = first.saturating_sub(1);
            let overlap = one
                .end
                .min(interval.end)
                .saturating_sub(one.start.max(interval.start));
            sum.overlapped = sum.overlapped.saturating_add(overlap);
            merged.start = merged.start.min(one.start);
            merged.end = merged.end.max(one.end);
        }
        if first == next {
            self.insert(first, merged);
            self.learn(first, known);
        } else {
            self.replace(first, next, merged);
            *known = Gap::default();
        }
    }

    /// Puts one more interval at `index`; the list is never full between two calls.
    fn insert(&mut self, index: usize, interval: Interval) {
        let length = self.length();
        if length < self.intervals.len() {
            self.intervals
                .copy_within(index..length, index.saturating_add(1));
            self.set_length(length.saturating_add(1));
            if let Some(place) = self.intervals.get_mut(index) {
                *place = interval;
            }
        }
    }

    /// Puts `interval` where those from `first` to before `next` were.
    fn replace(&mut self, first: usize, next: usize, interval: Interval) {
        let length = self.length();
        let kept = first.saturating_add(1);
        self.intervals.copy_within(next..length, kept);
        self.clear_from(length.saturating_sub(next.saturating_sub(kept)));
        if let Some(place) = self.intervals.get_mut(first) {
            *place = interval;
        }
    }

    /// The gap behind the interval at `index`; none behind the last.
    fn gap(&self, index: usize) -> Option<Gap> {
        let used = self.as_slice();
        let length = used
            .get(index.saturating_add(1))?
            .start
            .saturating_sub(used.get(index)?.end);
        Some(Gap { index, length })
    }

    /// Takes the gaps around a new interval into account.
    fn learn(&self, index: usize, known: &mut Gap) {
        let before = index.checked_sub(1).and_then(|before| self.gap(before));
        for gap in [before, self.gap(index)].into_iter().flatten() {
            let lower = gap.length == known.length && gap.index < known.index;
            if gap.length < known.length || lower {
                *known = gap;
            }
        }
    }

    /// The smallest gap, the lowest of equals.
    fn nearest(&self, known: Gap) -> Gap {
        let mut best = Gap {
            index: 0,
            length: u64::MAX,
        };
        let used = self.as_slice();
        let mut before = None;
        for (index, one) in used.iter().enumerate().skip(known.index) {
            if let Some(end) = before.replace(one.end) {
                let length = one.start.saturating_sub(end);
                if length < best.length {
                    best = Gap {
                        index: index.saturating_sub(1),
                        length,
                    };
                    if length <= known.length {
                        return best;
                    }
                }
            }
        }
        if known.index == 0 {
            best
        } else {
            self.nearest(Gap::default())
        }
    }

    /// Joins the two nearest intervals if no entry is free; says how long the gap was.
    fn join_if_full(&mut self, known: &mut Gap) -> u64 {
        let length = self.length();
        if length < self.intervals.len() {
            return 0;
        }
        *known = self.nearest(*known);
        let next = known.index.saturating_add(1);
        let Some(high) = self.intervals.get(next).copied() else {
            return 0;
        };
        if let Some(low) = self.intervals.get_mut(known.index) {
            low.end = high.end;
        }
        self.intervals.copy_within(next.saturating_add(1).., next);
        self.clear_from(length.saturating_sub(1));
        known.length
    }
}
