//! Votes of all payloads, a selection group at a time.

use crate::plan::{Misfit, Plan, GROUP};

/// One payload's votes.
#[derive(Clone, Copy, Debug)]
pub struct Votes<'a> {
    /// Coefficients of each group.
    pub counts: &'a [u16],
    /// Indices within their groups, one group after the other.
    pub indices: &'a [u16],
    /// What is voted there: a sign, or a whole number.
    pub values: &'a [i16],
}

impl Votes<'_> {
    /// The largest magnitude of a value.
    pub(crate) fn largest(&self) -> u32 {
        let sizes = self.values.iter().map(|value| value.unsigned_abs());
        sizes.max().unwrap_or(0).into()
    }

    /// Whether all lengths and indices are the plan's.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), Misfit> {
        let total: usize = self.counts.iter().map(|&count| usize::from(count)).sum();
        let sizes = [self.indices.len(), self.values.len()];
        if self.counts.len() != plan.groups() || sizes != [total, total] {
            return Err(Misfit("a payload's counts, indices and values do not fit"));
        }
        let last = self.counts.last().map_or(0, |&count| usize::from(count));
        let (whole, ragged) = self.indices.split_at(total - last);
        let size = plan.coefficients() - GROUP * (plan.groups() - 1);
        let within = |part: &[u16], size| part.iter().all(|&index| usize::from(index) < size);
        if within(whole, GROUP) && within(ragged, size) {
            return Ok(());
        }
        Err(Misfit("a payload's index is beyond its group"))
    }
}

const WORDS: usize = GROUP / 64;

/// The votes of one group, from the first to the last; it never goes back.
pub struct Tally<'a> {
    payloads: &'a [Votes<'a>],
    /// Where each payload's votes on the next group begin.
    begins: Vec<usize>,
    next: usize,
    cap: i32,
    votes: Box<[i32; GROUP]>,
    touched: [u64; WORDS],
}

impl<'a> Tally<'a> {
    /// Starts at a group; sums are clamped to the cap, unless that is 0.
    pub fn new(payloads: &'a [Votes<'a>], cap: i32, group: usize) -> Self {
        let before = |payload: &Votes| {
            payload.counts[..group]
                .iter()
                .map(|&count| usize::from(count))
                .sum()
        };
        Self {
            payloads,
            begins: payloads.iter().map(before).collect(),
            next: group,
            cap: if cap == 0 { i32::MAX } else { cap },
            votes: Box::new([0; GROUP]),
            touched: [0; WORDS],
        }
    }

    /// Calls with the place and the vote, clamped and not zero, of coefficients start to end.
    #[inline(always)]
    pub fn visit(&mut self, start: usize, end: usize, mut call: impl FnMut(usize, i32)) {
        for group in start / GROUP..end.div_ceil(GROUP) {
            while self.next <= group {
                self.count();
            }
            let first = GROUP * group;
            let (from, to) = (start.max(first) - first, end.min(first + GROUP) - first);
            for word in from / 64..to.div_ceil(64) {
                let mut left = self.touched[word];
                while left != 0 {
                    let at = 64 * word + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let vote = self.votes[at].clamp(-self.cap, self.cap);
                    if vote != 0 && from <= at && at < to {
                        call(first + at, vote);
                    }
                }
            }
        }
    }

    /// Counts the next group's votes.
    #[inline(always)]
    fn count(&mut self) {
        for (word, touched) in self.touched.iter_mut().enumerate() {
            if *touched != 0 {
                self.votes[64 * word..64 * (word + 1)].fill(0);
                *touched = 0;
            }
        }
        for (payload, begin) in self.payloads.iter().zip(&mut self.begins) {
            let end = *begin + usize::from(payload.counts[self.next]);
            let (indices, values) = (&payload.indices[*begin..end], &payload.values[*begin..end]);
            for (&index, &value) in indices.iter().zip(values) {
                let index = usize::from(index) % GROUP;
                self.votes[index] += i32::from(value);
                self.touched[index / 64] |= 1 << (index % 64);
            }
            *begin = end;
        }
        self.next += 1;
    }
}
