//! From indices to strands.

use std::array;

use crate::ranks::Ranks;
use crate::strand::{extremes, Strand, FIRST, INDEX_BITS, LANES};

/// Appends the strands' lengths and words.
pub(crate) fn write(out: &mut Vec<u8>, strands: &[Strand], counts: &[u16], indices: &[u16]) {
    let mut written = Vec::with_capacity(2 * indices.len());
    let mut ranks: [Ranks; LANES] = array::from_fn(|_| Ranks::new());
    for strands in strands.chunks(LANES) {
        let mut lanes: [Encoder<'_>; LANES] = array::from_fn(|lane| {
            strands.get(lane).map_or_else(Encoder::idle, |strand| {
                let indices = &indices[strand.coefficients.clone()];
                Encoder::new(&counts[strand.groups.clone()], indices)
            })
        });
        write_side_by_side(&mut lanes, &mut ranks);
        for lane in &lanes[..strands.len()] {
            out.extend_from_slice(&(lane.at as u16).to_le_bytes());
            lane.append(&mut written);
        }
    }
    out.append(&mut written);
}

/// The reverse of reading, from the last groups to the first.
fn write_side_by_side(lanes: &mut [Encoder<'_>; LANES], ranks: &mut [Ranks; LANES]) {
    loop {
        let counts: [u32; LANES] = array::from_fn(|lane| lanes[lane].next_set());
        let (least, most) = extremes(&counts);
        if most == 0 {
            return;
        }
        for (ranks, &count) in ranks.iter_mut().zip(&counts) {
            ranks.fill(count as usize);
        }
        for size in (least + 1..=most).rev() {
            for ((lane, ranks), &count) in lanes.iter_mut().zip(ranks.iter_mut()).zip(&counts) {
                if size <= count {
                    lane.step(ranks, size);
                }
            }
        }
        for size in (1..=least).rev() {
            for (lane, ranks) in lanes.iter_mut().zip(ranks.iter_mut()) {
                lane.step(ranks, size);
            }
        }
    }
}

/// A strand that is being written, from its end.
struct Encoder<'a> {
    state: u32,
    /// The first `at` of them, last one first.
    words: Vec<u16>,
    at: usize,
    counts: &'a [u16],
    set: &'a [u16],
    before: &'a [u16],
}

impl<'a> Encoder<'a> {
    fn new(counts: &'a [u16], indices: &'a [u16]) -> Self {
        // A step writes one word at most.
        let words = vec![0; indices.len() + 1];
        Self {
            state: FIRST,
            words,
            at: 0,
            counts,
            set: &[],
            before: indices,
        }
    }

    fn idle() -> Self {
        Self::new(&[], &[])
    }

    /// Takes the last group that sends something for its set; its count, 0 before the first one.
    fn next_set(&mut self) -> u32 {
        while let Some((&count, rest)) = self.counts.split_last() {
            self.counts = rest;
            if count > 0 {
                let start = self.before.len() - usize::from(count);
                (self.before, self.set) = self.before.split_at(start);
                return count.into();
            }
        }
        0
    }

    /// Takes an index out of a set that has `size` left.
    #[inline(always)]
    fn step(&mut self, ranks: &mut Ranks, size: u32) {
        // Below size * 2^20 before it grows, so that it stays below 2^32.
        let long = self.state >> (u32::BITS - INDEX_BITS) >= size;
        self.words[self.at] = self.state as u16;
        self.at += usize::from(long);
        let state = if long { self.state >> 16 } else { self.state };
        let index = self.set[ranks.take(state % size)];
        self.state = (state / size) << INDEX_BITS | u32::from(index);
    }

    fn append(&self, out: &mut Vec<u8>) {
        let state = [(self.state >> 16) as u16, self.state as u16];
        let words = state.iter().chain(self.words[..self.at].iter().rev());
        out.extend(words.flat_map(|word| word.to_le_bytes()));
    }
}
