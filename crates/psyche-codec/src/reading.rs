//! From strands to indices.

use std::array;

use crate::set::Set;
use crate::strand::{extremes, Strand, FIRST, INDEX_BITS, LANES};
use crate::{Fault, Form};

/// The indices of all strands.
pub(crate) fn read(
    words: &[Vec<u16>],
    strands: &[Strand],
    counts: &[u16],
    form: &Form,
) -> Result<Vec<u16>, Fault> {
    let mut indices = vec![0; strands.last().map_or(0, |last| last.coefficients.end)];
    let mut rest = indices.as_mut_slice();
    let mut sets: [Set; LANES] = array::from_fn(|_| Set::new());
    for (strands, words) in strands.chunks(LANES).zip(words.chunks(LANES)) {
        let mut lanes: [Decoder<'_>; LANES] = array::from_fn(|lane| {
            strands.get(lane).map_or_else(Decoder::idle, |strand| {
                let room = strand.coefficients.len();
                let (place, after) = std::mem::take(&mut rest).split_at_mut(room);
                rest = after;
                Decoder::new(&counts[strand.groups.clone()], &words[lane], place)
            })
        });
        let done = read_side_by_side(&mut lanes, &mut sets);
        if !done || !lanes.iter().all(Decoder::ended) {
            return Err(Fault::Strand);
        }
    }
    // Only the last group may be smaller than what twelve bits can say.
    let last = form.groups() - 1;
    let beyond = indices
        .last()
        .is_some_and(|&index| index >= form.size(last));
    if beyond && counts[last] > 0 {
        return Err(Fault::Strand);
    }
    Ok(indices)
}

/// Every lane's groups, one of each at a time; whether each set has as many indices as it should.
fn read_side_by_side(lanes: &mut [Decoder<'_>; LANES], sets: &mut [Set; LANES]) -> bool {
    let mut fits = true;
    loop {
        let counts: [u32; LANES] = array::from_fn(|lane| lanes[lane].next_count());
        let (least, most) = extremes(&counts);
        if most == 0 {
            return fits;
        }
        for size in 1..=least {
            for (lane, set) in lanes.iter_mut().zip(sets.iter_mut()) {
                lane.step(set, size);
            }
        }
        for size in least + 1..=most {
            for ((lane, set), &count) in lanes.iter_mut().zip(sets.iter_mut()).zip(&counts) {
                if size <= count {
                    lane.step(set, size);
                }
            }
        }
        for ((lane, set), &count) in lanes.iter_mut().zip(sets.iter_mut()).zip(&counts) {
            let (place, after) = std::mem::take(&mut lane.indices).split_at_mut(count as usize);
            fits &= set.drain(place);
            lane.indices = after;
        }
    }
}

/// A strand that is being read.
struct Decoder<'a> {
    state: u32,
    words: &'a [u16],
    at: usize,
    counts: &'a [u16],
    indices: &'a mut [u16],
}

impl<'a> Decoder<'a> {
    fn new(counts: &'a [u16], words: &'a [u16], indices: &'a mut [u16]) -> Self {
        let state = u32::from(words[0]) << 16 | u32::from(words[1]);
        Self {
            state,
            words,
            at: 2,
            counts,
            indices,
        }
    }

    /// A lane without a strand.
    fn idle() -> Self {
        Self {
            state: FIRST,
            words: &[],
            at: 0,
            counts: &[],
            indices: &mut [],
        }
    }

    /// The count of the next group that sends something; 0 after the last one.
    fn next_count(&mut self) -> u32 {
        while let Some((&count, rest)) = self.counts.split_first() {
            self.counts = rest;
            if count > 0 {
                return count.into();
            }
        }
        0
    }

    /// Adds an index to a set that has `size` of them then.
    #[inline(always)]
    fn step(&mut self, set: &mut Set, size: u32) {
        let rank = set.insert(self.state % (1 << INDEX_BITS));
        let state = (self.state >> INDEX_BITS) * size + rank;
        // Both sides are computed: which one counts cannot be foreseen.
        let word = u32::from(self.words.get(self.at).copied().unwrap_or(0));
        let short = state < FIRST;
        self.state = if short { state << 16 | word } else { state };
        self.at += usize::from(short);
    }

    /// Whether the state came back to where it began, with all words.
    fn ended(&self) -> bool {
        let first = self.words.first().copied();
        first != Some(0) && self.state == FIRST && self.at == self.words.len()
    }
}
