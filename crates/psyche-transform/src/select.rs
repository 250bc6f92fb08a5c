//! The largest coefficients of a group.

/// Magnitudes of numbers in the order of their bits: infinities above all numbers, NaN above them.
const MAGNITUDE: u32 = 0x7fff_ffff;
/// Numbers that are looked at together.
const CHUNK: usize = 16;

/// Finds the largest; its memory is reused.
#[derive(Default)]
pub struct Search {
    /// Magnitude above, 65,535 less the index below: of equal ones the first is the larger.
    keys: Vec<u64>,
    found: Vec<u16>,
}

impl Search {
    /// Indices of the `count` largest magnitudes of up to 4,096, rising. Zeros are never among
    /// them; NaN counts as the largest.
    #[inline(always)]
    pub fn largest(&mut self, group: &[f32], count: usize) -> &[u16] {
        let least = match count {
            1..=64 => least_of::<128>(group, count),
            65..=256 => least_of::<512>(group, count),
            _ => 1,
        };
        self.keys.clear();
        for (first, chunk) in group.chunks(CHUNK).enumerate() {
            self.collect(CHUNK * first, chunk, least);
        }
        if self.keys.len() > count {
            self.keys
                .select_nth_unstable_by(count - 1, |one, other| other.cmp(one));
            self.keys.truncate(count);
        }
        self.found.clear();
        self.found
            .extend(self.keys.iter().map(|key| u16::MAX - *key as u16));
        self.found.sort_unstable();
        &self.found
    }

    #[inline(always)]
    fn collect(&mut self, first: usize, chunk: &[f32], least: u32) {
        let any = |chunk: &[f32]| {
            chunk
                .iter()
                .fold(false, |any, one| any | (bits(one) >= least))
        };
        // A constant length makes it a few instructions.
        let there = match chunk.first_chunk::<CHUNK>() {
            Some(whole) => any(whole),
            None => any(chunk),
        };
        if there {
            for (index, one) in chunk
                .iter()
                .enumerate()
                .filter(|(_, one)| bits(one) >= least)
            {
                let index = u16::MAX - (first + index) as u16;
                self.keys
                    .push(u64::from(bits(one)) << 16 | u64::from(index));
            }
        }
    }
}

/// A magnitude that at least `count` numbers of the group reach, if they are not zeros: of as many
/// columns the maxima do. At least 1.
#[inline(always)]
fn least_of<const COLUMNS: usize>(group: &[f32], count: usize) -> u32 {
    let (rows, rest) = group.as_chunks::<COLUMNS>();
    if count > COLUMNS || !rest.is_empty() {
        return 1;
    }
    let mut best = [0; COLUMNS];
    for row in rows {
        for (best, one) in best.iter_mut().zip(row) {
            *best = bits(one).max(*best);
        }
    }
    let (_, nth, _) = best.select_nth_unstable_by(count - 1, |one, other| other.cmp(one));
    (*nth).max(1)
}

#[inline(always)]
fn bits(one: &f32) -> u32 {
    one.to_bits() & MAGNITUDE
}
