//! Draws: words from a seed, uniform numbers by rejection, shuffles.

use super::hash::{sha256, Hash};

/// Most verifiers that a round can have; a round's record has room for so many.
pub const MAX_VERIFIERS: u32 = 64;

/// An endless row of 32-bit words: those of sha256(seed | counter), counter = 0, 1, 2, ...
#[derive(Clone, Debug)]
pub struct Words {
    seed: Hash,
    counter: u32,
    block: [u32; 8],
    used: usize,
}

impl Words {
    /// The words of `seed`, from the first on.
    #[must_use]
    pub const fn new(seed: Hash) -> Self {
        Self {
            seed,
            counter: 0,
            block: [0; 8],
            used: 8,
        }
    }

    /// The next word.
    #[inline]
    pub fn word(&mut self) -> u32 {
        let word = match self.block.get(self.used) {
            Some(word) => *word,
            None => self.refill(),
        };
        self.used = self.used.wrapping_add(1);
        word
    }

    /// A uniform number in 0..n, 0 if n is 0; words that would favour small numbers are skipped.
    #[inline]
    pub fn uniform(&mut self, n: u32) -> u32 {
        let n = u64::from(n);
        if n == 0 {
            return 0;
        }
        loop {
            let word = u64::from(self.word());
            let number = word.checked_rem(n).unwrap_or(0);
            // Words count below the largest multiple of n that 2^32 holds: the n words that give
            // 0 to n - 1 around this one are all below 2^32.
            if word.wrapping_sub(number).wrapping_add(n) <= 1_u64 << 32 {
                #[allow(clippy::cast_possible_truncation)] // Below n, which is a u32.
                return number as u32;
            }
        }
    }

    fn refill(&mut self) -> u32 {
        let hash = sha256(&[&self.seed, &self.counter.to_le_bytes()]);
        for (word, bytes) in self.block.iter_mut().zip(hash.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        self.counter = self.counter.wrapping_add(1);
        self.used = 0;
        self.block[0]
    }
}

/// Brings `count` items, drawn without repetition, to the front, in drawn order (Fisher-Yates).
pub fn shuffle(words: &mut Words, items: &mut [u16], count: usize) {
    let length = items.len();
    for index in 0..count.min(length) {
        let rest = u32::try_from(length.wrapping_sub(index)).unwrap_or(u32::MAX);
        let other = index.wrapping_add(words.uniform(rest) as usize);
        items.swap(index, other);
    }
}

/// Verifiers among `members`: min(floor(members * percent / 100 + r), members - 1, 64).
///
/// r is `fraction` / 65,536, so that a small network is audited at the right average.
#[must_use]
pub fn verifier_count(members: u32, percent: u8, fraction: u16) -> u32 {
    // At most 2^32 * 2^8 * 2^16 + 2^23. 6,553,600 is 2^18 * 25: a division of 64 bits would be dear.
    let scaled = u64::from(members)
        .wrapping_mul(u64::from(percent))
        .wrapping_mul(65_536)
        .wrapping_add(u64::from(fraction).wrapping_mul(100));
    let count = u32::try_from(scaled >> 18).unwrap_or(u32::MAX) / 25;
    count.min(members.saturating_sub(1)).min(MAX_VERIFIERS)
}

/// Draws the roles of a round: shuffles all of `members` and says how many of the first verify.
///
/// `members` are the slots of the Active members, ascending; after it the verifiers, then the
/// trainers, in drawn order. The low half of the seed's first word is the fraction of
/// [`verifier_count`]; `percent` is 0 in the first round of an epoch.
pub fn draw_roles(seed: Hash, members: &mut [u16], percent: u8) -> usize {
    let mut words = Words::new(seed);
    #[allow(clippy::cast_possible_truncation)] // The low half is what is wanted.
    let fraction = words.word() as u16;
    let count = members.len();
    shuffle(&mut words, members, count);
    let members = u32::try_from(count).unwrap_or(u32::MAX);
    verifier_count(members, percent, fraction) as usize
}

/// Draws witnesses: `count` of `eligible` (slots, ascending), or all; says how many were drawn.
///
/// They stand first in `eligible`, in drawn order; the i-th has bit i of the masks.
pub fn draw_witnesses(seed: Hash, eligible: &mut [u16], count: u8) -> usize {
    let count = usize::from(count).min(32).min(eligible.len());
    shuffle(&mut Words::new(seed), eligible, count);
    count
}
